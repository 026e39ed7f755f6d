import gzip
import json
from collections import Counter

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from g2lstm.arrays import save_arrays
from g2lstm.data import bpe
from g2lstm.data.parallel import ParallelCorpus, ParallelSplit
from g2lstm.data.prepare import prepare_translation
from g2lstm.data.synchronous import generate
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, write_record

SPLIT = ParallelSplit(
    source=np.array([2, 3, 0, 2, 0], dtype=np.int32),
    source_offsets=np.array([0, 3, 5]),
    target=np.array([3, 0, 3, 2, 2, 0], dtype=np.int32),
    target_offsets=np.array([0, 2, 6]),
    target_boundaries=np.array([0, 0, 0, 1, 1, 0], dtype=np.uint8),
)
CORPUS = ParallelCorpus(
    ["</s>", "<unk>", "a@@", "ß"], "de", "en", {"train": SPLIT, "valid": SPLIT, "test": SPLIT}
)
ARRAYS = ("source", "source_offsets", "target", "target_offsets", "target_boundaries")


def test_saved_corpus_loads_equal_and_has_equal_bytes(tmp_path):
    CORPUS.save(tmp_path / "one")
    loaded = ParallelCorpus.load(tmp_path / "one")
    assert loaded.vocabulary == CORPUS.vocabulary
    assert (loaded.source_language, loaded.target_language, loaded.synthetic) == ("de", "en", False)
    assert list(loaded.splits) == ["train", "valid", "test"]
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(loaded.splits["test"], name), getattr(SPLIT, name))
    loaded.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_length_and_selection_of_pairs():
    assert len(SPLIT) == 2
    assert SPLIT.lengths("target").tolist() == [1, 3]
    second = SPLIT.select(np.array([False, True]))
    assert second.source.tolist() == [2, 0]
    assert second.target.tolist() == [3, 2, 2, 0]
    assert second.target_offsets.tolist() == [0, 4]
    assert second.target_boundaries.tolist() == [0, 1, 1, 0]


def test_other_file_is_no_parallel_corpus(tmp_path):
    save_arrays(tmp_path / "other", {"a": np.zeros(2)}, {})
    with pytest.raises(UserError, match="other: not a parallel corpus; prepare it again"):
        ParallelCorpus.load(tmp_path / "other")


texts = st.lists(
    st.lists(st.text("abcß</s>", min_size=1, max_size=6), min_size=1, max_size=5).map(" ".join),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(texts, st.integers(1, 20))
def test_subwords_of_a_line_spell_it_again(lines, merges):
    numbers = bpe.new_numbers()
    stream = bpe.word_stream(["ab ab abc", *lines], numbers)
    words = list(numbers)[1:]
    counts = np.bincount(stream, minlength=len(numbers))[1:].tolist()
    codes = bpe.learn_merges(dict(zip(words, counts, strict=True)), merges)
    subwords = bpe.segment(words, codes)
    vocabulary = bpe.build_vocabulary(subwords, counts, 1000)
    ids, offsets, lengths = bpe.SubwordTable(subwords, vocabulary).expand(stream)
    assert len(offsets) == len(lines) + 2
    assert lengths.sum() == len(ids) == offsets[-1]
    for line, start, end in zip(lines, offsets[1:-1], offsets[2:], strict=True):
        assert ids[end - 1] == bpe.END_ID
        assert bpe.END_ID not in ids[start : end - 1]
        spelt = " ".join(vocabulary[i] for i in ids[start : end - 1]).replace("@@ ", "")
        assert spelt == line or bpe.UNKNOWN_ID in ids[start:end]
        if not set(line.split()) & set(bpe.RESERVED):
            assert spelt == line


def test_most_frequent_pair_is_merged_first():
    codes = bpe.learn_merges({"low": 5, "lot": 4, "x": 9}, 2)
    assert codes.splitlines()[1:] == ["l o", "lo w</w>"]
    assert bpe.segment(["low", "slot", "x"], codes) == [("low",), ("s@@", "lo@@", "t"), ("x",)]


def test_vocabulary_is_ranked_by_frequency_then_text_and_cut():
    subwords = [("b@@", "c"), ("a",), ("d",), ("</s>",), ("e",)]
    assert bpe.build_vocabulary(subwords, [3, 3, 7, 9, 0], 100) == [
        "</s>", "<unk>", "d", "a", "b@@", "c"
    ]  # fmt: skip
    assert bpe.build_vocabulary(subwords, [3, 3, 7, 9, 0], 4) == ["</s>", "<unk>", "d", "a"]


def test_text_without_anything_to_merge_is_refused(capsys):
    with pytest.raises(UserError, match="too small to learn sub-words"):
        bpe.learn_merges({"a": 5, "bc": 1}, 10)
    assert capsys.readouterr().err == ""


SYNTHETIC = {
    "corpus": "synthetic",
    "synthetic": {"seed": 3, "vocabulary": 600, "pairs": {"train": 400, "valid": 30, "test": 20}},
    "bpe": {"merges": 300, "vocabulary": 400, "longest": 64},
}


def spell(corpus, split, side, number):
    part = corpus.splits[split]
    start, end = getattr(part, f"{side}_offsets")[number : number + 2]
    pieces = " ".join(corpus.vocabulary[i] for i in getattr(part, side)[start : end - 1])
    return pieces.replace("@@ ", "")


@pytest.mark.parametrize("task", ["de-en", "en-de"])
def test_prepared_synthetic_corpus_spells_the_generated_pairs(tmp_path, task):
    prepare_translation({"task": task, **SYNTHETIC}, tmp_path, "absent.yaml")
    corpus = ParallelCorpus.load(tmp_path / "corpus.safetensors")
    assert (corpus.source_language, corpus.target_language) == tuple(task.split("-"))
    assert corpus.synthetic
    pairs = generate(**SYNTHETIC["synthetic"])["test"]
    references = (tmp_path / "test.tokenised.txt").read_text().splitlines()
    for number, pair in enumerate(pairs):
        sides = {"de": (pair.source, pair.source_boundaries)}
        sides["en"] = (pair.target, pair.target_boundaries)
        source, _ = sides[corpus.source_language]
        target, flags = sides[corpus.target_language]
        assert spell(corpus, "test", "source", number) == cased(source, task)
        assert references[number] == spell(corpus, "test", "target", number) == cased(target, task)
        assert token_flags(corpus, number) == [*flags, 0]


def cased(words, task):
    line = " ".join(words)
    return line.lower() if task == "de-en" else line


def token_flags(corpus, number):
    """Return the flag of each token of a test sentence; sub-words of a token must agree."""
    split = corpus.splits["test"]
    start, end = split.target_offsets[number : number + 2]
    flags, previous = [], ""
    for i, flag in zip(split.target[start:end], split.target_boundaries[start:end], strict=True):
        if previous.endswith("@@"):
            assert flag == flags[-1]
        else:
            flags.append(int(flag))
        previous = corpus.vocabulary[i]
    return flags


def test_equal_settings_give_equal_files(tmp_path):
    for run in ("one", "two"):
        prepare_translation({"task": "de-en", **SYNTHETIC}, tmp_path / run, "absent.yaml")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == [
        "bpe.codes", "corpus.json", "corpus.safetensors", "test.raw.txt", "test.tokenised.txt",
        "valid.raw.txt", "valid.tokenised.txt", "vocabulary.txt",
    ]  # fmt: skip
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_record_counts_what_the_corpus_holds(tmp_path):
    short = {**SYNTHETIC, "bpe": {"merges": 300, "vocabulary": 150, "longest": 14}}
    prepare_translation({"task": "de-en", **short}, tmp_path, "absent.yaml")
    record = json.loads((tmp_path / "corpus.json").read_text())
    corpus = ParallelCorpus.load(tmp_path / "corpus.safetensors")
    assert record["task"] == "de-en"
    assert record["sha256"] == file_sha256(tmp_path / "corpus.safetensors")
    assert record["vocabulary"] == len(corpus.vocabulary) == 150
    assert (tmp_path / "vocabulary.txt").read_text().splitlines() == corpus.vocabulary
    train = corpus.splits["train"]
    assert max(train.lengths("source").max(), train.lengths("target").max()) == 14
    assert 0 < record["left_out"]["too long"] == 400 - len(train)
    assert len(corpus.splits["test"]) == 20
    unknown = Counter(corpus.splits["test"].source.tolist())[1]
    words = record["tokens"]["test"]["source"] - record["lines"]["test"]
    assert record["unknown"]["test"]["source"] == pytest.approx(unknown / words)
    assert unknown > 0
    assert record["raw_reference"] == {"valid": "detokenised", "test": "detokenised"}


@pytest.fixture
def multi30k(tmp_path):
    def prepare(task, lines, change=lambda: None):
        files = []
        for stem, pairs in (("train", 120), ("val", 2), ("test_2016_flickr", 2)):
            for name, text in (
                ("de", "Der Mann\u2028saß da, {} mal."),
                ("en", "The man sat, {} times."),
            ):
                path = tmp_path / f"{stem}.{name}.gz"
                numbered = "\n".join(text.format(i) for i in range(pairs))
                path.write_bytes(gzip.compress(numbered.encode()))
                files.append({"name": path.name, "mirror": "a/b", "urls": []})
        registry = tmp_path / "datasets.yaml"
        registry.write_text(yaml.safe_dump({"multi30k": {"files": files, **lines}}))
        hashes = {file["name"]: file_sha256(tmp_path / file["name"]) for file in files}
        write_record(tmp_path / "files.json", {"kind": "dataset", "files": hashes})
        change()
        settings = {"merges": 20, "vocabulary": 60, "longest": 64}
        source = {"task": task, "corpus": "multi30k", "bpe": settings}
        prepare_translation(source, tmp_path / "out", registry, raw_dir=tmp_path)
        return tmp_path / "out"

    return prepare


@pytest.mark.parametrize(
    ("task", "tokenised", "raw"),
    [
        ("de-en", "the man sat , 1 times .", "The man sat, 1 times."),
        ("en-de", "Der Mann saß da , 1 mal .", "Der Mann saß da, 1 mal."),
    ],
)
def test_references_are_cased_by_task_and_raw_text_is_kept(multi30k, task, tokenised, raw):
    out = multi30k(task, {"lines": {"train": 120, "test": 2}})
    assert (out / "test.tokenised.txt").read_text().splitlines()[1] == tokenised
    assert (out / "test.raw.txt").read_text().splitlines()[1] == raw
    corpus = ParallelCorpus.load(out / "corpus.safetensors")
    assert spell(corpus, "test", "target", 1) == tokenised
    assert corpus.splits["test"].target_boundaries is None
    record = json.loads((out / "corpus.json").read_text())
    assert record["raw_reference"]["test"] == "original"
    assert record["inputs"]["train.de.gz"] == file_sha256(out.parent / "train.de.gz")


def test_other_number_of_pairs_than_registered_is_refused(multi30k):
    with pytest.raises(UserError, match="the valid split of multi30k has 2 sentence pairs inst"):
        multi30k("de-en", {"lines": {"valid": 3}})


@pytest.mark.parametrize("published", [119, 121])
def test_slightly_other_number_of_pairs_than_published_is_told(multi30k, capsys, published):
    multi30k("de-en", {"lines_about": {"train": published, "test": 2}})
    (notice,) = capsys.readouterr().err.splitlines()
    assert notice.startswith(f"multi30k: 120 train pairs, published are {published}")


@pytest.mark.parametrize("published", [118, 122])
def test_number_of_pairs_far_from_the_published_one_is_refused(multi30k, tmp_path, published):
    message = f"multi30k: 120 train pairs, published are {published}, more than 1% off"
    with pytest.raises(UserError, match=message):
        multi30k("de-en", {"lines_about": {"train": published}})
    assert not (tmp_path / "out").exists()


def test_text_that_has_changed_since_it_was_fetched_is_refused(multi30k, tmp_path):
    def change():
        (tmp_path / "val.en.gz").write_bytes(gzip.compress(b"Other text.\nOf two lines."))

    with pytest.raises(UserError, match=r"val\.en\.gz: changed since it was fetched"):
        multi30k("de-en", {}, change)
    assert not (tmp_path / "out").exists()


def test_unknown_task_is_refused(tmp_path):
    with pytest.raises(UserError, match="unknown translation task 'fr-en'"):
        prepare_translation({"task": "fr-en", **SYNTHETIC}, tmp_path, "absent.yaml")
