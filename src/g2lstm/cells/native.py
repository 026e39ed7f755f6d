"""Training kernel in C++ (``cpp/lstm.h``): noise and weight drop are drawn inside the recurrence.

The products that do not depend on the recurrence are PyTorch's, as in :mod:`g2lstm.cells.pytorch`.
"""

import ctypes
import functools
from ctypes import POINTER, Structure, c_double, c_float, c_int, c_int32, c_int64, c_void_p

import torch
from torch.autograd.function import once_differentiable

from g2lstm.cells import build
from g2lstm.precision import product as stock_product

PANEL = 64  # columns, as in cpp/numbers.h
TYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float64: 2}


class Sizes(Structure):
    """Steps, batch, hidden units, and units of a stored row of hidden states."""

    _fields_ = [(name, c_int64) for name in ("steps", "batch", "hidden", "padded")]


class AttentionSizes(Structure):
    """Sizes of the attention layer (``cpp/attention.h``)."""

    _fields_ = [
        (name, c_int64)
        for name in ("steps", "batch", "hidden", "source", "annotation", "attention")
    ]


class Noise(Structure):
    """What names the gate noise; ``limit`` 0 is none."""

    _fields_ = [("rows", c_void_p), ("columns", c_void_p), ("limit", c_double), ("eps", c_double)]


class Drop(Structure):
    """What names the weight-drop mask; ``limit`` 0 is none."""

    _fields_ = [("rows", c_void_p), ("columns", c_void_p), ("limit", c_int32)]


class Groups(Structure):
    """Group variables of a chunk, their gradients, and what the gates' factors multiply."""

    _fields_ = [(name, c_void_p) for name in ("gates", "hidden", "products", "d_gates", "d_hidden")]


class Surrogate(Structure):
    """Constants of the approximate divergence of Bayesian variables (``cpp/variables.h``)."""

    _fields_ = [(name, c_float) for name in ("scale", "k", "peak", "far", "low", "high")]


@functools.cache
def library(dtype):
    """Return the library, ready for operands of ``dtype``; raise build.Unavailable when it is not.

    What a step of the kernel needs of the CPU is tried once, outside its threads.
    """
    found = build.load()
    found.unusable.restype = ctypes.c_char_p
    sizes, pointer = POINTER(Sizes), c_void_p
    found.lstm_forward.argtypes = [
        c_int, sizes, pointer, pointer, Noise, pointer, Drop, c_double, Groups, pointer, pointer,
        pointer,
    ]  # fmt: skip
    found.lstm_backward.argtypes = [
        c_int, sizes, pointer, pointer, pointer, pointer, Drop, c_double, Groups, pointer, pointer,
        pointer, pointer,
    ]  # fmt: skip
    found.draw.argtypes = [c_int64, *[pointer] * 4]
    found.surrogate_gradient.argtypes = [
        c_int64, pointer, pointer, POINTER(Surrogate), pointer, pointer,
    ]  # fmt: skip
    found.drop_weights.argtypes = [c_int, c_int64, c_int64, pointer, Drop]
    found.pack.argtypes = [c_int, c_int64, c_int64, pointer, pointer]
    found.product.argtypes = [c_int, c_int64, c_int64, c_int64, pointer, pointer, pointer, c_int]
    found.softmax_loss.argtypes = [c_int, c_int64, c_int64, *[pointer] * 5]
    found.softmax_loss.restype = c_double
    found.energies.argtypes = [c_int, *[c_int64] * 4, *[pointer] * 4]
    start = [c_int, POINTER(AttentionSizes), c_double, pointer]
    found.attention_forward.argtypes = [*start, Noise, Noise, pointer, pointer]
    found.attention_backward.argtypes = [*start, pointer, pointer, pointer, pointer]
    functions = ("lstm_forward", "lstm_backward", "drop_weights", "pack", "product")
    functions += ("energies", "attention_forward", "attention_backward")
    for name in (*functions, "draw", "surrogate_gradient"):
        getattr(found, name).restype = None
    problem = found.unusable(TYPES[dtype])
    if problem:
        raise build.Unavailable(f"{dtype}: {problem.decode().splitlines()[0]}")
    return found


class Packed:
    """A matrix (K, columns), float32 or bfloat16, laid out to be multiplied from the left."""

    def __init__(self, matrix):
        matrix = matrix.contiguous()
        self.length, self.columns = matrix.shape
        even, panels = self.length + self.length % 2, -(-self.columns // PANEL)
        self.panels = matrix.new_empty(panels * even * PANEL)
        library(matrix.dtype).pack(
            TYPES[matrix.dtype], *matrix.shape, matrix.data_ptr(), self.panels.data_ptr()
        )

    def product(self, a, out, add=False):
        """Write ``a`` times this to ``out``, or add it; ``out`` is contiguous and float32."""
        a, kind = a.contiguous(), self.panels.dtype
        library(kind).product(
            TYPES[kind], len(a), self.length, self.columns, a.data_ptr(), self.panels.data_ptr(),
            out.data_ptr(), add,
        )  # fmt: skip
        return out


def product(a, b, out=None, add=False):
    """Write ``a · b`` to ``out``, or add it; without ``out`` return it in the type of both.

    ``out`` is contiguous and float32, as are the sums; the operands are float32 or bfloat16. On
    AMD's CPUs with vectors of 512 bits this takes half the time of PyTorch's float32 product, whose
    library does not use them there; where vectors have 256 bits that library is the faster one.
    """
    if out is None:
        if a.dtype != torch.float32:
            return torch.mm(a, b)
        out = a.new_empty(len(a), b.shape[1])
    if stock_is_faster(a.dtype):
        return stock_product(a, b, out, out if add else None)
    return Packed(b).product(a, out, add)


def transposed(matrix):
    """Return the transpose of ``matrix``, which :func:`product` then takes as ``a`` any number of
    times without a copy of its own.
    """
    stock = matrix.is_cuda or stock_is_faster(matrix.dtype)
    return matrix.T if stock else matrix.T.contiguous()


def stock_is_faster(dtype):
    """Tell whether PyTorch's own product of operands of ``dtype`` is faster than the one here."""
    return dtype == torch.float32 and torch.backends.cpu.get_cpu_capability() != "AVX512"


def softmax_loss(logits, bias, targets, d_bias, operands):
    """Return loss and gradient of a block of tokens; ``logits`` (words, tokens) are overwritten.

    The loss is the sum of the cross-entropies in nats of ``logits`` plus ``bias`` (words), the
    gradient that with respect to the logits, of type ``operands`` (float32 or bfloat16); its sums
    over tokens are added to ``d_bias``. ``targets``: int64 (tokens).
    """
    delta = logits if operands == torch.float32 else torch.empty_like(logits, dtype=operands)
    bias, targets = bias.contiguous(), targets.contiguous()
    loss = library(operands).softmax_loss(
        TYPES[operands], *logits.shape, bias.data_ptr(), targets.data_ptr(), logits.data_ptr(),
        delta.data_ptr(), d_bias.data_ptr(),
    )  # fmt: skip
    return loss, delta


def draw(mean, log_sigma):
    """Return ``(σ·ε, μ + σ·ε)`` with ε from PyTorch's generator; float32 and contiguous."""
    noise = torch.randn_like(mean)
    value = torch.empty_like(mean)
    library(torch.float32).draw(
        mean.numel(), mean.data_ptr(), log_sigma.data_ptr(), noise.data_ptr(), value.data_ptr()
    )
    return noise, value


def surrogate_gradient(mean, log_sigma, d_mean, d_log_sigma, **constants):
    """Add the gradient of the approximate divergence; all float32, contiguous, of one shape."""
    pointers = (each.data_ptr() for each in (mean, log_sigma))
    gradients = (each.data_ptr() for each in (d_mean, d_log_sigma))
    library(torch.float32).surrogate_gradient(
        mean.numel(), *pointers, Surrogate(**constants), *gradients
    )


def lstm(
    x, h0, c0, weight_ih, weight_hh, bias, noise=None, drop=None, tau=1.0, operands=None,
    z_hidden=None, z_gates=None,
):  # fmt: skip
    """Same contract as :func:`g2lstm.cells.reference.lstm`; on the CPU.

    ``operands`` is the type of both sides of a product (bfloat16, float32 or float64; None: that
    of ``x``). State, gates and sums have the type of ``x``, or float32 for bfloat16. Group
    variables are those of :func:`g2lstm.cells.grouped.lstm`.
    """
    operands = operands or x.dtype
    return _LSTM.apply(
        x, h0, c0, weight_ih, weight_hh, bias, noise, drop, tau, operands, z_hidden, z_gates
    )


class _LSTM(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, x, h0, c0, weight_ih, weight_hh, bias, noise, drop, tau, operands, z_hidden, z_gates
    ):
        steps, batch, inputs = x.shape
        hidden = weight_hh.shape[1]
        state = torch.promote_types(operands, torch.float32)
        # The micro-kernel takes bfloat16 in pairs: an odd row gets one more zero.
        padded = hidden + hidden % 2 if operands == torch.bfloat16 else hidden
        rows = x.reshape(steps * batch, inputs).to(operands)
        weight_ih, recurrent = weight_ih.to(operands), weight_hh.to(state).contiguous()
        bias = bias.to(state).contiguous()
        projected = product(rows, weight_ih.T)
        # Gates may take the place of what they are computed from, element by element.
        gates = projected if operands == state else projected.to(state)
        h = torch.empty(steps + 1, batch, padded, dtype=operands)
        h[:, :, hidden:] = 0
        c = torch.empty(steps + 1, batch, hidden, dtype=state)
        h[0, :, :hidden], c[0] = h0, c0
        ctx.sizes, ctx.tau = Sizes(steps, batch, hidden, padded), tau
        ctx.drop, ctx.keys = _drop(drop), drop  # the keys live as long as pointers to them
        z_hidden, z_gates = (
            None if z is None else z.to(state).contiguous() for z in (z_hidden, z_gates)
        )
        products = None if z_gates is None else torch.empty_like(gates)
        library(operands).lstm_forward(
            TYPES[operands], ctx.sizes, projected.data_ptr(), bias.data_ptr(), named_noise(noise),
            recurrent.data_ptr(), ctx.drop, tau, _groups(z_gates, z_hidden, products),
            gates.data_ptr(), c.data_ptr(), h.data_ptr(),
        )  # fmt: skip
        ctx.save_for_backward(rows, weight_ih, recurrent, gates, h, c, z_gates, z_hidden, products)
        y = h[1:, :, :hidden].to(x.dtype, copy=True)
        return y, y[-1].clone(), c[-1].to(x.dtype, copy=True)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_h, grad_c):
        rows, weight_ih, recurrent, gates, h, c, *groups = ctx.saved_tensors
        d_groups = [None if z is None else torch.zeros_like(z) for z in groups[:2]]
        steps, batch, hidden = len(c) - 1, *c.shape[1:]
        operands, state, kind = h.dtype, c.dtype, grad_y.dtype
        compiled = library(operands)
        grad_y = grad_y.to(state).contiguous()
        d_h, d_c = (g.to(state, copy=True).contiguous() for g in (grad_h, grad_c))
        delta = torch.empty(steps * batch, 4 * hidden, dtype=operands)
        d_bias = torch.zeros(4 * hidden, dtype=state)
        compiled.lstm_backward(
            TYPES[operands], ctx.sizes, grad_y.data_ptr(), gates.data_ptr(), c.data_ptr(),
            recurrent.data_ptr(), ctx.drop, ctx.tau, _groups(*groups, *d_groups), d_h.data_ptr(),
            d_c.data_ptr(), delta.data_ptr(), d_bias.data_ptr(),
        )  # fmt: skip
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = product(delta, weight_ih).view(steps, batch, -1)
        turned = transposed(delta)
        before = h[:-1].flatten(0, 1)[:, :hidden]
        d_weight_hh = product(turned, before).to(state)
        if ctx.drop.limit:
            compiled.drop_weights(
                TYPES[operands], *d_weight_hh.shape, d_weight_hh.data_ptr(), ctx.drop
            )
        d_weight_ih = product(turned, rows)
        gradients = (d_x, d_h, d_c, d_weight_ih, d_weight_hh, d_bias)
        d_gates, d_hidden = d_groups
        given = (*gradients, None, None, None, None, d_hidden, d_gates)
        return tuple(None if g is None else g.to(kind) for g in given)


def named_noise(noise):
    """Return the structure that names ``noise`` (None: no noise)."""
    if noise is None:
        return Noise(limit=0)
    rows, columns = noise.halves.row_keys, noise.halves.column_keys
    return Noise(rows.data_ptr(), columns.data_ptr(), noise.limit, noise.eps)


def _groups(*tensors):
    """Return the structure with the addresses of group variables; None: there is none."""
    return Groups(*(None if each is None else each.data_ptr() for each in tensors))


def _drop(drop):
    if drop is None:
        return Drop(limit=0)
    return Drop(drop.halves.row_keys.data_ptr(), drop.halves.column_keys.data_ptr(), drop.limit)
