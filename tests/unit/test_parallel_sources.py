import gzip
import io
import random
import re
import tarfile
import zipfile

import pytest

from g2lstm.data.bitext import Bitext
from g2lstm.data.parallel_sources import clean, read_parallel, read_tatoeba
from g2lstm.errors import UserError


def write_tgz(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


def write_gz(path, text):
    path.write_bytes(gzip.compress(text.encode()))


def write_tatoeba(folder, pairs):
    with zipfile.ZipFile(folder / "deu-eng.zip", "w") as archive:
        archive.writestr("deu.txt", "".join(f"{en}\t{de}\n" for en, de in pairs))
        archive.writestr("_about.txt", "not read")


def tatoeba_pairs():
    # Each German sentence belongs to two English ones, every third English one to two German.
    pairs = [(f"Number {i} came.", f"Zahl {i // 2} kam.") for i in range(60)]
    pairs += [(f"NUMBER {i} came.", f"Nummer {i} ist da.") for i in range(0, 60, 3)]
    return pairs


def sides(splits, name, split):
    return {line.lower() for line in splits[split].raw[name]}


def test_no_sentence_of_tatoeba_stands_in_two_splits(tmp_path):
    write_tatoeba(tmp_path, tatoeba_pairs())
    splits, left_out = read_tatoeba(tmp_path, held_out=6)
    assert len(splits["valid"]) == len(splits["test"]) == 6
    for name in ("de", "en"):
        assert len(sides(splits, name, "valid")) == len(sides(splits, name, "test")) == 6
        for one, two in (("train", "valid"), ("train", "test"), ("valid", "test")):
            assert not sides(splits, name, one) & sides(splits, name, two)
    kept = [pair for text in splits.values() for pair in zip(*text.raw.values(), strict=True)]
    assert set(kept) <= set(tatoeba_pairs())
    assert len(kept) + left_out["shared side"] == len(tatoeba_pairs())


def test_sentences_of_tatoeba_that_differ_in_punctuation_only_share_a_split(tmp_path):
    marks = (".", "!", "\u2019s...", "'s...")
    pairs = [(f"{name} {i}{mark}", f"{i} {name}{mark}") for i in range(30) for mark in marks
             for name in ("It, is", "It is")]  # fmt: skip
    write_tatoeba(tmp_path, pairs)
    splits, _ = read_tatoeba(tmp_path, held_out=6)
    for name in ("de", "en"):
        letters = {
            split: {re.sub("[^a-z0-9]", "", line) for line in sides(splits, name, split)}
            for split in splits
        }
        for one, two in (("train", "valid"), ("train", "test"), ("valid", "test")):
            assert not letters[one] & letters[two]


def test_split_of_tatoeba_does_not_depend_on_the_order_of_the_file(tmp_path):
    pairs = tatoeba_pairs()
    write_tatoeba(tmp_path, pairs)
    first, _ = read_tatoeba(tmp_path, held_out=6)
    random.Random(1).shuffle(pairs)
    write_tatoeba(tmp_path, pairs)
    second, _ = read_tatoeba(tmp_path, held_out=6)
    assert first["test"] == second["test"]
    assert first["valid"] == second["valid"]
    assert sides(first, "en", "train") == sides(second, "en", "train")


def test_too_small_tatoeba_is_refused(tmp_path):
    write_tatoeba(tmp_path, tatoeba_pairs())
    with pytest.raises(UserError, match="too few distinct sentences"):
        read_tatoeba(tmp_path)


@pytest.mark.parametrize(
    ("pair", "message"), [("no tab", "line 2: no tab"), ("Hi.\t ", "line 2: an empty sentence")]
)
def test_bad_line_of_tatoeba_is_named(tmp_path, pair, message):
    with zipfile.ZipFile(tmp_path / "deu-eng.zip", "w") as archive:
        archive.writestr("deu.txt", f"Go.\tGeh.\n{pair}\n")
    with pytest.raises(UserError, match=rf"deu-eng\.zip: deu\.txt, {message}"):
        read_tatoeba(tmp_path)


MULTI30K = {
    f"{stem}.{name}.gz": f"{text}\n{text}\n"
    for stem in ("train", "val", "test_2016_flickr")
    for name, text in (("de", "Ein Mann, sitzend."), ("en", "A man's seat."))
}


def multi30k(folder, **changed):
    for name, text in {**MULTI30K, **changed}.items():
        write_gz(folder / name, text)
    return read_parallel("multi30k", folder)


def test_multi30k_is_tokenised_and_keeps_its_case(tmp_path):
    splits, left_out = multi30k(tmp_path)
    assert list(splits) == ["train", "valid", "test"]
    assert splits["test"].tokenised["de"] == ["Ein Mann , sitzend ."] * 2
    assert splits["test"].tokenised["en"] == ["A man &apos;s seat ."] * 2
    assert splits["test"].raw["en"] == ["A man's seat."] * 2
    assert left_out == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n", r"val\.de\.gz: 2 sentences, but .*val\.en\.gz: 1; the sides do not belong"),
        ("one\n \n", r"val\.en\.gz, line 2: an empty sentence"),
        ("", r"val\.en\.gz: the file is empty"),
        ("a\nb\0\n", r"val\.en\.gz, line 2: a NUL byte"),
    ],
)
def test_bad_text_is_named(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        multi30k(tmp_path, **{"val.en.gz": text})


def test_broken_utf8_is_named_with_its_line(tmp_path):
    multi30k(tmp_path)
    (tmp_path / "val.de.gz").write_bytes(gzip.compress(b"ein\nzw\xff\n"))
    with pytest.raises(UserError, match=r"val\.de\.gz, line 2: broken UTF-8"):
        read_parallel("multi30k", tmp_path)


def iwslt_members(train, extra=()):
    members = {}
    for side, name in enumerate(("de", "en")):
        head = ["<url>x</url>", "<keywords>x</keywords>", "<talkid>1</talkid>"]
        head += [f"<title>{('Der Titel', 'The title')[side]}</title>"]
        lines = [*head, *(pair[side] for pair in train), *extra]
        members[f"de-en/train.tags.de-en.{name}"] = "\n".join(lines) + "\n"
        for part in ("TED.tst2012", "TED.dev2010", "TEDX.dev2012", "TED.tst2010", "TED.tst2011"):
            text = f'<doc>\n<seg id="1"> {part}, it\u2019s &amp; {name}. </seg>\n</doc>\n'
            members[f"de-en/IWSLT14.{part}.de-en.{name}.xml"] = text
    return members


def test_iwslt14_follows_the_recipe(tmp_path):
    long, longer = " ".join(["wort"] * 50), " ".join(["word"] * 51)
    train = [(f"satz {i}", f"sentence {i}") for i in range(2, 47)]
    train += [(long, long), (long, longer), ("", "nothing"), ("a b c", "x y"), ("a b c d", "x y")]
    write_tgz(tmp_path / "de-en.tgz", iwslt_members(train))
    splits, left_out = read_parallel("iwslt14", tmp_path)
    assert left_out == {"cleaning": 3}
    # Kept are the title, 45 sentences, the pair of 50 words and the pair of ratio 1.5.
    assert splits["valid"].tokenised["en"] == ["sentence 23", "sentence 46"]
    assert splits["train"].tokenised["de"][:2] == ["Der Titel", "satz 2"]
    assert splits["train"].tokenised["de"][-2:] == [long, "a b c"]
    assert len(splits["train"]) == 46
    assert splits["valid"].raw["de"] == ["satz 23", "satz 46"]


def test_test_set_of_iwslt14_is_five_sets_in_order(tmp_path):
    write_tgz(tmp_path / "de-en.tgz", iwslt_members([("satz", "sentence")]))
    test = read_parallel("iwslt14", tmp_path)[0]["test"]
    parts = [line.split()[0] for line in test.tokenised["en"]]
    assert parts == ["TED.dev2010", "TEDX.dev2012", "TED.tst2010", "TED.tst2011", "TED.tst2012"]
    assert test.tokenised["en"][0] == "TED.dev2010 , it &apos;s &amp; amp ; en ."
    assert test.raw["de"][0] == "TED.dev2010, it's & de."


def test_sides_of_iwslt14_must_agree(tmp_path):
    members = iwslt_members([("satz", "sentence")])
    members["de-en/train.tags.de-en.en"] += "one more\n"
    write_tgz(tmp_path / "de-en.tgz", members)
    with pytest.raises(UserError, match=r"train\.tags\.de-en\.de: 2 sentences, but .*\.en: 3"):
        read_parallel("iwslt14", tmp_path)


def write_wmt14(folder):
    train = {
        "de": "ein rich ##AT##-##AT## text\n\nzwei\n",
        "en": "a rich ##AT##-##AT## text\nx\ny\n",
    }
    for name in ("de", "en"):
        (folder / f"train.{name}").write_text(train[name])
        (folder / f"newstest2012.{name}").write_text(f"2012 {name}\n")
        (folder / f"newstest2013.{name}").write_text(f"2013 {name} &quot; a ##AT##-##AT## b\n")
    for archive, top, segments in (("test-full", "test-full", 3), ("test-filtered", "test", 2)):
        lines = [f'<seg id="{i}">Text-{i} R&amp;D too.</seg>' for i in range(segments)]
        members = {f"newstest2014-deen-{side}.sgm": lines for side in ("ref.de", "src.en")}
        write_tgz(
            folder / f"{archive}.tgz",
            {f"{top}/{name}": "<srcset>\n" + "\n".join(text) for name, text in members.items()},
        )


def test_wmt14_has_both_test_sets_tokenised_like_its_training_text(tmp_path):
    write_wmt14(tmp_path)
    splits, left_out = read_parallel("wmt14", tmp_path)
    assert {split: len(text) for split, text in splits.items()} == {
        "train": 2,
        "valid": 2,
        "test": 3,
        "test-2737": 2,
    }
    assert left_out == {"cleaning": 1}
    assert splits["train"].tokenised["de"] == ["ein rich ##AT##-##AT## text", "zwei"]
    assert splits["valid"].tokenised["en"][0] == "2012 en"
    assert splits["test"].tokenised["en"][1] == "Text ##AT##-##AT## 1 R &amp; D too ."
    assert splits["test"].raw["de"][1] == "Text-1 R&D too."
    assert splits["valid"].raw is None


def write_wmt_sample(folder):
    for side, train, valid in (("src", "house", "a house"), ("tgt", "Haus", "ein Haus")):
        lines = "".join(f"{train} {i}\n" for i in range(52))
        (folder / f"{side}-train.txt").write_text(lines + "\n")
        (folder / f"{side}-val.txt").write_text(valid + "\n")


def test_wmt_sample_reads_english_as_source(tmp_path):
    write_wmt_sample(tmp_path)
    splits, left_out = read_parallel("wmt-sample", tmp_path)
    assert splits["train"].tokenised == {"de": ["Haus 0", "Haus 1"], "en": ["house 0", "house 1"]}
    assert splits["valid"].tokenised == {"de": ["ein Haus"], "en": ["a house"]}
    assert left_out == {"cleaning": 1}


def test_test_set_of_wmt_sample_is_the_last_fifty_training_pairs(tmp_path):
    write_wmt_sample(tmp_path)
    splits, _ = read_parallel("wmt-sample", tmp_path)
    assert splits["test"].tokenised["en"] == [f"house {i}" for i in range(2, 52)]
    assert splits["test"].tokenised["de"] == [f"Haus {i}" for i in range(2, 52)]


def test_cleaning_keeps_lengths_and_ratios_at_the_limit():
    lengths = [(2, 3), (3, 2), (2, 4), (0, 1), (6, 6), (7, 7), (1, 1)]
    columns = zip(*((" ".join("x" * de), " ".join("x" * en)) for de, en in lengths), strict=True)
    bitext = Bitext(dict(zip(("de", "en"), map(list, columns), strict=True)))
    cleaned, left_out = clean(bitext, longest=6, ratio=1.5)
    assert [len(line.split()) for line in cleaned.tokenised["de"]] == [2, 3, 6, 1]
    assert left_out == 3


@pytest.mark.parametrize("name", ["deu-eng.zip", "val.de.gz", "de-en.tgz"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.98])
def test_truncated_archive_says_to_fetch_again(tmp_path, name, kept):
    write_tatoeba(tmp_path, tatoeba_pairs())
    multi30k(tmp_path)
    noise = random.Random(1)
    train = [(f"satz {noise.random()}", f"sentence {noise.random()}") for _ in range(500)]
    write_tgz(tmp_path / "de-en.tgz", iwslt_members(train))
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(kept * len(content))])
    corpus = {"zip": "tatoeba", ".gz": "multi30k", "tgz": "iwslt14"}[name[-3:]]
    with pytest.raises(UserError, match=rf"{name}: .*delete it and fetch it again") as caught:
        read_parallel(corpus, tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"train\.de\.gz: cannot be read"):
        read_parallel("multi30k", tmp_path)


def test_unknown_corpus_lists_the_known_ones(tmp_path):
    with pytest.raises(UserError, match=r"unknown parallel corpus 'x'.*multi30k, tatoeba"):
        read_parallel("x", tmp_path)
