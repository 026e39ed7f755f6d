"""Work on large arrays in pieces whose intermediate results stay in the processor's cache."""

from math import prod

CACHED = 2**18  # numbers: 1 MiB in single precision


def pieces(row, *arrays):
    """Cut ``arrays`` along their first dimension, which is the same, and yield piece after piece.

    Yields ``(buffer, *parts)``. The uninitialised buffer (rows of the piece, *row) is for what is
    formed on the way; all pieces share its memory, because fresh memory is slow to fill. Off the
    CPU there is one piece.
    """
    first = arrays[0]
    size = max(1, CACHED // prod(row)) if first.device.type == "cpu" else len(first)
    buffer = first.new_empty(min(size, len(first)), *row)
    for parts in zip(*(array.split(size) for array in arrays), strict=True):
        yield buffer[: len(parts[0])], *parts
