"""Time of a forward pass of an exported model beside that of the dense one it was made from.

Wen et al. (2018), Table 1, time 30 steps of 10 sequences. Milliseconds are of the machine; their
ratio is what can be compared.
"""

import time

import torch

ROUNDS = 50
WARM_UP = 3
SHORTEST = 0.001  # seconds of one measurement: enough for the clock, too little for most pauses


@torch.no_grad()
def measure(dense, small, rounds=ROUNDS):
    """Time two functions without arguments by turns; return what a record says of them.

    ``milliseconds`` and ``dense_milliseconds`` of one call are the shortest of ``rounds``, which
    other work on the machine disturbs least; ``speedup`` is their ratio.
    """
    calls = [_calls(run) for run in (dense, small)]
    times = [
        [_seconds(run, count) for run, count in zip((dense, small), calls, strict=True)]
        for _ in range(rounds)
    ]
    dense_time, small_time = map(min, zip(*times, strict=True))
    return {
        "milliseconds": 1000 * small_time,
        "dense_milliseconds": 1000 * dense_time,
        "speedup": dense_time / small_time,
    }


def _calls(run):
    """Return how often to call ``run`` for one measurement, after some calls to warm up."""
    for _ in range(WARM_UP):
        run()
    _finish()
    return max(1, round(SHORTEST / max(_seconds(run, 1), 1e-6)))


def _seconds(run, count):
    """Return the mean time of ``count`` calls of ``run``."""
    start = time.perf_counter()
    for _ in range(count):
        run()
    _finish()
    return (time.perf_counter() - start) / count


def _finish():
    """Wait for the GPU, which works behind the calls."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
