"""The registry of compression methods for one gate's weight matrix (section 4.3).

Each method is a frozen dataclass whose fields are its parameters, with

- ``fit(weights)``: float32 matrix (rows, cols) -> ``packed``, a dict of the arrays to store;
- ``restore(packed)``: the float32 matrix (rows, cols) that the packed arrays stand for;
- ``paper_factor(blocks, input_size, hidden_size)``: the compression factor as the paper counts it.

A new method is one more class and entry in ``METHODS``, its parameters in the configuration schema,
and the title of its columns in :mod:`g2lstm.paper.cells`.
"""

import math
from dataclasses import dataclass, fields

import numpy as np

from g2lstm.compress import bitpack
from g2lstm.errors import UserError


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def code_bits(level_count):
    """Return the fewest bits that tell ``level_count`` levels apart: 0 for a single level."""
    return (level_count - 1).bit_length()


@dataclass(frozen=True)
class Round:
    """Low precision: round_r(x) = round(x / r) * r (eq. 17), halves to even multiples.

    Packed as ``levels`` (n,) int32, the multiples of r in use; ``codes`` uint8, the level of each
    weight in row order at ``code_bits(n)`` bits; ``scale`` () float64, r; ``shape`` (2,) int32.
    Raises UserError unless r > 0.
    """

    r: float

    def __post_init__(self):
        """Refuse parameters out of their range with a UserError."""
        if not _is_number(self.r) or self.r <= 0:
            raise UserError(f"rounding: r = {self.r!r} is not allowed; give a number above 0")

    def _multiples(self, weights):
        """Return round(weights / r), whole numbers in float64 (rows, cols)."""
        return np.rint(weights.astype(np.float64) / self.r)

    def fit(self, weights):
        """Return the packed arrays of ``weights`` (rows, cols).

        Raises UserError when a multiple of r leaves the range of int32.
        """
        multiples = self._multiples(weights)
        if np.abs(multiples).max() > np.iinfo(np.int32).max:
            raise UserError(
                f"rounding: r = {self.r!r} is too fine for these weights; give a larger one"
            )
        multiples = multiples.astype(np.int32).ravel()
        levels = np.unique(multiples)
        codes = np.searchsorted(levels, multiples)
        return {
            "levels": levels,
            "codes": bitpack.pack(codes, code_bits(levels.size)),
            "scale": np.array(self.r, dtype=np.float64),
            "shape": np.array(weights.shape, dtype=np.int32),
        }

    def restore(self, packed):
        """Return the rounded weights, float32 (rows, cols)."""
        rows, cols = packed["shape"].tolist()
        levels = packed["levels"].astype(np.float64) * packed["scale"]
        codes = bitpack.unpack(packed["codes"], code_bits(levels.size), rows * cols)
        return levels.astype(np.float32)[codes].reshape(rows, cols)

    def paper_factor(self, blocks, input_size, hidden_size):
        """Return 32 bits over those of the widest code among ``blocks``, a list of packed dicts.

        Where all blocks have a single level (0 bits), one bit is counted. The sizes do not matter.
        """
        widest = max(code_bits(packed["levels"].size) for packed in blocks)
        return 32 / max(widest, 1)


@dataclass(frozen=True)
class RoundClip(Round):
    """Low precision with clipping: clip_c(round_r(x)), clip_c(x) = clip(x, -c, c) (eq. 18).

    Packed as :class:`Round`. Raises UserError unless r > 0 and c is 0 or a positive multiple of r,
    for which rounding first (the paper) and clipping first (the authors' code) agree.
    """

    c: float

    def __post_init__(self):
        """Refuse parameters out of their range with a UserError."""
        super().__post_init__()
        if not _is_number(self.c) or self.c < 0:
            raise UserError(f"round-clip: c = {self.c!r} is not allowed; give a number from 0 up")
        if abs(math.remainder(self.c, self.r)) > 1e-9 * self.c:
            raise UserError(
                f"round-clip: c = {self.c!r} is not a multiple of r = {self.r!r}; "
                f"give 0, {self.r!r}, {2 * self.r!r}, ..."
            )

    def _multiples(self, weights):
        limit = np.rint(self.c / self.r)
        return np.clip(super()._multiples(weights), -limit, limit)


@dataclass(frozen=True)
class LowRank:
    """Low rank: the k largest singular triplets of the matrix, its best rank-k approximation.

    Packed as ``left`` (rows, k) = U sqrt(s) and ``right`` (k, cols) = sqrt(s) V^T, float32. Raises
    UserError unless k is a whole number from 1 up.
    """

    k: int

    def __post_init__(self):
        """Refuse parameters out of their range with a UserError."""
        if not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1:
            raise UserError(f"svd: k = {self.k!r} is not allowed; give a whole number from 1 up")

    def fit(self, weights):
        """Return the factors of ``weights`` (rows, cols), k * (rows + cols) numbers.

        Raises UserError when k is above min(rows, cols).
        """
        rows, cols = weights.shape
        if self.k > min(rows, cols):
            raise UserError(
                f"svd: k = {self.k} is above the full rank of a {rows} x {cols} gate matrix; "
                f"give k from 1 to {min(rows, cols)}"
            )
        u, s, vt = np.linalg.svd(weights.astype(np.float64), full_matrices=False)
        root = np.sqrt(s[: self.k])
        return {
            "left": (u[:, : self.k] * root).astype(np.float32, order="C"),
            "right": (root[:, None] * vt[: self.k]).astype(np.float32, order="C"),
        }

    def restore(self, packed):
        """Return the product of the factors, float32 (rows, cols)."""
        # In float64, so that the order of summation (threads, libraries) drops out in the rounding.
        product = packed["left"].astype(np.float64) @ packed["right"].astype(np.float64)
        return product.astype(np.float32)

    def paper_factor(self, blocks, input_size, hidden_size):
        """Return the factor of one gate's joint matrix [W_ih; W_hh], (I + H, H), at rank k.

        That is (I + H) H / (k (I + 2H)), whatever the ``blocks``: "about 12x" for I = H = 1150 and
        k = 64.
        """
        joint = input_size + hidden_size
        return joint * hidden_size / (self.k * (joint + hidden_size))


METHODS = {"round": Round, "round-clip": RoundClip, "svd": LowRank}


def create(setting):
    """Return the method of ``setting``, such as {"method": "round-clip", "r": 0.2, "c": 0.4}.

    Raises UserError when the method or a parameter is unknown, missing or out of its range.
    """
    name = setting.get("method")
    if name not in METHODS:
        raise UserError(f"method = {name!r} is unknown; choose from {', '.join(METHODS)}")
    parameters = {key: value for key, value in setting.items() if key != "method"}
    expected = [field.name for field in fields(METHODS[name])]
    for key, value in parameters.items():
        if key not in expected:
            raise UserError(f"{name}: {key} = {value!r} is unknown; it takes {', '.join(expected)}")
    for key in expected:
        if key not in parameters:
            raise UserError(f"{name}: {key} is missing; it takes {', '.join(expected)}")
    return METHODS[name](**parameters)
