"""Named tensors and metadata in one safetensors file, written atomically, verified when read."""

import hashlib
import json

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from g2lstm.errors import UserError
from g2lstm.records import atomic_path, canonical_json


def tensors_digest(tensors):
    """Return the SHA-256 (hex) over names, types, shapes and bytes of ``tensors``."""
    state = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        state.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        state.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()


def save_tensors(path, tensors, meta):
    """Write ``tensors`` (name -> tensor) and ``meta`` (anything JSON can hold) to ``path``.

    The file replaces an older one only when it is complete; equal content gives equal bytes.
    """
    tensors = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    header = canonical_json({**meta, "digest": tensors_digest(tensors)})
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"g2lstm": header})


def load_tensors(path):
    """Read a file of :func:`save_tensors`; return ``(tensors, meta)``.

    Raises UserError when the file is missing, truncated or damaged.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            meta = json.loads((stream.metadata() or {})["g2lstm"])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UserError(f"{path}: damaged file ({error}); delete it and run again") from error
    if meta.pop("digest", None) != tensors_digest(tensors):
        raise UserError(f"{path}: content does not match its digest; delete it and run again")
    return tensors, meta
