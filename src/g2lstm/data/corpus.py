"""A corpus of words or symbols: vocabulary and one stream of token ids per split, in one file."""

from dataclasses import dataclass
from itertools import chain

import numpy as np

from g2lstm.arrays import load_arrays, save_arrays
from g2lstm.data.archives import read_file, text_lines
from g2lstm.errors import UserError

EOS = "<eos>"
BLANK, NEWLINE = "_", r"\n"  # in the vocabulary of a corpus of symbols
SPLITS = ("train", "valid", "test")
VOCABULARY = "vocabulary"


@dataclass
class Corpus:
    """Vocabulary and token ids of a corpus of words or of symbols.

    ``vocabulary``: the types; the id of a type is its place. ``splits``: for 'train', 'valid' and
    'test' the int32 ids of the whole split as one stream, shape (tokens,), with one ``<eos>``, or
    the symbol NEWLINE, at the end of each line.
    """

    vocabulary: list[str]
    splits: dict[str, np.ndarray]

    @property
    def vocabulary_size(self):
        """Number of types, ``<eos>`` or NEWLINE included."""
        return len(self.vocabulary)

    def save(self, path):
        """Write the corpus to one file, atomically; equal corpora give equal bytes.

        One int32 array per split, and the UTF-8 bytes of the types joined by newlines.
        """
        encoded = "\n".join(self.vocabulary).encode("utf-8")
        arrays = {name: self.splits[name].astype(np.int32) for name in SPLITS}
        arrays[VOCABULARY] = np.frombuffer(encoded, dtype=np.uint8)
        save_arrays(path, arrays, {})

    @classmethod
    def load(cls, path):
        """Read a corpus written by :meth:`save`.

        Raises UserError when the file is missing, truncated, damaged or no corpus.
        """
        arrays, _ = load_arrays(path)
        if set(arrays) != {*SPLITS, VOCABULARY}:
            raise UserError(f"{path}: not a corpus; delete it and prepare it again")
        encoded = arrays.pop(VOCABULARY)
        return cls(encoded.tobytes().decode("utf-8").split("\n"), arrays)


def build_corpus(lines_by_split, end=EOS):
    """Number the words of ``{split: iterable of lists of words}`` and return the :class:`Corpus`.

    ``end`` is added to each line. Ids follow the order of first appearance over train, valid and
    test, as in the AWD-LSTM code base on which the G2-LSTM paper builds.
    """
    ids = {}
    splits = {}
    for name in SPLITS:
        words = chain.from_iterable((*line, end) for line in lines_by_split[name])
        stream = (ids.setdefault(word, len(ids)) for word in words)
        splits[name] = np.fromiter(stream, dtype=np.int32)
    return Corpus(list(ids), splits)


def build_characters(lines_by_split):
    """Return the :class:`Corpus` of the symbols of ``{split: iterable of lists of words}``.

    They are the letters of each line, BLANK between its words and NEWLINE at its end.
    """
    spelled = {split: map(BLANK.join, lines) for split, lines in lines_by_split.items()}
    return build_corpus(spelled, end=NEWLINE)


def read_word_level(paths):
    """Read ``{split: path}`` of plain text and return ``{split: lines}``, a line a list of words.

    Words are what stands between white space. Raises UserError, with file and line, for a missing
    or empty file, broken UTF-8 and NUL bytes.
    """
    return {
        name: [line.split() for line in text_lines(read_file(path), path)]
        for name, path in paths.items()
    }
