"""The continuous cache in blocks against a loop over tokens."""

import math

import numpy as np
import pytest
import torch

from g2lstm.lm import cache
from g2lstm.lm.evaluate import Stream

VOCABULARY = 12


def loop(hidden, targets, model, window, theta, weight, in_use):
    """Log-probabilities by the definition, one position at a time."""
    result = []
    for t in range(len(hidden)):
        p = math.exp(model[t])
        if in_use(t):
            first = max(0, t - window)
            scores = theta * hidden[first:t] @ hidden[t]
            attention = np.exp(scores - scores.max())
            attention /= attention.sum()
            p_cache = attention[targets[first:t] == targets[t]].sum()
            p = weight * p_cache + (1 - weight) * p
        result.append(math.log(p))
    return np.array(result)


@pytest.fixture(scope="module")
def text():
    rng = np.random.default_rng(5)
    hidden = rng.normal(size=(700, 8))
    targets = rng.integers(VOCABULARY, size=700)
    return hidden, targets, np.log(rng.uniform(0.01, 0.3, size=700))


def stream_of(text):
    hidden, targets, model = text
    return Stream(
        torch.tensor(model)[:, None], torch.tensor(hidden)[:, None], torch.tensor(targets)[:, None]
    )


@pytest.mark.parametrize("window", [1, 30, 256, 5000])
@pytest.mark.parametrize("theta", [0.0, 0.7])
def test_blocks_equal_the_loop(text, window, theta):
    metrics = cache.evaluate(stream_of(text), window, theta, 0.2)
    expected = loop(*text, window, theta, 0.2, in_use=lambda t: t > 0)
    assert metrics["nats_per_token"] == pytest.approx(-expected.mean(), abs=1e-10)


def test_as_published_waits_for_a_full_window_and_skips_the_start_of_chunks(text, monkeypatch):
    monkeypatch.setattr(cache, "CHUNK_AS_PUBLISHED", 100)
    metrics = cache.evaluate(stream_of(text), 40, 0.7, 0.2)
    expected = loop(*text, 40, 0.7, 0.2, in_use=lambda t: t > 40 and t % 100)
    nats = -expected.mean() * len(expected) / (len(expected) + 1)
    assert math.log(metrics["perplexity_as_published"]) == pytest.approx(nats, abs=1e-10)


def test_result_does_not_depend_on_the_block(text):
    hidden, targets = torch.tensor(text[0]), torch.tensor(text[1])
    whole = cache.target_log_probability(hidden, targets, 90, [0.3, 1.0], block=1000)
    for block in (1, 64, 256):
        again = cache.target_log_probability(hidden, targets, 90, [0.3, 1.0], block=block)
        torch.testing.assert_close(again, whole, rtol=1e-12, atol=1e-12)


def test_grid_finds_the_best_pair_of_the_validation_text(text):
    streams = {"valid": stream_of(text), "test": stream_of(text)}
    pair, results = cache.tune(streams, 60, [0.0, 0.5, 1.0], [0.05, 0.2])
    every = {
        (theta, weight): cache.evaluate(streams["valid"], 60, theta, weight)["nats_per_token"]
        for theta in (0.0, 0.5, 1.0)
        for weight in (0.05, 0.2)
    }
    assert (pair["theta"], pair["lambda"]) == min(every, key=every.get)
    assert results["test"]["nats_per_token"] == pytest.approx(min(every.values()))


def test_a_repeated_text_becomes_likely():
    hidden = torch.eye(10, dtype=torch.float64).repeat(5, 1) * 4
    targets = torch.arange(10).repeat(5)
    model = torch.full((50, 1), -math.log(VOCABULARY), dtype=torch.float64)
    stream = Stream(model, hidden[:, None], targets[:, None])
    cached = cache.evaluate(stream, 10, 1.0, 0.5)["perplexity"]
    assert cached < VOCABULARY / 2
