"""Beam search over a batch of sentences, with a beam that shrinks as hypotheses finish.

The model is hidden behind one function, ``step(tokens, hypotheses, memory) -> (logits,
hypotheses)``. With n sentences, k slots (hypotheses of a sentence) and V words:

- ``tokens`` (n, k), int64: the words chosen at the step before; None at the first step;
- ``hypotheses``: a tuple of tensors (n, k, ...), the decoder state of every slot;
- ``memory``: a tuple of tensors (n, ...), what belongs to a sentence (encoder output, mask);
- ``logits`` (n, k, V), of any floating type; scores are kept in the same type. They are read
  before the next call, which may write to the same memory.

n and k get smaller during a search, so ``step`` takes them from the tensors it is given.

Which hypothesis is preferred when scores are equal as floating-point numbers is fixed: first the
smaller word id, then the lower slot (a slot is the rank at the step before); between hypotheses
that finish at different steps, the earlier one.
"""

from dataclasses import dataclass
from itertools import count

import torch
import torch.nn.functional as F

from g2lstm.errors import UserError
from g2lstm.nmt.pieces import pieces

COMPACT_FROM = 1 / 8  # of the rows done: copying what is left then costs less than carrying all
BLOCK = 128  # words whose largest logit is sought first


@dataclass(frozen=True)
class Translations:
    """The best hypothesis of each of n sentences.

    ``tokens`` (n, T), int64, without the end token and padded with it; ``lengths`` (n), int64, the
    words of each, without the end token; ``scores`` (n), log-probability (nats) divided by length
    to the power of the length exponent, where the end token counts.
    """

    tokens: torch.Tensor
    lengths: torch.Tensor
    scores: torch.Tensor


@torch.no_grad()
def beam_search(
    step, hypotheses, memory, sentences, beam=5, length_exponent=1.0, max_steps=200, end=0
):
    """Translate a batch of ``sentences`` sentences; ``beam=1`` is greedy search.

    Of the first ``hypotheses`` only slot 0 is alive, so (sentences, 1, ...) is enough. A sentence
    may keep ``beam`` hypotheses alive, one less for each that has finished with the token ``end``.
    It is done when none is left, or after ``max_steps`` words, when those still alive count as
    finished as they are. Rows of sentences that are done leave the batch.

    Returns Translations. Raises ValueError when ``sentences``, ``beam`` or ``max_steps`` is below
    1, and UserError when the scores of a sentence are not finite (as the model's logits are not).
    """
    if min(sentences, beam, max_steps) < 1:
        raise ValueError("sentences, beam and max_steps must be at least 1")
    logits, hypotheses = step(None, hypotheses, memory)
    logits = logits[:, :1]
    rows = torch.arange(sentences, device=logits.device)
    totals = logits.new_zeros((sentences, 1))
    width = torch.full_like(rows, beam)
    best, chosen = _Best(sentences, totals), []
    for number in count(1):
        totals, tokens, origins = _extend(logits, totals, width)
        chosen.append((rows, tokens, origins))
        finished = totals > -torch.inf
        if number < max_steps:
            finished &= tokens == end
        best.update(rows, number, totals / number**length_exponent, finished)
        totals = totals.masked_fill(finished, -torch.inf)
        width = width - finished.sum(1)
        kept = _rows_to_keep(totals)
        if not len(kept):
            return _translations(best, chosen, end)
        hypotheses = _select_hypotheses(hypotheses, kept, origins)
        if len(kept) < len(rows):
            memory = tuple(part.index_select(0, kept) for part in memory)
            rows, totals, width, tokens = (
                part.index_select(0, kept) for part in (rows, totals, width, tokens)
            )
        logits, hypotheses = step(tokens, hypotheses, memory)


def _extend(logits, totals, width):
    """Choose each sentence's best ``width`` (n) extensions by one word.

    ``totals`` (n, k) are the log-probabilities of the hypotheses, -inf where none is alive. Returns
    totals, words and slots of origin, each (n, m) with m the largest width, best first.
    """
    slots = int(width.max())
    logits = logits.flatten(0, 1)
    values, tokens = _largest(logits, slots)
    values = values - _log_sum_exp(logits, values.amax(1, keepdim=True))
    per_slot = tokens.shape[1]
    scores = (totals.reshape(-1, 1) + values).view(len(totals), -1)
    tokens = tokens.reshape(len(totals), -1)
    order = tokens.argsort(dim=1, stable=True)  # candidates already stand in the order of slots
    ranking = scores.gather(1, order).argsort(dim=1, descending=True, stable=True)
    order = order.gather(1, ranking)[:, :slots]
    rank = torch.arange(order.shape[1], device=order.device)
    totals = scores.gather(1, order).masked_fill(rank >= width.unsqueeze(1), -torch.inf)
    return totals, tokens.gather(1, order), order // per_slot


def _largest(logits, number):
    """Return the ``number`` largest of ``logits`` (rows, V) and their words, in any order.

    Both are (rows, number), or (rows, V) where V is smaller. Of equal logits the smaller word ids
    are taken. Only blocks of words with the largest maxima are searched, and what is left over.
    """
    blocks = logits.shape[1] // BLOCK
    if blocks <= number:
        return _top(logits, number)
    # A word of another block comes after at least one word of each of these, also when equal.
    whole = logits[:, : blocks * BLOCK].unflatten(1, (blocks, BLOCK))
    chosen = _top(whole.amax(2), number)[1].sort(1).values
    inside = whole.gather(1, chosen.unsqueeze(2).expand(-1, -1, BLOCK)).flatten(1)
    values, places = _top(torch.cat([inside, logits[:, blocks * BLOCK :]], 1), number)
    chosen = F.pad(chosen, (0, 1), value=blocks)  # the words after the last whole block
    return values, chosen.gather(1, places // BLOCK) * BLOCK + places % BLOCK


def _top(values, number):
    """Return the ``number`` largest of ``values`` (rows, columns) and their columns, in any order.

    Of equal values at the edge the first are taken; ``topk`` alone leaves that open. All columns
    are returned where there are not more than ``number``.
    """
    columns = values.shape[1]
    if columns <= number:
        return values, torch.arange(columns, device=values.device).expand(values.shape)
    largest, places = values.topk(number + 1)
    tied = largest[:, -1] == largest[:, -2]
    largest, places = largest[:, :-1], places[:, :-1]
    if tied.any():
        places[tied] = values[tied].sort(dim=1, descending=True, stable=True).indices[:, :number]
    return largest, places


def _log_sum_exp(logits, largest):
    """Return the logarithm of the sum of exponentials of each row of ``logits`` (rows, V).

    The result is (rows, 1), as are the ``largest`` logits of the rows, which keep it in range.
    """
    sums = [
        torch.sub(part, shift, out=buffer).exp_().sum(1, keepdim=True)
        for buffer, part, shift in pieces(logits.shape[1:], logits, largest)
    ]
    return torch.cat(sums).log_() + largest


def _rows_to_keep(totals):
    """Return the rows to go on with: all, or only those alive when that pays; none at the end."""
    alive = (totals > -torch.inf).any(1).nonzero().squeeze(1)
    done = len(totals) - len(alive)
    if done < COMPACT_FROM * len(totals):
        return torch.arange(len(totals), device=totals.device)
    return alive


def _select_hypotheses(hypotheses, kept, origins):
    """Take the states of the slots ``origins`` (n, m) of the rows ``kept``: (kept, m, ...)."""
    origins = origins.index_select(0, kept)

    def take(state):
        flat = (kept.unsqueeze(1) * state.shape[1] + origins).flatten()
        return state.flatten(0, 1).index_select(0, flat).unflatten(0, origins.shape)

    return tuple(take(state) for state in hypotheses)


class _Best:
    """The best finished hypothesis of each sentence: its score, its last step and its slot."""

    def __init__(self, sentences, like):
        self.score = like.new_full((sentences,), -torch.inf)
        self.last = torch.zeros(sentences, dtype=torch.long, device=like.device)
        self.slot = torch.zeros_like(self.last)

    def update(self, rows, number, scores, finished):
        """Compare with what has finished at step ``number`` (from 1); scores fall along a row."""
        slots = torch.arange(scores.shape[1], device=scores.device).expand_as(scores)
        slot = slots.masked_fill(~finished, scores.shape[1] - 1).amin(1)
        score = scores.masked_fill(~finished, -torch.inf).gather(1, slot.unsqueeze(1)).squeeze(1)
        broken = scores.isnan().any(1)  # for good: nothing is greater than NaN
        score = score.masked_fill(broken, torch.nan)
        better = (score > self.score[rows]) | broken
        self.score[rows] = score.where(better, self.score[rows])
        self.last[rows] = self.last[rows].masked_fill(better, number)
        self.slot[rows] = slot.where(better, self.slot[rows])


def _translations(best, chosen, end):
    """Follow the back pointers ``chosen`` (per step: rows, words, slots of origin) to the start."""
    if not best.score.isfinite().all():
        raise UserError(
            "the model gives NaN or infinite logits; train it again, or check its file and "
            "the compression setting"
        )
    tokens = best.last.new_full((len(best.last), len(chosen)), end)
    slot = best.slot.clone()
    for number in range(len(chosen), 0, -1):
        rows, words, origins = chosen[number - 1]
        passed = best.last[rows] >= number
        here = slot[rows].clamp(max=words.shape[1] - 1).unsqueeze(1)
        tokens[rows, number - 1] = words.gather(1, here).squeeze(1).masked_fill(~passed, end)
        slot[rows] = origins.gather(1, here).squeeze(1).where(passed, slot[rows])
    final = tokens.gather(1, best.last.unsqueeze(1) - 1).squeeze(1)
    lengths = best.last - (final == end).long()
    return Translations(tokens[:, : int(lengths.max())], lengths, best.score)
