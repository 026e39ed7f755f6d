"""Translation with beam search, and the teacher-forced loss of a split."""

import torch
import torch.nn.functional as F

from g2lstm.nmt.batches import by_length, make_batch
from g2lstm.nmt.beam import beam_search


def decoder_step(model):
    """Return the step function of :func:`g2lstm.nmt.beam.beam_search` for ``model`` in test mode.

    The state of a hypothesis is h and c of every decoder layer.
    """
    first, *upper = model.decoder.values()
    weight_ih, weight_hh, bias, weight_nl, weight_ctx, bias_nl = first.effective_weights()
    zero = torch.zeros_like(bias)
    upper_weights = [layer.effective_weights() for layer in upper]

    def step(tokens, hypotheses, memory):
        annotations, keys, mask = memory
        n, k = hypotheses[0].shape[:2]
        state = [value.flatten(0, 1) for value in hypotheses]
        if tokens is None:
            words = state[0].new_zeros(n * k, model.target.embedding_dim)
        else:
            words = model.target(tokens.flatten())
        h, c = torch.lstm_cell(words, state[:2], weight_ih, weight_hh, bias, zero)
        query = F.linear(h, first.weight_query).view(n, k, 1, -1)
        energy = torch.tanh(keys.unsqueeze(1) + query) @ first.score
        weights = torch.softmax(energy + mask.unsqueeze(1), dim=2)
        context = torch.bmm(weights, annotations).flatten(0, 1)
        new = list(torch.lstm_cell(context, (h, c), weight_ctx, weight_nl, bias_nl, zero))
        y = model._drop(new[0])
        for layer, (w_ih, w_hh, b) in enumerate(upper_weights, 1):
            x = torch.cat([y, context], dim=1)
            pair = torch.lstm_cell(x, state[2 * layer : 2 * layer + 2], w_ih, w_hh, b, zero)
            new += pair
            y = model._residual(layer, y, model._drop(pair[0]))
        logits = model.output(model.read_out(y, words, context))
        return logits.view(n, k, -1), tuple(value.view(n, k, -1) for value in new)

    return step


@torch.no_grad()
def translate(model, split, beam, length_exponent, max_steps, batch):
    """Translate the source side of ``split`` with ``model`` in test mode.

    Returns a list of arrays of target ids, without the end of sentence, in corpus order.
    """
    step = decoder_step(model)
    device = model.output.weight.device
    lengths = split.source_offsets[1:] - split.source_offsets[:-1]
    result = [None] * len(lengths)
    for sentences in by_length(lengths, batch):
        data = make_batch(split, sentences, device)
        source = model.encode(data.source, data.source_lengths)
        h0 = source.h0.unsqueeze(1).expand(-1, beam, -1).contiguous()
        state = (h0, torch.zeros_like(h0)) * len(model.decoder)
        memory = (source.annotations, source.keys, source.mask)
        found = beam_search(
            step, state, memory, len(sentences), beam, length_exponent, max_steps, end=0
        )
        rows, counts = found.tokens.cpu().numpy(), found.lengths.cpu().numpy()
        for sentence, row, count in zip(sentences, rows, counts, strict=True):
            result[sentence] = row[:count]
    return result


@torch.no_grad()
def nats_per_word(model, split, batch):
    """Return the mean loss (nats) of a sub-word of ``split``, teacher-forced, in test mode."""
    device = model.output.weight.device
    lengths = split.target_offsets[1:] - split.target_offsets[:-1]
    total, words = 0.0, 0
    for sentences in by_length(lengths, batch):
        data = make_batch(split, sentences, device)
        source = model.encode(data.source, data.source_lengths)
        nats, count = model.negative_log_likelihood(source, data.target, data.target_lengths)
        total, words = total + nats.item(), words + count
    return total / words


def to_lines(translations, vocabulary):
    """Return ids as lines of words: sub-words are joined at ``@@``."""
    lines = (" ".join(vocabulary[token] for token in tokens) for tokens in translations)
    return [line.replace("@@ ", "").removesuffix("@@") for line in lines]
