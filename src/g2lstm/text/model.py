"""The LSTM text classifier of Lobacheva et al. (2020), Section 4."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from g2lstm.cells import hard
from g2lstm.sparsify.lags import even_starts
from g2lstm.training.linear import linear

SURE = 1e-6  # how near to 0 or 1 the probability of one of two classes comes in the loss


class TextClassifier(nn.Module):
    """Embedding, one LSTM layer with hard-sigmoid gates, a dense layer on its last state.

    Parameters: ``embedding.weight`` (vocabulary, embedding), those of ``lstm.0``,
    ``decoder.weight`` (outputs, hidden) and ``decoder.bias`` (outputs). Of two classes there is one
    output, the logit of the second; of more there is one output each. Embeddings start uniform on
    ±``init``.
    """

    def __init__(self, vocabulary, embedding, hidden, outputs, init=0.05):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.lstm = nn.ModuleList([hard.HardLSTM(embedding, hidden)])
        self.decoder = nn.Linear(hidden, outputs)
        nn.init.uniform_(self.embedding.weight, -init, init)
        nn.init.xavier_uniform_(self.decoder.weight)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, tokens, kept):
        """Return the logits (batch, outputs) of texts ``tokens`` (steps, batch).

        ``kept`` (steps, batch) is 1 for words and 0 for padding, which comes first.
        """
        layer = self.lstm[0]
        words, place = tokens.unique(return_inverse=True)
        projected = look_up(F.embedding(words, self.embedding.weight), place, layer.weight_ih)
        last = hard.last_state(turned(projected), kept, layer.weight_hh, layer.bias)
        return self.decoder(last)


def look_up(rows, place, weight):
    """Return the products (steps, batch, outputs) of ``weight`` with the ``rows`` of words.

    ``rows`` (words, inputs) are multiplied once, however often a word stands at a ``place``.
    """
    return F.embedding(place, linear(rows, weight))


def turned(projected):
    """Return (steps, batch, units) as (steps, units, batch)."""
    return projected.transpose(1, 2).contiguous()


def cross_entropy(logits, labels, reduction="mean"):
    """Return the cross-entropy (nats) of ``labels`` (batch) given ``logits`` (batch, outputs)."""
    if logits.shape[1] > 1:
        return F.cross_entropy(logits, labels, reduction=reduction)
    probability = logits[:, 0].sigmoid().clamp(SURE, 1.0 - SURE)
    return F.binary_cross_entropy(probability, labels.to(logits.dtype), reduction=reduction)


def classify(logits):
    """Return the most probable class of each text, (batch)."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)


def outputs_for(classes):
    """Return the number of outputs of a classifier."""
    return 1 if classes == 2 else classes


def build_model(job, corpus, kind=TextClassifier, **others):
    """Make the model that a complete training job describes, for the words and classes of a corpus.

    ``kind`` is its class, ``others`` what that one wants besides.
    """
    outputs = outputs_for(corpus.classes)
    return kind(corpus.vocabulary_size, outputs=outputs, **job["model"], **others)


def read_batch(split, chosen, device):
    """Return :meth:`g2lstm.data.texts.TextSplit.batch` as tensors on ``device``."""
    return tuple(torch.from_numpy(array).to(device) for array in split.batch(chosen))


def forward_pass(model, corpus, count=10):
    """Return the function that gives ``model``'s logits of the first ``count`` texts of the test
    data.
    """
    split = corpus.splits["test"]
    chosen = range(min(count, len(split)))
    tokens, kept, _ = read_batch(split, chosen, model.decoder.weight.device)
    return lambda: model(tokens, kept)


@torch.no_grad()
def last_layer(model, corpus, steps, count):
    """Return the last state (1, texts, hidden) as a function of the layer's inputs, and these
    inputs: (steps, texts, units) of the last words of validation texts, evenly at most ``count`` of
    those that have at least ``steps`` words.

    Where no text is as long, ``steps`` is the length of the longest.
    """
    split, layer = corpus.splits["valid"], model.lstm[0]
    steps = min(steps, split.longest)
    long = np.flatnonzero(np.diff(split.offsets) >= steps)
    chosen = long[even_starts(len(long), 1, count)]
    tokens, kept, _ = read_batch(split, chosen, model.decoder.weight.device)
    x = model.embedding(tokens[-steps:])
    kept = kept[-steps:].to(x.dtype)

    def run(x):
        projected = hard.project(x, layer.weight_ih)
        return hard.last_state(projected, kept, layer.weight_hh, layer.bias).unsqueeze(0)

    return run, x


def empty_model(arrays):
    """Return a model with the sizes of ``arrays``, a state dictionary, and values of its own."""
    outputs, hidden = arrays["decoder.weight"].shape
    return TextClassifier(*arrays["embedding.weight"].shape, hidden, outputs)
