"""Recurrent highway language model (Zilly et al. 2017), which Wen et al. (2018) make sparse."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from g2lstm.cells.highway import HighwayLayer
from g2lstm.lm.evaluate import evaluate_sparse
from g2lstm.lm.model import locked_dropout
from g2lstm.training.softmax import linear_cross_entropy


@dataclass(frozen=True)
class Dropout:
    """Dropout rates: of whole words, of units of the input, of the recurrent state, of the output.

    A mask holds for a chunk; that of the state for all depths too, that of words for all places
    where a sequence has the same word.
    """

    words: float = 0.0
    input: float = 0.0
    hidden: float = 0.0
    output: float = 0.0


class HighwayLanguageModel(nn.Module):
    """Embedding, a recurrent highway layer of its size, and a softmax whose matrix it is.

    Parameters: ``embedding.weight`` (vocabulary, hidden), those of ``highway``, and
    ``decoder.bias`` (vocabulary).
    """

    def __init__(self, vocabulary, hidden, depth, dropout=None):
        super().__init__()
        self.dropout = dropout or Dropout()
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.highway = HighwayLayer(hidden, depth)
        self.decoder = nn.ParameterDict({"bias": nn.Parameter(torch.zeros(vocabulary))})

    def initialise(self, width, transform_bias):
        """Start uniform on ±``width``, the biases of the transform gates at ``transform_bias``."""
        for parameter in (self.embedding.weight, self.decoder["bias"]):
            nn.init.uniform_(parameter, -width, width)
        self.highway.initialise(width, transform_bias)

    def initial_state(self, batch):
        """Return the zero state for ``batch`` streams: of one layer, one tensor."""
        return [(self.decoder["bias"].new_zeros(batch, self.highway.hidden),)]

    def forward(self, tokens, state):
        """Read a chunk of ``tokens`` (steps, batch) from ``state``.

        Returns the states of the layer before and after dropout, each (steps, batch, hidden), and
        the new state.
        """
        ((s,),) = state
        x = self.embedding(tokens)
        if not self.training:
            raw, s = self.highway(x, s)
            return raw, raw, [(s,)]
        x = x * word_mask(tokens, self.dropout.words).to(x.dtype).unsqueeze(2)
        x = locked_dropout(x, self.dropout.input)
        mask = locked_dropout(torch.ones_like(s).unsqueeze(0), self.dropout.hidden)[0]
        raw, s = self.highway(x, s, mask)
        return raw, locked_dropout(raw, self.dropout.output), [(s,)]

    def logits(self, x):
        """Return the logits (..., vocabulary) of states ``x`` (..., hidden)."""
        return F.linear(x, self.embedding.weight, self.decoder["bias"])

    def cross_entropy(self, x, targets):
        """Return the mean cross-entropy (nats) of ``targets`` (steps, batch) given ``x``."""
        return linear_cross_entropy(
            x.flatten(0, 1), self.embedding.weight, self.decoder["bias"], targets.flatten()
        )


def word_mask(tokens, rate):
    """Return the factors (steps, batch) of ``tokens``: 0 at ``rate``, alike for equal tokens of a
    column.
    """
    first = (tokens.unsqueeze(1) == tokens).to(torch.uint8).argmax(1)
    keep = torch.rand(tokens.shape, device=tokens.device) >= rate
    return keep.gather(0, first) / (1 - rate)


def build_model(job, vocabulary):
    """Make the model that a complete training job describes; see :mod:`g2lstm.config`."""
    settings = job["model"]
    dropout = Dropout(**settings["dropout"])
    model = HighwayLanguageModel(vocabulary, settings["hidden"], settings["depth"], dropout)
    model.initialise(settings["init"], settings["transform_bias"])
    return model


def evaluate(model, corpus, settings):
    """Return the metrics of ``model`` on validation and test text.

    ``settings``: ``test_batch``, columns of both texts; ``valid_batch`` is of the validations that
    choose the best epoch.
    """
    both = dict.fromkeys(("valid_batch", "test_batch"), settings["test_batch"])
    return evaluate_sparse(model, corpus, both)


def empty_model(arrays):
    """Return a model with the sizes of ``arrays``, a state dictionary, and values of its own."""
    vocabulary, hidden = arrays["embedding.weight"].shape
    return HighwayLanguageModel(vocabulary, hidden, len(arrays["highway.bias"]) // (2 * hidden))
