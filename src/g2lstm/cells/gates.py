"""Gate policies: how the pre-activations of the input and forget gates become gate values.

Only these two gates are touched, never the output gate or the candidate (Li et al. 2018,
section 3.3).
"""

from dataclasses import dataclass

import torch

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
    are drawn afresh for each time step, unit and example. With ``p`` = 0 a gumbel gate is plain:
    without noise there is no division by τ either.
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


def gumbel_noise(steps, batch, hidden, policy, like):
    """Draw B·L for the input and forget gates of one chunk: (steps, batch, 2 · hidden).

    One uniform number v gives both draws: B = [v < p], and v / p is again uniform given B = 1.
    Type and device are those of ``like``; numbers come from PyTorch's default generator.
    """
    v = torch.rand(steps, batch, 2 * hidden, dtype=like.dtype, device=like.device)
    silent = v >= policy.p
    u = v.div_(policy.p)
    # log(u + ε) - log(1 - u + ε) with one logarithm, in place because fresh memory is dear; a
    # silent gate has log(1) = 0, and the logarithm of a negative number would be slow.
    ratio = u + policy.eps
    return ratio.div_(u.neg_().add_(1 + policy.eps)).masked_fill_(silent, 1.0).log_()


def temperature_scale(policy, training, bias):
    """Return the factor of each row of a weight matrix, 1/τ for input and forget gate, else 1.

    (4 · hidden), like ``bias``; None for τ = 1. σ((x·W + h·U + b) / τ) is an LSTM with these rows
    divided by τ: no kernel needs to know τ.
    """
    tau = policy.temperature(training)
    if tau == 1.0:
        return None
    scale = torch.ones_like(bias)
    scale[: len(bias) // 2] = 1.0 / tau
    return scale


def training_noise(steps, batch, policy, bias):
    """Return the noise that training adds to scaled pre-activations, B·L/τ; None without noise.

    (steps, batch, 2 · hidden) for a ``bias`` of 4 · hidden.
    """
    if not policy.noisy:
        return None
    noise = gumbel_noise(steps, batch, len(bias) // 4, policy, like=bias)
    noise /= policy.tau
    return noise
