"""A linear layer on the products of the chosen kernel, in the precision of training."""

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from g2lstm.cells.kernels import product
from g2lstm.precision import operand


def linear(x, weight, bias=None):
    """Return ``x · weightᵀ + bias``, (..., outputs), of ``x`` (..., inputs).

    Where gradients are wanted, the operands of products are those of :mod:`g2lstm.precision`.
    """
    if not torch.is_grad_enabled():
        return F.linear(x, weight, bias)
    y = _Linear.apply(x.flatten(0, -2), weight)
    return (y if bias is None else y + bias).unflatten(0, x.shape[:-1])


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        rows, matrix = operand(x), operand(weight)
        ctx.save_for_backward(rows, matrix)
        return product(rows, matrix.T, x.new_empty(len(x), len(weight)))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        rows, matrix = ctx.saved_tensors
        delta = operand(grad)
        d_x = product(delta, matrix, grad.new_empty(rows.shape))
        return d_x, product(delta.T, rows, grad.new_empty(matrix.shape))
