"""Perplexity from log-probabilities, in the exact and in the published convention."""

import math


def summarise(log_probability, published=None):
    """Return the metrics of a stream from its log-probabilities (rows - 1, batch).

    ``perplexity`` is exact: the mean over the predicted tokens. ``perplexity_as_published``
    divides by the number of rows including the last one, which has no target (a factor
    (rows - 1) / rows on the log-perplexity), and uses the log-probabilities ``published`` where
    the released code computes others.
    """
    published = log_probability if published is None else published
    rows = log_probability.shape[0] + 1
    nats = -log_probability.double().mean().item()
    nats_published = -published.double().mean().item() * (rows - 1) / rows
    return {
        "nats_per_token": nats,
        "perplexity": math.exp(nats),
        "perplexity_as_published": math.exp(nats_published),
        "tokens": log_probability.numel(),
    }
