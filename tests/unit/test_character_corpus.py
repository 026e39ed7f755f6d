"""The corpus of symbols: what a text is spelled with, and how many symbols the treebank has."""

import math

import pytest

from g2lstm.data import treebank
from g2lstm.data.corpus import Corpus, build_characters
from g2lstm.data.prepare import prepare_language_model
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, read_record, write_record

LINES = {"train": [["ab", "c"], ["a"]], "valid": [["ca", "é"]], "test": [["b"]]}


def spelled(corpus, split):
    return "".join(corpus.vocabulary[i] for i in corpus.splits[split])


def test_symbols_are_letters_blanks_between_words_and_newlines(tmp_path):
    corpus = build_characters(LINES)
    assert spelled(corpus, "train") == r"ab_c\na\n"
    assert spelled(corpus, "valid") == r"ca_é\n"
    assert corpus.vocabulary == ["a", "b", "_", "c", r"\n", "é"]
    assert len(corpus.splits["train"]) == 7
    corpus.save(tmp_path / "corpus")
    assert Corpus.load(tmp_path / "corpus").vocabulary == corpus.vocabulary


def test_a_synthetic_corpus_of_symbols_spells_that_of_words(tmp_path):
    wanted = {"seed": 3, "tokens": {"train": 900, "valid": 90, "test": 90}, "vocabulary": 800}
    source = {"corpus": "synthetic", "synthetic": wanted}
    for task in ("lm", "char-ptb"):
        output = tmp_path / task, tmp_path / f"{task}.json"
        prepare_language_model(source, *output, task=task)
    words, symbols = (Corpus.load(tmp_path / task) for task in ("lm", "char-ptb"))
    told = {task: read_record(tmp_path / f"{task}.json") for task in ("lm", "char-ptb")}
    for split in ("train", "valid", "test"):
        text = " ".join(words.vocabulary[i] for i in words.splits[split])
        text = text.removesuffix(" <eos>").replace(" <eos> ", r"\n").replace(" ", "_") + r"\n"
        assert spelled(symbols, split) == text
        nats = told["lm"]["oracle"][split]["nats_per_token"] * told["lm"]["tokens"][split]
        bits = told["char-ptb"]["oracle"][split]["bpc"] * told["char-ptb"]["tokens"][split]
        assert bits == pytest.approx(nats / math.log(2))


def small_treebank(folder, monkeypatch, types=6, valid=5):
    for split, lines in LINES.items():
        text = "".join(f" {' '.join(line)} \n" for line in lines)
        (folder / f"ptb.{split}.txt").write_text(text)
    hashes = {path.name: file_sha256(path) for path in folder.glob("ptb.*")}
    write_record(folder / "files.json", {"kind": "dataset", "files": hashes})
    counts = ("symbols", types, {"train": 7, "valid": valid, "test": 2})
    monkeypatch.setitem(treebank.COUNTS, "characters", counts)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, None),
        ({"valid": 6}, r"ptb\.valid\.txt: 5 symbols instead of 6; .* Penn Treebank"),
        ({"types": 50}, "6 types instead of 50"),
    ],
)
def test_the_symbols_of_the_penn_treebank_are_counted(tmp_path, monkeypatch, counts, message):
    small_treebank(tmp_path, monkeypatch, **counts)
    output = tmp_path / "corpus", tmp_path / "corpus.json"
    if message is None:
        prepare_language_model({"corpus": "ptb"}, *output, raw_dir=tmp_path, task="char-ptb")
        corpus = Corpus.load(output[0])
        assert [spelled(corpus, split) for split in LINES] == [r"ab_c\na\n", r"ca_é\n", r"b\n"]
        return
    with pytest.raises(UserError, match=message):
        prepare_language_model({"corpus": "ptb"}, *output, raw_dir=tmp_path, task="char-ptb")
    assert not output[0].exists()


def test_the_known_counts_are_those_of_the_published_files():
    assert treebank.COUNTS["characters"][1:] == (
        50, {"train": 5_017_482, "valid": 393_042, "test": 442_423}
    )  # fmt: skip
