"""The Penn Treebank in Mikolov's version: the lines of its files, and how much they must hold."""

from pathlib import Path

from g2lstm.data.corpus import SPLITS, read_word_level
from g2lstm.data.fetch import fetched_hashes
from g2lstm.errors import UserError

COUNTS = {  # kind of a corpus -> its unit, number of types, and units of each split
    "words": ("tokens", 10_000, {"train": 929_589, "valid": 73_760, "test": 82_430}),
    "characters": ("symbols", 50, {"train": 5_017_482, "valid": 393_042, "test": 442_423}),
}


def read_lines(raw_dir):
    """Return ``{split: lines}``, a line a list of words, of ``raw_dir``/ptb.{split}.txt.

    Raises UserError for text that is unreadable or has changed since it was fetched.
    """
    paths = {split: _path(raw_dir, split) for split in SPLITS}
    fetched_hashes(raw_dir, [path.name for path in paths.values()])
    return read_word_level(paths)


def check(corpus, raw_dir, kind):
    """Raise UserError unless a corpus, of ``words`` or of ``characters``, has the known counts."""
    unit, types, sizes = COUNTS[kind]
    for split, size in sizes.items():
        if len(corpus.splits[split]) != size:
            found = f"{len(corpus.splits[split])} {unit}"
            raise _other_text(_path(raw_dir, split), found, size)
    if corpus.vocabulary_size != types:
        raise _other_text(raw_dir, f"{corpus.vocabulary_size} types", types)


def _path(raw_dir, split):
    return Path(raw_dir) / f"ptb.{split}.txt"


def _other_text(path, found, expected):
    return UserError(
        f"{path}: {found} instead of {expected}; this is not Mikolov's Penn Treebank, "
        "fetch it again"
    )
