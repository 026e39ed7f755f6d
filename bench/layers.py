"""Forward and backward pass of the three LSTM layers of AWD-LSTM at paper size.

Ours draw gate noise (or none) and weight drop; the naive layers are the definition, step by step in
autograd, with both. ``torch.nn.LSTM`` has no noise; with ``F.dropout`` on its recurrent matrix it
has weight drop, and its weights are held in the type it computes in.

    python bench/layers.py [--rounds 7] [--threads 2]
"""

from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F

from comparison import Ratio, compare, timed, write_results
from g2lstm.cells import GatePolicy, LSTMLayer, build, native, pytorch, reference
from machine import facts, prepare

SIZES = (400, 1150, 1150, 400)
STEPS, BATCH, WEIGHT_DROP = 70, 20, 0.5
NOISY = GatePolicy("gumbel", tau=0.9, p=0.2)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

# Bars: against torch.nn.LSTM with F.dropout in the same type, and for what the noise costs.
BARS = {
    "PyTorch float32": (None, "<= 1.08"),
    "PyTorch bfloat16": ("<= 0.85", "<= 1.08"),
    "C++ float32": (None, "<= 1.05"),
    "C++ bfloat16": ("<= 0.55", "<= 1.05"),
}


class Layers(torch.nn.Module):
    """Our layers with weight drop, on a given training kernel."""

    def __init__(self, kernel, policy):
        super().__init__()
        self.layers = torch.nn.ModuleList(
            LSTMLayer(inputs, hidden, policy, WEIGHT_DROP, kernel=kernel)
            for inputs, hidden in pairwise(SIZES)
        )

    def forward(self, x):
        for layer in self.layers:
            x, _ = layer(x, layer.initial_state(x.shape[1]))
        return x


class StockLayers(torch.nn.Module):
    """``torch.nn.LSTM`` as it is, or with ``F.dropout`` on its recurrent matrix."""

    def __init__(self, dtype, weight_drop):
        super().__init__()
        self.weight_drop = weight_drop
        self.layers = torch.nn.ModuleList(
            torch.nn.LSTM(inputs, hidden, dtype=dtype) for inputs, hidden in pairwise(SIZES)
        )

    def forward(self, x):
        x = x.to(self.layers[0].weight_hh_l0.dtype)
        for layer in self.layers:
            x, _ = self._with_drop(layer, x) if self.weight_drop else layer(x)
        return x

    def _with_drop(self, layer, x):
        """Call what ``layer`` calls, its recurrent matrix replaced by a dropped one."""
        weight_ih, weight_hh, *biases = layer.parameters()
        weights = [weight_ih, F.dropout(weight_hh, self.weight_drop), *biases]
        zero = x.new_zeros(1, x.shape[1], layer.hidden_size)
        y, *state = torch.lstm(x, (zero, zero), weights, True, 1, 0.0, True, False, False)
        return y, state


def training_pass(model, x):
    """Return a contender: one forward and backward pass of ``model``."""

    def run():
        model.zero_grad(set_to_none=True)
        model(x).sum().backward()

    return timed(run)


def kernels():
    """Return the training kernels that work on this machine, by name and type of arithmetic."""
    found = {}
    for name, dtype in DTYPES.items():
        found[f"PyTorch {name}"] = partial(pytorch.lstm, operands=dtype)
        try:
            native.library(dtype)
        except build.Unavailable as reason:
            print(f"C++ {name}: left out, {reason}", flush=True)
        else:
            found[f"C++ {name}"] = partial(native.lstm, operands=dtype)
    return found


def models():
    """Return all models to compare by name."""
    result = {"naive float32": Layers(reference.lstm, NOISY)}
    for name, kernel in kernels().items():
        result[name] = Layers(kernel, NOISY)
        result[f"{name}, no noise"] = Layers(kernel, GatePolicy())
    for name, dtype in DTYPES.items():
        result[f"nn.LSTM {name}"] = StockLayers(dtype, 0.0)
        result[f"nn.LSTM {name} + F.dropout"] = StockLayers(dtype, WEIGHT_DROP)
    return result


def ratios():
    """Return what to set side by side for every kernel."""
    result = []
    for name, (stock_bar, noise_bar) in BARS.items():
        stock = f"nn.LSTM {name.split()[-1]}"
        result += [
            Ratio("naive float32", name),
            Ratio(name, stock),
            Ratio(name, f"{stock} + F.dropout", stock_bar),
            Ratio(name, f"{name}, no noise", noise_bar),
        ]
    return result


def main():
    options = prepare(__doc__)
    x = torch.randn(STEPS, BATCH, SIZES[0])
    contenders = {name: training_pass(model, x) for name, model in models().items()}
    sizes = "-".join(map(str, SIZES))
    title = f"Layers {sizes}, {STEPS} steps, batch {BATCH}, weight drop {WEIGHT_DROP}"
    comparison = compare(title, "pass", contenders, ratios(), options.rounds)
    write_results(options.results / "layers.json", facts(), options.rounds, [comparison])


if __name__ == "__main__":
    main()
