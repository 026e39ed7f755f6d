"""Random numbers that a kernel can draw where it needs them: gate noise and weight drop by keys.

A draw is named by a seed, a row and a column. Row and column have a key each, and the 32-bit word
``mix(row key ^ column key)`` gives two numbers of 16 bits. So the numbers are the same in every
kernel, on every device and for any number of threads, and nobody has to store them. The price is
that a probability is rounded to a multiple of 1/65536.
"""

import functools

import numpy as np
import torch

LEVELS = 1 << 16
LOWEST = -LEVELS // 2  # the numbers are read as signed ones: int16 is what PyTorch can compare
PADDING = 16  # words that a kernel draws at a time: it may read so many keys of columns
WORDS_IN_CACHE = 1 << 16
# lowbias32: of all hashes of this form the one with the least bias that a search has found
MIX = ((16, 0x7FEB352D), (15, 0x846CA68B))


def new_seed():
    """Draw a seed from PyTorch's default generator (of the CPU: no device has to be waited for)."""
    return int(torch.randint(1 << 62, ()))


def keys(seed, stream, count):
    """Return ``count`` keys (int32, on the CPU) of ``seed``, below 2**62, for one ``stream``."""
    low, high = np.array([seed & 0xFFFFFFFF, seed >> 32], dtype=np.uint32)
    low, high = _mix_keys(_mix_keys(low) + np.uint32(stream)), _mix_keys(high)
    mixed = _mix_keys(_mix_keys(np.arange(count, dtype=np.uint32) + low) ^ high)
    return torch.from_numpy(mixed.view(np.int32))


class Halves:
    """The 16-bit numbers of a seed, two for each of ``rows`` by ``columns`` words."""

    def __init__(self, rows, columns, device="cpu", seed=None):
        seed = new_seed() if seed is None else seed
        self.columns = columns
        self.row_keys = _copied(keys(seed, 0, rows), device)
        self.column_keys = _copied(keys(seed, 1, -(-columns // PADDING) * PADDING), device)

    def draw(self):
        """Return the numbers (rows, columns, 2), int16: uniform on all 65536 values."""
        return self.words().view(torch.int16).unflatten(1, (self.columns, 2))

    def words(self):
        """Return the same, both numbers of a pair in one int32: (rows, columns)."""
        words = torch.empty(
            len(self.row_keys), self.columns, dtype=torch.int32, device=self.row_keys.device
        )
        # Off the CPU all rows at once: every piece is a dozen launches there.
        rows = max(1, WORDS_IN_CACHE // self.columns) if words.device.type == "cpu" else len(words)
        for part, row_keys in zip(words.split(rows), self.row_keys.split(rows), strict=True):
            _mix(torch.bitwise_xor(row_keys[:, None], self.column_keys[: self.columns], out=part))
        return words


class GumbelNoise:
    """B·L of the input and forget gates of one chunk; see :class:`g2lstm.cells.gates.GatePolicy`.

    One number of 16 bits gives both draws: B = 1 for the lowest ``limit`` of the 65536 values, and
    among those U is uniform again, at the middle of ``limit`` equal intervals.
    """

    def __init__(self, steps, batch, hidden, policy, device="cpu", seed=None):
        self.shape = (steps, batch, hidden)
        self.halves = Halves(steps * batch, hidden, device, seed)
        self.limit, self.eps = rounded(policy.p), policy.eps

    def values(self, dtype, tau=1.0):
        """Return the noise over ``tau``, (steps, batch, 2 · hidden), input gates first."""
        steps, batch, hidden = self.shape
        words = self.halves.words()
        index = words.new_empty(steps * batch, 2, hidden)
        torch.bitwise_and(words, 0xFFFF, out=index[:, 0])
        torch.bitwise_right_shift(words, 16, out=index[:, 1])
        index[:, 1].bitwise_and_(0xFFFF)
        # Negative numbers come first in the table, and last where the bits are read as positive.
        table = noise_table(self.limit, self.eps, dtype, words.device).roll(LEVELS // 2) / tau
        return table.index_select(0, index.flatten()).view(steps, batch, 2 * hidden)


class WeightDrop:
    """Weight drop: a mask over the single elements of a matrix (rows, columns)."""

    def __init__(self, rows, columns, rate, device="cpu", seed=None):
        self.columns = columns
        self.halves = Halves(rows, (columns + 1) // 2, device, seed)
        self.limit = rounded(rate)

    def factor(self, dtype):
        """Return what the matrix is multiplied with: 0 where dropped, else 1 / (1 - rate)."""
        kept = self.halves.draw().flatten(1)[:, : self.columns] >= self.limit + LOWEST
        return kept.to(dtype).mul_(LEVELS / (LEVELS - self.limit))


def rounded(probability):
    """Return ``probability`` in units of 1/65536."""
    return round(probability * LEVELS)


@functools.lru_cache(maxsize=8)
def noise_table(limit, eps, dtype, device):
    """Return B·L as a function of the number less the lowest number, (65536)."""
    u = (torch.arange(limit, dtype=torch.float64) + 0.5) / limit
    table = torch.zeros(LEVELS, dtype=torch.float64)
    table[:limit] = torch.log(u + eps) - torch.log(1 + eps - u)
    return table.to(device, dtype)


def _copied(values, device):
    """Return ``values`` on ``device``; nobody waits for a GPU that copies pinned memory."""
    if torch.device(device).type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


def _mix(words):
    """Hash ``words`` (int32) in place; a shift of the unsigned number takes a mask."""
    for shift, factor in MIX:
        words.bitwise_xor_((words >> shift).bitwise_and_((1 << 32 - shift) - 1))
        words.mul_(factor - (factor >> 31 << 32))
    words.bitwise_xor_((words >> 16).bitwise_and_(0xFFFF))


def _mix_keys(words):
    """Do the same to NumPy's uint32, whose overflow is what a hash wants."""
    words = np.atleast_1d(words)
    for shift, factor in MIX:
        words = (words ^ (words >> np.uint32(shift))) * np.uint32(factor)
    return words ^ (words >> np.uint32(16))
