"""The LSTM by its definition, one step at a time in plain autograd: slow, and meant to be read."""

import torch


def lstm(x, h0, c0, weight_ih, weight_hh, bias, noise=None, drop=None, tau=1.0):
    """Run an LSTM layer over a chunk (Li et al. 2018, equations (2) - (7), (11), (12)).

    Parameters
    ----------
    x : (steps, batch, inputs)
    h0, c0 : (batch, hidden), the state before the first step
    weight_ih : (4 · hidden, inputs); rows of input gate, forget gate, candidate, output gate
    weight_hh : (4 · hidden, hidden), same order
    bias : (4 · hidden)
    noise : :class:`g2lstm.cells.counter.GumbelNoise` or None, added to the pre-activations of the
        input and forget gates
    drop : :class:`g2lstm.cells.counter.WeightDrop` or None, of ``weight_hh``
    tau : temperature by which the pre-activations of these two gates, noise included, are divided

    Returns
    -------
    y : (steps, batch, hidden), the hidden states
    h, c : (batch, hidden), the state after the last step
    """
    hidden = weight_hh.shape[1]
    values = None if noise is None else noise.values(x.dtype)
    if drop is not None:
        weight_hh = weight_hh * drop.factor(x.dtype)
    h, c, outputs = h0, c0, []
    for t, x_t in enumerate(x):
        i, f, g, o = (x_t @ weight_ih.T + h @ weight_hh.T + bias).split(hidden, dim=1)
        if values is not None:
            i, f = i + values[t, :, :hidden], f + values[t, :, hidden:]
        c = torch.sigmoid(f / tau) * c + torch.sigmoid(i / tau) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs), h, c
