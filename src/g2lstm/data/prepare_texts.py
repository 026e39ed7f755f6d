"""Preparing corpora of classified texts as the code of Lobacheva et al. (2020) does."""

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from g2lstm.data.fetch import fetched_hashes
from g2lstm.data.text_sources import make_texts, read_agnews, read_imdb
from g2lstm.data.texts import TextCorpus, TextSplit
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, write_record

END = "</s>"
SPECIAL = ("<pad>", "<start>", "<rare>")  # ids 0, 1, 2; a word's id is its place plus 3
START_ID, RARE_ID, SHIFT = 1, 2, 3
MOST_WORDS = 100_000  # in the list of words, without END
RARE_FROM = 20_000  # ids from here on are RARE_ID
SHUFFLE_SEED = 113


class Source(NamedTuple):
    """A data set: its reader and files, tokens kept of a text, and the share of validation."""

    read: callable
    files: tuple
    longest: int
    valid: float


SOURCES = {
    "imdb": Source(read_imdb, ("aclImdb_v1.tar.gz",), 200, 0.15),
    "agnews": Source(read_agnews, ("train.csv", "test.csv"), 100, 0.05),
}
SYNTHETIC_VALID = 0.15


def prepare_texts(source, output, record, raw_dir=None, task="imdb"):
    """Write the corpus file ``output`` of a classifier and its deterministic ``record``.

    ``source``: {"corpus": one of SOURCES}, whose files are in ``raw_dir`` as its record files.json
    has them, or {"corpus": 'synthetic', "synthetic": the settings of
    :func:`g2lstm.data.text_sources.make_texts`}. Raises UserError for an unknown corpus and for
    text that is unreadable or has changed since it was fetched.
    """
    name = source["corpus"]
    if name == "synthetic":
        settings = source["synthetic"]
        texts, longest, valid = make_texts(**settings), settings["longest"], SYNTHETIC_VALID
    elif name in SOURCES:
        known = SOURCES[name]
        fetched_hashes(raw_dir, known.files)
        texts, longest, valid = known.read(Path(raw_dir)), known.longest, known.valid
    else:
        names = ", ".join(map(repr, ("synthetic", *SOURCES)))
        raise UserError(f"unknown corpus {name!r}; choose one of {names}")
    corpus, listed = build_text_corpus(texts, longest, valid)
    corpus.save(output)
    write_record(
        record,
        {
            "kind": "corpus",
            "task": task,
            "corpus": name,
            "source": source,
            "texts": {name: len(split) for name, split in corpus.splits.items()},
            "tokens": {name: len(split.tokens) for name, split in corpus.splits.items()},
            "classes": corpus.classes,
            "listed_words": listed,
            "vocabulary": corpus.vocabulary_size,
            "sha256": file_sha256(output),
        },
    )


def build_text_corpus(texts, longest, valid):
    """Number the words of ``{"train": Texts, "test": Texts}``.

    Returns the :class:`TextCorpus` and the length of the list of words, which are those in more
    than one training text by falling frequency, and END. Words not listed are left out, END ends
    each text, then its first ``longest`` tokens are kept, the start token among them. The share
    ``valid`` of the shuffled training texts, the last ones, is the validation split.
    """
    train, test = texts["train"], texts["test"]
    listed = [*list_words(train.words), END]
    ids = {word: place + SHIFT for place, word in enumerate(listed)}
    shuffle = np.random.RandomState(SHUFFLE_SEED)
    numbered = {}
    for name, split in (("train", train), ("test", test)):
        order = np.arange(len(split.labels))
        shuffle.shuffle(order)
        numbered[name] = _numbered(split, ids, longest).select(order)
    count = int(len(train.labels) * (1 - valid))
    places = np.arange(len(train.labels))
    splits = {
        "train": numbered["train"].select(places[:count]),
        "valid": numbered["train"].select(places[count:]),
        "test": numbered["test"],
    }
    # As many rows as in the released code, whose last three no id reaches when words are cut.
    vocabulary = [*SPECIAL, *listed[:RARE_FROM]]
    return TextCorpus(vocabulary, int(train.labels.max()) + 1, splits), len(listed)


def list_words(texts):
    """Return the words in more than one of ``texts``, most frequent first, at most MOST_WORDS.

    Of equally frequent ones that which came first is first.
    """
    total, spread = Counter(), Counter()
    for words in texts:
        total.update(words)
        spread.update(set(words))
    return [word for word, _ in total.most_common() if spread[word] > 1][:MOST_WORDS]


def _numbered(split, ids, longest):
    """Return the :class:`TextSplit` of a split's texts in the order they have."""
    texts = []
    for words in split.words:
        known = [ids[word] for word in words if word in ids]
        texts.append([START_ID, *known, ids[END]][:longest])
    offsets = np.cumsum([0, *map(len, texts)])
    tokens = np.fromiter(chain.from_iterable(texts), dtype=np.int32, count=offsets[-1])
    tokens[tokens >= RARE_FROM] = RARE_ID
    return TextSplit(tokens, offsets, split.labels)
