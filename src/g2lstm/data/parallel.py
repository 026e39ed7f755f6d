"""A parallel corpus: sentence pairs as sub-word ids of one joint vocabulary, in one file."""

from dataclasses import dataclass, field

import numpy as np

from g2lstm.arrays import load_arrays, save_arrays
from g2lstm.errors import UserError

JOINER = "@@"  # ends a sub-word that does not end its word
ARRAYS = {
    "source": np.int32,
    "source_offsets": np.int64,
    "target": np.int32,
    "target_offsets": np.int64,
}
BOUNDARIES = "target_boundaries"


def join_subwords(text):
    """Return ``text``, sub-words separated by blanks, as words."""
    return text.replace(f"{JOINER} ", "").removesuffix(JOINER)


@dataclass
class ParallelSplit:
    """The sentence pairs of one split.

    ``source``, ``target``: int32 sub-word ids, one sentence after the other, each ending in 0
    (``</s>``). Sentence i stands between ``offsets[i]`` and ``offsets[i + 1]``, int64, shape
    (sentences + 1,). ``target_boundaries``: uint8, as long as ``target``, 1 where the sub-word
    belongs to a token that opens or resumes a clause; None where clauses are not known.
    """

    source: np.ndarray
    source_offsets: np.ndarray
    target: np.ndarray
    target_offsets: np.ndarray
    target_boundaries: np.ndarray | None = None

    def __len__(self):
        return len(self.source_offsets) - 1

    def lengths(self, side):
        """Return the sub-words of each sentence without ``</s>``, on 'source' or 'target'."""
        return np.diff(getattr(self, f"{side}_offsets")) - 1

    def select(self, keep):
        """Return the split with only the pairs where ``keep``, bool of shape (pairs,), holds."""
        arrays = {}
        for side in ("source", "target"):
            sizes = np.diff(getattr(self, f"{side}_offsets"))
            kept = np.repeat(keep, sizes)
            arrays[side] = getattr(self, side)[kept]
            arrays[f"{side}_offsets"] = np.concatenate([[0], np.cumsum(sizes[keep])])
            if side == "target" and self.target_boundaries is not None:
                arrays[BOUNDARIES] = self.target_boundaries[kept]
        return ParallelSplit(**arrays)


@dataclass
class ParallelCorpus:
    """Joint vocabulary and splits of a parallel corpus.

    ``vocabulary``: the sub-words, the id of each its place: 0 is ``</s>``, 1 ``<unk>``.
    ``splits``: name -> :class:`ParallelSplit`, at least train, valid and test.
    """

    vocabulary: list[str]
    source_language: str
    target_language: str
    splits: dict[str, ParallelSplit] = field(default_factory=dict)
    synthetic: bool = False

    def save(self, path):
        """Write the corpus to one file, atomically; equal corpora give equal bytes."""
        arrays = {}
        for name, split in self.splits.items():
            for key, kind in ARRAYS.items():
                arrays[f"{name}.{key}"] = getattr(split, key).astype(kind)
            if split.target_boundaries is not None:
                arrays[f"{name}.{BOUNDARIES}"] = split.target_boundaries.astype(np.uint8)
        meta = {
            "splits": list(self.splits),
            "vocabulary": self.vocabulary,
            "source_language": self.source_language,
            "target_language": self.target_language,
            "synthetic": self.synthetic,
            "boundaries": any(name.endswith(f".{BOUNDARIES}") for name in arrays),
        }
        save_arrays(path, arrays, meta)

    @classmethod
    def load(cls, path):
        """Read a corpus written by :meth:`save`.

        Raises UserError when the file is missing, truncated, damaged or no parallel corpus.
        """
        arrays, meta = load_arrays(path)
        parts = {}
        for name, array in arrays.items():
            split, _, key = name.rpartition(".")
            parts.setdefault(split, {})[key] = array
        try:
            meta.pop("boundaries")
            splits = {name: ParallelSplit(**parts[name]) for name in meta.pop("splits")}
            return cls(splits=splits, **meta)
        except (KeyError, TypeError) as error:
            raise UserError(f"{path}: not a parallel corpus; prepare it again") from error
