"""Packing small non-negative integers at a fixed number of bits each."""

import numpy as np


def pack(codes, bits):
    """Pack ``codes`` (count,), integers in [0, 2**bits), one after the other, lowest bit first.

    Returns a uint8 array of ceil(count * bits / 8) bytes; ``bits`` is 0 to 32. Raises ValueError
    when a code needs more bits.
    """
    codes = np.asarray(codes, dtype=np.int64)
    if codes.size and (codes.min() < 0 or int(codes.max()).bit_length() > bits):
        raise ValueError(f"codes from {codes.min()} to {codes.max()} do not fit in {bits} bits")
    planes = np.empty((codes.size, bits), dtype=np.uint8)
    for bit in range(bits):
        planes[:, bit] = (codes >> bit) & 1
    return np.packbits(planes, bitorder="little")


def unpack(packed, bits, count):
    """Return the ``count`` codes, int64 (count,), that :func:`pack` wrote at ``bits`` bits each.

    Raises ValueError when ``packed`` has not the length that ``count`` codes take.
    """
    expected = (count * bits + 7) // 8
    if packed.size != expected:
        raise ValueError(f"{count} codes of {bits} bits take {expected} bytes, not {packed.size}")
    planes = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    codes = np.zeros(count, dtype=np.int64)
    for bit in range(bits):
        codes |= planes[:, bit].astype(np.int64) << bit
    return codes
