"""Really smaller models: neurons removed, constant gates folded, the rest dense or sparse.

A matrix is stored as its rows and columns that are left, dense or as a bit mask with the values
that are not zero, whichever is smaller. A constant gate has no row: its bias says what it is.
"""

import os
from itertools import pairwise

import numpy as np

from g2lstm.arrays import load_arrays, save_arrays
from g2lstm.errors import UserError
from g2lstm.sparsify.structure import COUNTED, bits, read_structure, truths

VALUES, MASK, ROWS = ".values", ".mask", ".rows"


def export_model(model_path, output_path):
    """Write the small model of a sparse one; return the facts of a record about both.

    These are those of its :class:`Structure`; ``dense_bytes`` and ``file_bytes``, the files' sizes;
    and of the small model whose matrices are dense, ``dense_weights``, its weights and biases but
    with all units of the embedding, and ``multadd``, by which factor it multiplies less (LSTM and
    softmax), both as Wen et al. (2018) count.

    Raises UserError when the model is missing, damaged or exported already.
    """
    arrays, meta = load_arrays(model_path)
    if "sparse" in meta:
        raise UserError(f"{model_path}: exported already; give the trained model")
    structure = read_structure(arrays)
    small = remove_neurons(arrays, structure)
    stored = {}
    for name, array in small.items():
        stored |= _pack(name, array) if array.ndim == 2 else {name: array}
    shapes = {name: array.shape for name, array in small.items() if array.ndim == 2}
    save_arrays(output_path, stored, {**meta, "sparse": shapes})
    before = [arrays[f"lstm.{k}.weight_hh"].shape[1] for k in range(len(structure.neurons))]
    after = [int(kept.sum()) for kept in structure.neurons]
    vocabulary, embedding = arrays["embedding.weight"].shape
    outputs = len(arrays["decoder.bias"])
    products = [_products(embedding, units, outputs) for units in (before, after)]
    biases = 4 * sum(after) + outputs
    return {
        **structure.facts(),
        "dense_bytes": os.path.getsize(model_path),
        "file_bytes": os.path.getsize(output_path),
        "dense_weights": vocabulary * embedding + products[1] + biases,
        "multadd": products[0] / max(products[1], 1),
    }


def load_exported(path):
    """Read a file of :func:`export_model` as (dense arrays of the small model, meta)."""
    stored, meta = load_arrays(path)
    if "sparse" not in meta:
        raise UserError(f"{path}: not an exported model; run the evaluation again")
    parts = (VALUES, MASK, ROWS)
    arrays = {name: array for name, array in stored.items() if not name.endswith(parts)}
    for name, shape in meta["sparse"].items():
        arrays[name] = _unpack(stored, name, shape)
    return arrays, meta


def remove_neurons(arrays, structure):
    """Return the arrays of the model without its gone neurons, under the same names.

    What came into a gone neuron goes with it, and a unit of the embedding that no gate reads or
    that is always zero. One neuron and one unit stay though none is read: no layer can be empty.
    """
    small = {name: array for name, array in arrays.items() if not name.endswith(COUNTED)}
    for k, kept in enumerate(structure.neurons):
        kept = _at_least_one(kept)
        rows = np.tile(kept, 4)
        small[f"lstm.{k}.bias"] = small[f"lstm.{k}.bias"][rows]
        small[f"lstm.{k}.weight_ih"] = small[f"lstm.{k}.weight_ih"][rows]
        small[f"lstm.{k}.weight_hh"] = small[f"lstm.{k}.weight_hh"][rows][:, kept]
        reader = f"lstm.{k + 1}.weight_ih"
        reader = reader if reader in small else "decoder.weight"
        small[reader] = small[reader][:, kept]
    read = _at_least_one(small["lstm.0.weight_ih"].any(0) & small["embedding.weight"].any(0))
    small["lstm.0.weight_ih"] = small["lstm.0.weight_ih"][:, read]
    small["embedding.weight"] = small["embedding.weight"][:, read]
    return small


def _products(embedding, units, outputs):
    """Return the weights that multiply in each step: those of LSTM layers of ``units``, softmax."""
    layers = sum(4 * out * (into + out) for into, out in pairwise([embedding, *units]))
    return layers + units[-1] * outputs


def _at_least_one(kept):
    return kept if kept.any() else np.arange(kept.size) == 0


def _pack(name, matrix):
    """Return what is stored of a matrix: its rows that are not zero, dense or sparse."""
    rows = matrix.any(1)
    left = matrix[rows]
    mask, values = bits(left != 0), left[left != 0]
    if mask.nbytes + values.nbytes < left.nbytes:
        return {name + ROWS: bits(rows), name + MASK: mask, name + VALUES: values}
    return {name + ROWS: bits(rows), name + VALUES: left.ravel()}


def _unpack(stored, name, shape):
    rows, values = truths(stored[name + ROWS], shape[0]), stored[name + VALUES]
    left = np.zeros(rows.sum() * shape[1], values.dtype)
    mask = stored.get(name + MASK)
    left[slice(None) if mask is None else truths(mask, left.size)] = values
    matrix = np.zeros(shape, values.dtype)
    matrix[rows] = left.reshape(-1, shape[1])
    return matrix
