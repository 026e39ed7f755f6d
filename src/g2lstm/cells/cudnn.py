"""Training kernel without any code of ours in the recurrence: the noise as more input columns.

σ((α + B·L) / τ) is a plain LSTM whose rows of input and forget gate are divided by τ, with B·L / τ
as 2 · hidden more inputs and a fixed identity as their weights. On CUDA this is cuDNN's LSTM. On a
CPU it is exact, too, but slow: the product with the identity costs more than the recurrence.
"""

import torch

from g2lstm.cells.gates import folded


def lstm(x, h0, c0, weight_ih, weight_hh, bias, noise=None, drop=None, tau=1.0):
    """Same contract as :func:`g2lstm.cells.reference.lstm`; any device."""
    weight_ih, weight_hh, bias, values = folded(weight_ih, weight_hh, bias, noise, drop, tau)
    if values is not None:
        x = torch.cat([x, values], dim=2)
        identity = torch.eye(
            len(bias), len(bias) // 2, dtype=weight_ih.dtype, device=weight_ih.device
        )
        weight_ih = torch.cat([weight_ih, identity], dim=1)
    weights = (weight_ih, weight_hh, bias, torch.zeros_like(bias))
    state = (h0.unsqueeze(0), c0.unsqueeze(0))
    y, h, c = torch.lstm(x, state, weights, True, 1, 0.0, True, False, False)
    return y, h[0], c[0]
