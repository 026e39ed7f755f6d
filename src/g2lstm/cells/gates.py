"""Gate policies: how the pre-activations of the input and forget gates become gate values.

Only these two gates are touched, never the output gate or the candidate (Li et al. 2018,
section 3.3).
"""

from dataclasses import dataclass

import torch

from g2lstm.cells.counter import GumbelNoise, rounded
from g2lstm.errors import UserError

POLICIES = ("plain", "sharpened", "gumbel")


@dataclass(frozen=True)
class GatePolicy:
    """What happens to a pre-activation α of an input or forget gate.

    ==========  ==========================  ==============  =====================
    kind        in training                 in test         paper
    ==========  ==========================  ==============  =====================
    plain       σ(α)                        σ(α)            "Baseline"
    sharpened   σ(α / τ)                    σ(α / τ)        "Sharpened Sigmoid"
    gumbel      σ((α + B·L) / τ)            σ(α)            equations (11), (12)
    ==========  ==========================  ==============  =====================

    L = log(U + ε) - log(1 - U + ε) with U uniform on (0, 1), B is 1 with probability ``p``; both
    are drawn afresh for each time step, unit and example (:mod:`g2lstm.cells.counter`). With ``p``
    = 0 a gumbel gate is plain: without noise there is no division by τ either.
    """

    kind: str = "plain"
    tau: float = 1.0
    p: float = 0.0
    eps: float = 1e-3

    def __post_init__(self):
        if self.kind not in POLICIES:
            raise UserError(f"gate {self.kind!r} is unknown; allowed: {', '.join(POLICIES)}")
        if self.tau <= 0:
            raise UserError(f"tau = {self.tau}: a temperature must be above 0")
        if not 0 <= self.p <= 1:
            raise UserError(f"p = {self.p}: a probability must lie in [0, 1]")
        if self.p > 0 and rounded(self.p) == 0:
            raise UserError(f"p = {self.p}: too small to be drawn with 16 bits; use 0 or 1e-5")
        if self.eps <= 0:
            raise UserError(f"eps = {self.eps}: must be above 0")

    def temperature(self, training):
        """Return the τ by which the pre-activations are divided in this mode."""
        if self.kind == "sharpened" or (self.kind == "gumbel" and training and self.p > 0):
            return self.tau
        return 1.0

    @property
    def noisy(self):
        """True when training draws noise."""
        return self.kind == "gumbel" and self.p > 0


def scaled(tau, *weights):
    """Return ``weights``, each (4 · hidden, ...), with the rows of input and forget gate over τ.

    σ((x·W + h·U + b) / τ) is an LSTM with these rows divided by τ: a plain LSTM needs to know no τ.
    """
    if tau == 1.0:
        return weights
    scale = torch.ones(len(weights[0]), dtype=weights[0].dtype, device=weights[0].device)
    scale[: len(scale) // 2] = 1.0 / tau
    return tuple(w * scale.view(-1, *[1] * (w.dim() - 1)) for w in weights)


def folded(weight_ih, weight_hh, bias, noise, drop, tau):
    """Return ``(weight_ih, weight_hh, bias, values)``: weight drop and temperature are in them.

    They make a plain LSTM of the layer; ``values`` (steps, batch, 2 · hidden), or None, are added
    to the pre-activations of its input and forget gates. For ``noise`` and ``drop`` see
    :func:`g2lstm.cells.reference.lstm`.
    """
    if drop is not None:
        weight_hh = weight_hh * drop.factor(weight_hh.dtype)
    values = None if noise is None else noise.values(bias.dtype, tau)
    return *scaled(tau, weight_ih, weight_hh, bias), values


def training_noise(steps, batch, hidden, policy, device):
    """Return the :class:`g2lstm.cells.counter.GumbelNoise` of a chunk; None without noise."""
    return GumbelNoise(steps, batch, hidden, policy, device) if policy.noisy else None
