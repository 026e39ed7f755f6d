"""The recurrent highway language model: size, start, dropout."""

import math

import pytest
import torch
from highway_models import DEPTH, HIDDEN, WORDS, tiny

from g2lstm.lm.highway import Dropout, HighwayLanguageModel, word_mask


@pytest.mark.parametrize(
    ("width", "millions"), [(830, 23.5), (726, 18.9), (517, 11.1), (403, 7.6), (328, 5.7)]
)
def test_parameters_of_the_paper(width, millions):
    with torch.device("meta"):
        model = HighwayLanguageModel(10_000, width, 10)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == 22 * width**2 + 10_000 * width + 20 * width + 10_000
    assert round(count / 1e6, 1) == millions


def test_all_weights_start_uniform_but_the_biases_of_the_transform_gates():
    model = HighwayLanguageModel(400, 40, DEPTH)
    model.initialise(0.04, -2.0)
    for parameter in (model.embedding.weight, model.decoder["bias"], model.highway.weight_hh):
        assert 0.037 < parameter.abs().max() <= 0.04
    candidate, transform = model.highway.bias.view(DEPTH, 2, 40).unbind(1)
    assert 0.03 < candidate.abs().max() <= 0.04
    assert (transform == -2).all()


def test_a_word_is_dropped_wherever_its_column_has_it():
    torch.manual_seed(3)
    tokens = torch.randint(6, (35, 40))
    mask = word_mask(tokens, 0.25)
    assert {round(value, 5) for value in mask.unique().tolist()} == {0.0, round(1 / 0.75, 5)}
    for column, factors in zip(tokens.T, mask.T, strict=True):
        for word in range(6):
            assert len(factors[column == word].unique()) <= 1
    for word in range(6):  # but not alike in all columns
        assert len(mask[tokens == word].unique()) == 2
    words = mask[0]  # one draw a column
    assert abs((words > 0).double().mean() - 0.75) < 4 * math.sqrt(0.25 * 0.75 / 40)
    assert (word_mask(tokens, 0.0) == 1).all()


def test_masks_hold_for_the_chunk_and_hidden_units_are_dropped_at_all_depths():
    """The model in training mode equals a naive one with the masks that the generator draws."""
    rates = Dropout(words=0.25, input=0.5, hidden=0.3, output=0.4)
    model = tiny(rates).train()
    tokens, (state,) = torch.randint(WORDS, (6, 4)), model.initial_state(4)
    torch.manual_seed(8)
    raw, dropped, _ = model(tokens, [state])
    torch.manual_seed(8)
    words = word_mask(tokens, rates.words)
    masks = [
        (torch.rand(1, 4, HIDDEN, dtype=torch.float64) >= rate).double()[0] / (1 - rate)
        for rate in (rates.input, rates.hidden, rates.output)
    ]
    layer, s = model.highway, state[0]
    recurrent = layer.weight_hh.view(DEPTH, 2, HIDDEN, HIDDEN)
    bias = layer.bias.view(DEPTH, 2, HIDDEN)
    for t in range(6):
        x = model.embedding.weight[tokens[t]] * words[t].unsqueeze(1) * masks[0]
        inputs = x @ layer.weight_ih.view(2, HIDDEN, HIDDEN).transpose(1, 2)
        for d in range(DEPTH):
            h, gate = (recurrent[d] @ (s * masks[1]).T).transpose(1, 2) + bias[d].unsqueeze(1)
            if d == 0:
                h, gate = h + inputs[0], gate + inputs[1]
            s = s + (h.tanh() - s) * gate.sigmoid()
        torch.testing.assert_close(raw[t], s, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(dropped[t], s * masks[2], rtol=1e-12, atol=1e-12)


def test_in_test_mode_nothing_is_dropped_and_the_chunk_does_not_matter():
    model = tiny(Dropout(0.5, 0.5, 0.5, 0.5)).eval()
    tokens, state = torch.randint(WORDS, (9, 4)), model.initial_state(4)
    with torch.no_grad():
        whole, _, _ = model(tokens, state)
        first, _, state = model(tokens[:4], state)
        second, _, _ = model(tokens[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
