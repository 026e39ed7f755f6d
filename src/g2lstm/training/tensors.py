"""Tensors in the files of :mod:`g2lstm.arrays`."""

import numpy as np
import torch

from g2lstm.arrays import load_arrays, save_arrays


def save_tensors(path, tensors, meta):
    """Write ``tensors`` (name -> tensor on any device) and ``meta`` to ``path``.

    As :func:`g2lstm.arrays.save_arrays` does.
    """
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    save_arrays(path, arrays, meta)


def load_tensors(path):
    """Read a file of :func:`save_tensors`; return ``(tensors, meta)``, the tensors on the CPU.

    Raises UserError when the file is missing, truncated or damaged.
    """
    arrays, meta = load_arrays(path)
    return to_tensors(arrays), meta


def to_tensors(arrays):
    """Return copies of ``arrays`` (name -> array) as tensors on the CPU."""
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}


def part(tensors, prefix, device):
    """Return the ``tensors`` whose names start with ``prefix``, without it, on ``device``."""
    return {
        name.removeprefix(prefix): value.to(device)
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
