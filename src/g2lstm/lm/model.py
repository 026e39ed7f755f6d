"""AWD-LSTM (Merity et al. 2017) with a gate policy in every layer."""

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from g2lstm import config
from g2lstm.cells import GatePolicy, LSTMLayer
from g2lstm.compress.model_file import load_model
from g2lstm.training.softmax import linear_cross_entropy
from g2lstm.training.tensors import to_tensors


@dataclass(frozen=True)
class Dropout:
    """Dropout rates of AWD-LSTM: of word types, of the input, between layers, output, weights."""

    embedding: float
    input: float
    hidden: float
    output: float
    weight: float


def locked_dropout(x, rate):
    """Drop units of ``x`` (steps, batch, units) with one mask for all steps."""
    mask = torch.rand(1, *x.shape[1:], dtype=x.dtype, device=x.device) >= rate
    return x * (mask.to(x.dtype) / (1 - rate))


class LanguageModel(nn.Module):
    """Embedding, LSTM layers, and a softmax whose matrix is the embedding.

    The first layer reads the embedding, the last layer has its size, those between have
    ``hidden`` units. Parameters: ``embedding.weight`` (vocabulary, embedding), ``decoder.bias``
    (vocabulary), and those of ``lstm.{layer}``.
    """

    def __init__(self, vocabulary, embedding, hidden, layers, dropout, policy=None):
        super().__init__()
        sizes = [embedding, *[hidden] * (layers - 1), embedding]
        self.dropout = dropout
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.decoder = nn.ParameterDict({"bias": nn.Parameter(torch.zeros(vocabulary))})
        self.lstm = nn.ModuleList(
            LSTMLayer(inputs, outputs, policy, dropout.weight)
            for inputs, outputs in itertools.pairwise(sizes)
        )
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)

    def initial_state(self, batch):
        """Return the zero state of every layer for ``batch`` streams."""
        return [layer.initial_state(batch) for layer in self.lstm]

    def forward(self, tokens, state):
        """Read a chunk of ``tokens`` (steps, batch) from ``state``.

        Returns the last layer's hidden states before and after output dropout, each
        (steps, batch, embedding), and the new state.
        """
        x = self._embed(tokens)
        last = len(self.lstm) - 1
        new_state = []
        for k, (layer, layer_state) in enumerate(zip(self.lstm, state, strict=True)):
            raw, layer_state = layer(x, layer_state)
            new_state.append(layer_state)
            x = self._drop(raw, self.dropout.output if k == last else self.dropout.hidden)
        return raw, x, new_state

    def logits(self, x):
        """Return the logits (..., vocabulary) of hidden states ``x`` (..., embedding)."""
        return F.linear(x, self.embedding.weight, self.decoder["bias"])

    def cross_entropy(self, x, targets):
        """Return the mean cross-entropy (nats) of ``targets`` (steps, batch) given ``x``."""
        return linear_cross_entropy(
            x.flatten(0, 1), self.embedding.weight, self.decoder["bias"], targets.flatten()
        )

    def _embed(self, tokens):
        """Look up ``tokens``; in training whole word types are dropped, then units."""
        x = self.embedding(tokens)
        if self.training and self.dropout.embedding > 0:
            types = torch.rand(self.embedding.num_embeddings, device=x.device)
            keep = (types >= self.dropout.embedding).to(x.dtype) / (1 - self.dropout.embedding)
            x = x * keep[tokens].unsqueeze(-1)
        return self._drop(x, self.dropout.input)

    def _drop(self, x, rate):
        return locked_dropout(x, rate) if self.training and rate > 0 else x


def build_model(job, vocabulary):
    """Make the model that a complete training job describes; see :mod:`g2lstm.config`."""
    settings = job["model"]
    return LanguageModel(
        vocabulary,
        settings["embedding"],
        settings["hidden"],
        settings["layers"],
        Dropout(**settings["dropout"]),
        GatePolicy(**job["gate"]),
    )


def read_model(path, device):
    """Read a model file, packed or not, into a model in test mode; return it with its metadata."""
    arrays, meta = load_model(path)
    job = config.complete_job(meta["job"])  # a setting may be younger than the file
    model = build_model(job, len(arrays["decoder.bias"]))
    model.load_state_dict(to_tensors(arrays))
    return model.to(device).eval(), meta
