"""Precision of training: of which type the operands of products are. Sums are float32 throughout.

========  ==================================================================================
float32   all digits
tf32      CUDA alone: its products round their operands to 10 binary digits
bfloat16  LSTM layers, linear layers and softmax round their operands to 7 binary digits
========  ==================================================================================

The setting holds for the process. Weights, cell states, optimiser and evaluation are float32.
"""

import functools
from contextlib import contextmanager

import torch

from g2lstm.errors import UserError

_precision = "float32"


def use(name, device_type):
    """Train in precision ``name`` from here on; raise UserError when the device has no such one."""
    global _precision
    if name == "tf32" and device_type != "cuda":
        raise UserError("precision = tf32 needs a CUDA device; set precision to float32")
    _precision = name
    _allow_tf32(name == "tf32")


@contextmanager
def full():
    """Within the block, products have all digits."""
    _allow_tf32(False)
    try:
        yield
    finally:
        _allow_tf32(_precision == "tf32")


@functools.cache
def multiplies_bfloat16():
    """Tell whether the CPU has instructions for products of bfloat16."""
    found = getattr(torch.cpu, "get_capabilities", dict)()  # PyTorch 2.11 may have none
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def operands(dtype):
    """Return the type of the operands of products whose sums have type ``dtype``."""
    return torch.bfloat16 if _precision == "bfloat16" and dtype == torch.float32 else dtype


def operand(tensor):
    """Return ``tensor`` as an operand of a product."""
    return tensor.to(operands(tensor.dtype))


def rounded(tensor, kind):
    """Return ``tensor`` with its numbers rounded to type ``kind``, in the type it has."""
    return tensor.to(kind).to(tensor.dtype)


def round_(tensor, kind):
    """Round the numbers of ``tensor`` to type ``kind``, in place."""
    if tensor.dtype != kind:
        tensor.copy_(tensor.to(kind))


def product(a, b, out, add=None):
    """Write ``a · b``, plus ``add``, to ``out``; sums have its type, operands may be narrower.

    PyTorch has no product of bfloat16 with float32 sums for CPUs: there operands are widened.
    """
    if a.dtype != out.dtype and not a.is_cuda:
        a, b = a.to(out.dtype), b.to(out.dtype)
    if add is None:
        types = () if a.dtype == out.dtype else (out.dtype,)
        return torch.mm(a, b, *types, out=out)
    if a.dtype == out.dtype:
        return torch.addmm(add, a, b, out=out)
    return torch.add(add, torch.mm(a, b, out.dtype), out=out)


def _allow_tf32(allowed):
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
