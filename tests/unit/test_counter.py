"""Noise and weight drop by keys: their laws, their independence, and what names them."""

import math

import pytest
import torch

from g2lstm.cells import GatePolicy
from g2lstm.cells.counter import GumbelNoise, Halves, WeightDrop, keys

GUMBEL = GatePolicy("gumbel", tau=0.9, p=0.2)


def drawn_noise(steps, batch, hidden, seed=None):
    return GumbelNoise(steps, batch, hidden, GUMBEL, seed=seed).values(torch.float64)


def correlation(a, b):
    return ((a - a.mean()) * (b - b.mean())).mean() / (a.std() * b.std())


def test_weight_drop_masks_single_weights_and_keeps_their_mean():
    torch.manual_seed(0)
    factor = WeightDrop(400, 101, 0.3).factor(torch.float64)
    kept = factor[factor != 0]
    assert factor.shape == (400, 101)
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / 0.7), rtol=1e-4, atol=0)
    share = math.sqrt(0.21 / factor.numel())
    assert abs(len(kept) / factor.numel() - 0.7) < 5 * share
    for dim in (0, 1):
        a, b = factor.narrow(dim, 1, 99), factor.narrow(dim, 0, 99)
        assert abs(correlation(a, b)) < 5 / math.sqrt(a.numel())


def test_weight_drop_is_fresh_for_each_call():
    torch.manual_seed(0)
    first, second = (WeightDrop(40, 50, 0.5).factor(torch.float64) for _ in range(2))
    assert abs(correlation(first, second)) < 5 / math.sqrt(2000)


def test_half_the_weights_are_dropped_exactly_scaled():
    factor = WeightDrop(40, 50, 0.5).factor(torch.float32)
    assert set(factor.unique().tolist()) == {0.0, 2.0}


def test_noise_has_the_moments_of_its_law():
    torch.manual_seed(0)
    noise = drawn_noise(100, 50, 100)
    n = noise.numel()
    noisy = noise != 0
    assert abs(noisy.double().mean() - 0.2) < 5 * math.sqrt(0.16 / n)
    u = (torch.arange(1_000_000, dtype=torch.float64) + 0.5) / 1_000_000
    law = torch.log(u + 1e-3) - torch.log(1 - u + 1e-3)
    drawn = noise[noisy]
    assert abs(drawn.mean()) < 5 * law.std() / math.sqrt(len(drawn))
    assert abs(drawn.std() / law.std() - 1) < 0.01
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        share = (drawn <= law.quantile(q)).double().mean()
        assert abs(share - q) < 5 * math.sqrt(q * (1 - q) / len(drawn))


def test_noise_is_fresh_for_each_step_example_unit_and_call():
    torch.manual_seed(0)
    noise, other = drawn_noise(60, 50, 40), drawn_noise(60, 50, 40)
    assert abs(correlation(noise, other)) < 5 / math.sqrt(noise.numel())
    for dim in range(3):
        length = noise.shape[dim] - 1
        a, b = noise.narrow(dim, 0, length), noise.narrow(dim, 1, length)
        assert abs(correlation(a, b)) < 5 / math.sqrt(a.numel())
    i, f = noise.chunk(2, dim=2)
    assert abs(correlation(i, f)) < 5 / math.sqrt(i.numel())


def test_rows_do_not_repeat_each_other():
    """No run of numbers of one row comes back in another, shifted or not."""
    torch.manual_seed(0)
    words = Halves(2000, 200).draw().view(torch.int32).flatten(1)
    pairs = (words[:, :-1].long() << 32) ^ (words[:, 1:].long() & 0xFFFFFFFF)
    assert len(pairs.unique()) == pairs.numel()


def test_the_sixteen_bit_numbers_are_uniform():
    torch.manual_seed(0)
    numbers = Halves(1000, 1000).draw().flatten()
    counts = torch.bincount(numbers.int() // 256 + 128, minlength=256).double()
    expected = numbers.numel() / 256
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 255 + 6 * math.sqrt(2 * 255)


def test_a_seed_names_the_numbers_whatever_the_size():
    small, large = drawn_noise(2, 3, 20, seed=99), drawn_noise(4, 3, 40, seed=99)
    assert torch.equal(small.view(2, 3, 2, 20), large.view(4, 3, 2, 40)[:2, ..., :20])
    assert not torch.equal(drawn_noise(2, 3, 20, seed=100), small)


@pytest.mark.parametrize("other", [1, 1 << 32, (1 << 62) - 1])
def test_seeds_and_streams_have_their_own_keys(other):
    first = keys(0, 0, 1000)
    for second in (keys(other, 0, 1000), keys(0, 1, 1000)):
        assert len(torch.cat([first, second]).unique()) > 1990
