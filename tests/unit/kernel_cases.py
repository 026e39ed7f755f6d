"""Layers, draws and measures that the tests of all kernels share."""

import pytest
import torch

from g2lstm.cells import GatePolicy, build, native
from g2lstm.cells.counter import GumbelNoise, WeightDrop

GUMBEL = GatePolicy("gumbel", tau=0.9, p=0.2)


def skip_without_native(dtype):
    """Skip the test where the C++ library does not work with operands of ``dtype``."""
    try:
        native.library(dtype)
    except build.Unavailable as reason:
        pytest.skip(str(reason))


def arguments(steps, batch, inputs, hidden, dtype=torch.float64, device="cpu", seed=7):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, scale=1.0):
        values = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
        return values.to(device, dtype).requires_grad_()

    return [
        draw(steps, batch, inputs),
        draw(batch, hidden),
        draw(batch, hidden),
        draw(4 * hidden, inputs, scale=hidden**-0.5),
        draw(4 * hidden, hidden, scale=hidden**-0.5),
        draw(4 * hidden, scale=hidden**-0.5),
    ]


def draws(steps, batch, hidden, device="cpu", seed=11):
    """Noise, weight drop and temperature of a training step, always the same."""
    noise = GumbelNoise(steps, batch, hidden, GUMBEL, device, seed)
    return noise, WeightDrop(4 * hidden, hidden, 0.3, device, seed - 6), GUMBEL.tau


def outputs_and_gradients(kernel, args, *others, **options):
    outputs = kernel(*args, *others, **options)
    generator = torch.Generator().manual_seed(3)
    loss = sum(
        (o * torch.randn(o.shape, generator=generator, dtype=torch.float64).to(o)).sum()
        for o in outputs
    )
    return [*outputs, *torch.autograd.grad(loss, args)]


def two_layers_and_chunks(kernel, args, inputs, draws_of_calls, **options):
    """Run two layers with the same weights over two chunks, and back through all four calls.

    All calls have one shape, so what one leaves in shared memory would be lost to the others.
    """
    x, h, c, *weights = args
    states, outputs = [(h, c), (h.tanh(), c.tanh())], []
    calls = iter(draws_of_calls)
    for chunk in (x, x.flip(0)):
        for layer in range(2):
            y, *states[layer] = kernel(chunk, *states[layer], *weights, *next(calls), **options)
            outputs.append(y)
            chunk = y[:, :, :inputs]
    loss = sum(y.sin().sum() for y in outputs)
    return [*outputs, *states[0], *states[1], *torch.autograd.grad(loss, args)]


def error(got, want):
    """Return the largest relative error of the tensors of two lists."""
    return max(
        ((a.double() - b.double()).norm() / b.double().norm()).item()
        for a, b in zip(got, want, strict=True)
    )
