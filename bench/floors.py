"""Floating-point operations of a training step, and the time they take at the rate of one product.

Multiplying (rows, a) by (a, b) takes 2 · rows · a · b operations, and training needs three such
products for a matrix of weights: forward, gradient of the input, gradient of the weights. Where the
input is a state that changes from step to step, the first two of them go step by step
(*recurrent*); everything else is one product over the whole sequence (*other*). No way to compute a
step is faster than its operations at the rate of one large product: that is the floor.

    python bench/floors.py [--rounds 7] [--threads 2]
"""

from itertools import pairwise

import torch

from comparison import Ratio, compare, record, row, timed, write_results
from g2lstm.cells import kernels
from machine import facts, prepare

PRODUCT = (1400, 1150, 4600)  # rows, inputs, outputs: a layer's input projection


def count(positions, recurrent, parallel, softmax):
    """Return the operations of one training step by kind.

    ``recurrent`` and ``parallel`` are the (inputs, outputs) of the weight matrices multiplied with
    a state and with whole sequences, ``softmax`` those of the output layer.
    """
    states, sequences = (sum(a * b for a, b in shapes) for shapes in (recurrent, parallel))
    return {
        "recurrent": 2 * positions * 2 * states,
        "other": 2 * positions * (states + 3 * sequences),
        "softmax": 2 * positions * 3 * softmax[0] * softmax[1],
    }


def language_model(steps=70, batch=20, sizes=(400, 1150, 1150, 400), words=10_000):
    """Count the operations of the paper's language model."""
    layers = list(pairwise(sizes))
    return count(
        steps * batch,
        recurrent=[(hidden, 4 * hidden) for _, hidden in layers],
        parallel=[(inputs, 4 * hidden) for inputs, hidden in layers],
        softmax=(sizes[-1], words),
    )


def translation_model(steps=25, batch=64, d=256, words=25_000):
    """Count the operations of the paper's German-English model, with sentences of ``steps`` words.

    With n = 2d the units of an annotation: two encoder layers, the first in both directions; the
    decoder layer with the attention (two transitions, query, energies, context), one more, and the
    read-out. The energies and contexts count like matrices over the words of the source.
    """
    n = 2 * d
    encoder = [(d, 4 * d), (d, 4 * d), (n, 4 * n)]
    attention = [(d, 4 * d), (d, 4 * d), (n, 4 * d), (d, n), (steps, n), (steps, n)]
    return count(
        steps * batch,
        recurrent=[*encoder, *attention, (d, 4 * d)],
        parallel=[*encoder, (n, n), (d, 4 * d), (d + n, 4 * d), (2 * d + n, d)],
        softmax=(d, words),
    )


def product(dtype):
    """Return a contender: one large product of operands of ``dtype``, with float32 sums."""
    rows, inputs, outputs = PRODUCT
    a, b = torch.randn(rows, inputs).to(dtype), torch.randn(inputs, outputs).to(dtype)
    result = torch.empty(rows, outputs)
    return timed(lambda: kernels.product(a, b, result))


def main():
    options = prepare(__doc__)
    models = {"language model": language_model(), "translation model": translation_model()}
    counts = [
        row(f"{name}, {kind}", operations / 1e9)
        for name, kinds in models.items()
        for kind, operations in kinds.items()
    ]
    products = {"float32": product(torch.float32), "bfloat16": product(torch.bfloat16)}
    rates = compare(
        f"One product, {PRODUCT[0]} x {PRODUCT[1]} by {PRODUCT[1]} x {PRODUCT[2]}",
        "product", products, [Ratio("float32", "bfloat16")], options.rounds,
    )  # fmt: skip
    size = 2 * PRODUCT[0] * PRODUCT[1] * PRODUCT[2]
    floors = [
        row(f"{name}, {dtype}", sum(kinds.values()) / size * ms)
        for name, kinds in models.items()
        for dtype, ms in rates["medians_ms"].items()
    ]
    comparisons = [
        record("Floating-point operations of a training step, 10⁹", counts),
        rates,
        record("Floor of a training step at this rate, ms", floors),
    ]
    write_results(options.results / "floors.json", facts(), options.rounds, comparisons)


if __name__ == "__main__":
    main()
