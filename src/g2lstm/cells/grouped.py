"""LSTM layer with group variables (Lobacheva et al. 2020), in PyTorch calls.

A variable z scales a gate's pre-activation, its bias excepted, or a neuron's output. Where z = 0
the gate is constant, or the neuron is gone. As in :mod:`g2lstm.cells.pytorch`, units come before
examples and the backward is written by hand.
"""

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from g2lstm.cells.pytorch import backward_step, forward_step, turned


def lstm(x, h0, c0, weight_ih, weight_hh, bias, z_hidden, z_gates=None):
    """Run an LSTM layer over a chunk, with one value of each group variable for each sequence.

    In step t, for each gate k with its activation a_k,

        gate_k = a_k((x_t · W_k + h_(t-1) · U_k) ∘ z_k + b_k),  h_t = o ∘ tanh(c_t) ∘ z_hidden.

    Parameters
    ----------
    x : (steps, batch, inputs)
    h0, c0 : (batch, hidden), the state before the first step
    weight_ih, weight_hh, bias : (4 · hidden, ...), rows of input gate, forget gate, candidate,
        output gate
    z_hidden : (batch, hidden)
    z_gates : (batch, 4 · hidden), or None where all are 1

    Returns the outputs h_t (steps, batch, hidden) and the last state, each (batch, hidden); all in
    the type of ``x``, whatever the precision of training.
    """
    projected = F.linear(x, weight_ih)
    return recurrence(projected, h0, c0, weight_hh, bias, z_hidden, z_gates)


def recurrence(projected, h0, c0, weight_hh, bias, z_hidden, z_gates=None):
    """As :func:`lstm`, given the products x_t · W of all steps, ``projected`` (steps, batch,
    4 · hidden): of a one-hot x_t they are columns of ``weight_ih``, and nothing is multiplied.
    """
    return _Recurrence.apply(projected, h0, c0, weight_hh, bias, z_hidden, z_gates)


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, projected, h0, c0, weight_hh, bias, z_hidden, z_gates):
        steps, batch, _ = projected.shape
        hidden = weight_hh.shape[1]
        products, bias = turned(projected), bias.unsqueeze(1)
        z_hidden = turned(z_hidden)
        z_gates = None if z_gates is None else turned(z_gates)
        gates = torch.empty_like(products)
        h, c = (gates.new_empty(steps + 1, hidden, batch) for _ in range(2))
        tanh_c = gates.new_empty(steps, hidden, batch)
        h[0], c[0] = h0.T, c0.T
        for t in range(steps):
            products[t].addmm_(weight_hh, h[t])
            if z_gates is None:
                torch.add(products[t], bias, out=gates[t])
            else:
                torch.addcmul(bias, products[t], z_gates, out=gates[t])
            forward_step(gates[t], c[t], c[t + 1], tanh_c[t], h[t + 1])
            h[t + 1] *= z_hidden
        if z_gates is None:
            products = None  # only the gradient of z needs them
        ctx.save_for_backward(weight_hh, z_hidden, z_gates, products, gates, h, c, tanh_c)
        return turned(h[1:]), turned(h[-1]), turned(c[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_h, grad_c):
        weight_hh, z_hidden, z_gates, products, gates, h, c, tanh_c = ctx.saved_tensors
        steps, hidden, batch = tanh_c.shape
        recurrent = turned(weight_hh)
        delta, d_output = torch.empty_like(gates), torch.empty_like(tanh_c)
        d_products = delta if z_gates is None else torch.empty_like(gates)
        grad_y, d_h, d_c = turned(grad_y), turned(grad_h), turned(grad_c)
        for t in reversed(range(steps)):
            torch.add(d_h, grad_y[t], out=d_output[t])
            torch.mul(d_output[t], z_hidden, out=d_h)
            backward_step(gates[t], c[t], tanh_c[t], d_h, d_c, delta[t])
            if z_gates is not None:
                torch.mul(delta[t], z_gates, out=d_products[t])
            torch.mm(recurrent, d_products[t], out=d_h)
        d_z_hidden = (d_output * gates[:, 3 * hidden :] * tanh_c).sum(0).T
        d_z_gates = None if z_gates is None else (delta * products).sum(0).T
        d_projected = turned(d_products)
        flat = d_projected.view(steps * batch, 4 * hidden)
        d_weight_hh = flat.T @ turned(h[:-1]).view(steps * batch, hidden)
        d_bias = delta.sum((0, 2))
        return d_projected, d_h.T, d_c.T, d_weight_hh, d_bias, d_z_hidden, d_z_gates
