"""Choice of the device, of the number of CPU threads, and of how memory is kept."""

import ctypes

import torch

from g2lstm.errors import UserError

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

    ``auto`` is a CUDA device when there is one, else the CPU. Raises UserError when the device
    does not exist.
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
    count = torch.cuda.device_count()
    try:
        device = torch.device(name)
    except RuntimeError:  # no such name
        device = None
    if device is None or device.type != "cuda" or (device.index or 0) >= count:
        raise UserError(
            f"device = {name} does not exist here ({count} CUDA devices found); "
            "set device to cpu or auto"
        )
    torch.cuda.set_device(device)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    return device
