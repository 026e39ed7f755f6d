"""The stacked LSTM language model of Zaremba et al. (2014), which the sparsification papers use."""

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from g2lstm.cells import LSTMLayer
from g2lstm.sparsify.lags import even_starts
from g2lstm.training.softmax import linear_cross_entropy


class StackedLanguageModel(nn.Module):
    """Embedding, LSTM layers, and a softmax with a matrix of its own.

    Parameters: ``embedding.weight`` (vocabulary, embedding), those of ``lstm.{layer}``,
    ``decoder.weight`` (vocabulary, hidden) and ``decoder.bias`` (vocabulary). All start uniform on
    ±``init``, the biases of the LSTM at 0. ``dropout`` acts on the embedding and on the output of
    each layer, with a new mask for each step.
    """

    def __init__(self, vocabulary, sizes, init=0.1, dropout=0.0):
        """Make a model of ``sizes``: units of the embedding and of each layer."""
        super().__init__()
        self.dropout = dropout
        self.embedding = nn.Embedding(vocabulary, sizes[0])
        self.lstm = nn.ModuleList(LSTMLayer(*pair) for pair in itertools.pairwise(sizes))
        self.decoder = nn.Linear(sizes[-1], vocabulary)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -init, init)
        for layer in self.lstm:
            nn.init.zeros_(layer.bias)

    def initial_state(self, batch):
        """Return the zero state of every layer for ``batch`` streams."""
        return [layer.initial_state(batch) for layer in self.lstm]

    def forward(self, tokens, state):
        """Read a chunk of ``tokens`` (steps, batch) from ``state``.

        Returns the last layer's hidden states before and after dropout, each (steps, batch,
        hidden), and the new state.
        """
        x = self._drop(self.embedding(tokens))
        new_state = []
        for layer, layer_state in zip(self.lstm, state, strict=True):
            raw, layer_state = layer(x, layer_state)
            new_state.append(layer_state)
            x = self._drop(raw)
        return raw, x, new_state

    def logits(self, x):
        """Return the logits (..., vocabulary) of hidden states ``x`` (..., hidden)."""
        return self.decoder(x)

    def cross_entropy(self, x, targets):
        """Return the mean cross-entropy (nats) of ``targets`` (steps, batch) given ``x``."""
        return linear_cross_entropy(
            x.flatten(0, 1), self.decoder.weight, self.decoder.bias, targets.flatten()
        )

    def _drop(self, x):
        return F.dropout(x, self.dropout, self.training)


def build_model(job, vocabulary, kind=StackedLanguageModel, **others):
    """Make the model that a complete training job describes; see :mod:`g2lstm.config`.

    ``kind`` is its class, ``others`` what that one wants besides.
    """
    settings = job["model"]
    hidden = settings["hidden"]
    units = hidden if isinstance(hidden, list) else [hidden] * settings["layers"]
    sizes = [settings["embedding"], *units]
    return kind(vocabulary, sizes, settings["init"], settings["dropout"], **others)


def forward_pass(model, corpus, steps=30, batch=10):
    """Return the function that gives a language model's logits of the first ``steps`` · ``batch``
    words of the test text, in test mode and from the zero state.
    """
    device = next(model.parameters()).device
    words = torch.as_tensor(corpus.splits["test"][: steps * batch], dtype=torch.long)
    tokens = words.view(batch, steps).T.contiguous().to(device)
    return lambda: model.logits(model(tokens, model.initial_state(batch))[1])


@torch.no_grad()
def last_layer(model, corpus, steps, count):
    """Return the last LSTM layer as a function of its inputs, and these inputs: (steps, windows,
    units) on at most ``count`` windows evenly over the validation text, each from the zero state.
    """
    tokens = torch.as_tensor(corpus.splits["valid"], dtype=torch.long)
    starts = even_starts(len(tokens), steps, count)
    columns = torch.stack([tokens[start : start + steps] for start in starts], 1)
    x = model.embedding(columns.to(model.decoder.weight.device))
    *others, last = model.lstm
    for layer in others:
        x, _ = layer(x, layer.initial_state(len(starts)))
    return lambda x: last(x, last.initial_state(x.shape[1]))[0], x


def empty_model(arrays):
    """Return a model with the sizes of ``arrays``, a state dictionary, and values of its own."""
    layers = sum(name.endswith("weight_hh") for name in arrays)
    units = [arrays[f"lstm.{k}.weight_hh"].shape[1] for k in range(layers)]
    vocabulary, embedding = arrays["embedding.weight"].shape
    return StackedLanguageModel(vocabulary, [embedding, *units])
