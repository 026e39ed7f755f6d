"""A corpus of classified texts: its vocabulary, and token ids and labels of each split."""

from dataclasses import dataclass

import numpy as np

from g2lstm.arrays import load_arrays, save_arrays
from g2lstm.errors import UserError

PADDING = 0  # its token id
ARRAYS = {"tokens": np.int32, "offsets": np.int64, "labels": np.int64}


@dataclass
class TextSplit:
    """The texts of one split.

    ``tokens``: int32 ids, one text after the other; text i stands between ``offsets[i]`` and
    ``offsets[i + 1]``, int64, shape (texts + 1,). ``labels``: int64 (texts), classes from 0.
    """

    tokens: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return len(self.labels)

    @property
    def longest(self):
        """Tokens of the longest text."""
        return int(np.diff(self.offsets).max())

    def select(self, chosen):
        """Return the split of the texts ``chosen`` (places), in that order."""
        lengths = np.diff(self.offsets)[chosen]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        tokens = self.tokens[np.repeat(self.offsets[:-1][chosen], lengths) + within]
        return TextSplit(tokens, offsets, self.labels[chosen])

    def batch(self, chosen):
        """Return the texts ``chosen`` (places) side by side, each ending in the last row.

        Ids (steps, batch), int64 with padding first; float32 (steps, batch), 1 for words and 0 for
        padding; labels (batch).
        """
        chosen = np.asarray(chosen)
        starts, ends = self.offsets[chosen], self.offsets[chosen + 1]
        steps = (ends - starts).max()
        place = ends - steps + np.arange(steps)[:, None]
        kept = place >= starts
        ids = np.where(kept, self.tokens[np.where(kept, place, 0)], PADDING)
        return ids.astype(np.int64), kept.astype(np.float32), self.labels[chosen]


@dataclass
class TextCorpus:
    """Vocabulary, number of classes and splits of a corpus of classified texts.

    ``vocabulary``: the types, the id of each its place: 0 is padding, 1 starts each text, 2 is any
    rare word. ``splits``: 'train', 'valid' and 'test' -> :class:`TextSplit`.
    """

    vocabulary: list[str]
    classes: int
    splits: dict[str, TextSplit]

    @property
    def vocabulary_size(self):
        """Number of types, the three special ones included."""
        return len(self.vocabulary)

    def save(self, path):
        """Write the corpus to one file, atomically; equal corpora give equal bytes."""
        arrays = {
            f"{name}.{key}": getattr(split, key).astype(kind)
            for name, split in self.splits.items()
            for key, kind in ARRAYS.items()
        }
        meta = {"vocabulary": self.vocabulary, "classes": self.classes, "splits": [*self.splits]}
        save_arrays(path, arrays, meta)

    @classmethod
    def load(cls, path):
        """Read a corpus written by :meth:`save`.

        Raises UserError when the file is missing, truncated, damaged or no corpus of texts.
        """
        arrays, meta = load_arrays(path)
        try:
            splits = {
                name: TextSplit(*(arrays[f"{name}.{key}"] for key in ARRAYS))
                for name in meta["splits"]
            }
            return cls(meta["vocabulary"], meta["classes"], splits)
        except KeyError as error:
            raise UserError(
                f"{path}: not a corpus of texts; delete it and prepare it again"
            ) from error
