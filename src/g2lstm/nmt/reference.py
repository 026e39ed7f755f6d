"""The attention layer by its definition, step by step in plain autograd: slow, meant to be read."""

import torch


def decode(
    projected, h0, annotations, keys, mask, weight_hh, weight_query, score,
    weight_nl, weight_ctx, bias_nl, first=None, second=None, tau=1.0,
):  # fmt: skip
    """Run the attention layer as :func:`g2lstm.nmt.attention.attention_lstm` does.

    A step reads a word with the first transition, (h, c) -> (h1, c1); attends with
    e_j = score · tanh(W_query h1 + keys_j), context a = Σ_j softmax(e)_j · annotation_j; and takes
    the context in with the second transition, (h1, c1) -> (h2, c2).
    """
    noises = [None if noise is None else noise.values(h0.dtype) for noise in (first, second)]
    h, c = h0, torch.zeros_like(h0)
    outputs, contexts = [], []
    for t, word in enumerate(projected):
        noise_1, noise_2 = (None if noise is None else noise[t] for noise in noises)
        h, c = transition(word + h @ weight_hh.T, c, noise_1, tau)
        inner = torch.tanh(keys + (h @ weight_query.T).unsqueeze(1))
        weights = torch.softmax(inner @ score + mask, dim=1)
        context = (weights.unsqueeze(2) * annotations).sum(dim=1)
        activation = h @ weight_nl.T + context @ weight_ctx.T + bias_nl
        h, c = transition(activation, c, noise_2, tau)
        outputs.append(h)
        contexts.append(context)
    return torch.stack(outputs), torch.stack(contexts)


def transition(activation, c, noise=None, tau=1.0):
    """Return ``(h, c)`` of an LSTM from its pre-activations (batch, 4 · hidden) and the old ``c``.

    ``noise`` (batch, 2 · hidden) is added to the pre-activations of the input and forget gates,
    which are then divided by ``tau``.
    """
    i, f, g, o = activation.chunk(4, dim=1)
    if noise is not None:
        noise_i, noise_f = noise.chunk(2, dim=1)
        i, f = i + noise_i, f + noise_f
    c = torch.sigmoid(f / tau) * c + torch.sigmoid(i / tau) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c
