"""Time of the three LSTM layers of AWD-LSTM at paper size, forward and backward, side by side.

Contenders take turns within each round, so that a slow moment of the machine hits all of them;
the table shows medians over the rounds, and the medians of the ratios taken within a round.

    python bench/lm_step.py [--rounds 7] [--threads 2] [--steps 70] [--batch 20]
"""

import argparse
import os
import statistics
import time
from itertools import pairwise

import torch

from g2lstm.cells import GatePolicy, LSTMLayer, pytorch, reference

SIZES = (400, 1150, 1150, 400)


class Layers(torch.nn.Module):
    """Our layers with gumbel gates and weight drop, on a given training kernel."""

    def __init__(self, kernel):
        super().__init__()
        policy = GatePolicy("gumbel", tau=0.9, p=0.2)
        self.layers = torch.nn.ModuleList(
            LSTMLayer(inputs, hidden, policy, weight_drop=0.5, kernel=kernel)
            for inputs, hidden in pairwise(SIZES)
        )

    def forward(self, x):
        for layer in self.layers:
            x, _ = layer(x, layer.initial_state(x.shape[1]))
        return x


class StockLayers(torch.nn.Module):
    """``torch.nn.LSTM`` without noise and without weight drop."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(
            torch.nn.LSTM(inputs, hidden) for inputs, hidden in pairwise(SIZES)
        )

    def forward(self, x):
        for layer in self.layers:
            x, _ = layer(x)
        return x


def seconds(model, x):
    """Return the time of one forward and backward pass."""
    model.zero_grad(set_to_none=True)
    started = time.perf_counter()
    model(x).sum().backward()
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=70)
    parser.add_argument("--batch", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    x = torch.randn(options.steps, options.batch, SIZES[0])
    contenders = {
        "naive loop, noise + weight drop": Layers(reference.lstm),
        "ours, noise + weight drop": Layers(pytorch.lstm),
        "torch.nn.LSTM, neither": StockLayers(),
    }
    for model in contenders.values():
        seconds(model, x)
    rounds = [
        {name: seconds(model, x) for name, model in contenders.items()}
        for _ in range(options.rounds)
    ]
    naive = next(iter(contenders))
    print(
        f"forward + backward of layers {'-'.join(map(str, SIZES))}, {options.steps} steps, batch "
        f"{options.batch}, float32, {options.threads} threads, {options.rounds} rounds"
    )
    print(f"{'':32s} {'median ms':>10s} {'naive / this':>13s}")
    for name in contenders:
        median = statistics.median(r[name] for r in rounds)
        ratio = statistics.median(r[naive] / r[name] for r in rounds)
        print(f"{name:32s} {1000 * median:10.0f} {ratio:13.2f}")


if __name__ == "__main__":
    main()
