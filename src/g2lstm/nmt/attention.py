"""Training kernel of the attention layer: a conditional LSTM with two transitions a step.

The recurrence is a loop over target steps with a hand-written backward; what does not depend on it
(projection of the words, keys, gradients of the weights) is one product over the whole sequence.
As in :mod:`g2lstm.cells.pytorch` units come before examples inside the transitions.
"""

import torch
from torch.autograd.function import once_differentiable

from g2lstm.cells.gates import scaled
from g2lstm.cells.pytorch import backward_step, forward_step, turned
from g2lstm.nmt.pieces import pieces


def attention_lstm(
    projected, h0, annotations, keys, mask, weight_hh, weight_query, score,
    weight_nl, weight_ctx, bias_nl, first=None, second=None, tau=1.0,
):  # fmt: skip
    """Run the attention layer over a target sequence; see :func:`g2lstm.nmt.reference.decode`.

    Parameters
    ----------
    projected : (steps, batch, 4 · hidden), word input times its matrix, bias added
    h0 : (batch, hidden), the initial hidden state; the cell state starts at zero
    annotations : (batch, source, annotation), the encoder's output
    keys : (batch, source, attention), its part of the attention's hidden layer, bias added
    mask : (batch, source), 0 at words and -inf at padding
    weight_hh : (4 · hidden, hidden), recurrence of the first transition
    weight_query : (attention, hidden); score : (attention)
    weight_nl, weight_ctx, bias_nl : (4 · hidden, hidden), (4 · hidden, annotation), (4 · hidden);
        state and context inputs of the second transition
    first, second : :class:`g2lstm.cells.counter.GumbelNoise` of the two transitions, or None
    tau : temperature of the input and forget gates of both transitions

    Returns
    -------
    y : (steps, batch, hidden), the hidden states after the second transition
    contexts : (steps, batch, annotation)
    """
    weight_hh, weight_nl, weight_ctx, bias_nl, columns = scaled(
        tau, weight_hh, weight_nl, weight_ctx, bias_nl, projected.transpose(0, 2)
    )
    return _AttentionLSTM.apply(
        _with_noise(columns.transpose(0, 2), first, tau),
        _with_noise(bias_nl.expand(*projected.shape), second, tau),
        h0, annotations, keys, mask, weight_hh, weight_query, score, weight_nl, weight_ctx,
    )  # fmt: skip


def _with_noise(gates, noise, tau):
    """Add ``noise`` over τ to the pre-activations (steps, batch, 4 · hidden) of two gates."""
    if noise is None:
        return gates
    values = noise.values(gates.dtype).div_(tau)
    return gates + torch.nn.functional.pad(values, (0, values.shape[2]))


class _AttentionLSTM(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, projected, second, h0, annotations, keys, mask, weight_hh, weight_query, score,
        weight_nl, weight_ctx,
    ):  # fmt: skip
        steps, batch, hidden = *projected.shape[:2], weight_hh.shape[1]
        gates = torch.stack([turned(projected), turned(second)], 1)
        # Both transitions of step t: index 2t is the state before it, 2t + 1 that between.
        h = gates.new_empty(2 * steps + 1, hidden, batch)
        c = gates.new_empty(2 * steps + 1, hidden, batch)
        tanh_c = gates.new_empty(steps, 2, hidden, batch)
        weights = gates.new_empty(steps, batch, keys.shape[1])
        contexts = gates.new_empty(steps, batch, annotations.shape[2])
        h[0], c[0] = h0.T, 0.0
        for t in range(steps):
            old, between, new = 2 * t, 2 * t + 1, 2 * t + 2
            gates[t, 0].addmm_(weight_hh, h[old])
            forward_step(gates[t, 0], c[old], c[between], tanh_c[t, 0], h[between])
            inner = _inner(keys, h[between], weight_query)
            torch.softmax(torch.matmul(inner, score).add_(mask), 1, out=weights[t])
            torch.bmm(weights[t].unsqueeze(1), annotations, out=contexts[t].unsqueeze(1))
            gates[t, 1].addmm_(weight_nl, h[between]).addmm_(weight_ctx, contexts[t].T)
            forward_step(gates[t, 1], c[between], c[new], tanh_c[t, 1], h[new])
        ctx.save_for_backward(
            annotations, keys, weight_hh, weight_query, score, weight_nl, weight_ctx,
            gates, h, c, tanh_c, weights, contexts,
        )  # fmt: skip
        return turned(h[2::2]), contexts

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_contexts):
        (
            annotations, keys, weight_hh, weight_query, score, weight_nl, weight_ctx,
            gates, h, c, tanh_c, weights, contexts,
        ) = ctx.saved_tensors  # fmt: skip
        steps, batch = len(tanh_c), tanh_c.shape[3]
        grad_y, d_contexts = turned(grad_y), grad_contexts.clone()
        delta = torch.empty_like(gates)
        d_query = weights.new_empty(steps, batch, len(score))
        d_keys, d_score = torch.zeros_like(keys), torch.zeros_like(score)
        to_h, to_between = turned(weight_hh), turned(weight_nl)
        d_h, d_c = torch.zeros_like(h[0]), torch.zeros_like(c[0])
        for t in reversed(range(steps)):
            old, between = 2 * t, 2 * t + 1
            d_h += grad_y[t]
            backward_step(gates[t, 1], c[between], tanh_c[t, 1], d_h, d_c, delta[t, 1])
            torch.mm(to_between, delta[t, 1], out=d_h)
            d_contexts[t].addmm_(delta[t, 1].T, weight_ctx)
            inner = _inner(keys, h[between], weight_query)
            d_energy = _softmax_backward(weights[t], annotations, d_contexts[t])
            d_score += torch.mv(inner.flatten(0, 1).T, d_energy.flatten())
            d_inner = inner.square_().neg_().add_(1).mul_(score).mul_(d_energy.unsqueeze(2))
            d_keys += d_inner
            torch.sum(d_inner, 1, out=d_query[t])
            d_h.addmm_(weight_query.T, d_query[t].T)
            backward_step(gates[t, 0], c[old], tanh_c[t, 0], d_h, d_c, delta[t, 0])
            torch.mm(to_h, delta[t, 0], out=d_h)
        d_annotations = torch.einsum("tbs,tbk->bsk", weights, d_contexts)
        by_rows = turned(delta)  # (steps, 2, batch, 4 · hidden)
        d_first, d_second = by_rows[:, 0], by_rows[:, 1]
        flat_first, flat_second = d_first.flatten(0, 1), d_second.flatten(0, 1)
        before = turned(h[0:-1:2]).flatten(0, 1)
        between = turned(h[1::2]).flatten(0, 1)
        return (
            d_first, d_second, d_h.T, d_annotations, d_keys, None,
            flat_first.T @ before, d_query.flatten(0, 1).T @ between, d_score,
            flat_second.T @ between, flat_second.T @ contexts.flatten(0, 1),
        )  # fmt: skip


def _inner(keys, h, weight_query):
    """Return the attention's hidden layer (batch, source, attention) for h (hidden, batch)."""
    return torch.add(keys, torch.mm(h.T, weight_query.T).unsqueeze(1)).tanh_()


def _softmax_backward(weights, annotations, d_context):
    """Return the gradient (batch, source) with respect to the energies."""
    d_weights = torch.bmm(annotations, d_context.unsqueeze(2)).squeeze(2)
    d_weights -= (weights * d_weights).sum(1, keepdim=True)
    return d_weights.mul_(weights)


def energies(query, keys, score):
    """Return the attention's energies (n, k, source) of k hypotheses for each of n sentences.

    ``query`` (n, k, attention), ``keys`` (n, source, attention), ``score`` (attention).
    """
    parts = [
        torch.add(q.unsqueeze(2), k.unsqueeze(1), out=buffer).tanh_() @ score
        for buffer, q, k in pieces((query.shape[1], *keys.shape[1:]), query, keys)
    ]
    return torch.cat(parts)
