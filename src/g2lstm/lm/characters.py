"""The character-level language model of Lobacheva et al. (2020), plain and Bayesian."""

import torch
import torch.nn.functional as F
from torch import nn

from g2lstm.cells import LSTMLayer, grouped
from g2lstm.sparsify.bayes import noisy_product
from g2lstm.sparsify.variables import BayesianVariables


class CharacterModel(nn.Module):
    """One LSTM layer that reads one-hot symbols from the zero state, and a softmax.

    Parameters: those of ``lstm.0``, whose inputs are the symbols, ``decoder.weight`` (symbols,
    hidden) and ``decoder.bias`` (symbols). At the start the matrices of each gate and of the
    softmax are orthogonal, and biases 0.
    """

    def __init__(self, symbols, hidden):
        super().__init__()
        self.lstm = nn.ModuleList([LSTMLayer(symbols, hidden)])
        self.decoder = nn.Linear(hidden, symbols)
        matrices = [matrix for gate in "ifgo" for matrix in self.lstm[0].gate(gate)[:2]]
        for matrix in (*matrices, self.decoder.weight):
            nn.init.orthogonal_(matrix)
        for bias in (self.lstm[0].bias, self.decoder.bias):
            nn.init.zeros_(bias)

    def forward(self, tokens):
        """Return the logits (steps, batch, symbols) after each of ``tokens`` (steps, batch)."""
        return self.logits(self.states(tokens))

    def states(self, tokens):
        """Return the hidden states (steps, batch, hidden) after each of ``tokens``."""
        return self.lstm[0](self._one_hot(tokens), self._zero_state(tokens))[0]

    def logits(self, x):
        """Return the logits (steps, batch, symbols) of hidden states ``x``."""
        return self.decoder(x)

    def _zero_state(self, tokens):
        return self.lstm[0].initial_state(tokens.shape[1])

    def _one_hot(self, tokens):
        """Return ``tokens`` as the layer's kernels want them, (steps, batch, symbols)."""
        return F.one_hot(tokens, len(self.decoder.bias)).to(self.decoder.bias.dtype)


class BayesianCharacterModel(BayesianVariables, CharacterModel):
    """A :class:`CharacterModel` whose matrices are random; its parameters are their means.

    With ``levels`` wn each neuron has a group variable too (``hidden0``), with wgn each gate as
    well (``gates0``); the input has none, and biases are not random.

    In training a minibatch has one draw of the LSTM's matrices, and each of its sequences one of z.
    The softmax draws its products (local reparameterisation): the noise of a sequence is the same
    in all steps.
    """

    def __init__(self, symbols, hidden, levels="w"):
        super().__init__(symbols, hidden)
        self.levels = levels
        matrices = [name for name, p in self.named_parameters() if p.dim() == 2]
        units = {"hidden0": hidden, "gates0": 4 * hidden}
        kept = {"w": (), "wn": ("hidden0",), "wgn": tuple(units)}[levels]
        self.make_random(matrices, {name: units[name] for name in kept})

    def states(self, tokens):
        """As of :class:`CharacterModel`; in training all variables are drawn anew."""
        layer, batch = self.lstm[0], tokens.shape[1]
        weight_ih, weight_hh = (self.matrix(f"lstm.0.weight_{name}") for name in ("ih", "hh"))
        state, weights = self._zero_state(tokens), (weight_ih, weight_hh, layer.bias)
        given = (self._one_hot(tokens), *state, *weights)
        if self.levels == "w":
            return layer.kernel(*given)[0]
        z_gates = self.group("gates0", batch) if self.levels == "wgn" else None
        return grouped.lstm(*given, self.group("hidden0", batch), z_gates)[0]

    def logits(self, x):
        """As of :class:`CharacterModel`; in training with noise for each sequence."""
        if not self.training:
            return F.linear(x, self.matrix("decoder.weight"), self.decoder.bias)
        noise = torch.randn(1, x.shape[1], len(self.decoder.bias), dtype=x.dtype, device=x.device)
        return noisy_product(x, *self.variable("decoder.weight"), noise) + self.decoder.bias


def forward_pass(model, corpus, steps=99, batch=10):
    """Return the function that gives ``model``'s logits of the first ``steps`` · ``batch`` symbols
    of the test text, in test mode.
    """
    symbols = torch.as_tensor(corpus.splits["test"][: steps * batch], dtype=torch.long)
    tokens = symbols.view(batch, steps).T.contiguous().to(model.decoder.weight.device)
    return lambda: model(tokens)


def empty_model(arrays):
    """Return a model with the sizes of ``arrays``, a state dictionary, and values of its own."""
    return CharacterModel(*arrays["decoder.weight"].shape)
