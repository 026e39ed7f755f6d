"""Gates and cell state of one step in one Triton kernel, and their derivatives in another.

Arrays are dense, (batch, units) or (batch, 4 · hidden) with the gates in the order input, forget,
candidate, output. A program computes BLOCK of all units of all examples. Noise is drawn by keys, as
in :mod:`g2lstm.cells.counter`. Imported only where Triton is installed.
"""

import triton
import triton.language as tl

BLOCK = 128  # one for each thread of a program, and enough programs for all multiprocessors


def forward(gates, product, c_old, c_new, h_new, noise, slope):
    """Turn the pre-activations ``gates`` + ``product`` into gate values, in place of the former.

    ``slope`` is 1 / τ of input and forget gate. Writes the new cell state and hidden state. For
    ``noise``: row keys of the step, column keys, table of values, its ``limit``; or None.
    """
    named = (gates,) * 3 + (0,) if noise is None else noise  # pointers that nobody reads
    _forward[_grid(c_old)](
        gates, product, c_old, c_new, h_new, *named, c_old.numel(), c_old.shape[1],
        noisy=noise is not None, slope=slope, block=BLOCK,
    )  # fmt: skip


def backward(gates, c_old, c_new, d_y, d_h, d_c, delta, slope):
    """Write the gradient with respect to a step's pre-activations to ``delta``.

    ``gates``, ``c_old`` and ``c_new`` are those of :func:`forward`; ``d_y`` + ``d_h`` is the
    gradient of its hidden state, ``d_c`` that of its cell state, afterwards that of ``c_old``.
    """
    _backward[_grid(c_old)](
        gates, c_old, c_new, d_y, d_h, d_c, delta, c_old.numel(), c_old.shape[1],
        slope=slope, block=BLOCK,
    )  # fmt: skip


def _grid(units):
    return (triton.cdiv(units.numel(), BLOCK),)


@triton.jit
def _sigmoid(x):
    return 1 / (1 + tl.exp(-x))


@triton.jit
def _tanh(x):
    return 2 * _sigmoid(2 * x) - 1


@triton.jit
def _mix(words):
    words = (words ^ (words >> 16)) * 0x7FEB352D
    words = (words ^ (words >> 15)) * 0x846CA68B
    return words ^ (words >> 16)


@triton.jit
def _drawn(table, number, limit, inside):
    """Return B·L of 16-bit numbers, read as signed ones: 0 but for the lowest ``limit``."""
    index = (number ^ 0x8000).to(tl.int32)  # the number less the lowest one
    return tl.load(table + index, mask=inside & (index < limit), other=0)


@triton.jit
def _forward(
    gates, product, c_old, c_new, h_new, row_keys, column_keys, table, limit, count, hidden,
    noisy: tl.constexpr, slope: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    state = tl.program_id(0) * block + tl.arange(0, block)  # place in an array of units
    inside = state < count
    row, unit = state // hidden, state % hidden
    at = row * 4 * hidden + unit  # place of the input gate in an array of gates
    i = tl.load(gates + at, inside) + tl.load(product + at, inside)
    f = tl.load(gates + at + hidden, inside) + tl.load(product + at + hidden, inside)
    g = tl.load(gates + at + 2 * hidden, inside) + tl.load(product + at + 2 * hidden, inside)
    o = tl.load(gates + at + 3 * hidden, inside) + tl.load(product + at + 3 * hidden, inside)
    if noisy:
        key = tl.load(row_keys + row, inside).to(tl.uint32, bitcast=True)
        words = _mix(key ^ tl.load(column_keys + unit, inside).to(tl.uint32, bitcast=True))
        i += _drawn(table, words & 0xFFFF, limit, inside)
        f += _drawn(table, words >> 16, limit, inside)
    i, f, g, o = _sigmoid(i * slope), _sigmoid(f * slope), _tanh(g), _sigmoid(o)
    tl.store(gates + at, i, inside)
    tl.store(gates + at + hidden, f, inside)
    tl.store(gates + at + 2 * hidden, g, inside)
    tl.store(gates + at + 3 * hidden, o, inside)
    c = f * tl.load(c_old + state, inside) + i * g
    tl.store(c_new + state, c, inside)
    tl.store(h_new + state, o * _tanh(c), inside)


@triton.jit
def _backward(
    gates, c_old, c_new, d_y, d_h, d_c, delta, count, hidden,
    slope: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    state = tl.program_id(0) * block + tl.arange(0, block)  # place in an array of units
    inside = state < count
    row, unit = state // hidden, state % hidden
    at = row * 4 * hidden + unit  # place of the input gate in an array of gates
    i = tl.load(gates + at, inside)
    f = tl.load(gates + at + hidden, inside)
    g = tl.load(gates + at + 2 * hidden, inside)
    o = tl.load(gates + at + 3 * hidden, inside)
    tanh_c = _tanh(tl.load(c_new + state, inside))
    to_h = tl.load(d_y + state, inside) + tl.load(d_h + state, inside)
    to_c = tl.load(d_c + state, inside) + to_h * o * (1 - tanh_c * tanh_c)
    tl.store(d_c + state, to_c * f, inside)
    tl.store(delta + at, to_c * g * i * (1 - i) * slope, inside)
    to_f = to_c * tl.load(c_old + state, inside)
    tl.store(delta + at + hidden, to_f * f * (1 - f) * slope, inside)
    tl.store(delta + at + 2 * hidden, to_c * i * (1 - g * g), inside)
    tl.store(delta + at + 3 * hidden, to_h * tanh_c * o * (1 - o), inside)
