"""Compressed model files: written really smaller, read back as dense tensors.

In every ``weight_ih`` and ``weight_hh`` of the LSTM the input gate's block (rows [0, H)) and the
forget gate's block (rows [H, 2H)) are compressed, each apart (section 4.3). Such a matrix ``name``
is stored as ``name.i.<part>`` and ``name.f.<part>``, the packed tensors, and ``name.rest`` (2H,
cols), the candidate and output gates' rows. All other tensors are stored unchanged.
"""

import os
import re
import time

import torch

from g2lstm.compress import methods
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, write_provenance, write_record
from g2lstm.training.tensors import load_tensors, save_tensors

GATE_MATRIX = re.compile(r"lstm\.\d+\.weight_(ih|hh)")
GATES = ("i", "f")
REST = ".rest"


def compress_model(model_path, setting_name, setting, output_path, record_path=None):
    """Compress the model file ``model_path`` into ``output_path`` and return its sizes.

    ``setting`` is a dict for :func:`g2lstm.compress.methods.create`; it and ``setting_name`` go
    into the metadata under "compression". With ``record_path``, the sizes (see :func:`measure`) go
    into a record there, with its provenance beside it. Raises UserError when the setting does not
    fit or the model is missing, damaged, without an LSTM or compressed already.
    """
    started = time.time()
    method = methods.create(setting)
    tensors, meta = load_tensors(model_path)
    if "compression" in meta:
        raise UserError(f"{model_path}: compressed already; give the original model file")
    if not any(GATE_MATRIX.fullmatch(name) for name in tensors):
        raise UserError(f"{model_path}: has no lstm.*.weight_ih or weight_hh; give a model file")
    compression = {"setting": setting_name, **setting}
    save_tensors(output_path, _compress(tensors, method), {**meta, "compression": compression})
    sizes = measure(output_path)
    if record_path is not None:
        model_sha256 = file_sha256(model_path)
        record = {"compression": compression, "model_sha256": model_sha256, "sizes": sizes}
        write_record(record_path, record)
        write_provenance(record_path, started)
    return sizes


def load_model(path):
    """Read an original or a compressed model file as (tensors, meta).

    The tensors are dense, float32, under the original names. Raises UserError when the file is
    missing or damaged.
    """
    tensors, meta = load_tensors(path)
    if "compression" in meta:
        tensors = _decompress(tensors, _method_of(meta))
    return tensors, meta


def reconstruct(tensors, setting):
    """Return what :func:`load_model` gives for these dense tensors compressed at ``setting``.

    Bit for bit, without a file; tensors that compression leaves alone are passed on, not copied.
    """
    method = methods.create(setting)
    return _decompress(_compress(tensors, method), method)


def measure(path):
    """Return the sizes of a model file, original or compressed.

    ``file_bytes`` on disk; ``gate_bytes`` of the packed input and forget gates;
    ``gate_bytes_dense`` of the same in float32; ``gate_factor``, the ratio of the two;
    ``paper_factor``, by the paper's count (see :mod:`g2lstm.compress.methods`), for the second
    layer or the only one; ``parameters``, the number of the dense model's. Both factors are 1.0
    for an original file.
    """
    tensors, meta = load_tensors(path)
    if "compression" in meta:
        blocks = [_block(tensors, name, gate) for name in _compressed(tensors) for gate in GATES]
        gate_bytes = sum(part.nbytes for packed in blocks for part in packed.values())
        dense_numbers = sum(tensors[name + REST].numel() for name in _compressed(tensors))
        packed_numbers = sum(part.numel() for packed in blocks for part in packed.values())
        input_size, hidden_size = _second_layer(tensors)
        paper_factor = _method_of(meta).paper_factor(blocks, input_size, hidden_size)
    else:
        gates = [tensor for name, tensor in tensors.items() if GATE_MATRIX.fullmatch(name)]
        dense_numbers = packed_numbers = sum(tensor.numel() // 2 for tensor in gates)
        gate_bytes, paper_factor = 4 * dense_numbers, 1.0
    stored_numbers = sum(tensor.numel() for tensor in tensors.values())
    return {
        "file_bytes": os.path.getsize(path),
        "gate_bytes": gate_bytes,
        "gate_bytes_dense": 4 * dense_numbers,
        "gate_factor": 4 * dense_numbers / gate_bytes,
        "paper_factor": paper_factor,
        "parameters": stored_numbers - packed_numbers + dense_numbers,
    }


def _compress(tensors, method):
    """Return the tensors to store for the dense ``tensors``."""
    stored = {}
    for name, tensor in tensors.items():
        if not GATE_MATRIX.fullmatch(name):
            stored[name] = tensor
            continue
        if not tensor.isfinite().all():
            raise UserError(f"{name}: holds NaN or infinity; train the model again")
        input_gate, forget_gate, candidate, output_gate = tensor.chunk(4)
        for gate, weights in zip(GATES, (input_gate, forget_gate), strict=True):
            for part, values in method.fit(weights).items():
                stored[f"{name}.{gate}.{part}"] = values
        stored[name + REST] = torch.cat([candidate, output_gate])
    return stored


def _decompress(stored, method):
    """Return the dense tensors of those that :func:`_compress` gave."""
    names = _compressed(stored)
    packed = tuple(f"{name}." for name in names)
    dense = {name: tensor for name, tensor in stored.items() if not name.startswith(packed)}
    for name in names:
        gates = [method.restore(_block(stored, name, gate)) for gate in GATES]
        dense[name] = torch.cat([*gates, stored[name + REST]])
    return dense


def _method_of(meta):
    """Return the method that the metadata of a compressed file names."""
    setting = {key: value for key, value in meta["compression"].items() if key != "setting"}
    return methods.create(setting)


def _compressed(stored):
    """Return the names of the matrices with compressed gates."""
    return [name.removesuffix(REST) for name in stored if name.endswith(REST)]


def _block(stored, name, gate):
    """Return the packed tensors of one gate of the matrix ``name``, under their parts' names."""
    prefix = f"{name}.{gate}."
    return {
        key.removeprefix(prefix): tensor for key, tensor in stored.items() if key.startswith(prefix)
    }


def _second_layer(stored):
    """Return the second LSTM layer's input and hidden size, or the first's if there is no other."""
    layer = 1 if f"lstm.1.weight_ih{REST}" in stored else 0
    rows, input_size = stored[f"lstm.{layer}.weight_ih{REST}"].shape
    return input_size, rows // 2
