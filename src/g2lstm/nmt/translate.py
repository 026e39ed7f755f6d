"""Translation with beam search, and the teacher-forced loss of a split."""

import torch

from g2lstm.data.parallel import join_subwords
from g2lstm.nmt.batches import by_length, make_batch
from g2lstm.nmt.beam import beam_search
from g2lstm.nmt.model import decoder_step


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
        hypotheses, memory = model.start_search(model.encode(data.source, data.source_lengths))
        found = beam_search(
            step, hypotheses, memory, len(sentences), beam, length_exponent, max_steps, end=0
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
    return [join_subwords(line) for line in lines]
