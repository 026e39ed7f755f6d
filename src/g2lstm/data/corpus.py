"""A word-level corpus: its vocabulary and one stream of token ids per split, in one file."""

import zlib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from g2lstm.errors import UserError
from g2lstm.records import atomic_path

EOS = "<eos>"
SPLITS = ("train", "valid", "test")
VOCABULARY_TENSOR = "vocabulary"


@dataclass
class Corpus:
    """Vocabulary and token ids of a word-level corpus.

    ``vocabulary``: the types; the id of a type is its place. ``splits``: for 'train', 'valid' and
    'test' the int32 ids of the whole split as one stream, shape (tokens,), with one ``<eos>`` at
    the end of each line.
    """

    vocabulary: list[str]
    splits: dict[str, np.ndarray]

    @property
    def vocabulary_size(self):
        """Number of types, ``<eos>`` included."""
        return len(self.vocabulary)

    def save(self, path):
        """Write the corpus to one safetensors file, atomically; equal corpora give equal bytes.

        The tensors are one int32 stream per split and ``vocabulary``, the UTF-8 bytes of the types
        joined by newlines; the metadata holds their CRC-32.
        """
        encoded = "\n".join(self.vocabulary).encode("utf-8")
        tensors = {name: self.splits[name].astype(np.int32) for name in SPLITS}
        tensors[VOCABULARY_TENSOR] = np.frombuffer(encoded, dtype=np.uint8)
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, metadata={"crc32": _crc32(tensors)})

    @classmethod
    def load(cls, path):
        """Read a corpus written by :meth:`save`.

        Raises UserError when the file is missing, truncated, damaged or no corpus.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(f"{path}: no such corpus; run the rule that prepares it")
        try:
            with safe_open(path, framework="numpy") as stored:
                crc32 = (stored.metadata() or {}).get("crc32")
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise _damaged(path, error) from error
        if set(tensors) != {*SPLITS, VOCABULARY_TENSOR}:
            raise _damaged(path, "it lacks a split or the vocabulary")
        if crc32 != _crc32(tensors):
            raise _damaged(path, "its checksum differs")
        encoded = tensors.pop(VOCABULARY_TENSOR)
        return cls(encoded.tobytes().decode("utf-8").split("\n"), tensors)


def _crc32(tensors):
    value = 0
    for name in sorted(tensors):
        value = zlib.crc32(np.ascontiguousarray(tensors[name]), value)
    return str(value)


def _damaged(path, reason):
    return UserError(f"{path}: damaged corpus ({reason}); delete it and prepare it again")


def build_corpus(lines_by_split):
    """Number the words of ``{split: iterable of lists of words}`` and return the :class:`Corpus`.

    ``<eos>`` is added to each line. Ids follow the order of first appearance over train, valid and
    test, as in the AWD-LSTM code base on which the G2-LSTM paper builds.
    """
    ids = {}
    splits = {}
    for name in SPLITS:
        words = chain.from_iterable((*line, EOS) for line in lines_by_split[name])
        stream = (ids.setdefault(word, len(ids)) for word in words)
        splits[name] = np.fromiter(stream, dtype=np.int32)
    return Corpus(list(ids), splits)


def read_word_level(paths):
    """Read ``{split: path}`` of plain text and return ``{split: lines}``, a line a list of words.

    Words are what stands between white space. Raises UserError, with file and line, for a missing
    or empty file, broken UTF-8 and NUL bytes.
    """
    return {name: _read_lines(Path(path)) for name, path in paths.items()}


def _read_lines(path):
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); fetch it again") from error
    if not content.strip():
        raise UserError(f"{path}: the file is empty; fetch it again")
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: a NUL byte; this is not text, fetch it again")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: broken UTF-8; fetch the file again") from error
    return [line.split() for line in text.removesuffix("\n").split("\n")]
