"""Cross-entropy of a softmax layer in blocks of rows: the logits of a chunk never exist as a whole.

With a vocabulary of 10,000 the logits are the largest array of a training step. A block of rows
stays in the processor's cache, where its loss and its gradient are formed at once. On a GPU calls
are what costs time: there one block takes all rows.
"""

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from g2lstm.cells.kernels import product, softmax_loss
from g2lstm.cells.native import transposed
from g2lstm.precision import operand

ROWS = 256


def linear_cross_entropy(x, weight, bias, targets, rows=None):
    """Return the mean cross-entropy (nats) of ``softmax(x · weightᵀ + bias)``.

    ``x`` is (tokens, units), ``weight`` (vocabulary, units), ``bias`` (vocabulary), ``targets``
    (tokens). Equal to ``F.cross_entropy(F.linear(x, weight, bias), targets)``; where gradients are
    wanted, the operands of products are those of :mod:`g2lstm.precision`.
    """
    rows = rows or (len(x) if x.is_cuda else ROWS)
    if not torch.is_grad_enabled():
        parts = zip(x.split(rows), targets.split(rows), strict=True)
        total = sum(
            F.cross_entropy(F.linear(a, weight, bias), b, reduction="sum") for a, b in parts
        )
        return total / len(x)
    return _LinearCrossEntropy.apply(x, weight, bias, targets, rows)


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, targets, rows):
        tokens = len(x)
        loss = x.new_zeros(())
        d_x, d_weight, d_bias = (
            torch.empty_like(x),
            torch.zeros_like(weight, memory_format=torch.contiguous_format),
            torch.zeros_like(bias),
        )
        buffer = x.new_empty(len(weight) * min(rows, tokens))
        x, weight = operand(x), operand(weight)
        turned = transposed(weight)
        for start in range(0, tokens, rows):
            part = slice(start, min(start + rows, tokens))
            count = part.stop - start
            # A column for each token: the weights, which are large, stay as they are.
            logits = buffer[: len(weight) * count].view(len(weight), count)
            product(weight, x[part].T, logits)
            nats, delta = softmax_loss(logits, bias, targets[part], d_bias)
            loss += nats
            product(delta, x[part], d_weight, add=True)
            d_x[part] = product(turned, delta, d_x.new_empty(len(turned), count)).T
        ctx.save_for_backward(d_x, d_weight, d_bias)
        return loss / tokens

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        d_x, d_weight, d_bias = ctx.saved_tensors
        scale = grad / len(d_x)
        return d_x * scale, d_weight * scale, d_bias * scale, None, None
