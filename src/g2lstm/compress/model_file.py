"""Compressed model files: written really smaller, read back as dense arrays.

In the gate matrices of every LSTM the input gate's block (rows [0, H)) and the forget gate's block
(rows [H, 2H)) are compressed, each apart (section 4.3). Such a matrix ``name`` is stored as
``name.i.<part>`` and ``name.f.<part>``, the packed arrays, and ``name.rest`` (2H, cols), the
candidate and output gates' rows. All other arrays are stored unchanged.

The ``scope`` of a setting says which matrices: "paper" (the default) all of them, "code" only those
of the released translation code, on hidden states and contexts but not on the layer's input.
"""

import os
import re

import numpy as np

from g2lstm.arrays import load_arrays, save_arrays
from g2lstm.compress import methods
from g2lstm.errors import UserError

# ih: input; hh: recurrence; nl: second transition; ctx: context of the attention
GATE_MATRIX = {
    "paper": re.compile(r"(lstm|encoder|decoder)\.\w+\.weight_(ih|hh|nl|ctx)"),
    "code": re.compile(r"(encoder|decoder)\.\w+\.weight_(hh|nl|ctx)"),
}
DECODER_RECURRENCE = "decoder.0.weight_hh"
GATES = ("i", "f")
REST = ".rest"


def compress_model(model_path, setting_name, setting, output_path):
    """Compress the model file ``model_path`` into ``output_path``; return :func:`measure` of it.

    ``setting`` is a dict for :func:`g2lstm.compress.methods.create` and may have a ``scope``; it
    and ``setting_name`` go into the metadata under "compression". Raises UserError when the setting
    does not fit or the model is missing, damaged, without an LSTM or compressed already.
    """
    method, matrix = _read_setting(setting)
    arrays, meta = load_arrays(model_path)
    if "compression" in meta:
        raise UserError(f"{model_path}: compressed already; give the original model file")
    if not any(matrix.fullmatch(name) for name in arrays):
        raise UserError(f"{model_path}: has no gate matrix such as lstm.0.weight_hh; give a model")
    compression = {"setting": setting_name, **setting}
    save_arrays(
        output_path, _compress(arrays, method, matrix), {**meta, "compression": compression}
    )
    return measure(output_path)


def load_model(path):
    """Read an original or a compressed model file as (arrays, meta).

    The arrays are dense, float32, under the original names. Raises UserError when the file is
    missing or damaged.
    """
    arrays, meta = load_arrays(path)
    if "compression" in meta:
        arrays = _decompress(arrays, _method_of(meta))
    return arrays, meta


def reconstruct(arrays, setting):
    """Return what :func:`load_model` gives for these dense arrays compressed at ``setting``.

    Bit for bit, without a file; arrays that compression leaves alone are passed on, not copied.
    """
    method, matrix = _read_setting(setting)
    return _decompress(_compress(arrays, method, matrix), method)


def measure(path):
    """Return the sizes of a model file, original or compressed.

    ``file_bytes`` on disk; ``gate_bytes`` of the packed input and forget gates (of an original
    file: of all of them); ``gate_bytes_dense`` of the same in float32; ``gate_factor``, the ratio
    of the two; ``paper_factor``, by the paper's count (see :mod:`g2lstm.compress.methods`), for the
    second layer of a language model or the recurrence of a decoder; ``parameters``, the number of
    the dense model's. Both factors are 1.0 for an original file.
    """
    arrays, meta = load_arrays(path)
    if "compression" in meta:
        blocks = [_block(arrays, name, gate) for name in _compressed(arrays) for gate in GATES]
        gate_bytes = sum(part.nbytes for packed in blocks for part in packed.values())
        dense_numbers = sum(arrays[name + REST].size for name in _compressed(arrays))
        packed_numbers = sum(part.size for packed in blocks for part in packed.values())
        input_size, hidden_size = _counted_matrix(arrays)
        paper_factor = _method_of(meta).paper_factor(blocks, input_size, hidden_size)
    else:
        all_gates = GATE_MATRIX["paper"]
        gates = [array for name, array in arrays.items() if all_gates.fullmatch(name)]
        dense_numbers = packed_numbers = sum(array.size // 2 for array in gates)
        gate_bytes, paper_factor = 4 * dense_numbers, 1.0
    stored_numbers = sum(array.size for array in arrays.values())
    return {
        "file_bytes": os.path.getsize(path),
        "gate_bytes": gate_bytes,
        "gate_bytes_dense": 4 * dense_numbers,
        "gate_factor": 4 * dense_numbers / gate_bytes,
        "paper_factor": paper_factor,
        "parameters": stored_numbers - packed_numbers + dense_numbers,
    }


def _compress(arrays, method, matrix):
    """Return the arrays to store for the dense ``arrays``; ``matrix`` is a pattern of names."""
    stored = {}
    for name, array in arrays.items():
        if not matrix.fullmatch(name):
            stored[name] = array
            continue
        if not np.isfinite(array).all():
            raise UserError(f"{name}: holds NaN or infinity; train the model again")
        input_gate, forget_gate, candidate, output_gate = np.split(array, 4)
        for gate, weights in zip(GATES, (input_gate, forget_gate), strict=True):
            for part, values in method.fit(weights).items():
                stored[f"{name}.{gate}.{part}"] = values
        stored[name + REST] = np.concatenate([candidate, output_gate])
    return stored


def _decompress(stored, method):
    """Return the dense arrays of those that :func:`_compress` gave."""
    names = _compressed(stored)
    packed = tuple(f"{name}." for name in names)
    dense = {name: array for name, array in stored.items() if not name.startswith(packed)}
    for name in names:
        gates = [method.restore(_block(stored, name, gate)) for gate in GATES]
        dense[name] = np.concatenate([*gates, stored[name + REST]])
    return dense


def _method_of(meta):
    """Return the method that the metadata of a compressed file names."""
    setting = {key: value for key, value in meta["compression"].items() if key != "setting"}
    return _read_setting(setting)[0]


def _read_setting(setting):
    """Return the method of a setting and the pattern of its matrices' names."""
    scope = setting.get("scope", "paper")
    if scope not in GATE_MATRIX:
        raise UserError(f"scope = {scope!r} is unknown; choose from {', '.join(GATE_MATRIX)}")
    method = {key: value for key, value in setting.items() if key != "scope"}
    return methods.create(method), GATE_MATRIX[scope]


def _compressed(stored):
    """Return the names of the matrices with compressed gates."""
    return [name.removesuffix(REST) for name in stored if name.endswith(REST)]


def _block(stored, name, gate):
    """Return the packed arrays of one gate of the matrix ``name``, under their parts' names."""
    prefix = f"{name}.{gate}."
    return {
        key.removeprefix(prefix): array for key, array in stored.items() if key.startswith(prefix)
    }


def _counted_matrix(stored):
    """Return the rows and columns that the paper's count of a compression factor is about.

    A language model: input and hidden size of the second layer, or of the only one, whose matrices
    stand below each other. A translation model: the square recurrent matrix, no input.
    """
    if DECODER_RECURRENCE + REST in stored:
        return 0, len(stored[DECODER_RECURRENCE + REST]) // 2
    layer = 1 if f"lstm.1.weight_ih{REST}" in stored else 0
    rows, input_size = stored[f"lstm.{layer}.weight_ih{REST}"].shape
    return input_size, rows // 2
