"""Training kernel without any code of ours in the recurrence: the noise as more input columns.

σ((α + B·L) / τ) is a plain LSTM whose rows of input and forget gate are divided by τ, with B·L / τ
as 2 · hidden more inputs and a fixed identity as their weights. On CUDA this is cuDNN's LSTM. On a
CPU it is exact, too, but slow: the product with the identity costs more than the recurrence.
"""

import torch

from g2lstm.cells.gates import folded


def lstm(x, h0, c0, weight_ih, weight_hh, bias, noise=None, drop=None, tau=1.0, operands=None):
    """Same contract as :func:`g2lstm.cells.reference.lstm`; any device.

    With narrower ``operands`` everything that goes in and comes out is rounded to them, bias and
    cell state too.
    """
    weight_ih, weight_hh, bias, values = folded(weight_ih, weight_hh, bias, noise, drop, tau)
    if values is not None:
        x = torch.cat([x, values], dim=2)
        identity = torch.eye(
            len(bias), len(bias) // 2, dtype=weight_ih.dtype, device=weight_ih.device
        )
        weight_ih = torch.cat([weight_ih, identity], dim=1)
    kind = operands or x.dtype
    weights = [w.to(kind) for w in (weight_ih, weight_hh, bias, torch.zeros_like(bias))]
    state = [s.to(kind).unsqueeze(0) for s in (h0, c0)]
    y, h, c = torch.lstm(x.to(kind), state, weights, True, 1, 0.0, True, False, False)
    return tuple(result.to(x.dtype) for result in (y, h[0], c[0]))
