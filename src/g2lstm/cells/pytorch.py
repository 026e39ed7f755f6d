"""Training kernel in PyTorch calls: everything that does not depend on the recurrence in one call.

The input projections of the whole chunk are one product. A forward step is one product and a few
calls on blocks that stay in cache. The backward is written by hand: all local derivatives are
formed for the chunk at once, a step is one product and five small calls, and the gradients of the
weights are one product each at the end.
"""

import torch
from torch.autograd.function import once_differentiable


def lstm(x, h0, c0, weight_ih, weight_hh, bias, noise=None):
    """Same contract as :func:`g2lstm.cells.reference.lstm`; float32 or float64, any device."""
    return _LSTM.apply(x, h0, c0, weight_ih, weight_hh, bias, noise)


class _LSTM(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, h0, c0, weight_ih, weight_hh, bias, noise):
        steps, batch, inputs = x.shape
        hidden = weight_hh.shape[1]
        rows = x.reshape(steps * batch, inputs)
        gates = torch.addmm(bias, rows, weight_ih.T).view(steps, batch, 4 * hidden)
        if noise is not None:
            gates[:, :, : 2 * hidden] += noise
        h = gates.new_empty(steps + 1, batch, hidden)
        c = gates.new_empty(steps + 1, batch, hidden)
        tanh_c = gates.new_empty(steps, batch, hidden)
        h[0], c[0] = h0, c0
        recurrent = weight_hh.T
        for gate, h_old, h_new, c_old, c_new, tanh_new in zip(
            gates, h[:-1], h[1:], c[:-1], c[1:], tanh_c, strict=True
        ):
            gate.addmm_(h_old, recurrent)
            i_f, g, o = gate.split((2 * hidden, hidden, hidden), dim=1)
            i, f = i_f.sigmoid_().chunk(2, dim=1)
            torch.mul(f, c_old, out=c_new).addcmul_(i, g.tanh_())
            torch.tanh(c_new, out=tanh_new)
            torch.mul(o.sigmoid_(), tanh_new, out=h_new)
        ctx.save_for_backward(rows, weight_ih, weight_hh, gates, h, c, tanh_c)
        return h[1:].clone(), h[-1].clone(), c[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_h, grad_c):
        rows, weight_ih, weight_hh, gates, h, c, tanh_c = ctx.saved_tensors
        steps, batch, hidden = tanh_c.shape
        f = gates[:, :, hidden : 2 * hidden]
        slope, to_c = _local_derivatives(gates, c[:-1], tanh_c)
        delta = torch.empty_like(gates)
        d_h, d_c = grad_h.clone(), grad_c.clone()
        for t in reversed(range(steps)):
            d_h += grad_y[t]
            d_c.addcmul_(d_h, to_c[t])
            d = delta[t].view(batch, 4, hidden)
            torch.mul(d_c.unsqueeze(1), slope[t, :, :3], out=d[:, :3])
            torch.mul(d_h, slope[t, :, 3], out=d[:, 3])
            d_c *= f[t]
            torch.mm(delta[t], weight_hh, out=d_h)
        flat = delta.view(steps * batch, 4 * hidden)
        d_x = (flat @ weight_ih).view(steps, batch, -1) if ctx.needs_input_grad[0] else None
        d_weight_hh = flat.T @ h[:-1].reshape(steps * batch, hidden)
        d_noise = delta[:, :, : 2 * hidden] if ctx.needs_input_grad[6] else None
        return d_x, d_h, d_c, flat.T @ rows, d_weight_hh, flat.sum(0), d_noise


def _local_derivatives(gates, c_old, tanh_c):
    """Return what a step multiplies the incoming gradients with.

    ``slope`` (steps, batch, 4, hidden): of c' with respect to the pre-activations of i, f, g, and
    of h' with respect to that of o. ``to_c`` (steps, batch, hidden): of h' with respect to c'.
    """
    steps, batch, hidden = tanh_c.shape
    values = gates.view(steps, batch, 4, hidden)
    i, _f, g, o = values.unbind(2)
    slope = torch.addcmul(values, values, values, value=-1)
    slope[:, :, 0] *= g
    slope[:, :, 1] *= c_old
    torch.mul(i, 1 - g * g, out=slope[:, :, 2])
    slope[:, :, 3] *= tanh_c
    return slope, torch.addcmul(o, o, tanh_c * tanh_c, value=-1)
