import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2lstm.data.corpus import Corpus, build_corpus, read_word_level
from g2lstm.data.prepare import prepare_language_model
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, write_record

LINES = {"train": [["a", "b"], ["b"]], "valid": [["c", "a"]], "test": [["d", "é"]]}

lines = st.lists(st.lists(st.text("abcé", min_size=1), max_size=5), min_size=1, max_size=5)


def test_ids_follow_first_appearance_over_train_valid_test():
    corpus = build_corpus(dict(reversed(LINES.items())))
    assert corpus.vocabulary == ["a", "b", "<eos>", "c", "d", "é"]
    assert corpus.splits["train"].tolist() == [0, 1, 2, 1, 2]
    assert corpus.splits["valid"].tolist() == [3, 0, 2]
    assert corpus.splits["test"].dtype == np.int32
    assert corpus.vocabulary_size == 6


@settings(max_examples=30, deadline=None)
@given(st.fixed_dictionaries({"train": lines, "valid": lines, "test": lines}))
def test_streams_spell_the_lines(lines_by_split):
    corpus = build_corpus(lines_by_split)
    assert len(set(corpus.vocabulary)) == corpus.vocabulary_size
    for split, expected in lines_by_split.items():
        words = [corpus.vocabulary[i] for i in corpus.splits[split]]
        assert words == [word for line in expected for word in [*line, "<eos>"]]


def test_saved_corpus_loads_equal_and_has_equal_bytes(tmp_path):
    corpus = build_corpus(LINES)
    corpus.save(tmp_path / "one.safetensors")
    loaded = Corpus.load(tmp_path / "one.safetensors")
    assert loaded.vocabulary == corpus.vocabulary
    assert set(loaded.splits) == {"train", "valid", "test"}
    for split, ids in corpus.splits.items():
        np.testing.assert_array_equal(loaded.splits[split], ids, strict=True)
    loaded.save(tmp_path / "two.safetensors")
    one, two = ((tmp_path / f"{name}.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_missing_corpus_says_so(tmp_path):
    with pytest.raises(UserError, match=r"absent\.safetensors: no such file"):
        Corpus.load(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_corpus_is_refused(tmp_path, kept):
    path = tmp_path / "corpus.safetensors"
    build_corpus(LINES).save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"corpus\.safetensors: damaged file"):
        Corpus.load(path)


def test_one_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "corpus.safetensors"
    build_corpus(LINES).save(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="does not match its digest"):
        Corpus.load(path)


def read_bytes(tmp_path, content):
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    return read_word_level({"train": path})["train"]


def test_lines_are_split_on_white_space(tmp_path):
    assert read_bytes(tmp_path, b" a  b \n\tc \xc3\xa9\n") == [["a", "b"], ["c", "é"]]


def test_last_line_may_lack_its_line_feed(tmp_path):
    assert read_bytes(tmp_path, b"a\nb") == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"a\nb\xff\n", "line 2: broken UTF-8"),
        (b"a\nb\nc\0\n", "line 3: a NUL byte"),
    ],
)
def test_text_that_cannot_be_read_is_named_with_its_line(tmp_path, content, message):
    with pytest.raises(UserError, match=rf"text\.txt.*{message}"):
        read_bytes(tmp_path, content)


def test_missing_text_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.txt: cannot be read"):
        read_word_level({"train": tmp_path / "absent.txt"})


def test_prepared_synthetic_corpus_matches_its_record(tmp_path):
    wanted = {"seed": 3, "tokens": {"train": 900, "valid": 90, "test": 90}, "vocabulary": 800}
    output, record = tmp_path / "corpus.safetensors", tmp_path / "corpus.json"
    prepare_language_model({"corpus": "synthetic", "synthetic": wanted}, output, record)
    told, corpus = json.loads(record.read_text()), Corpus.load(output)
    assert told["sha256"] == file_sha256(output)
    assert told["tokens"] == {split: len(ids) for split, ids in corpus.splits.items()}
    assert told["vocabulary"] == corpus.vocabulary_size
    assert set(told["oracle"]["test"]) == {"perplexity", "nats_per_token"}


def write_treebank(folder):
    paths = [folder / f"ptb.{split}.txt" for split in LINES]
    for path in paths:
        path.write_text("a b\n")
    hashes = {path.name: file_sha256(path) for path in paths}
    write_record(folder / "files.json", {"kind": "dataset", "files": hashes})


def test_text_that_is_not_the_penn_treebank_is_refused(tmp_path):
    write_treebank(tmp_path)
    with pytest.raises(UserError, match=r"ptb\.train\.txt: 3 tokens instead of 929589"):
        prepare_language_model(
            {"corpus": "ptb"}, tmp_path / "c", tmp_path / "c.json", raw_dir=tmp_path
        )
    assert not (tmp_path / "c").exists()


def test_penn_treebank_that_has_changed_since_it_was_fetched_is_refused(tmp_path):
    write_treebank(tmp_path)
    (tmp_path / "ptb.valid.txt").write_text("a c\n")
    with pytest.raises(UserError, match=r"ptb\.valid\.txt: changed since it was fetched"):
        prepare_language_model(
            {"corpus": "ptb"}, tmp_path / "c", tmp_path / "c.json", raw_dir=tmp_path
        )


def test_unknown_source_is_refused(tmp_path):
    with pytest.raises(UserError, match="unknown corpus 'wiki'"):
        prepare_language_model({"corpus": "wiki"}, tmp_path / "c", tmp_path / "c.json")
