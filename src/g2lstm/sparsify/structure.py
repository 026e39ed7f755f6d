"""What is left of a sparse model: weights, gates and neurons (Lobacheva et al. 2020, Section 3).

A neuron is gone when nothing reads it: its column of the recurrent matrix, over all gates, and of
its consumer are zero. A gate is constant when all that comes into it is zero: it is the activation
of its bias. What comes into or goes out of a gone neuron counts as zero, which can make further
neurons go; so does what comes from a unit of the embedding that is always zero, and the column of
one that nothing reads.

A gate may also be constant by a group variable of its own, of which its weights know nothing. In
the model they are zero then, but they count as left (Lobacheva et al. count so too).
"""

from dataclasses import dataclass

import numpy as np

GATES = "ifgo"
COUNTED = ".counted"  # behind a matrix's name: which of its weights there are without gates' z


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
        biases, as the released code counts. ``words`` are those with any weight in the embedding.
        """
        embedding = self.weights.get("embedding.weight")
        found = {} if embedding is None else {"words": int(embedding.any(1).sum())}
        for layer, (neurons, gates) in enumerate(zip(self.neurons, self.gates, strict=True), 1):
            found[f"neurons{layer}"] = int(neurons.sum())
            found[f"gates{layer}"] = int(gates.sum())
            by_kind = zip(GATES, gates.sum(1), strict=True)
            found |= {f"gates{layer}_{kind}": int(count) for kind, count in by_kind}
            found[f"only_o{layer}"] = int((gates[3] & ~gates[:3].any(0)).sum())
        total = sum(mask.size for mask in self.weights.values())
        left = sum(int(mask.sum()) for mask in self.weights.values())
        return {
            **found,
            "weights": total,
            "weights_left": left,
            "compression": total / max(left, 1),
        }


def bits(truths):
    """Return a bool array as bits, uint8 (size / 8,); :func:`truths` reads them."""
    return np.packbits(truths, axis=None, bitorder="little")


def truths(packed, count):
    """Return the first ``count`` bits of what :func:`bits` made, bool (count,)."""
    return np.unpackbits(packed, count=count, bitorder="little").astype(bool)


def read_structure(arrays):
    """Return the :class:`Structure` of a stacked language model's ``arrays`` (name -> array).

    Without ``embedding.weight`` its input is one-hot. Besides the model's own there may be bits
    with ``COUNTED`` behind the name of a matrix.
    """
    nonzero = {name: array != 0 for name, array in arrays.items() if array.ndim == 2}
    weights = {name: _counted(arrays, name, mask) for name, mask in nonzero.items()}
    layers = sum(name.endswith("weight_hh") for name in weights)
    neurons = [np.ones(weights[f"lstm.{k}.weight_hh"].shape[1], bool) for k in range(layers)]
    while _remove(weights, neurons):
        pass
    fed = {name: (mask & nonzero[name]).any(1) for name, mask in weights.items()}
    gates = [np.logical_or(*(fed[name] for name in _matrices(k))) for k in range(layers)]
    return Structure(neurons, [kept.reshape(4, -1) for kept in gates], weights)


def _matrices(layer):
    return f"lstm.{layer}.weight_ih", f"lstm.{layer}.weight_hh"


def _counted(arrays, name, mask):
    """Return which weights of a matrix count as left; ``mask``: those that are not zero."""
    packed = arrays.get(name + COUNTED)
    return mask if packed is None else truths(packed, mask.size).reshape(mask.shape)


def _remove(weights, neurons):
    """Take what comes into neurons that nothing reads out of the masks; tell whether any changed.

    So with the embedding's units, if there is one, which are read by the first layer alone.
    """
    changed = False
    if "embedding.weight" in weights:
        embedding, reader = weights["embedding.weight"], weights["lstm.0.weight_ih"]
        gone = embedding.any(0) != reader.any(0)
        embedding[:, gone] = reader[:, gone] = False
        changed = gone.any()
    for k in reversed(range(len(neurons))):
        inputs, recurrent = (weights[name] for name in _matrices(k))
        consumer = weights.get(_matrices(k + 1)[0], weights["decoder.weight"])
        read = recurrent.any(0) | consumer.any(0)
        gone = neurons[k] & ~read
        changed |= gone.any()
        neurons[k] &= read
        inputs[np.tile(gone, 4)] = recurrent[np.tile(gone, 4)] = False
    return changed
