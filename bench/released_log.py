"""One epoch of a word model whose log Lobacheva et al. released, trained by our code, beside it.

The model is not one of their paper (one layer of 256 units reads one-hot words, 13 million weights,
"LCCL" in their repository), but its log says for each epoch what is left of every matrix, so that
sampling, divergence, start and masks can be checked one by one. Loss, perplexity and weights left
should agree within a few per cent: their random numbers are others, and their loss has the mean
divergence of the epoch where ours has that at its end.

    python bench/released_log.py CORPUS [--threads 2]   (word corpus of Penn Treebank; 7 minutes)
"""

import argparse
import math
import time

import torch
import torch.nn.functional as F
from torch import nn

from g2lstm.data.corpus import Corpus
from g2lstm.sparsify.bayes import SparseVariationalDropout, sample
from g2lstm.sparsify.variables import BayesianVariables
from g2lstm.training import device
from g2lstm.training.adam import Adam
from g2lstm.training.softmax import linear_cross_entropy

UNITS, BATCH, STEPS, RATE, CLIP = 256, 32, 35, 0.002, 10.0
LOG = {  # of epoch 1, Experiments/Word_PTB/Results/log_lccl.txt
    "training loss": -2.65804640302,
    "validation perplexity": 594.4175,
    "input weights left": 41084,
    "recurrent weights left": 78161,
    "softmax weights left": 534589,
}


class OneHotModel(BayesianVariables):
    """An LSTM layer over one-hot words: the rows of ``weight_ih`` (words, 4 · units) are its input.

    Orthogonal matrices, one for each gate (input, forget, candidate, output); forget bias 1.
    """

    def __init__(self, words):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(words, 4 * UNITS))
        self.weight_hh = nn.Parameter(torch.empty(UNITS, 4 * UNITS))
        self.weight_out = nn.Parameter(torch.empty(words, UNITS))
        self.bias = nn.Parameter(torch.zeros(4 * UNITS))
        self.bias_out = nn.Parameter(torch.zeros(words))
        with torch.no_grad():
            self.bias[UNITS : 2 * UNITS] = 1.0
            for matrix in (self.weight_ih, self.weight_hh):
                for gate in matrix.chunk(4, dim=1):
                    gate.copy_(nn.init.orthogonal_(torch.empty_like(gate)))
            nn.init.orthogonal_(self.weight_out)
        self.make_random(["weight_ih", "weight_hh", "weight_out"], {})

    def cross_entropy(self, tokens, targets, state):
        """Return the mean cross-entropy of ``targets`` (steps, batch), and the state after them."""
        if self.training:  # rows that no word reads need no draw
            words, place = tokens.unique(return_inverse=True)
            rows = sample(*(F.embedding(words, value) for value in self.variable("weight_ih")))
        else:
            place, rows = tokens, self.matrix("weight_ih")
        inputs, weight = F.embedding(place, rows) + self.bias, self.matrix("weight_hh")
        (hidden, cell), outputs = state, []
        for x in inputs:  # no kernel reads one-hot words
            i, f, g, o = torch.addmm(x, hidden, weight).chunk(4, dim=1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * cell.tanh()
            outputs.append(hidden)
        x, weight = torch.cat(outputs), self.matrix("weight_out")
        loss = linear_cross_entropy(x, weight, self.bias_out, targets.flatten())
        return loss, (hidden.detach(), cell.detach())


def columns(split):
    """Return a text as (steps, batch): each of ``BATCH`` columns is a stretch of it."""
    words = torch.as_tensor(split, dtype=torch.long)
    return words[: len(words) // BATCH * BATCH].view(BATCH, -1).T.contiguous()


def run(model, text, after=lambda loss: None):
    """Return the mean cross-entropy over a text; ``after`` gets the loss of each chunk."""
    state, total = (torch.zeros(BATCH, UNITS), torch.zeros(BATCH, UNITS)), 0.0
    for start in range(0, len(text) - 1, STEPS):
        targets = text[start + 1 : start + 1 + STEPS]
        loss, state = model.cross_entropy(text[start : start + len(targets)], targets, state)
        after(loss)
        total += loss.item() * len(targets)
    return total / (len(text) - 1)


def train_epoch(model, text):
    """Train over a text once; return the mean loss, with the divergence as it is at the end."""
    regulariser = SparseVariationalDropout(
        [model.variable(name) for name in model.random], text.numel() - BATCH
    )
    optimiser = Adam(model.parameters(), CLIP)

    def update(loss):
        optimiser.zero_grad()
        loss.backward()
        regulariser.add_gradient()
        optimiser.step(RATE)

    return run(model, text, update) + regulariser.penalty().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "corpus", help="such as results/paper/data/word-ptb-small/corpus.safetensors"
    )
    parser.add_argument("--threads", type=int, default=None)
    options = parser.parse_args()
    device.choose("cpu", options.threads)
    torch.manual_seed(0)
    corpus, started = Corpus.load(options.corpus), time.monotonic()
    model = OneHotModel(corpus.vocabulary_size)
    found = {"training loss": train_epoch(model, columns(corpus.splits["train"]))}
    model.eval()
    with torch.no_grad():
        nats = run(model, columns(corpus.splits["valid"]))
        found["validation perplexity"] = math.exp(nats)
        for name, matrix in zip(("input", "recurrent", "softmax"), model.random, strict=True):
            found[f"{name} weights left"] = int(model.matrix(matrix).count_nonzero())
    print("| epoch 1 | ours | released log | ours / log |\n|:--|--:|--:|--:|")
    for name, value in found.items():
        print(f"| {name} | {value:,.6g} | {LOG[name]:,.6g} | {value / LOG[name]:.3f} |")
    print(f"\n{time.monotonic() - started:.0f} seconds")


if __name__ == "__main__":
    main()
