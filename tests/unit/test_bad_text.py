"""Whatever a text file holds: the corpus has exactly its words, line by line, or one line says
which file and line is bad.
"""

import gzip
import html
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2lstm.data.bpe import RESERVED
from g2lstm.data.corpus import Corpus, build_corpus, read_word_level
from g2lstm.data.parallel import ParallelCorpus, join_subwords
from g2lstm.data.parallel_sources import MULTI30K, read_parallel
from g2lstm.data.prepare import prepare_translation
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, write_record

BOM = "\ufeff".encode()
# White space of Unicode stands within a line: only a line feed ends one.
PIECES = [
    "a", "Haus", "é", "e\u0301", "1,000.5", "it's", "</s>", "<unk>", "<eos>", "@@", "x@@", "&amp;",
    "&", "|", "...", "\U0001d518", "\u200b", "\ufeff", "\x01", "\x1b[0m", "w" * 300, " ", "  ",
    "\t", "\r", "\r\n", "\n", "\n\n", "\u2028", "\u2029", "\x85", "\x1c", "\u00a0", "\u3000",
]  # fmt: skip
BROKEN = [b"\0", b"\xff", b"\xed\xa0\x80", b"\xc3", BOM]  # a half of a letter among them
pieces = st.sampled_from(PIECES) | st.text(max_size=4)
contents = st.lists(
    pieces.map(str.encode) | st.sampled_from(BROKEN) | st.binary(max_size=3), max_size=30
).map(b"".join)


def expected_lines(content):
    """The words of each line, or the message that must come instead."""
    content = content.removeprefix(BOM)
    before, null, _ = content.partition(b"\0")
    if null:
        return f"line {before.count(10) + 1}: a NUL byte"
    words = []
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), 1):
        try:
            words.append(line.decode().split())
        except UnicodeDecodeError:
            return f"line {number}: broken UTF-8"
    return words if any(words) else "the file is empty"


@settings(max_examples=300)
@given(contents)
def test_a_word_level_corpus_has_exactly_the_words_of_each_line(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "text.txt"
    path.write_bytes(content)
    expected = expected_lines(content)
    if isinstance(expected, str):
        with pytest.raises(UserError, match=rf"text\.txt.*{expected}"):
            read_word_level({"train": path})
        return
    lines = read_word_level({"train": path})["train"]
    assert lines == expected
    build_corpus(dict.fromkeys(("train", "valid", "test"), lines)).save(folder / "corpus")
    corpus = Corpus.load(folder / "corpus")
    words = [corpus.vocabulary[i] for i in corpus.splits["valid"]]
    assert words == [word for line in lines for word in [*line, "<eos>"]]


FILLER = {"de": "Ein Mann saß da, {} mal.", "en": "A man sat there, {} times."}


def write_multi30k(folder, train):
    """Write the data set: text to learn sub-words on, and after it ``train``, language -> text."""
    files = []
    for name, text in FILLER.items():
        filler = "".join(text.format(i) + "\n" for i in range(40))
        for stem in MULTI30K.values():
            path = folder / f"{stem}.{name}.gz"
            content = filler + train[name] if stem == "train" else filler
            path.write_bytes(gzip.compress(content.encode(), 1))
            files.append(path)
    hashes = {path.name: file_sha256(path) for path in files}
    write_record(folder / "files.json", {"kind": "dataset", "files": hashes})
    entries = "".join(f"  - {{name: {path.name}, mirror: a/b, urls: []}}\n" for path in files)
    (folder / "datasets.yaml").write_text(f"multi30k:\n files:\n{entries}")


def prepared(folder, task="en-de"):
    """The corpus, written and read again."""
    bpe = {"merges": 30, "vocabulary": 10_000, "longest": 10**7}
    source = {"task": task, "corpus": "multi30k", "bpe": bpe}
    prepare_translation(source, folder / "out", folder / "datasets.yaml", raw_dir=folder)
    return ParallelCorpus.load(folder / "out" / "corpus.safetensors")


def spelt(corpus, side):
    """The training sentences of one side as words."""
    split = corpus.splits["train"]
    offsets, ids = getattr(split, f"{side}_offsets"), getattr(split, side)
    return [
        join_subwords(" ".join(corpus.vocabulary[i] for i in ids[start : end - 1]))
        for start, end in pairwise(offsets)
    ]


def letters(text):
    """Text without white space and the control characters that the tokeniser of Moses drops."""
    return re.sub(r"[\x00-\x1f]", "", "".join(text.split()))


lines = st.lists(pieces.filter(lambda piece: "\n" not in piece), max_size=6).map("".join)
columns = st.lists(st.tuples(lines, lines), max_size=4)


@settings(max_examples=40)
@given(columns, st.booleans())
def test_a_parallel_corpus_has_exactly_the_words_of_each_pair(tmp_path_factory, pairs, longer):
    folder = tmp_path_factory.getbasetemp() / "multi30k"
    folder.mkdir(exist_ok=True)
    train = {name: "".join(pair[side] + "\n" for pair in pairs) for side, name in enumerate(FILLER)}
    train["en"] += "One more.\n" if longer else ""
    write_multi30k(folder, train)
    empty = [k for k, pair in enumerate(pairs, 41) if not all(map(letters, pair))]
    told = None
    if "\0" in "".join(train.values()):
        told = r"train\.(de|en)\.gz, line \d+: a NUL byte"
    elif longer:
        told = rf"train\.de\.gz: {len(pairs) + 40} sentences, but .*train\.en\.gz: "
    elif empty:
        told = r"train\.(de|en)\.gz, line \d+: an empty sentence"
    if told:
        with pytest.raises(UserError, match=told):
            read_parallel("multi30k", folder)
        return
    corpus = prepared(folder)
    for side, name in (("source", "en"), ("target", "de")):
        sentences = spelt(corpus, side)
        wanted = (FILLER[name] + "\n").format(0)
        assert letters(html.unescape(sentences[0])) == letters(wanted)
        written = [pair[list(FILLER).index(name)] for pair in pairs]
        assert len(sentences) == 40 + len(written)
        for sentence, line in zip(sentences[40:], written, strict=True):
            # `<unk>` stands for words that would be taken for the corpus' own marks.
            assert not set(sentence.split()) & set(RESERVED)
            assert letters(html.unescape(sentence)) == letters(line)


@pytest.mark.parametrize("line", ["word " * 200_000, "w" * 50_000], ids=["line", "word"])
def test_a_line_of_a_megabyte_and_a_word_of_many_letters_keep_their_words(tmp_path, line):
    write_multi30k(tmp_path, {"de": f"{line}\n", "en": f"{line}\n"})
    corpus = prepared(tmp_path)
    assert spelt(corpus, "source")[40:] == spelt(corpus, "target")[40:] == [line.strip()]
    (tmp_path / "text.txt").write_text(line)
    assert read_word_level({"train": tmp_path / "text.txt"})["train"] == [line.split()]


def test_references_and_vocabulary_have_one_entry_a_line(tmp_path):
    odd = "Ein\u2028Mann\x85\x1csaß\u2029da ."
    write_multi30k(tmp_path, {"de": f"{odd}\n", "en": "A man .\n"})
    for stem in ("val", "test_2016_flickr"):
        (tmp_path / f"{stem}.de.gz").write_bytes(gzip.compress(f"{odd}\n{odd}\n".encode()))
        (tmp_path / f"{stem}.en.gz").write_bytes(gzip.compress(b"A man .\nA man .\n"))
    hashes = {path.name: file_sha256(path) for path in tmp_path.glob("*.gz")}
    write_record(tmp_path / "files.json", {"kind": "dataset", "files": hashes})
    corpus = prepared(tmp_path)
    for kind in ("tokenised", "raw"):
        text = (tmp_path / "out" / f"test.{kind}.txt").read_text()
        assert text.splitlines() == text.removesuffix("\n").split("\n") == ["Ein Mann saß da ."] * 2
    text = (tmp_path / "out" / "vocabulary.txt").read_text()
    assert text.splitlines() == text.removesuffix("\n").split("\n") == corpus.vocabulary
