"""Sources of classified texts: IMDb reviews, AG's News, and texts of made-up words.

Each gives the texts of two splits, train and test, as lists of words with their classes. Files of
an archive are taken in the order of their names, that of the positive ones first: the shuffle that
follows is then the same everywhere.
"""

import csv
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from g2lstm.data.archives import read_file, read_tar, text_lines
from g2lstm.data.lexicon import WordClass, WordMaker
from g2lstm.errors import UserError

REVIEW = re.compile(r"aclImdb/(train|test)/(pos|neg)/[^/]+\.txt")
REVIEWS, ARTICLES = {"train": 25_000, "test": 25_000}, {"train": 120_000, "test": 7_600}
NEWS_CLASSES = 4
KEYWORDS = 0.05  # of the types, for each class
SAID, OWN = 0.2, 0.7  # of a text's words: keywords; of these: those of its own class


class Texts(NamedTuple):
    """The texts of a split, each a list of words, and their classes, int64 (texts)."""

    words: list
    labels: np.ndarray


def read_imdb(raw_dir):
    """Return ``{split: Texts}`` of the archive of reviews; class 1 is positive.

    Words are what stands between other characters than letters, digits and ``_``, case kept.
    Raises UserError for a damaged archive and for another number of reviews.
    """
    path = Path(raw_dir) / "aclImdb_v1.tar.gz"
    found = read_tar(path, REVIEW.fullmatch)
    names = sorted(found, key=lambda name: (REVIEW.fullmatch(name)[2] == "neg", name))
    texts = {}
    for split, expected in REVIEWS.items():
        mine = [name for name in names if REVIEW.fullmatch(name)[1] == split]
        if len(mine) != expected:
            raise _other_number(path, split, len(mine), expected)
        words = [_split("\n".join(text_lines(found[n], f"{path}: {n}"))) for n in mine]
        labels = np.array([REVIEW.fullmatch(name)[2] == "pos" for name in mine], np.int64)
        texts[split] = Texts(words, labels)
    return texts


def read_agnews(raw_dir):
    """Return ``{split: Texts}`` of the files of articles: title and description, lower-cased.

    All lines are used; the released code loses the first of each file, which it takes for a head.
    Raises UserError for a line that is no class from 1 to 4 with two texts, and for another number
    of articles.
    """
    texts = {}
    for split, expected in ARTICLES.items():
        path = Path(raw_dir) / f"{split}.csv"
        rows = _read_rows(path)
        if len(rows) != expected:
            raise _other_number(path, split, len(rows), expected)
        words = [_split(f"{title} {description}".lower()) for _, title, description in rows]
        texts[split] = Texts(words, np.array([int(row[0]) - 1 for row in rows], np.int64))
    return texts


def _read_rows(path):
    """Return class, title and description of each article of a file."""
    lines = (f"{line}\n" for line in text_lines(read_file(path), path))
    classes = [str(number) for number in range(1, NEWS_CLASSES + 1)]
    rows = []
    try:
        for number, row in enumerate(csv.reader(lines), 1):
            if len(row) != 3 or row[0] not in classes:
                raise UserError(
                    f"{path}, article {number}: not a class from 1 to {NEWS_CLASSES}, a title and "
                    "a description; fetch the file again"
                )
            rows.append(row)
    except csv.Error as error:
        raise UserError(f"{path}: unreadable ({error}); fetch the file again") from error
    return rows


def make_texts(seed, vocabulary, classes, texts, longest):
    """Draw ``{split: Texts}`` of made-up words; a text's class shows in how often words stand.

    ``vocabulary``: types; ``texts``: number by split; ``longest``: texts have from a quarter of it
    to a quarter more than it. Each class has words of its own, which its texts use more often than
    others do. A split depends on the seed, the settings and its own size only.
    """
    maker = WordMaker(np.random.default_rng(seed))
    own = max(1, int(KEYWORDS * vocabulary))
    keywords = [maker.word_class(own) for _ in range(classes)]
    common = maker.word_class(vocabulary - classes * own)
    types = np.array([form for kind in (*keywords, common) for (form,) in kind.forms])
    found = {}
    for place, (split, count) in enumerate(texts.items()):
        rng = np.random.default_rng([seed, place + 1])
        labels = rng.integers(classes, size=count)
        lengths = rng.integers(longest // 4, longest * 5 // 4 + 1, size=count)
        label = np.repeat(labels, lengths)
        other = rng.integers(classes, size=len(label))
        kind = np.where(rng.random(len(label)) < OWN, label, other)
        said = rng.random(len(label)) < SAID
        ids = np.where(
            said, kind * own + _draw(keywords[0], rng, len(label)),
            classes * own + _draw(common, rng, len(label)),
        )  # fmt: skip
        parts = np.split(types[ids], np.cumsum(lengths)[:-1])
        found[split] = Texts([part.tolist() for part in parts], labels)
    return found


def _draw(word_class: WordClass, rng, count):
    """Return the places of ``count`` words of a class, drawn by their frequencies."""
    places = np.searchsorted(word_class.cumulative, rng.random(count), side="right")
    return np.minimum(places, len(word_class.forms) - 1)


def _split(text):
    return [word for word in re.split(r"\W+", text) if word]


def _other_number(path, split, found, expected):
    return UserError(
        f"{path}: {found} texts in the {split} split instead of {expected}; fetch it again"
    )
