"""The continuous cache over a test stream: a loop over tokens, in blocks, and a grid of 42 pairs.

Two naive loops: *one-hot* is the released code's way, which keeps the words of the cache as one-hot
vectors and sums over all of them for the whole distribution; *index_add* spares the vectors and
still forms the distribution. They are timed on some tokens behind a full window, ours on the whole
stream; all times are for one token. Hidden states and words are random.

    python bench/cache.py [--rounds 7] [--threads 2]
"""

import itertools

import torch
import torch.nn.functional as F

from comparison import Ratio, compare, record, row, timed, write_results
from g2lstm.lm.cache import mix, positions_in_use, target_log_probability
from machine import facts, prepare

POSITIONS, UNITS, VOCABULARY = 82_430, 400, 10_000  # the test text of Penn Treebank
WINDOWS = {500: None, 3785: ">= 500"}  # window: bar of the one-hot loop
TOKENS = 100  # of a naive loop
THETA, WEIGHT = 0.66, 0.128
THETAS = (0.1, 0.2, 0.3, 0.5, 0.66, 0.8, 1.0)
WEIGHTS = (0.02, 0.05, 0.1, 0.128, 0.2, 0.3)


class Text:
    """Random hidden states and next words; of some positions the model's whole distribution."""

    def __init__(self, window):
        self.window = window
        self.timed = range(window + 1, window + 1 + TOKENS)
        self.hidden = 0.25 * torch.randn(POSITIONS, UNITS)
        self.words = (torch.rand(POSITIONS).pow(4) * VOCABULARY).long()  # some far more often
        self.probabilities = torch.softmax(torch.randn(TOKENS, VOCABULARY), dim=1)
        self.model = torch.full((POSITIONS,), -9.0)
        here = slice(self.timed.start, self.timed.stop)
        true = self.probabilities.gather(1, self.words[here].unsqueeze(1)).squeeze(1)
        self.model[here] = true.log()


def naive(text, cache_distribution):
    """Return the log-probabilities of the timed tokens, one token after the other.

    ``cache_distribution(attention, band)`` is the cache's distribution over all words.
    """
    result = []
    for t, p_model in zip(text.timed, text.probabilities, strict=True):
        band = slice(t - text.window, t)
        attention = torch.softmax(THETA * (text.hidden[band] @ text.hidden[t]), dim=0)
        p = WEIGHT * cache_distribution(attention, band) + (1 - WEIGHT) * p_model
        result.append(torch.log(p[text.words[t]]).item())
    return torch.tensor(result, dtype=torch.float64)


def by_one_hot(text):
    """Return a function for the cache's distribution; the one-hot vectors are made only once."""
    history = F.one_hot(text.words[: text.timed.stop], VOCABULARY).float()
    return lambda attention, band: (attention.unsqueeze(1) * history[band]).sum(0)


def by_index_add(text):
    """Return a function for the cache's distribution that adds each weight at its word."""
    return lambda attention, band: torch.zeros(VOCABULARY).index_add(0, text.words[band], attention)


def ours(text, thetas, weights):
    """Return the log-probabilities of all positions for every pair (θ, λ)."""
    caches = target_log_probability(text.hidden, text.words, text.window, thetas)
    used, _ = positions_in_use(POSITIONS, text.window, text.hidden.device)
    pairs = itertools.product(caches, weights)
    return [mix(text.model, cached, weight, used) for cached, weight in pairs]


def compare_window(window, bar, rounds):
    """Return the comparisons for one ``window``: times, and that all give the same."""
    text = Text(window)
    loops = {"naive, one-hot": by_one_hot(text), "naive, index_add": by_index_add(text)}
    contenders = {
        name: timed(lambda way=way: naive(text, way), TOKENS) for name, way in loops.items()
    }
    contenders["ours"] = timed(lambda: ours(text, [THETA], [WEIGHT]), POSITIONS)
    grid = f"ours, {len(THETAS) * len(WEIGHTS)} pairs"
    contenders[grid] = timed(lambda: ours(text, THETAS, WEIGHTS), POSITIONS)
    ratios = [
        Ratio("naive, one-hot", "ours", bar),
        Ratio("naive, index_add", "ours"),
        Ratio(grid, "ours", "<= 4"),
    ]
    title = f"Continuous cache, window {window}, {UNITS} units, {VOCABULARY} words"
    times = compare(title, "token", contenders, ratios, rounds)
    found = ours(text, [THETA], [WEIGHT])[0][text.timed.start : text.timed.stop].double().mean()
    differences = [
        row(f"ours - {name}", (naive(text, way).mean() - found).abs().item(), "<= 1e-6")
        for name, way in loops.items()
    ]
    title = f"Mean log-probability of {TOKENS} tokens, window {window}, difference"
    return [times, record(title, differences)]


def main():
    options = prepare(__doc__)
    with torch.no_grad():
        comparisons = [
            comparison
            for window, bar in WINDOWS.items()
            for comparison in compare_window(window, bar, options.rounds)
        ]
    write_results(options.results / "cache.json", facts(), options.rounds, comparisons)


if __name__ == "__main__":
    main()
