"""Choice of the device, of the number of CPU threads, and of how memory is kept."""

import ctypes
import os
import re

import torch

from g2lstm import precision
from g2lstm.errors import UserError
from g2lstm.training import gpus

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h


def keep_memory():
    """Let the C library keep freed memory instead of giving it back to the system.

    By default glibc maps every large block afresh, and each step of a training run pays for the
    same pages again: the first touch of a page costs more than a pass over it. Does nothing under
    other C libraries.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)


def choose(name, threads=None):
    """Return the torch device called ``name`` (auto, cpu, cuda or cuda:N) and set the threads.

    ``auto`` is a CUDA device when there is one, else the CPU. A CUDA device is held until the
    process ends; ``cuda`` takes a free one, see :mod:`g2lstm.training.gpus`. Raises UserError when
    the device does not exist.
    """
    # The derivatives of saturated gates are too small for normal numbers, and arithmetic on such
    # numbers halves the speed of a training step. Threads made later inherit this.
    torch.set_flush_denormal(True)
    keep_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    if not re.fullmatch(r"cuda(:\d+)?", name):
        raise UserError(f"device = {name} is unknown; set device to auto, cpu, cuda or cuda:N")
    # With buffers of two sizes cuBLAS takes whichever is free, and cuDNN's LSTM, which multiplies
    # with it, need not repeat its bits. It reads this once, when a process first uses it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:2")
    device = torch.device("cuda", _claim(name))
    torch.cuda.set_device(device)
    precision.use("float32", device.type)  # until a training run asks for another one
    torch.backends.cudnn.deterministic = True
    return device


def _claim(name):
    """Return the number of the CUDA device called ``name``, now held by this process."""
    count, wanted = torch.cuda.device_count(), torch.device(name).index
    numbers = range(count) if wanted is None else [wanted]
    if not numbers or numbers[-1] >= count:
        raise UserError(
            f"device = {name} does not exist here ({count} CUDA devices found); "
            "set device to cpu or auto"
        )
    if gpus.assigned():
        return numbers[0]
    return numbers[gpus.claim([str(torch.cuda.get_device_properties(n).uuid) for n in numbers])]


def facts(device):
    """Return what provenance says of a device: its name, the most of its memory held so far."""
    if device.type == "cpu":
        return {"device": "cpu"}
    return {
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device),
        "peak_device_memory_mb": torch.cuda.max_memory_reserved(device) // 2**20,
    }
