"""The LSTM layer that models use: parameters, gate policy, weight drop, and a kernel."""

import torch
from torch import nn

from g2lstm.cells import kernels
from g2lstm.cells.counter import WeightDrop
from g2lstm.cells.gates import GatePolicy, scaled, training_noise


class LSTMLayer(nn.Module):
    """One LSTM layer with one bias, whose input and forget gates follow a gate policy.

    Parameters ``weight_ih`` (4 · hidden, inputs), ``weight_hh`` (4 · hidden, hidden) and ``bias``
    (4 · hidden) hold the gates one after the other in the order input, forget, candidate, output,
    so the matrix of each gate is a view (:meth:`gate`); with ``context`` units of a second input
    there is ``weight_ctx`` (4 · hidden, context) too. All start uniform on ±1/sqrt(hidden), as in
    AWD-LSTM. ``kernel`` computes the layer in training.
    """

    def __init__(
        self, inputs, hidden, policy=None, weight_drop=0.0, context=0, kernel=kernels.lstm
    ):
        super().__init__()
        self.kernel = kernel
        self.hidden = hidden
        self.policy = policy or GatePolicy()
        self.weight_drop = weight_drop
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden, inputs))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden, hidden))
        if context:
            self.weight_ctx = nn.Parameter(torch.empty(4 * hidden, context))
        self.bias = nn.Parameter(torch.empty(4 * hidden))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)

    def gate(self, name):
        """Return views ``(weight_ih, weight_hh, bias)`` of gate "i", "f", "g" or "o"."""
        start = "ifgo".index(name) * self.hidden
        rows = slice(start, start + self.hidden)
        return self.weight_ih[rows], self.weight_hh[rows], self.bias[rows]

    def initial_state(self, batch):
        """Return the zero state ``(h, c)``, each (batch, hidden)."""
        zero = self.bias.new_zeros(batch, self.hidden)
        return zero, zero

    def forward(self, x, state, context=None):
        """Run the layer over a chunk.

        ``x`` is (steps, batch, inputs), ``state`` a pair of (batch, hidden), ``context`` (steps,
        batch, context units) for a layer that has any. Returns the hidden states (steps, batch,
        hidden) and the new state. In training mode the noise is fresh for each step, unit and
        example, and the weight-drop mask fresh for each call.
        """
        if context is not None:
            x = torch.cat([x, context], dim=2)
        if not self.training:
            return _evaluate(x, state, *self.effective_weights())
        noise = training_noise(*x.shape[:2], self.hidden, self.policy, x.device)
        drop = None
        if self.weight_drop > 0:
            drop = WeightDrop(*self.weight_hh.shape, self.weight_drop, x.device)
        weights = (self._input_weight(), self.weight_hh, self.bias)
        y, h, c = self.kernel(x, *state, *weights, noise, drop, self.policy.temperature(True))
        return y, (h, c)

    def effective_weights(self):
        """Return ``(weight_ih, weight_hh, bias)`` of a plain LSTM that is this layer in test mode.

        The temperature is applied; the matrix of the context stands beside that of the input.
        """
        weights = self._input_weight(), self.weight_hh, self.bias
        return scaled(self.policy.temperature(False), *weights)

    def _input_weight(self):
        if not hasattr(self, "weight_ctx"):
            return self.weight_ih
        return torch.cat([self.weight_ih, self.weight_ctx], dim=1)


def _evaluate(x, state, weight_ih, weight_hh, bias):
    """Run the fused LSTM of PyTorch (oneDNN or cuDNN), which adds two biases: the second is 0."""
    h, c = (value.unsqueeze(0) for value in state)
    weights = (weight_ih, weight_hh, bias, torch.zeros_like(bias))
    # cuDNN has a backward pass in training mode alone, which without dropout computes the same.
    train = x.is_cuda and torch.is_grad_enabled()
    y, h, c = torch.lstm(x, (h, c), weights, True, 1, 0.0, train, False, False)
    return y, (h[0], c[0])
