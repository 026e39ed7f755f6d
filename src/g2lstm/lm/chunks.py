"""A text of symbols in chunks that are read on their own, and how well a model predicts them.

As in the code released by Lobacheva et al. (2020), a text of n symbols has n // length - 1 chunks
of ``length`` symbols. The first of a chunk is only read, the others are predicted, from the zero
state: a state that is carried on would give fewer bits.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from g2lstm.errors import UserError

AT_ONCE = 64  # chunks that are evaluated together


def count_chunks(symbols, length):
    """Return the number of chunks of a text of so many ``symbols``.

    Raises UserError when there is none.
    """
    chunks = symbols // length - 1
    if chunks < 1:
        raise UserError(
            f"chunks of {length} symbols are too long for a text of {symbols}; lower length"
        )
    return chunks


def epoch_starts(symbols, length, seed):
    """Return where the chunks of a training epoch start, int64 (chunks,), in the order of use.

    They follow one another from a random offset on, and are shuffled. ``seed``: any of NumPy.
    """
    rng = np.random.default_rng(seed)
    chunks = count_chunks(symbols, length)
    offset = rng.integers(symbols - chunks * length)
    return torch.from_numpy(offset + length * rng.permutation(chunks))


def take(data, starts, length):
    """Return the chunks of ``data`` (symbols,) that begin at ``starts``, (length, chunks)."""
    return data[starts + torch.arange(length, device=data.device).unsqueeze(1)]


@torch.no_grad()
def nats_per_symbol(model, data, length):
    """Return the mean cross-entropy (nats) of ``model``, in test mode, over the chunks of ``data``.

    The chunks follow one another from the first symbol on; the tail is left out.
    """
    starts = length * torch.arange(count_chunks(len(data), length), device=data.device)
    nats = torch.zeros((), dtype=torch.float64, device=data.device)
    for some in starts.split(AT_ONCE):
        chunk = take(data, some, length)
        nats += cross_entropy(model(chunk[:-1]), chunk[1:], "none").sum(dtype=torch.float64)
    return nats.item() / predicted(len(data), length)


def predicted(symbols, length):
    """Return the number of symbols that are predicted in the chunks of a text."""
    return count_chunks(symbols, length) * (length - 1)


def cross_entropy(logits, targets, reduction="mean"):
    """Return the cross-entropy (nats) of ``targets`` (steps, batch), by default its mean.

    ``logits``: (steps, batch, symbols).
    """
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)


def evaluate_characters(model, corpus, settings):
    """Return the metrics of ``model`` on validation and test text: ``bpc``, bits per character.

    ``settings``: ``length``, symbols of a chunk.
    """
    device, length = model.decoder.weight.device, settings["length"]
    found = {}
    for split in ("valid", "test"):
        data = torch.as_tensor(corpus.splits[split], dtype=torch.long, device=device)
        nats = nats_per_symbol(model, data, length)
        found[split] = {
            "bpc": nats / math.log(2),
            "nats_per_symbol": nats,
            "symbols": predicted(len(data), length),
        }
    return found
