"""The LSTM by its definition, one step at a time in plain autograd: slow, and meant to be read."""

import torch


def lstm(x, h0, c0, weight_ih, weight_hh, bias, noise=None):
    """Run an LSTM layer over a chunk (Li et al. 2018, equations (2) - (7)).

    Parameters
    ----------
    x : (steps, batch, inputs)
    h0, c0 : (batch, hidden), the state before the first step
    weight_ih : (4 · hidden, inputs); rows of input gate, forget gate, candidate, output gate
    weight_hh : (4 · hidden, hidden), same order
    bias : (4 · hidden)
    noise : (steps, batch, 2 · hidden) or None, added to the pre-activations of the input and
        forget gates

    Returns
    -------
    y : (steps, batch, hidden), the hidden states
    h, c : (batch, hidden), the state after the last step
    """
    hidden = weight_hh.shape[1]
    h, c, outputs = h0, c0, []
    for t, x_t in enumerate(x):
        i, f, g, o = (x_t @ weight_ih.T + h @ weight_hh.T + bias).split(hidden, dim=1)
        if noise is not None:
            i, f = i + noise[t, :, :hidden], f + noise[t, :, hidden:]
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs), h, c
