"""The parts of the translation model that are not plain LSTM layers."""

import torch
from torch import nn

from g2lstm.cells.gates import GatePolicy, scaled, training_noise
from g2lstm.nmt import kernels
from g2lstm.training.linear import linear


class AttentionLayer(nn.Module):
    """First decoder layer: a conditional LSTM whose two transitions embrace the attention.

    Parameters of the first transition: ``weight_ih`` (4 · hidden, inputs), ``weight_hh`` (4 ·
    hidden, hidden), ``bias``; of the second: ``weight_nl`` (4 · hidden, hidden) on the state after
    the first, ``weight_ctx`` (4 · hidden, annotation), ``bias_nl``; of the attention:
    ``weight_query``, ``weight_key`` and ``bias_key`` into its hidden layer of ``annotation`` units,
    and ``score``. A bias on the energies is left out: the softmax does not see it. Gates in the
    order input, forget, candidate, output; both transitions follow ``policy``. ``kernel`` runs
    the layer over a sequence.
    """

    def __init__(self, inputs, hidden, annotation, policy=None, kernel=kernels.attention_lstm):
        super().__init__()
        self.hidden, self.kernel = hidden, kernel
        self.policy = policy or GatePolicy()

        def parameter(*shape):
            return nn.Parameter(torch.zeros(*shape))

        self.weight_ih = parameter(4 * hidden, inputs)
        self.weight_hh = parameter(4 * hidden, hidden)
        self.bias = parameter(4 * hidden)
        self.weight_nl = parameter(4 * hidden, hidden)
        self.weight_ctx = parameter(4 * hidden, annotation)
        self.bias_nl = parameter(4 * hidden)
        self.weight_query = parameter(annotation, hidden)
        self.weight_key = parameter(annotation, annotation)
        self.bias_key = parameter(annotation)
        self.score = parameter(annotation)

    def keys(self, annotations):
        """Return the encoder's part of the attention's hidden layer, same shape."""
        return linear(annotations, self.weight_key, self.bias_key)

    def forward(self, words, source):
        """Run over a target sequence.

        ``words`` (steps, batch, inputs), ``source`` a :class:`g2lstm.nmt.model.Source`. Returns the
        hidden states (steps, batch, hidden) and the contexts (steps, batch, annotation).
        """
        projected = linear(words, self.weight_ih, self.bias)
        first, second = (self._noise(*words.shape[:2], words.device) for _ in range(2))
        return self.kernel(
            projected, source.h0, source.annotations, source.keys, source.mask, self.weight_hh,
            self.weight_query, self.score, self.weight_nl, self.weight_ctx, self.bias_nl,
            first, second, self.policy.temperature(self.training),
        )  # fmt: skip

    def effective_weights(self):
        """Return matrices and biases of both transitions in test mode, temperature applied."""
        names = ("weight_ih", "weight_hh", "bias", "weight_nl", "weight_ctx", "bias_nl")
        weights = (getattr(self, name) for name in names)
        return scaled(self.policy.temperature(False), *weights)

    def _noise(self, steps, batch, device):
        if not self.training:
            return None
        return training_noise(steps, batch, self.hidden, self.policy, device)


def orthogonal_by_gates(matrix, gain):
    """Fill each gate's block of ``matrix`` (4 · hidden, inputs) semi-orthogonally, times gain."""
    for block in matrix.detach().chunk(4):
        nn.init.orthogonal_(block, gain)


def dropped(x, rate, training):
    """Drop single elements of ``x`` in training; scale by 1 - ``rate`` in test (not inverted)."""
    if rate == 0:
        return x
    if not training:
        return x * (1 - rate)
    return x * (torch.rand_like(x) >= rate)


def reverse_within(lengths, steps):
    """Return the index (steps, batch) that turns each sentence round and leaves its padding."""
    position = torch.arange(steps, device=lengths.device).unsqueeze(1)
    return torch.where(position < lengths, lengths - 1 - position, position)


def reorder(x, index):
    """Return ``x`` (steps, batch, units) with its steps in the order of ``index``."""
    return x.gather(0, index.unsqueeze(2).expand_as(x))
