"""Choice of the device, of the number of CPU threads, and of how memory is allocated."""

import contextlib
import ctypes

import torch

from g2lstm.errors import UserError

# Parameters of glibc's mallopt.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3


def choose(name, threads=None):
    """Return the torch device called ``name`` (auto, cpu, cuda or cuda:N) and set the threads.

    ``auto`` is a CUDA device when there is one, else the CPU. Raises UserError when the device
    does not exist.
    """
    _keep_freed_memory()
    if threads is not None:
        torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    count = torch.cuda.device_count()
    device = torch.device(name)
    if device.type != "cuda" or (device.index or 0) >= count:
        raise UserError(
            f"device = {name} does not exist here ({count} CUDA devices found); "
            "set device to cpu or auto"
        )
    torch.cuda.set_device(device)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    return device


def _keep_freed_memory():
    """Let the process keep the large blocks it frees: the next step needs them again.

    By default glibc maps such a block afresh each time, and the page faults cost a quarter of a
    training step. Where there is no glibc, nothing changes.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
