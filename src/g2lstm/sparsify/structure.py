"""What is left of a sparse model: weights, gates and neurons (Lobacheva et al. 2020, Section 3).

A neuron is gone when nothing reads it: its column of the recurrent matrix, over all gates, and of
its consumer are zero. A gate is constant when all that comes into it is zero: it is the activation
of its bias. What comes into or goes out of a gone neuron counts as zero, which can make further
neurons go.
"""

from dataclasses import dataclass

import numpy as np

GATES = "ifgo"


@dataclass(frozen=True)
class Structure:
    """Masks of what is left.

    ``neurons``: of each layer, bool (hidden,). ``gates``: of each layer, bool (4, hidden), true for
    a gate that depends on anything; a gone neuron has none. ``weights``: name of a matrix -> bool
    array of its shape.
    """

    neurons: list
    gates: list
    weights: dict

    def facts(self):
        """Return the counts of the papers' tables, by layer from 1, and the compression.

        ``compression`` is the number of weights over that of the weights left, matrices alone: no
        biases, as the released code counts.
        """
        found = {}
        for layer, (neurons, gates) in enumerate(zip(self.neurons, self.gates, strict=True), 1):
            found[f"neurons{layer}"] = int(neurons.sum())
            found[f"gates{layer}"] = int(gates.sum())
            by_kind = zip(GATES, gates.sum(1), strict=True)
            found |= {f"gates{layer}_{kind}": int(count) for kind, count in by_kind}
        total = sum(mask.size for mask in self.weights.values())
        left = sum(int(mask.sum()) for mask in self.weights.values())
        return {
            **found,
            "weights": total,
            "weights_left": left,
            "compression": total / max(left, 1),
        }


def read_structure(arrays):
    """Return the :class:`Structure` of a stacked language model's ``arrays`` (name -> array)."""
    weights = {name: array != 0 for name, array in arrays.items() if array.ndim == 2}
    layers = sum(name.endswith("weight_hh") for name in arrays)
    readers = [f"lstm.{k}.weight_ih" for k in range(1, layers)] + ["decoder.weight"]
    neurons = [np.ones(arrays[f"lstm.{k}.weight_hh"].shape[1], bool) for k in range(layers)]
    changed = True
    while changed:
        changed = False
        for k in reversed(range(layers)):
            inputs, recurrent = (weights[f"lstm.{k}.weight_{name}"] for name in ("ih", "hh"))
            read = recurrent.any(0) | weights[readers[k]].any(0)
            gone = neurons[k] & ~read
            if gone.any():
                changed = True
                neurons[k] &= read
                inputs[np.tile(gone, 4)] = recurrent[np.tile(gone, 4)] = False
    gates = [
        (weights[f"lstm.{k}.weight_ih"].any(1) | weights[f"lstm.{k}.weight_hh"].any(1)).reshape(
            4, -1
        )
        for k in range(layers)
    ]
    return Structure(neurons, gates, weights)
