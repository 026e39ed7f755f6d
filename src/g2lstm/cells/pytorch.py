"""Training kernel in PyTorch calls: everything that does not depend on the recurrence in one call.

The input projections of the whole chunk are one product. A step is one product and a few calls on
blocks that stay in cache; the backward is written by hand, and the gradients of the weights are
one product each at the end. Inside, units come before examples: ``weight · h`` with h of shape
(hidden, batch) takes half the time of ``hᵀ · weightᵀ`` on a CPU, and each gate is one block.
"""

import torch
from torch.autograd.function import once_differentiable

from g2lstm.cells.gates import folded
from g2lstm.precision import multiplies_bfloat16, round_, rounded


def lstm(x, h0, c0, weight_ih, weight_hh, bias, noise=None, drop=None, tau=1.0, operands=None):
    """Same contract as :func:`g2lstm.cells.reference.lstm`; float32 or float64, any device.

    Where the CPU multiplies bfloat16 itself, products of such ``operands`` are PyTorch's, which
    rounds their results to bfloat16. Elsewhere narrow operands are rounded and multiplied in the
    type of ``x``: more exact, and no faster than float32.
    """
    weights = folded(weight_ih, weight_hh, bias, noise, drop, tau)
    operands = operands or x.dtype
    stored = operands if not x.is_cuda and multiplies_bfloat16() else x.dtype
    return _LSTM.apply(x, h0, c0, *weights, operands, stored)


def turned(array):
    """Return a copy of (..., batch, units) as (..., units, batch), or the other way round."""
    return array.transpose(-1, -2).clone(memory_format=torch.contiguous_format)


def forward_step(gates, c_old, c_new, tanh_c, h_new, sigmoid=torch.sigmoid_, kept=None):
    """Turn the pre-activations ``gates`` (4 · hidden, batch) into gate values, in place.

    Writes the new cell state, its tanh and the new hidden state, each (hidden, batch).
    ``sigmoid`` works in place; ``kept`` (batch), where given, is a factor of the cell state.
    """
    hidden = len(c_old)
    i_f, g, o = gates.split((2 * hidden, hidden, hidden))
    i, f = sigmoid(i_f).chunk(2)
    torch.mul(f, c_old, out=c_new).addcmul_(i, g.tanh_())
    if kept is not None:
        c_new *= kept
    torch.tanh(c_new, out=tanh_c)
    torch.mul(sigmoid(o), tanh_c, out=h_new)


def logistic_slope(values):
    """Return the derivative of the logistic function where it has these ``values``."""
    return torch.addcmul(values, values, values, value=-1)


def backward_step(gates, c_old, tanh_c, d_h, d_c, delta, slope_at=logistic_slope, kept=None):
    """Write the gradient with respect to a step's pre-activations to ``delta`` (4 · hidden, batch).

    ``gates`` are the values of :func:`forward_step`; ``d_h`` and ``d_c`` (hidden, batch) the
    gradients of its hidden and cell state. Afterwards ``d_c`` is that of ``c_old``. ``slope_at``
    gives the derivative of the forward step's sigmoid by its values.
    """
    slope, to_c = _local_derivatives(gates, c_old, tanh_c, slope_at)
    hidden, batch = tanh_c.shape
    blocks = delta.view(4, hidden, batch)
    d_c.addcmul_(d_h, to_c)
    if kept is not None:
        d_c *= kept
    torch.mul(d_c, slope[:3], out=blocks[:3])
    torch.mul(d_h, slope[3], out=blocks[3])
    d_c *= gates[hidden : 2 * hidden]


class _LSTM(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, h0, c0, weight_ih, weight_hh, bias, noise, operands, stored):
        steps, batch, inputs = x.shape
        hidden = weight_hh.shape[1]

        def operand(value):
            return rounded(value, operands).to(stored)

        rows = operand(x.reshape(steps * batch, inputs))
        weight_ih, weight_hh = operand(weight_ih), operand(weight_hh)
        projected = (torch.mm(rows, weight_ih.T) + bias).view(steps, batch, 4 * hidden)
        if noise is not None:
            projected[:, :, : 2 * hidden] += noise
        gates = turned(projected)
        h = gates.new_empty(steps + 1, hidden, batch, dtype=stored)
        c = gates.new_empty(steps + 1, hidden, batch)
        tanh_c, h_exact = gates.new_empty(steps, hidden, batch), gates.new_empty(hidden, batch)
        h[0], c[0] = operand(h0.T), c0.T
        for gate, h_old, h_new, c_old, c_new, tanh_new in zip(
            gates, h[:-1], h[1:], c[:-1], c[1:], tanh_c, strict=True
        ):
            if stored == gate.dtype:
                gate.addmm_(weight_hh, h_old)
            else:
                gate += torch.mm(weight_hh, h_old)
            forward_step(gate, c_old, c_new, tanh_new, h_exact)
            round_(h_exact, operands)
            h_new.copy_(h_exact)
        ctx.operands = operands
        ctx.save_for_backward(rows, weight_ih, weight_hh, gates, h, c, tanh_c)
        return turned(h[1:]).to(x.dtype), turned(h[-1]).to(x.dtype), turned(c[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_h, grad_c):
        rows, weight_ih, weight_hh, gates, h, c, tanh_c = ctx.saved_tensors
        steps, hidden, batch = tanh_c.shape
        recurrent, kind = turned(weight_hh), grad_y.dtype
        delta = torch.empty_like(gates[0])
        deltas = torch.empty_like(gates, dtype=rows.dtype)
        grad_y, d_h, d_c = turned(grad_y), turned(grad_h), turned(grad_c)
        for t in reversed(range(steps)):
            d_h += grad_y[t]
            backward_step(gates[t], c[t], tanh_c[t], d_h, d_c, delta)
            round_(delta, ctx.operands)
            deltas[t] = delta
            d_h.copy_(torch.mm(recurrent, deltas[t]))
        flat = turned(deltas).view(steps * batch, 4 * hidden)
        d_x = (flat @ weight_ih).view(steps, batch, -1) if ctx.needs_input_grad[0] else None
        d_weight_hh = flat.T @ turned(h[:-1]).view(steps * batch, hidden)
        wide = (d_x, d_h.T, d_c.T, flat.T @ rows, d_weight_hh, flat.sum(0, dtype=kind))
        return *(None if value is None else value.to(kind) for value in wide), None, None, None


def _local_derivatives(gates, c_old, tanh_c, slope_at):
    """Return what one step multiplies the incoming gradients with.

    ``slope`` (4, hidden, batch): of c' with respect to the pre-activations of i, f, g, and of h'
    with respect to that of o. The second, (hidden, batch): of h' with respect to c'.
    """
    values = gates.view(4, *tanh_c.shape)
    i, _, g, o = values.unbind()
    slope = slope_at(values)
    slope[0] *= g
    slope[1] *= c_old
    torch.addcmul(i, i, g * g, value=-1, out=slope[2])
    slope[3] *= tanh_c
    return slope, torch.addcmul(o, o, tanh_c * tanh_c, value=-1)
