"""How long the layers of a model take on the kernel of the moment."""

import statistics
import time

import torch

UNTIMED, TIMED = 2, 5  # passes


@torch.enable_grad()
def milliseconds(layers, steps, batch, device):
    """Return the median time of a forward and backward pass of ``layers``, one after the other.

    The random generators stand afterwards where they stood before.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        inputs = [
            torch.randn(steps, batch, layer.effective_weights()[0].shape[1], device=device)
            for layer in layers
        ]
        times = [_pass(layers, inputs, device) for _ in range(UNTIMED + TIMED)]
    return 1000 * statistics.median(times[UNTIMED:])


def _pass(layers, inputs, device):
    started = _now(device)
    for layer, x in zip(layers, inputs, strict=True):
        y, _ = layer(x, layer.initial_state(x.shape[1]))
        torch.autograd.grad(y.sum(), list(layer.parameters()))
    return _now(device) - started


def _now(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
