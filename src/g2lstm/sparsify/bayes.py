"""Sparse variational dropout (Molchanov et al. 2017; Lobacheva et al. 2020).

A Bayesian variable, a weight or a group variable z, has the posterior N(μ, σ²); its parameters are
μ and log σ. With the log-uniform prior its share of the loss depends on α = σ²/μ² alone:

    R(log α) = log(1 + 1/α) / 2 - 0.03 - 0.64 · sigmoid(1.5 · (log α + 1.3))

which is the divergence of posterior and prior less 0.67, with log α cut to [-8, 8]. What has more
noise than value in the end, log α > 3, is zero.
"""

import math

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from g2lstm.cells import kernels, native

LOG_SIGMA = -3.0  # at the start
CUT = 8.0  # of log α: beyond it R is constant
LARGEST_KEPT = 3.0  # log α of a variable that is not zero in test mode
OFFSET, HEIGHT, SLOPE, SHIFT = -0.03, 0.64, 1.5, 1.3
K = math.exp(-SLOPE * SHIFT)
PEAK = 2.0 * HEIGHT * SLOPE * K
FAR = 60.0  # |μ|/σ beyond the cut, e⁴, whose powers are finite
INSIDE_ROOT = 1e-8  # of the standard deviation of a product
BLOCK = 1 << 16  # numbers whose gradient a CPU computes at once: all steps of it stay in cache


def surrogate(log_alpha):
    """Return R(log α), the approximate divergence of each variable less 0.67, in nats."""
    log_alpha = log_alpha.clamp(-CUT, CUT)
    bump = torch.sigmoid(SLOPE * (log_alpha + SHIFT))
    return 0.5 * torch.log1p(torch.exp(-log_alpha)) + OFFSET - HEIGHT * bump


def log_alpha(mean, log_sigma):
    """Return log α = log(σ²/μ²) of each variable; infinite where μ is zero."""
    return 2.0 * log_sigma - mean.square().log()


def masked(mean, log_sigma):
    """Return the means with zero where log α > 3: the variables in test mode."""
    return torch.where(mean.abs() >= (log_sigma - LARGEST_KEPT / 2).exp(), mean, 0.0)


def sample(mean, log_sigma):
    """Return one draw μ + σ·ε of each variable, with ε from PyTorch's global generator."""
    return _Sample.apply(mean, log_sigma)


def noisy_product(x, mean, log_sigma, noise):
    """Return a draw of ``x`` · Wᵀ by local reparameterisation: of the products, not of W.

    ``x`` is (..., inputs); ``mean`` and ``log_sigma`` of W are (outputs, inputs); ``noise`` is
    standard normal and extends to (..., outputs): where it is shared, so is the draw.
    """
    variance = F.linear(x.square(), (2.0 * log_sigma).exp())
    return torch.addcmul(F.linear(x, mean), (variance + INSIDE_ROOT).sqrt(), noise)


@torch.no_grad()
def add_surrogate_gradient(mean, log_sigma, scale):
    """Add ``scale`` times the gradient of Σ R to the ``grad`` of ``mean`` and ``log_sigma``.

    With v = μ/σ it is v·g/σ for μ and -v²·g for log σ, where g = -2·R'(log α)/v²: no logarithm,
    and nothing infinite at μ = 0.
    """
    if kernels.in_cpp(mean):
        native.surrogate_gradient(
            *(mean, log_sigma, mean.grad, log_sigma.grad),
            **{"scale": scale, "k": K, "peak": PEAK, "far": FAR},
            **{"low": math.exp(-CUT), "high": math.exp(CUT)},
        )
        return
    size = BLOCK if mean.device.type == "cpu" else mean.numel()
    parts = (value.view(-1).split(size) for value in (mean, log_sigma, mean.grad, log_sigma.grad))
    for mu, log_s, d_mu, d_log_s in zip(*parts, strict=True):
        inverse = torch.exp(-log_s)
        v = (mu * inverse).clamp_(-FAR, FAR)
        square = v * v
        g = _g(v, square).mul_(scale)
        d_mu.addcmul_(v.mul_(inverse), g)
        d_log_s.addcmul_(square, g, value=-1)


class SparseVariationalDropout:
    """The regulariser Σ R / ``tokens`` of Bayesian variables, relative to a loss per token.

    ``variables`` are pairs of a mean and log σ, parameters of one shape; ``tokens`` is the number
    of predicted tokens of the training text, of a classifier that of its texts. Nothing grows in: R
    has its full weight throughout.
    """

    def __init__(self, variables, tokens):
        self.variables, self.tokens = variables, tokens

    @torch.no_grad()
    def penalty(self):
        """Return the regulariser of the variables as they are, nats per token."""
        total = sum(
            surrogate(log_alpha(*variable)).sum(dtype=torch.float64) for variable in self.variables
        )
        return total / self.tokens

    def add_gradient(self):
        """Add the gradient of :meth:`penalty` to the ``grad`` of the variables."""
        for mean, log_sigma in self.variables:
            add_surrogate_gradient(mean, log_sigma, 1.0 / self.tokens)

    def after_step(self):
        """Leave the variables as they are: what is noise is zero in test mode alone."""


def _g(v, square):
    """Return 1/(1 + v²) + 2·0.64·1.5·k·|v|/(1 + k·|v|³)², k = e^(-1.5·1.3); beyond the cut zero."""
    size = v.abs()
    logistic = (size * square).mul_(K).add_(1.0).square_()
    found = size.mul_(PEAK).div_(logistic)
    found += (square + 1.0).reciprocal_()
    return found.mul_(square > math.exp(-CUT)).mul_(square < math.exp(CUT))


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(ctx, mean, log_sigma):
        if kernels.in_cpp(mean):
            noise, drawn = native.draw(mean.contiguous(), log_sigma.contiguous())
        else:
            noise = log_sigma.exp()
            noise *= torch.randn_like(noise)
            drawn = mean + noise
        ctx.save_for_backward(noise)
        return drawn

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        (noise,) = ctx.saved_tensors
        return grad, grad * noise
