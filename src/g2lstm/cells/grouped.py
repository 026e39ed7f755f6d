"""LSTM layer with group variables (Lobacheva et al. 2020), in C++ or in PyTorch calls.

A variable z scales a gate's pre-activation, its bias excepted, or a neuron's output. Where z = 0
the gate is constant, or the neuron is gone. As in :mod:`g2lstm.cells.pytorch`, in the calls units
come before examples and the backward is written by hand.
"""

import torch
from torch.autograd.function import once_differentiable

from g2lstm.cells import kernels, native
from g2lstm.cells.pytorch import backward_step, forward_step, turned
from g2lstm.precision import operands


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
    the type of ``x``. Products have the precision of training in C++ alone.
    """
    if kernels.in_cpp(x):
        weights, z = (weight_ih, weight_hh, bias), {"z_hidden": z_hidden, "z_gates": z_gates}
        return native.lstm(x, h0, c0, *weights, operands=operands(x.dtype), **z)
    return in_calls(x, h0, c0, weight_ih, weight_hh, bias, z_hidden, z_gates)


def in_calls(x, h0, c0, weight_ih, weight_hh, bias, z_hidden, z_gates=None):
    """Do what :func:`lstm` does, in PyTorch calls on any device."""
    return _GroupedLSTM.apply(x, h0, c0, weight_ih, weight_hh, bias, z_hidden, z_gates)


class _GroupedLSTM(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, h0, c0, weight_ih, weight_hh, bias, z_hidden, z_gates):
        steps, batch, inputs = x.shape
        hidden = weight_hh.shape[1]
        rows, bias = x.reshape(steps * batch, inputs), bias.unsqueeze(1)
        products = turned((rows @ weight_ih.T).view(steps, batch, 4 * hidden))
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
        ctx.save_for_backward(
            rows, weight_ih, weight_hh, z_hidden, z_gates, products, gates, h, c, tanh_c
        )
        return turned(h[1:]), turned(h[-1]), turned(c[-1])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_h, grad_c):
        rows, weight_ih, weight_hh, z_hidden, z_gates, products, gates, h, c, tanh_c = (
            ctx.saved_tensors
        )
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
        flat = turned(d_products).view(steps * batch, 4 * hidden)
        d_x = (flat @ weight_ih).view(steps, batch, -1) if ctx.needs_input_grad[0] else None
        d_weight_hh = flat.T @ turned(h[:-1]).view(steps * batch, hidden)
        d_weights = flat.T @ rows, d_weight_hh, delta.sum((0, 2))
        return d_x, d_h.T, d_c.T, *d_weights, d_z_hidden, d_z_gates
