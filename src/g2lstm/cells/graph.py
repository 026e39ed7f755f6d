"""Training kernel for CUDA: one product and one Triton kernel a step, all steps one CUDA graph.

To launch a kernel takes longer than most of the steps' kernels run, so the steps of a chunk are
recorded once for each shape and then replayed as a whole. A graph reads and writes fixed buffers,
which all chunks and layers of a shape share: what the backward pass needs is copied out of them
after the forward pass, and back into them before its own.

On a CPU the same steps run on the same buffers without a graph; Triton's interpreter
(``TRITON_INTERPRET=1``) stands in for the compiler there. That is for tests: it is very slow.
"""

import functools

import torch
from torch.autograd.function import once_differentiable

from g2lstm.cells.build import Unavailable
from g2lstm.cells.counter import noise_table
from g2lstm.precision import product

GRAPHS = 256  # shapes whose graphs are kept: chunks of some eighty lengths, layers of two widths
CAPACITY = 64  # buffers have room for a multiple of so many steps


@functools.cache
def cells():
    """Return the module of the Triton kernels; raise build.Unavailable where there is no Triton."""
    try:
        from g2lstm.cells import triton_cell
    except ImportError as error:
        raise Unavailable(f"Triton cannot be imported ({error})") from error
    return triton_cell


def lstm(x, h0, c0, weight_ih, weight_hh, bias, noise=None, drop=None, tau=1.0, operands=None):
    """Same contract as :func:`g2lstm.cells.reference.lstm`; CUDA."""
    if drop is not None:
        weight_hh = weight_hh * drop.factor(weight_hh.dtype)
    return _LSTM.apply(x, h0, c0, weight_ih, weight_hh, bias, noise, tau, operands or x.dtype)


class _LSTM(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, h0, c0, weight_ih, weight_hh, bias, noise, tau, operands):
        steps, batch, inputs = x.shape
        hidden = weight_hh.shape[1]
        rows = x.reshape(steps * batch, inputs).to(operands)
        weight_ih, weight_hh = weight_ih.to(operands), weight_hh.to(operands)
        key = None if noise is None else (noise.limit, noise.eps)
        exact = not torch.backends.cuda.matmul.allow_tf32  # a graph keeps what it was recorded with
        ctx.chunk = _chunk(steps, batch, hidden, operands, x.device, tau, key, exact)
        ctx.chunk.project(rows, weight_ih, bias)
        gates, h, c = ctx.chunk.forward(weight_hh, h0, c0, noise)
        ctx.save_for_backward(rows, weight_ih, weight_hh, gates, h, c)
        y = h[1:].to(x.dtype, copy=True)
        return y, y[-1].clone(), c[-1].to(x.dtype, copy=True)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_h, grad_c):
        rows, weight_ih, weight_hh, gates, h, c = ctx.saved_tensors
        delta, d_h, d_c = ctx.chunk.backward(weight_hh, gates, c, grad_y, grad_h, grad_c)
        steps, batch, hidden = len(gates), *c.shape[1:]
        delta = delta.view(steps * batch, 4 * hidden)

        def wide(a, b):
            return product(a, b, torch.empty(len(a), b.shape[1], dtype=c.dtype, device=a.device))

        d_x = wide(delta, weight_ih).view(steps, batch, -1) if ctx.needs_input_grad[0] else None
        d_weight_hh = wide(delta.T, h[:-1].view(steps * batch, hidden))
        d_bias = delta.sum(0, dtype=c.dtype)
        return d_x, d_h, d_c, wide(delta.T, rows), d_weight_hh, d_bias, None, None, None


class _Buffers:
    """Where chunks of up to ``steps`` steps compute: ``operands`` of products, and wider sums."""

    def __init__(self, steps, batch, hidden, operands, device):
        state = torch.promote_types(operands, torch.float32)

        def new(*shape, dtype=state):
            return torch.empty(*shape, dtype=dtype, device=device)

        self.recurrent = new(4 * hidden, hidden, dtype=operands)
        self.gates = new(steps, batch, 4 * hidden)
        self.h = new(steps + 1, batch, hidden, dtype=operands)
        self.c = new(steps + 1, batch, hidden)
        self.product = new(batch, 4 * hidden)
        self.row_keys = new(steps, batch, dtype=torch.int32)
        self.column_keys = new(hidden, dtype=torch.int32)
        self.d_y = new(steps, batch, hidden)
        self.d_h, self.d_c = new(batch, hidden), new(batch, hidden)
        self.delta = new(steps, batch, 4 * hidden, dtype=operands)


@functools.lru_cache(maxsize=16)
def _buffers(*arguments):
    return _Buffers(*arguments)


@functools.lru_cache(maxsize=GRAPHS)
def _chunk(steps, batch, hidden, operands, device, tau, noise, exact):
    room = -(-steps // CAPACITY) * CAPACITY
    return _Chunk(_buffers(room, batch, hidden, operands, device), steps, tau, noise, device)


class _Chunk:
    """The steps of one shape of chunk, forward and backward.

    ``noise`` is limit and ε of the gate noise, or None.
    """

    def __init__(self, buffers, steps, tau, noise, device):
        self.buffers, self.steps, self.slope = buffers, steps, 1 / tau
        self.table = None
        if noise is not None:
            self.limit = noise[0]
            self.table = noise_table(*noise, buffers.c.dtype, device)
        self._run_forward = _recorded(self._forward_steps, device)
        self._run_backward = _recorded(self._backward_steps, device)

    def project(self, rows, weight_ih, bias):
        """Write the part of the pre-activations that does not depend on the recurrence."""
        gates = self.buffers.gates[: self.steps].flatten(0, 1)
        product(rows, weight_ih.T, gates, bias.to(gates.dtype))

    def forward(self, recurrent, h0, c0, noise):
        """Return gates, hidden states and cell states of all steps, the first states included."""
        b, steps = self.buffers, self.steps
        b.recurrent.copy_(recurrent)
        b.h[0].copy_(h0)
        b.c[0].copy_(c0)
        if noise is not None:
            b.row_keys[:steps].view(-1).copy_(noise.halves.row_keys)
            b.column_keys.copy_(noise.halves.column_keys[: len(b.column_keys)])
        self._run_forward()
        return b.gates[:steps].clone(), b.h[: steps + 1].clone(), b.c[: steps + 1].clone()

    def backward(self, recurrent, gates, c, d_y, d_h, d_c):
        """Return the gradients of the pre-activations, and copies of those of the first state.

        The former last until the next call of any chunk.
        """
        b, steps = self.buffers, self.steps
        b.recurrent.copy_(recurrent)
        b.gates[:steps].copy_(gates)
        b.c[: steps + 1].copy_(c)
        b.d_y[:steps].copy_(d_y)
        b.d_h.copy_(d_h)
        b.d_c.copy_(d_c)
        self._run_backward()
        return b.delta[:steps], b.d_h.clone(), b.d_c.clone()

    def _forward_steps(self):
        b, cell = self.buffers, cells()
        for t in range(self.steps):
            product(b.h[t], b.recurrent.T, b.product)
            noise = None
            if self.table is not None:
                noise = (b.row_keys[t], b.column_keys, self.table, self.limit)
            cell.forward(
                b.gates[t], b.product, b.c[t], b.c[t + 1], b.h[t + 1], noise, self.slope
            )  # fmt: skip

    def _backward_steps(self):
        b, cell = self.buffers, cells()
        for t in reversed(range(self.steps)):
            cell.backward(
                b.gates[t], b.c[t], b.c[t + 1], b.d_y[t], b.d_h, b.d_c, b.delta[t], self.slope
            )
            product(b.delta[t], b.recurrent, b.d_h)


def _recorded(run, device):
    """Return ``run`` itself, or on CUDA what replays the kernels that it launches.

    ``run`` must launch the same kernels on the same memory whenever it is called, and wait for
    nothing.
    """
    if device.type != "cuda":
        return run
    # What happens on a first call alone must not happen in a recording: Triton compiles, cuBLAS
    # takes its workspace, which belongs to a stream. Hence one call before it, on its stream.
    stream, current = _recording_stream(device), torch.cuda.current_stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        run()
    current.wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph, stream=stream):
            run()
    finally:
        torch.cuda.set_stream(current)  # a recording that fails does not put it back
    return graph.replay


@functools.cache
def _recording_stream(device):
    return torch.cuda.Stream(device)
