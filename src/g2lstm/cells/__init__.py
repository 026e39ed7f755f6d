"""One recurrent layer with a gate policy (plain, sharpened, gumbel) and its kernels.

``gates``      the three gate policies and the Gumbel noise
``layer``      the layer that models use: parameters, gate policy, weight drop
``pytorch``    training kernel in PyTorch calls with a hand-written backward
``reference``  the definition, step by step: what every kernel is tested against

A training kernel is a function ``kernel(x, h0, c0, weight_ih, weight_hh, bias, noise)`` that
returns ``(y, h, c)``; see :func:`g2lstm.cells.reference.lstm` for the shapes. Temperature and
weight drop are applied to the weights before the call, so a kernel knows neither.
"""

from g2lstm.cells.gates import GatePolicy
from g2lstm.cells.layer import LSTMLayer

__all__ = ["GatePolicy", "LSTMLayer"]
