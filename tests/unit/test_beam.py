import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from g2lstm.errors import UserError
from g2lstm.nmt import pieces
from g2lstm.nmt.beam import BLOCK, _largest, _log_sum_exp, beam_search

STATES = 97
FAR = -50.0


class HashedModel:
    """Next-word logits of a table row chosen by a hash of the whole prefix, per sentence."""

    def __init__(self, seed, sentences, vocabulary, dtype=torch.float64):
        generator = torch.Generator().manual_seed(seed)
        shape = (sentences, STATES, vocabulary)
        self.logits = 2 * torch.randn(shape, generator=generator, dtype=dtype)
        self.calls = []

    def step(self, tokens, hypotheses, memory):
        (state,), (sentence,) = hypotheses, memory
        if tokens is not None:
            assert tokens.shape == state.shape
            state = (31 * state + tokens + 7) % STATES
        self.calls.append(tuple(state.shape))
        return self.logits[sentence.unsqueeze(1), state], (state,)

    def log_probabilities(self, sentence):
        logits = self.logits[sentence]
        table = (logits - logits.logsumexp(-1, keepdim=True)).tolist()

        def row(prefix):
            state = 0
            for token in prefix:
                state = (31 * state + token + 7) % STATES
            return table[state]

        return row

    def search(self, sentences=None, slots=1, **settings):
        sentences = range(len(self.logits)) if sentences is None else sentences
        memory = (torch.tensor([*sentences]),)
        hypotheses = (torch.zeros(len(memory[0]), slots, dtype=torch.long),)
        return beam_search(self.step, hypotheses, memory, len(memory[0]), **settings)


def as_lists(found):
    return [
        tokens[:length].tolist() for tokens, length in zip(found.tokens, found.lengths, strict=True)
    ]


def slow_search(model, sentence, beam, length_exponent, max_steps, end):
    row = model.log_probabilities(sentence)
    alive, finished, width = [(0.0, [])], [], beam
    for number in range(1, max_steps + 1):
        extensions = []
        for slot, (total, prefix) in enumerate(alive):
            for token, value in enumerate(row(prefix)):
                if value > float("-inf"):
                    extensions.append((-(total + value), token, slot, prefix))
        extensions.sort(key=lambda extension: extension[:3])
        alive = []
        for negative, token, _, prefix in extensions[:width]:
            if token == end:
                finished.append((-negative / number**length_exponent, prefix))
                width -= 1
            elif number == max_steps:
                finished.append((-negative / number**length_exponent, [*prefix, token]))
            else:
                alive.append((-negative, [*prefix, token]))
        if not alive:
            break
    return max(finished, key=lambda hypothesis: hypothesis[0])


def exhaustive_search(model, sentence, vocabulary, length_exponent, max_steps, end):
    row = model.log_probabilities(sentence)
    words = [token for token in range(vocabulary) if token != end]
    best = (float("-inf"), None)
    for length in range(max_steps + 1):
        for prefix in itertools.product(words, repeat=length):
            whole = [*prefix, end][:max_steps]
            total = sum(row(whole[:place])[token] for place, token in enumerate(whole))
            best = max(best, (total / len(whole) ** length_exponent, [*prefix]))
    return best


def same(found, expected):
    scores, translations = zip(*expected, strict=True)
    assert as_lists(found) == list(translations)
    torch.testing.assert_close(found.scores, torch.tensor(scores, dtype=found.scores.dtype))


@pytest.mark.parametrize(("vocabulary", "max_steps"), [(3, 5), (4, 4)])
@pytest.mark.parametrize("length_exponent", [0.0, 1.0])
@pytest.mark.parametrize("end", [0, 2])
def test_a_large_beam_equals_exhaustive_search(vocabulary, max_steps, length_exponent, end):
    model = HashedModel(vocabulary, 4, vocabulary)
    settings = {"length_exponent": length_exponent, "max_steps": max_steps, "end": end}
    found = model.search(beam=vocabulary**max_steps, **settings)
    same(found, [exhaustive_search(model, s, vocabulary, **settings) for s in range(4)])


@pytest.mark.parametrize(
    ("seed", "vocabulary"),
    [*((seed, 3 + seed) for seed in range(12)), (0, 3 * BLOCK + 1), (1, 7 * BLOCK)],
)
@pytest.mark.parametrize("beam", range(1, 7))
def test_equals_a_slow_search_of_one_sentence(seed, beam, vocabulary):
    model = HashedModel(seed, 9, vocabulary)
    settings = {
        "length_exponent": (0.0, 0.6, 1.0)[seed % 3],
        "max_steps": 4 + seed,
        "end": seed % 3,
    }
    found = model.search(beam=beam, **settings)
    same(found, [slow_search(model, s, beam, **settings) for s in range(9)])


def test_batch_of_one_and_order_do_not_matter():
    model = HashedModel(3, 20, 12)
    whole = model.search(beam=4, max_steps=30)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    shuffled = model.search(order.tolist(), beam=4, max_steps=30)
    assert as_lists(shuffled) == [as_lists(whole)[sentence] for sentence in order]
    torch.testing.assert_close(shuffled.scores, whole.scores[order])
    for sentence in range(20):
        alone = model.search([sentence], beam=4, max_steps=30)
        assert as_lists(alone) == [as_lists(whole)[sentence]]
    assert len(set(whole.lengths.tolist())) > 3


def test_only_the_first_slot_is_read_at_the_start():
    model = HashedModel(4, 6, 8)
    narrow, wide = model.search(beam=5, slots=1), model.search(beam=5, slots=5)
    assert as_lists(narrow) == as_lists(wide)
    assert torch.equal(narrow.scores, wide.scores)


def test_beam_of_one_is_greedy():
    model = HashedModel(5, 8, 6)
    found = model.search(beam=1, max_steps=15)
    for sentence, translation in enumerate(as_lists(found)):
        row, prefix = model.log_probabilities(sentence), []
        while len(prefix) < 15:
            if (token := row(prefix).index(max(row(prefix)))) == 0:
                break
            prefix.append(token)
        assert translation == prefix


def test_single_precision_finds_the_same_and_keeps_its_type():
    model = HashedModel(6, 6, 10)
    expected = model.search(beam=5, max_steps=20)
    model.logits = model.logits.float()
    found = model.search(beam=5, max_steps=20)
    assert found.scores.dtype == torch.float32
    assert found.tokens.dtype == found.lengths.dtype == torch.int64
    assert as_lists(found) == as_lists(expected)


def test_padding_is_the_end_token_and_no_translation_holds_it():
    found = HashedModel(7, 10, 5).search(beam=3, end=2, max_steps=12)
    assert found.tokens.shape == (10, found.lengths.max())
    places = torch.arange(found.tokens.shape[1])
    assert torch.equal(found.tokens == 2, places >= found.lengths.unsqueeze(1))


def test_a_sentence_that_never_ends_stops_at_max_steps_beside_others():
    model = HashedModel(8, 3, 5)
    model.logits[1, :, 0] = -torch.inf
    found = model.search(beam=3, max_steps=11)
    same(found, [slow_search(model, s, 3, 1.0, 11, 0) for s in range(3)])
    assert found.lengths[1] == 11
    assert len(model.calls) == 11


def test_one_step_may_give_an_empty_translation():
    model = HashedModel(9, 2, 4)
    model.logits[0, 0] = torch.tensor([9.0, 0, 0, 0])
    model.logits[1, 0] = torch.tensor([0, 9.0, 0, 0])
    assert as_lists(model.search(beam=2, max_steps=1)) == [[], [1]]


def test_all_translations_may_be_empty():
    model = HashedModel(9, 2, 4)
    model.logits[...] = torch.tensor([0, FAR, FAR, FAR])
    found = model.search(beam=1)
    assert found.tokens.shape == (2, 0)
    assert found.lengths.tolist() == [0, 0]
    assert len(model.calls) == 1


def test_done_sentences_leave_the_batch():
    model = HashedModel(10, 16, 6)
    model.logits[:, :, 0] = FAR
    model.logits[:12, :, 0] = -FAR
    model.search(beam=3, max_steps=6)
    # the first 12 finish one hypothesis at the first step and the other two at the second
    assert model.calls == [(16, 1), (16, 3), (4, 3), (4, 3), (4, 3), (4, 3)]


def test_slots_of_finished_hypotheses_leave_the_batch():
    model = HashedModel(10, 2, 6)
    model.logits[:, :, 0] = FAR
    model.logits[:, 0, 0] = -FAR
    found = model.search(beam=3, max_steps=4)
    assert as_lists(found) == [[], []]
    assert model.calls == [(2, 1), (2, 3), (2, 2), (2, 2)]


def test_few_done_sentences_stay_until_it_pays_to_drop_them():
    model = HashedModel(11, 17, 4)
    model.logits[:, :, 0] = FAR
    model.logits[:2, :, 0] = -FAR
    model.search(beam=1, max_steps=4)
    assert [calls[0] for calls in model.calls] == [17] * 4
    model.calls.clear()
    model.logits[2, :, 0] = -FAR
    model.search(beam=1, max_steps=4)
    assert [calls[0] for calls in model.calls] == [17, 14, 14, 14]


def test_equal_scores_prefer_the_smaller_word_then_the_lower_slot():
    model = HashedModel(0, 2, 9)
    model.logits[...] = 0
    found = model.search(beam=3, max_steps=2, end=8)
    # words 0, 1, 2 at the first step; at the second word 0 after each of them
    assert as_lists(found) == [[0, 0], [0, 0]]
    model.logits[:, 0, 0] = -1
    assert as_lists(model.search(beam=3, max_steps=2, end=8)) == [[1, 0], [1, 0]]


def test_equal_scores_prefer_what_finished_first():
    model = HashedModel(0, 2, 4)
    model.logits[...] = 0
    found = model.search(beam=2, max_steps=5)
    assert as_lists(found) == [[], []]
    assert found.scores.tolist() == pytest.approx([-torch.tensor(4.0).log().item()] * 2)


@pytest.mark.parametrize(
    ("seed", "vocabulary", "powers"),
    [
        *((seed, 9, [2, 4, 8]) for seed in range(30)),
        *((seed, 5 * BLOCK + 7, [2, 16, 256]) for seed in range(8)),
    ],
)
def test_many_ties_equal_the_slow_search(seed, vocabulary, powers):
    # Rows of equal probabilities, powers of 1/2, and zeros: sums are exact, so ties are real.
    model = HashedModel(seed, 6, vocabulary)
    permutation = model.logits.argsort(-1)
    possible = torch.tensor(powers)[permutation[..., :1] % 3]
    model.logits = torch.zeros_like(model.logits).masked_fill(permutation >= possible, -torch.inf)
    settings = {"length_exponent": float(seed % 2), "max_steps": 5, "end": seed % 9}
    found = model.search(beam=4, **settings)
    expected = [slow_search(model, s, 4, **settings) for s in range(6)]
    assert as_lists(found) == [translation for _, translation in expected]
    assert found.scores.tolist() == [score for score, _ in expected]


@settings(max_examples=300, deadline=None)
@given(
    rows=st.integers(1, 4),
    vocabulary=st.integers(1, 9 * BLOCK),
    number=st.integers(1, 7),
    distinct=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_of_equal_logits_those_of_the_smaller_words_are_taken(
    rows, vocabulary, number, distinct, seed
):
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randn(distinct, generator=generator)
    levels[0] = -torch.inf
    logits = levels[torch.randint(distinct, (rows, vocabulary), generator=generator)]
    values, words = _largest(logits, number)
    expected = logits.sort(dim=1, descending=True, stable=True)
    words, order = words.sort(1)
    assert torch.equal(words, expected.indices[:, :number].sort(1).values)
    assert torch.equal(values.gather(1, order), logits.gather(1, words))


@pytest.mark.parametrize("cached", [1, 50, 70, 10**6])
def test_sums_of_exponentials_in_pieces_of_rows(monkeypatch, cached):
    monkeypatch.setattr(pieces, "CACHED", cached)
    torch.manual_seed(1)
    logits = 200 * torch.randn(5, 25, dtype=torch.float64)  # exp overflows from 710
    logits[1, ::2] = -torch.inf
    logits[2] += 1000
    logits[3] -= 1000
    found = _log_sum_exp(logits, logits.amax(1, keepdim=True))
    torch.testing.assert_close(found, logits.logsumexp(1, keepdim=True))


def test_off_the_cpu_there_is_one_piece(monkeypatch):
    monkeypatch.setattr(pieces, "CACHED", 1)
    for device, sizes in (("cpu", [1] * 5), ("meta", [5])):
        found = [*pieces.pieces((7, 2), torch.empty(5, 3, device=device))]
        assert [part.shape for _, part in found] == [(size, 3) for size in sizes]
        assert [buffer.shape for buffer, _ in found] == [(size, 7, 2) for size in sizes]


@pytest.mark.parametrize("vocabulary", [5, 9 * BLOCK])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_an_error(value, vocabulary):
    model = HashedModel(12, 3, vocabulary)
    model.logits[1, 1:, 3] = value
    with pytest.raises(UserError, match="NaN or infinite"):
        model.search(beam=3, max_steps=6)


def test_a_finished_hypothesis_does_not_hide_logits_that_are_not_finite():
    model = HashedModel(12, 3, 5)
    model.logits[1, 0, 0] = -FAR
    model.logits[1, 1:, 3] = torch.nan
    with pytest.raises(UserError, match="NaN or infinite"):
        model.search(beam=3, max_steps=6)


@pytest.mark.parametrize("wrong", [{"beam": 0}, {"max_steps": 0}])
def test_beam_and_steps_must_be_positive(wrong):
    with pytest.raises(ValueError, match="at least 1"):
        HashedModel(13, 2, 3).search(**wrong)
