"""LSTM layer with hard-sigmoid gates that reads whole texts, padded at their left.

Lobacheva et al. (2020) classify texts by the last hidden state of such a layer. Inside, units come
before examples and the backward is written by hand, as in :mod:`g2lstm.cells.pytorch`; products
are those of the chosen kernel, step by step, so that what they add to stays in cache.
"""

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from g2lstm.cells.kernels import product
from g2lstm.cells.pytorch import backward_step, forward_step, logistic_slope, turned
from g2lstm.precision import operand

SLOPE, MIDDLE = 0.2, 0.5  # of the hard sigmoid, SLOPE · x + MIDDLE cut to [0, 1]
RECURRENT_GAIN, FORGET_BIAS = 1.1, 1.0  # at the start


class HardLSTM(nn.Module):
    """The parameters of a layer, by the names and in the order of :class:`g2lstm.cells.LSTMLayer`.

    At the start the matrix of each gate is Glorot-uniform (inputs) or orthogonal with gain 1.1
    (recurrent); biases are 0, those of forget gates 1.
    """

    def __init__(self, inputs, hidden):
        super().__init__()
        self.hidden = hidden
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden, inputs))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(4 * hidden))
        with torch.no_grad():
            for gate in self.weight_ih.chunk(4):
                nn.init.xavier_uniform_(gate)
            for gate in self.weight_hh.chunk(4):
                nn.init.orthogonal_(gate, RECURRENT_GAIN)
            self.bias[hidden : 2 * hidden] = FORGET_BIAS


def project(x, weight):
    """Return ``weight`` times the inputs of each step, (steps, outputs, batch).

    ``x`` is (steps, batch, inputs), ``weight`` (outputs, inputs).
    """
    return _Projection.apply(x, weight)


def last_state(projected, kept, weight_hh, bias, z_hidden=None, z_gates=None):
    """Return the hidden state after the last step, (batch, hidden), from the zero state.

    With a_k the hard sigmoid for i, f and o and tanh for g, in step t

        gate_k = a_k((p_t,k + h_(t-1) · U_k) ∘ z_k + b_k),  h_t = o ∘ tanh(c_t) ∘ z_hidden.

    A step that is padding leaves the state as it was: as padding comes first, zero.

    Parameters
    ----------
    projected : (steps, 4 · hidden, batch), the products p of input and input matrices
    kept : (steps, batch), 1 where there is a word and 0 for padding, which comes first
    weight_hh, bias : (4 · hidden, ...), rows of input gate, forget gate, candidate, output gate
    z_hidden, z_gates : (batch, hidden) and (batch, 4 · hidden), or None where all are 1
    """
    hidden = weight_hh.shape[1]
    slopes, middles = bias.new_full((4, hidden), SLOPE), bias.new_full((4, hidden), MIDDLE)
    slopes[2], middles[2] = 1.0, 0.0
    scale = slopes.view(1, -1) if z_gates is None else z_gates * slopes.view(-1)
    offset = torch.addcmul(middles.view(-1), bias, slopes.view(-1))
    return _Recurrence.apply(projected, kept, weight_hh, offset, scale, z_hidden)


def clip_(values):
    """Cut ``values`` to [0, 1], in place."""
    return values.clamp_(0.0, 1.0)


def clip_slope(values):
    """Return the derivative of :func:`clip_` where it has these ``values``: 1 within (0, 1)."""
    return logistic_slope(values).sign_()


class _Projection(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        steps, batch, _ = x.shape
        found = x.new_empty(steps, len(weight), batch)
        rows, matrix = operand(x), operand(weight)
        for row, out in zip(rows, found, strict=True):
            product(matrix, row.T, out)
        ctx.save_for_backward(rows, matrix)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        rows, matrix = ctx.saved_tensors
        d_x = grad.new_empty(rows.shape[0], rows.shape[2], rows.shape[1])
        d_weight = grad.new_zeros(matrix.shape)
        columns = turned(matrix)
        for row, delta, out in zip(rows, operand(grad), d_x, strict=True):
            product(delta, row, d_weight, add=True)
            product(columns, delta, out)
        return turned(d_x), d_weight


class _Recurrence(torch.autograd.Function):
    """Gates are a(products · scale + offset) with a the cut to [0, 1], or tanh for g.

    ``scale`` is (1 or batch, 4 · hidden), ``offset`` (4 · hidden).
    """

    @staticmethod
    def forward(ctx, projected, kept, weight_hh, offset, scale, z_hidden):
        steps, units, batch = projected.shape
        hidden = units // 4
        products, weight_hh = torch.empty_like(projected), weight_hh.contiguous()
        offset, scale = offset.unsqueeze(1), turned(scale)
        z_hidden = None if z_hidden is None else turned(z_hidden)
        wants_products = ctx.needs_input_grad[4]
        gates = torch.empty_like(products) if wants_products else products
        h, c = (gates.new_zeros(steps + 1, hidden, batch) for _ in range(2))
        tanh_c = gates.new_empty(steps, hidden, batch)
        factors = _factors(kept)
        for t, factor in enumerate(factors):
            product(weight_hh, h[t], products[t].copy_(projected[t]), add=True)
            torch.addcmul(offset, products[t], scale, out=gates[t])
            forward_step(gates[t], c[t], c[t + 1], tanh_c[t], h[t + 1], clip_, factor)
            if z_hidden is not None:
                h[t + 1] *= z_hidden
        ctx.factors = factors
        ctx.save_for_backward(
            weight_hh, scale, z_hidden, products if wants_products else None, gates, h, c, tanh_c
        )
        return turned(h[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        weight_hh, scale, z_hidden, products, gates, h, c, tanh_c = ctx.saved_tensors
        steps, hidden, _ = tanh_c.shape
        recurrent = turned(weight_hh)
        delta, total = torch.empty_like(gates[0]), torch.zeros_like(gates[0])
        d_products, d_weight_hh = torch.empty_like(gates), torch.zeros_like(weight_hh)
        d_scale = None if products is None else torch.zeros_like(total)
        d_z = None if z_hidden is None else torch.zeros_like(z_hidden)
        d_h, d_c = turned(grad), torch.zeros_like(c[0])
        for t in reversed(range(steps)):
            if d_z is not None:
                d_z += d_h * gates[t, 3 * hidden :] * tanh_c[t]
                d_h *= z_hidden
            step = gates[t], c[t], tanh_c[t], d_h, d_c, delta
            backward_step(*step, clip_slope, ctx.factors[t])
            total += delta
            if d_scale is not None:
                d_scale.addcmul_(delta, products[t])
            torch.mul(delta, scale, out=d_products[t])
            product(d_products[t], h[t].T, d_weight_hh, add=True)
            product(recurrent, d_products[t], d_h)
        d_offset = total.sum(1)
        transposed = (None if each is None else each.T for each in (d_scale, d_z))
        return d_products, None, d_weight_hh, d_offset, *transposed


def _factors(kept):
    """Return what the cell state is multiplied by in each step; None where all texts go on."""
    whole = kept.bool().all(1).tolist()
    return [None if all_there else row for all_there, row in zip(whole, kept, strict=True)]
