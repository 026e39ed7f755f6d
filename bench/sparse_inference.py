"""Exported models beside dense ones: bytes on disk and time of a forward pass, side by side.

Sizes and numbers of neurons left are those of print: Table 1 of Wen et al. (2018), which reports
10.59 and 7.10 times, and the small models of Lobacheva et al. (2020). Weights are random; what is
left of a layer is dense. A pass is 30 steps of 10 sequences, as in Wen et al., softmax included.

    python bench/sparse_inference.py [--rounds 7] [--threads 2]
"""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from comparison import Ratio, compare, record, row, timed, write_results
from g2lstm.arrays import save_arrays
from g2lstm.lm import stacked
from g2lstm.sparsify.export import export_model
from g2lstm.sparsify.models import read_exported, read_model
from machine import facts, prepare

WORDS, STEPS, BATCH = 10_000, 30, 10
MODELS = {  # name: units of every layer, neurons left in both layers
    "large, ISS 373 and 315": (1500, (373, 315)),
    "large, ISS 381 and 535": (1500, (381, 535)),
    "small, W+N 72 and 123": (200, (72, 123)),
    "small, W+G+N 64 and 115": (200, (64, 115)),
}


def random_text():
    """Return what a forward pass reads."""
    words = np.random.default_rng(1).integers(WORDS, size=STEPS * BATCH)
    return SimpleNamespace(splits={"test": words})


def sparse_arrays(units, left):
    """Return a model's arrays of which only the first ``left`` neurons of each layer are read."""
    model = stacked.StackedLanguageModel(WORDS, [units, units, units])
    arrays = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    for k, count in enumerate(left):
        reader = "lstm.1.weight_ih" if k == 0 else "decoder.weight"
        for name in (f"lstm.{k}.weight_hh", reader):
            arrays[name][:, count:] = 0.0
    return arrays


def compare_model(name, units, left, folder, rounds):
    """Return the comparisons for one model: times, and bytes and products of both."""
    dense, small = Path(folder) / "dense", Path(folder) / "small"
    save_arrays(dense, sparse_arrays(units, left), {})
    size = export_model(dense, small)
    device, text = torch.device("cpu"), random_text()
    contenders = {
        "dense": stacked.forward_pass(read_model(stacked.empty_model, dense, device)[0], text),
        "exported": stacked.forward_pass(
            read_exported(stacked.empty_model, small, device)[0], text
        ),
    }
    outputs = [run() for run in contenders.values()]
    times = compare(
        f"Forward pass, {name} of {units}",
        "pass",
        {contender: timed(run) for contender, run in contenders.items()},
        [Ratio("dense", "exported")],
        rounds,
    )
    rows = [
        row("dense / exported, bytes on disk", size["dense_bytes"] / size["file_bytes"]),
        row("dense / exported, multiply-adds", size["multadd"]),
        row(
            "largest difference of logits", (outputs[0] - outputs[1]).abs().max().item(), "<= 1e-5"
        ),
    ]
    return [times, record(f"Size, {name} of {units}", rows)]


def main():
    options = prepare(__doc__)
    comparisons = []
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        for name, (units, left) in MODELS.items():
            comparisons += compare_model(name, units, left, folder, options.rounds)
    write_results(options.results / "sparse_inference.json", facts(), options.rounds, comparisons)


if __name__ == "__main__":
    main()
