"""Named arrays and metadata in one safetensors file, written atomically, verified when read."""

import hashlib
import json

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from g2lstm.errors import UserError
from g2lstm.records import atomic_path, canonical_json


def _digest(arrays, meta):
    """Return the SHA-256 (hex) over ``meta`` and C-contiguous ``arrays``: names, types, shapes and
    bytes.
    """
    state = hashlib.sha256()
    for name in sorted(meta):
        state.update(f"{name}|{canonical_json(meta[name])}|".encode())
    for name in sorted(arrays):
        array = arrays[name]
        state.update(f"{name}|{array.dtype}|{array.shape}|".encode())
        state.update(array.reshape(-1).view(np.uint8).data)
    return state.hexdigest()


def save_arrays(path, arrays, meta):
    """Write ``arrays`` (name -> array) and ``meta`` (anything JSON can hold) to ``path``.

    The file replaces an older one only when it is complete; equal content gives equal bytes.
    Raises UserError when it cannot be written, because the disk is full for one.
    """
    # Unlike ascontiguousarray, asarray keeps the shape () of a scalar.
    arrays = {name: np.asarray(arrays[name], order="C") for name in sorted(arrays)}
    header = canonical_json({**meta, "digest": _digest(arrays, meta)})
    # The library's own writer would leave a hidden file behind when it is killed.
    content = save(arrays, metadata={"g2lstm": header})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def load_arrays(path):
    """Read a file of :func:`save_arrays`; return ``(arrays, meta)``.

    Raises UserError when the file is missing, truncated or damaged.
    """
    try:
        with safe_open(path, framework="np") as stream:
            meta = json.loads((stream.metadata() or {})["g2lstm"])
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UserError(f"{path}: damaged file ({error}); delete it and run again") from error
    # Files of before the digest covered ``meta`` are still good.
    told = meta.pop("digest", None)
    if told != _digest(arrays, meta) and told != _digest(arrays, {}):
        raise UserError(f"{path}: content does not match its digest; delete it and run again")
    return arrays, meta
