"""Continuous cache (Grave et al. 2016): recent words come back when the hidden states are alike.

At position t the cache holds (h_j, w_{j+1}) of the last ``window`` positions j < t, and

    p(w) = λ · Σ_j softmax_j(θ · h_t·h_j) · [w_{j+1} = w] + (1 - λ) · softmax(logits)(w).

Only the probability of the true next word is needed, so a block of positions against its band of
keys is one product, one exponential and two row sums; every further λ costs a log-add on vectors.
"""

import itertools
import math

import torch

from g2lstm.cells.kernels import product
from g2lstm.lm.perplexity import summarise

BLOCK = 128
CHUNK_AS_PUBLISHED = 5000


def target_log_probability(hidden, targets, window, thetas, block=BLOCK):
    """Return log Σ_j softmax_j(θ · h_t·h_j) · [w_{j+1} = w_{t+1}] for each θ and position.

    ``hidden`` is (positions, units), ``targets`` (positions); the result is (thetas, positions),
    -inf where the next word is not in the cache.
    """
    positions = len(hidden)
    result = hidden.new_full((len(thetas), positions), -math.inf)
    for start in range(1, positions, block):
        stop = min(start + block, positions)
        first = max(0, start - window)
        # A column for each position: the keys, which are many, stay as they are.
        keys = torch.arange(first, stop, device=hidden.device).unsqueeze(1)
        rows = torch.arange(start, stop, device=hidden.device)
        outside = (keys >= rows) | (keys < rows - window)
        scores = product(
            hidden[first:stop], hidden[start:stop].T, hidden.new_empty(outside.shape)
        ).masked_fill_(outside, -math.inf)
        scores -= scores.amax(dim=0)
        hits = targets[first:stop].unsqueeze(1) == targets[start:stop]
        for k, theta in enumerate(thetas):
            weights = (theta * scores).exp_()
            if theta == 0:  # whose product with -inf is not a number
                weights.masked_fill_(outside, 0.0)
            hit = (weights * hits).sum(dim=0)
            result[k, start:stop] = torch.log(hit) - torch.log(weights.sum(dim=0))
    return result


def mix(log_probability, cache_log_probability, weight, used):
    """Return the log-probability of the mixture with cache weight λ where ``used`` is true."""
    mixture = torch.logaddexp(
        cache_log_probability + math.log(weight), log_probability + math.log1p(-weight)
    )
    return torch.where(used, mixture, log_probability)


def positions_in_use(positions, window, device):
    """Return two masks of the positions where the cache is used: exact, and as published.

    Exact: wherever it holds something. The released code uses it only when more than ``window``
    entries are in memory, which also excludes the first position of every chunk of 5,000.
    """
    index = torch.arange(positions, device=device)
    return index > 0, (index > window) & (index % CHUNK_AS_PUBLISHED > 0)


def evaluate(stream, window, theta, weight):
    """Return the metrics of a single-column ``stream`` with the cache (λ = ``weight``)."""
    return _metrics(stream, window, [theta], [weight])[theta, weight]


def tune(streams, window, theta, weight):
    """Choose θ and λ on the stream "valid" from all pairs of the two lists.

    Returns the best pair, ``{"theta": ..., "lambda": ...}``, and every stream's metrics for it.
    """
    grid = _metrics(streams["valid"], window, theta, weight)
    best = min(grid, key=lambda pair: grid[pair]["nats_per_token"])
    pair = dict(zip(("theta", "lambda"), best, strict=True))
    results = {split: evaluate(stream, window, *best) for split, stream in streams.items()}
    return pair, results


def _metrics(stream, window, thetas, weights):
    """Return the metrics for every pair (θ, λ)."""
    model = stream.log_probability[:, 0]
    caches = target_log_probability(stream.hidden[:, 0], stream.targets[:, 0], window, thetas)
    exact, published = positions_in_use(len(model), window, model.device)
    return {
        (theta, weight): summarise(
            mix(model, cached, weight, exact)[:, None],
            mix(model, cached, weight, published)[:, None],
        )
        for (theta, cached), weight in itertools.product(zip(thetas, caches, strict=True), weights)
    }
