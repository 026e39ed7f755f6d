"""Corpora of classified texts: preparation by the recipe, damaged and unexpected input, batches."""

import io
import tarfile

import numpy as np
import pytest

from g2lstm.data import text_sources
from g2lstm.data.prepare_texts import (
    RARE_FROM,
    RARE_ID,
    build_text_corpus,
    list_words,
    prepare_texts,
)
from g2lstm.data.text_sources import Texts, make_texts, read_agnews, read_imdb
from g2lstm.data.texts import TextCorpus, TextSplit
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, read_record, write_record

SYNTHETIC = {
    "seed": 1, "vocabulary": 200, "classes": 3, "longest": 16, "texts": {"train": 60, "test": 30}
}  # fmt: skip


def archive(path, members):
    with tarfile.open(path, "w:gz") as stream:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            stream.addfile(entry, io.BytesIO(content))


@pytest.fixture
def reviews(tmp_path, monkeypatch):
    monkeypatch.setattr(text_sources, "REVIEWS", {"train": 3, "test": 2})
    members = {
        "aclImdb/train/neg/1_1.txt": b"Bad, bad film.<br />The_end",
        "aclImdb/train/pos/9_10.txt": "Good\u00fc film".encode(),
        "aclImdb/train/pos/10_9.txt": b"A GOOD film",
        "aclImdb/test/pos/0_9.txt": b"Good",
        "aclImdb/test/neg/0_2.txt": b"Bad",
        "aclImdb/train/unsup/0_0.txt": b"not used",
        "aclImdb/README": b"nor this",
    }
    archive(tmp_path / "aclImdb_v1.tar.gz", members)
    return tmp_path, members


def test_reviews_come_by_name_positive_first_split_at_non_word_characters(reviews):
    found = read_imdb(reviews[0])
    assert found["train"].words == [
        ["A", "GOOD", "film"],
        ["Good\u00fc", "film"],
        ["Bad", "bad", "film", "br", "The_end"],
    ]
    assert found["train"].labels.tolist() == [1, 1, 0]
    assert found["test"].words == [["Good"], ["Bad"]]


def test_an_archive_that_lacks_reviews_or_has_no_text_is_refused(reviews):
    folder, members = reviews
    members["aclImdb/train/neg/1_1.txt"] = b"\xff"
    archive(folder / "aclImdb_v1.tar.gz", members)
    with pytest.raises(UserError, match=r"1_1\.txt, line 1: broken UTF-8"):
        read_imdb(folder)
    del members["aclImdb/train/neg/1_1.txt"]
    archive(folder / "aclImdb_v1.tar.gz", members)
    with pytest.raises(UserError, match="2 texts in the train split instead of 3"):
        read_imdb(folder)


def test_articles_are_title_and_description_in_lower_case(tmp_path, monkeypatch):
    monkeypatch.setattr(text_sources, "ARTICLES", {"train": 2, "test": 1})
    (tmp_path / "train.csv").write_text('"3","A ""Title""","Text,\nit is"\n"1","B","c\\d"\n')
    (tmp_path / "test.csv").write_text('"4","X","y"\n')
    found = read_agnews(tmp_path)
    assert found["train"].words == [["a", "title", "text", "it", "is"], ["b", "c", "d"]]
    assert found["train"].labels.tolist() == [2, 0]
    assert found["test"].labels.tolist() == [3]
    for wrong in ('"5","X","y"', '"12","X","y"', '"1","X"', ","):
        (tmp_path / "test.csv").write_text(f'"4","X","y"\n{wrong}\n')
        with pytest.raises(UserError, match=r"test\.csv, article 2: not a class from 1 to 4"):
            read_agnews(tmp_path)
    (tmp_path / "test.csv").write_text('"4","X","' + 140_000 * "y" + '"\n')
    with pytest.raises(UserError, match=r"test\.csv: unreadable \(field larger"):
        read_agnews(tmp_path)


def test_listed_are_words_of_more_than_one_text_most_frequent_first():
    texts = [["b", "a", "c", "c", "c"], ["b", "d", "a", "d"], ["d", "e"]]
    assert list_words(texts) == ["d", "b", "a"]


def test_numbers_follow_the_recipe():
    words = [["b", "a", "x", "b"], ["b", "a"], ["a", "b", "b", "a", "b"], ["b"]]
    train = Texts(words, np.array([0, 1, 0, 1]))
    corpus, listed = build_text_corpus({"train": train, "test": train}, longest=5, valid=0.25)
    assert listed == 3
    assert corpus.vocabulary == ["<pad>", "<start>", "<rare>", "b", "a", "</s>"]
    assert corpus.classes == 2
    numbered = [[1, 3, 4, 3, 5], [1, 3, 4, 5], [1, 4, 3, 3, 4], [1, 3, 5]]
    shuffle = np.random.RandomState(113)
    orders = []
    for _ in range(2):
        orders.append(np.arange(4))
        shuffle.shuffle(orders[-1])
    for name, order in (
        ("train", orders[0][:3]), ("valid", orders[0][3:]), ("test", orders[1])
    ):  # fmt: skip
        split = corpus.splits[name]
        assert np.split(split.tokens, split.offsets[1:-1])[0].tolist() == numbered[order[0]]
        assert split.tokens.tolist() == [t for place in order for t in numbered[place]]
        assert split.labels.tolist() == train.labels[order].tolist()


def test_rare_words_share_an_id_and_the_embedding_has_three_rows_more():
    words = [f"w{k}" for k in range(RARE_FROM + 5)]
    train = Texts([words, words], np.array([0, 1]))
    corpus, listed = build_text_corpus({"train": train, "test": train}, 30_000, 0.5)
    assert listed == RARE_FROM + 6
    assert corpus.vocabulary_size == RARE_FROM + 3
    tokens = corpus.splits["train"].tokens
    assert tokens[:3].tolist() == [1, 3, 4]
    assert tokens[RARE_FROM - 3] == RARE_FROM - 1
    assert set(tokens[RARE_FROM - 2 :].tolist()) == {RARE_ID}


def test_a_batch_is_padded_at_its_left():
    split = TextSplit(np.array([5, 6, 7, 8], np.int32), np.array([0, 1, 3, 4]), np.array([1, 0, 1]))
    ids, kept, labels = split.batch([1, 2])
    assert ids.T.tolist() == [[6, 7], [0, 8]]
    assert kept.T.tolist() == [[1, 1], [0, 1]]
    assert labels.tolist() == [0, 1]
    assert split.batch([2, 0])[0].tolist() == [[8, 5]]
    assert split.longest == 2


def test_a_corpus_comes_back_and_equal_ones_give_equal_bytes(tmp_path):
    source = {"corpus": "synthetic", "synthetic": SYNTHETIC}
    for name in ("a", "b"):
        prepare_texts(source, tmp_path / name, tmp_path / f"{name}.json")
    assert file_sha256(tmp_path / "a") == file_sha256(tmp_path / "b")
    record = read_record(tmp_path / "a.json")
    assert record["texts"] == {"train": 51, "valid": 9, "test": 30}
    corpus = TextCorpus.load(tmp_path / "a")
    assert corpus.classes == record["classes"] == 3
    assert corpus.vocabulary_size == record["vocabulary"]
    assert corpus.splits["train"].longest == 16
    content = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="damaged"):
        TextCorpus.load(tmp_path / "a")


def test_other_files_are_no_corpus_of_texts(tmp_path):
    from g2lstm.arrays import save_arrays

    save_arrays(tmp_path / "a", {"train": np.arange(3)}, {})
    with pytest.raises(UserError, match="not a corpus of texts"):
        TextCorpus.load(tmp_path / "a")
    with pytest.raises(UserError, match="unknown corpus 'ptb'"):
        prepare_texts({"corpus": "ptb"}, tmp_path / "b", tmp_path / "b.json")


def test_a_file_that_has_changed_since_it_was_fetched_is_refused(reviews):
    folder, _ = reviews
    write_record(folder / "files.json", {"files": {"aclImdb_v1.tar.gz": "0" * 64}})
    with pytest.raises(UserError, match="changed since it was fetched"):
        prepare_texts({"corpus": "imdb"}, folder / "c", folder / "c.json", folder)


def test_the_class_of_a_made_up_text_shows_in_its_words():
    texts = make_texts(1, 200, 2, {"train": 400, "test": 200}, 40)
    rates = [{}, {}]
    for words, label in zip(*texts["train"], strict=True):
        for word in words:
            rates[label][word] = rates[label].get(word, 0) + 1
    score = [
        sum(np.log((rates[1].get(w, 0) + 1) / (rates[0].get(w, 0) + 1)) for w in words)
        for words in texts["test"].words
    ]
    assert np.mean((np.array(score) > 0) == texts["test"].labels) > 0.9
    again = make_texts(1, 200, 2, {"train": 100, "test": 200}, 40)
    assert again["test"].words == texts["test"].words
