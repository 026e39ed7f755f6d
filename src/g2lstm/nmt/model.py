"""Encoder and decoder of the translation experiments (Li et al. 2018, section 4.1)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from g2lstm import config
from g2lstm.cells import GatePolicy, LSTMLayer
from g2lstm.cells.kernels import multiplier
from g2lstm.compress.model_file import load_model
from g2lstm.nmt.kernels import energies
from g2lstm.nmt.layers import (
    AttentionLayer,
    dropped,
    orthogonal_by_gates,
    reorder,
    reverse_within,
)
from g2lstm.training.linear import linear
from g2lstm.training.softmax import linear_cross_entropy
from g2lstm.training.tensors import to_tensors

# matrices of the attention layer that start semi-orthogonal as a whole, not gate by gate
CONTEXT = "decoder.0.weight_ctx"
WHOLE = {CONTEXT, "decoder.0.weight_query", "decoder.0.weight_key"}


@dataclass(frozen=True)
class Source:
    """What the decoder needs to know of a batch of source sentences.

    ``annotations`` (batch, source, 2 · hidden), ``keys`` of the attention (same shape), ``mask``
    (batch, source) with 0 at words and -inf at padding, ``h0`` (batch, hidden).
    """

    annotations: torch.Tensor
    keys: torch.Tensor
    mask: torch.Tensor
    h0: torch.Tensor


class TranslationModel(nn.Module):
    """RNNsearch-like encoder-decoder of LSTMs, all with the same gate policy.

    Encoder: ``encoder.0`` and ``encoder.0r`` read forwards and backwards with ``hidden`` units
    each, ``encoder.1`` and above have 2 · hidden units; with ``zigzag`` they read in alternating
    direction. Decoder: ``decoder.0`` with the attention, ``decoder.1`` and above read the layer
    below and the context; from the third layer on they add their input. Read-out over the last
    layer, the previous word and the context. All layers have ``hidden`` or 2 · hidden units.
    """

    def __init__(self, vocabulary, settings, policy=None):
        super().__init__()
        e, d, layers = settings["embedding"], settings["hidden"], settings["layers"]
        self.dropout, self.readout_dropout = settings["dropout"], settings["readout_dropout"]
        self.zigzag = settings["zigzag"]
        self.source = nn.Embedding(vocabulary, e)
        self.target = nn.Embedding(vocabulary, e)
        self.encoder = nn.ModuleDict(
            {"0": LSTMLayer(e, d, policy), "0r": LSTMLayer(e, d, policy)}
            | {str(k): LSTMLayer(2 * d, 2 * d, policy) for k in range(1, layers)}
        )
        self.start = nn.Linear(2 * d, d)
        self.decoder = nn.ModuleDict(
            {"0": AttentionLayer(e, d, 2 * d, policy)}
            | {str(k): LSTMLayer(d, d, policy, context=2 * d) for k in range(1, layers)}
        )
        self.readout_inputs = (d, e, 2 * d)
        self.readout = nn.Linear(sum(self.readout_inputs), e)
        self.output = nn.Linear(e, vocabulary)
        self._initialise(settings["embedding_std"], settings["gain"])

    def _initialise(self, embedding_std, gain):
        """Draw every matrix semi-orthogonal, LSTM matrices gate by gate; all biases are 0.

        Matrices into gates are multiplied by ``gain``. At the start a gate is about 1/2, so of a
        small input about a quarter comes out of a layer, and deep encoders of few training steps
        need more than 1: the attention learns nothing from annotations near 0.

        The context matrix of the attention layer is one block, the read-out has one for each input.
        With an ``embedding_std`` the embeddings are normal instead: the rows of a tall
        semi-orthogonal matrix are short.
        """
        for name, parameter in self.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)
            elif parameter.dim() == 1:  # the attention's score: a matrix of one row
                nn.init.orthogonal_(parameter.detach().unsqueeze(0))
            elif name == "readout.weight":
                for block in parameter.detach().split(self.readout_inputs, dim=1):
                    nn.init.orthogonal_(block)
            elif name.startswith(("encoder.", "decoder.")) and name not in WHOLE:
                orthogonal_by_gates(parameter, gain)
            else:
                nn.init.orthogonal_(parameter, gain if name == CONTEXT else 1.0)
        if embedding_std is not None:
            for embedding in (self.source, self.target):
                nn.init.normal_(embedding.weight, std=embedding_std)

    def encode(self, source, lengths):
        """Read ``source`` (steps, batch) of sentences with ``lengths`` (batch): a Source.

        Padding follows the words in either direction, so no state of a word depends on it.
        """
        x = self.source(source)
        back = reverse_within(lengths, len(source))
        backwards = reorder(self._run("0r", reorder(x, back)), back)
        x = torch.cat([self._run("0", x), backwards], dim=2)
        for k in range(1, len(self.encoder) - 1):
            turned = self.zigzag and k % 2 == 1
            x = self._run(str(k), reorder(x, back) if turned else x)
            x = reorder(x, back) if turned else x
        position = torch.arange(len(source), device=source.device).unsqueeze(1)
        words = (position < lengths).to(x.dtype)
        mean = (x * words.unsqueeze(2)).sum(0) / lengths.unsqueeze(1).to(x.dtype)
        annotations = x.transpose(0, 1).contiguous()
        mask = torch.zeros_like(words.T).masked_fill_(words.T == 0, -torch.inf)
        return Source(
            annotations, self.decoder["0"].keys(annotations), mask, torch.tanh(self.start(mean))
        )

    def _run(self, name, x):
        layer = self.encoder[name]
        return self._drop(layer(x, layer.initial_state(x.shape[1]))[0])

    def decode(self, source, target):
        """Read the words of ``target`` (steps, batch) after a start; nothing of its last word.

        Returns the read-out's hidden layer (steps, batch, embedding): row t predicts target[t].
        """
        words = F.pad(self.target(target[:-1]), (0, 0, 0, 0, 1, 0))  # no word comes first
        first = self.decoder["0"]
        y, contexts = first(words, source)
        y = self._drop(y)
        for k in range(1, len(self.decoder)):
            layer = self.decoder[str(k)]
            state = (source.h0, torch.zeros_like(source.h0))
            y = self._residual(k, y, self._drop(layer(y, state, contexts)[0]))
        return self.read_out(y, words, contexts)

    @staticmethod
    def _residual(k, x, y):
        return x + y if k >= 2 else y

    def read_out(self, y, words, contexts):
        """Return the read-out's hidden layer (..., embedding) of the last decoder layer's output,
        the previous words' embeddings and the contexts.
        """
        inputs = torch.cat([y, words, contexts], dim=-1)
        hidden = torch.tanh(linear(inputs, self.readout.weight, self.readout.bias))
        return dropped(hidden, self.readout_dropout, self.training)

    def negative_log_likelihood(self, source, target, lengths):
        """Return the summed loss (nats) of ``target`` (steps, batch) and its number of words."""
        hidden = self.decode(source, target)
        position = torch.arange(len(target), device=target.device).unsqueeze(1)
        words = (position < lengths).flatten().nonzero().squeeze(1)
        mean = linear_cross_entropy(
            hidden.flatten(0, 1)[words],
            self.output.weight,
            self.output.bias,
            target.flatten()[words],
        )
        return mean * len(words), len(words)

    def start_search(self, source):
        """Return ``(hypotheses, memory)`` for :func:`decoder_step`, one slot a sentence."""
        h0 = source.h0.unsqueeze(1)
        hypotheses = (h0, torch.zeros_like(h0)) * len(self.decoder)
        return hypotheses, (source.annotations, source.keys, source.mask)

    def _drop(self, x):
        return dropped(x, self.dropout, self.training)


@torch.no_grad()
def decoder_step(model):
    """Return the step function of :func:`g2lstm.nmt.beam.beam_search` for ``model`` in test mode.

    The state of a hypothesis is h and c of every decoder layer. Weights are those of the moment;
    logits last until the next step. Raises ValueError when ``model`` is in training mode.
    """
    if model.training:
        raise ValueError("a model translates in test mode")
    first, *upper = model.decoder.values()
    weight_ih, weight_hh, bias, weight_nl, weight_ctx, bias_nl = first.effective_weights()
    transition = _Cell(weight_ih, weight_hh, bias)
    second = _Cell(weight_ctx, weight_nl, bias_nl)
    upper = [_Cell(*layer.effective_weights()) for layer in upper]
    output = _Output(model.output)

    @torch.no_grad()
    def step(tokens, hypotheses, memory):
        annotations, keys, mask = memory
        n, k = hypotheses[0].shape[:2]
        state = [value.flatten(0, 1) for value in hypotheses]
        if tokens is None:
            words = state[0].new_zeros(n * k, model.target.embedding_dim)
        else:
            words = model.target(tokens.flatten())
        h, c = transition(words, *state[:2])
        query = F.linear(h, first.weight_query).view(n, k, -1)
        weights = torch.softmax(energies(query, keys, first.score) + mask.unsqueeze(1), dim=2)
        context = torch.bmm(weights, annotations).flatten(0, 1)
        new = [*second(context, h, c)]
        y = model._drop(new[0])
        for layer, cell in enumerate(upper, 1):
            new += cell(torch.cat([y, context], dim=1), *state[2 * layer : 2 * layer + 2])
            y = model._residual(layer, y, model._drop(new[-2]))
        logits = output(model.read_out(y, words, context))
        return logits.view(n, k, -1), tuple(value.view(n, k, -1) for value in new)

    return step


class _Cell:
    """One step of an LSTM layer in test mode; its matrices are one, laid out once."""

    def __init__(self, weight_ih, weight_hh, bias):
        self.multiply = multiplier(torch.cat([weight_ih, weight_hh], dim=1).T)
        self.bias = bias

    def __call__(self, x, h, c):
        """Return the new h and c, each (rows, hidden), of ``x`` (rows, inputs)."""
        hidden = h.shape[1]
        gates = self.multiply(torch.cat([x, h], dim=1), h.new_empty(len(h), 4 * hidden))
        gates += self.bias
        gates[:, : 2 * hidden].sigmoid_()
        i, f, g, o = gates.chunk(4, dim=1)
        c = torch.addcmul(f * c, i, g.tanh_())
        return o.sigmoid_() * c.tanh(), c


class _Output:
    """The linear output layer, from (rows, units) to logits (rows, V) in memory that is used again.

    Fresh memory for so many numbers is slow to fill. The bias stands beside the matrix as a last
    column, against an input of 1: to add it would be one more pass over the logits.
    """

    def __init__(self, layer):
        weight = torch.cat([layer.weight, layer.bias.unsqueeze(1)], 1).T
        self.multiply = multiplier(weight)
        self.logits = layer.weight.new_empty(0, len(layer.weight))

    def __call__(self, hidden):
        if len(self.logits) < len(hidden):
            self.logits = self.logits.new_empty(len(hidden), self.logits.shape[1])
        logits = self.logits[: len(hidden)]
        return self.multiply(F.pad(hidden, (0, 1), value=1.0), logits)


def build_model(job, vocabulary):
    """Make the model that a complete training job describes; see :mod:`g2lstm.config`."""
    return TranslationModel(vocabulary, job["model"], GatePolicy(**job["gate"]))


def read_model(path, device):
    """Read a model file, packed or not, into a model in test mode; return it with its metadata."""
    arrays, meta = load_model(path)
    job = config.complete_job(meta["job"])  # a setting may be younger than the file
    model = build_model(job, len(arrays["output.bias"]))
    model.load_state_dict(to_tensors(arrays))
    return model.to(device).eval(), meta
