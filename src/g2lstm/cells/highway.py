"""Recurrent highway layer (Zilly et al. 2017), in calls on whole chunks where nothing recurs.

Within a time step the state passes ``depth`` transitions, each with matrices of its own; the input
comes into the first one alone. The backward is written by hand: it has the gradient of the weights
of a depth in one product over all steps.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from g2lstm.cells.kernels import multiplier, product


class HighwayLayer(nn.Module):
    """A recurrent highway layer, whose input has as many units as its state.

    Parameters ``weight_ih`` (2 · hidden, hidden), ``weight_hh`` (depth · 2 · hidden, hidden) and
    ``bias`` (depth · 2 · hidden): of each depth the rows of the candidate H, then those of the
    transform gate T.
    """

    def __init__(self, hidden, depth):
        super().__init__()
        self.hidden, self.depth = hidden, depth
        self.weight_ih = nn.Parameter(torch.empty(2 * hidden, hidden))
        self.weight_hh = nn.Parameter(torch.empty(depth * 2 * hidden, hidden))
        self.bias = nn.Parameter(torch.empty(depth * 2 * hidden))

    def initialise(self, width, transform_bias):
        """Start uniform on ±``width``, the biases of the transform gates at ``transform_bias``."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -width, width)
        nn.init.constant_(self.bias.view(self.depth, 2, self.hidden)[:, 1], transform_bias)

    def forward(self, x, state, mask=None):
        """Return what :func:`highway` does of a chunk ``x`` (steps, batch, hidden)."""
        return highway(x, state, self.weight_ih, self.weight_hh, self.bias, mask)


def highway(x, s0, weight_ih, weight_hh, bias, mask=None):
    """Run a recurrent highway layer over a chunk.

    In step t, for d = 0 ... depth - 1 with s the state so far and its dropped form s ∘ m,

        h = tanh(H_d · (s ∘ m) + b),  t = σ(T_d · (s ∘ m) + b),  s ← s + (h - s) ∘ t,

    to whose arguments the input's products are added where d = 0.

    Parameters
    ----------
    x : (steps, batch, inputs)
    s0 : (batch, hidden), the state before the first step
    weight_ih : (2 · hidden, inputs); weight_hh : (depth · 2 · hidden, hidden); bias : (depth ·
        2 · hidden); see :class:`HighwayLayer`
    mask : (batch, hidden), m for all steps and depths; None: all are 1

    Returns the state after each step (steps, batch, hidden), and the last one (batch, hidden).
    """
    return _Highway.apply(x, s0, weight_ih, weight_hh, bias, mask)


class _Highway(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, s0, weight_ih, weight_hh, bias, mask):
        steps, batch, inputs = x.shape
        hidden = weight_hh.shape[1]
        depth = len(weight_hh) // (2 * hidden)
        rows = x.reshape(steps * batch, inputs)
        gates = x.new_empty(depth, steps, batch, 2 * hidden)
        gates.copy_(bias.view(depth, 1, 1, 2 * hidden))
        product(rows, weight_ih.T, gates[0].view(steps * batch, -1), add=True)
        states = x.new_empty(steps * depth + 1, batch, hidden)
        states[0] = s0
        multiply = [multiplier(block.T) for block in weight_hh.view(depth, 2 * hidden, hidden)]
        dropped = torch.empty_like(states[0])
        for k, (s, s_new) in enumerate(pairwise(states)):
            t, d = divmod(k, depth)
            gate = gates[d, t]
            multiply[d](s if mask is None else torch.mul(s, mask, out=dropped), gate, add=True)
            candidate, transform = gate.chunk(2, dim=1)
            torch.lerp(s, candidate.tanh_(), transform.sigmoid_(), out=s_new)
        ctx.save_for_backward(rows, weight_ih, weight_hh, mask, gates, states)
        return states[depth::depth].clone(), states[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_s):
        rows, weight_ih, weight_hh, mask, gates, states = ctx.saved_tensors
        depth, steps, batch, double = gates.shape
        hidden = double // 2
        before = states[:-1].view(steps, depth, batch, hidden).transpose(0, 1)
        multiply = [multiplier(block) for block in weight_hh.view(depth, double, hidden)]
        deltas = torch.empty_like(gates)
        d_s, through = grad_s.clone(), torch.empty_like(grad_s)
        for t in reversed(range(steps)):
            d_s += grad_y[t]
            # All depths of a step at once: they stay in cache until the recurrence takes them.
            _local_derivatives(gates[:, t], before[:, t], deltas[:, t])
            for d in reversed(range(depth)):
                delta = deltas[d, t]
                delta.view(batch, 2, hidden).mul_(d_s.unsqueeze(1))
                multiply[d](delta, through)
                d_s.addcmul_(d_s, gates[d, t, :, hidden:], value=-1)
                if mask is None:
                    d_s += through
                else:
                    d_s.addcmul_(through, mask)
        d_weight_hh = torch.empty_like(weight_hh)
        for delta, state, d_weight in zip(deltas, before, d_weight_hh.split(double), strict=True):
            read = state if mask is None else state * mask
            product(delta.view(-1, double).T, read.reshape(-1, hidden), d_weight)
        first = deltas[0].view(-1, double)
        d_x = product(first, weight_ih, torch.empty_like(rows)).view(steps, batch, -1)
        d_weight_ih = product(first.T, rows, torch.empty_like(weight_ih))
        return d_x, d_s, d_weight_ih, d_weight_hh, deltas.sum((1, 2)).flatten(), None


def _local_derivatives(gates, s, out):
    """Write the derivatives of s + (h - s) ∘ t with respect to the arguments of h and of t.

    ``gates`` and ``out`` are (depth, batch, 2 · hidden), ``s`` (depth, batch, hidden).
    """
    h, t = gates.chunk(2, dim=-1)
    of_h, of_t = out.chunk(2, dim=-1)
    torch.addcmul(t, t, h * h, value=-1, out=of_h)
    torch.addcmul(t, t, t, value=-1, out=of_t).mul_(h - s)
