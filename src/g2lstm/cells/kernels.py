"""Which training kernel a layer runs on: cuDNN on CUDA; on a CPU C++, else PyTorch calls.

The choice is made once a process and device, and said aloud when it is not the fast one.
"""

import functools
import sys

import torch

from g2lstm.cells import build, cudnn, native, pytorch
from g2lstm.cells.counter import GumbelNoise, WeightDrop
from g2lstm.cells.gates import GatePolicy
from g2lstm.errors import UserError

KERNELS = {"native": native.lstm, "pytorch": pytorch.lstm, "cudnn": cudnn.lstm}
_wanted = "auto"


def want(name):
    """Ask for a kernel by name for the rest of the process; "auto" takes the fastest that works.

    Raises UserError when it does not work here.
    """
    global _wanted
    _wanted = name
    choose.cache_clear()
    if name == "native" and (problem := _problem(torch.float32)):
        raise UserError(f"kernel = native cannot be used: {problem}; set kernel to auto")


def lstm(x, *others, **options):
    """Run the chosen kernel; the contract is that of :func:`g2lstm.cells.reference.lstm`."""
    return KERNELS[choose(x.device.type, x.dtype)](x, *others, **options)


@functools.cache
def choose(device_type, dtype=torch.float32):
    """Return the name of the kernel for tensors of ``dtype`` on a kind of device."""
    if _wanted in ("pytorch", "cudnn"):
        return _wanted
    if device_type != "cpu":
        if _wanted == "native":
            raise UserError("kernel = native is for CPUs; set kernel to auto or device to cpu")
        return "cudnn"
    problem = _problem(dtype)
    if problem:
        print(f"note: training without the C++ kernel, slower ({problem})", file=sys.stderr)
        return "pytorch"
    return "native"


def _problem(dtype):
    """Return why the C++ kernel cannot be used for ``dtype`` here, or an empty string."""
    try:
        native.library(dtype)
    except build.Unavailable as reason:
        return str(reason)
    return "" if _agrees(dtype) else f"it fails its self-check in {dtype}"


@torch.enable_grad()
@torch.random.fork_rng(devices=[])
def _agrees(dtype):
    """Compare the C++ kernel with the PyTorch calls on a small layer, gradients included."""
    torch.manual_seed(0)
    steps, batch, inputs, hidden = 3, 5, 7, 33
    shapes = [(steps, batch, inputs), (batch, hidden), (batch, hidden)]
    shapes += [(4 * hidden, inputs), (4 * hidden, hidden), (4 * hidden,)]
    arguments = [torch.randn(shape, dtype=dtype).mul_(0.3).requires_grad_() for shape in shapes]
    noise = GumbelNoise(steps, batch, hidden, GatePolicy("gumbel", tau=0.9, p=0.2))
    drop = WeightDrop(4 * hidden, hidden, 0.3)
    results = []
    for kernel in (KERNELS["native"], pytorch.lstm):
        outputs = kernel(*arguments, noise, drop, 0.9)
        results.append([*outputs, *torch.autograd.grad(outputs[0].sin().sum(), arguments)])
    tolerance = {torch.float64: 1e-9, torch.float32: 1e-4}.get(dtype, 5e-2)
    return all((a - b).norm() <= tolerance * b.norm() for a, b in zip(*results, strict=True))
