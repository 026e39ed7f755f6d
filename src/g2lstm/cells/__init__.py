"""One recurrent layer with a gate policy (plain, sharpened, gumbel) and its kernels.

``gates``      the three gate policies
``counter``    gate noise and weight drop as numbers that any kernel can draw where it needs them
``layer``      the layer that models use: parameters, gate policy, weight drop
``kernels``    the choice of a training kernel; ``trial`` times them
``native``     training kernel in C++ (``cpp/``, compiled by ``build`` on first use)
``pytorch``    training kernel in PyTorch calls with a hand-written backward
``cudnn``      training kernel for CUDA: the noise as input columns of PyTorch's own LSTM
``graph``      training kernel for CUDA: Triton (``triton_cell``) in a CUDA graph
``grouped``    LSTM layer with group variables
``highway``    recurrent highway layer
``reference``  the definition, step by step: what every kernel is tested against

A training kernel is a function ``kernel(x, h0, c0, weight_ih, weight_hh, bias, noise, drop, tau,
operands)`` that returns ``(y, h, c)``; see :func:`g2lstm.cells.reference.lstm` for the shapes.
``operands`` is the type of both sides of a product (None: that of ``x``); with bfloat16 ones the
results and their gradients are float32 all the same.
"""

from g2lstm.cells.gates import GatePolicy
from g2lstm.cells.layer import LSTMLayer

__all__ = ["GatePolicy", "LSTMLayer"]
