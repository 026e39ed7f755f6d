"""Training kernel of the attention layer in C++ (``cells/cpp/attention.h``)."""

from ctypes import c_void_p

import torch
from torch.autograd.function import once_differentiable

from g2lstm.cells.native import TYPES, AttentionSizes, library, named_noise, product


def attention_lstm(
    projected, h0, annotations, keys, mask, weight_hh, weight_query, score,
    weight_nl, weight_ctx, bias_nl, first=None, second=None, tau=1.0,
):  # fmt: skip
    """Same contract as :func:`g2lstm.nmt.attention.attention_lstm`; on the CPU."""
    return _AttentionLSTM.apply(
        projected, h0, annotations, keys, mask, weight_hh, weight_query, score,
        weight_nl, weight_ctx, bias_nl, first, second, tau,
    )  # fmt: skip


class _AttentionLSTM(torch.autograd.Function):
    @staticmethod
    def forward(ctx, projected, *others):
        *inputs, first, second, tau = others
        projected, *inputs = (x.detach().contiguous() for x in (projected, *inputs))
        h0, annotations, keys = inputs[:3]
        (steps, batch), hidden = projected.shape[:2], h0.shape[1]
        source, annotation, attention = *annotations.shape[1:], keys.shape[2]
        new = projected.new_empty
        states = [
            new(steps, 2, batch, 4 * hidden),  # gates
            new(2 * steps + 1, batch, hidden),  # h before, between and after the transitions
            new(2 * steps + 1, batch, hidden),  # c likewise
            new(steps, batch, attention),  # queries
            new(steps, batch, source),  # weights
            new(steps, batch, annotation),  # contexts
        ]
        states[1][0], states[2][0] = h0, 0.0
        ctx.sizes = AttentionSizes(steps, batch, hidden, source, annotation, attention)
        ctx.tau = tau
        library(projected.dtype).attention_forward(
            TYPES[projected.dtype], ctx.sizes, tau, projected.data_ptr(), named_noise(first),
            named_noise(second), _pointers(inputs), _pointers(states),
        )  # fmt: skip
        ctx.save_for_backward(*inputs, *states)
        return states[1][2::2].clone(), states[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_contexts):
        inputs, states = ctx.saved_tensors[:-6], ctx.saved_tensors[-6:]
        score = inputs[6]
        gates, h, _, queries, weights, contexts = states
        grad_y, d_contexts = grad_y.contiguous(), grad_contexts.clone().contiguous()
        delta, d_query = torch.empty_like(gates), torch.empty_like(queries)
        d_keys, d_h = torch.zeros_like(inputs[2]), torch.empty_like(h[0])
        d_score = score.new_zeros(len(h[0]), len(score))  # a row for each example
        d_bias = score.new_zeros(gates.shape[3])
        library(h.dtype).attention_backward(
            TYPES[h.dtype], ctx.sizes, ctx.tau, grad_y.data_ptr(), d_bias.data_ptr(),
            _pointers(inputs), _pointers(states),
            _pointers([delta, d_contexts, d_query, d_keys, d_score, d_h]),
        )  # fmt: skip
        d_annotations = torch.bmm(weights.permute(1, 2, 0), d_contexts.transpose(0, 1))
        d_first = delta[:, 0]
        to_first, to_second = (delta[:, k].flatten(0, 1).T.contiguous() for k in range(2))
        before, between = h[0:-1:2].flatten(0, 1), h[1::2].flatten(0, 1)
        return (
            d_first, d_h, d_annotations, d_keys, None, product(to_first, before),
            product(d_query.flatten(0, 1).T, between), d_score.sum(0), product(to_second, between),
            product(to_second, contexts.flatten(0, 1)), d_bias, None, None, None,
        )  # fmt: skip


def energies(query, keys, score):
    """Same contract as :func:`g2lstm.nmt.attention.energies`; on the CPU."""
    query, keys, score = (x.contiguous() for x in (query, keys, score))
    (n, k, attention), source = query.shape, keys.shape[1]
    out = query.new_empty(n, k, source)
    library(query.dtype).energies(
        TYPES[query.dtype], n, k, source, attention, query.data_ptr(), keys.data_ptr(),
        score.data_ptr(), out.data_ptr(),
    )  # fmt: skip
    return out


def _pointers(tensors):
    """Return the addresses of ``tensors`` as an array; the caller keeps them alive."""
    return (c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
