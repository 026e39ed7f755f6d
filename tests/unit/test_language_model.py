"""AWD-LSTM: dropout, tied weights, evaluation conventions."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from g2lstm.cells import GatePolicy
from g2lstm.lm.evaluate import batchify, evaluate, nats_per_token, read_stream
from g2lstm.lm.model import Dropout, LanguageModel, locked_dropout
from g2lstm.lm.perplexity import summarise
from g2lstm.training.softmax import linear_cross_entropy

NO_DROPOUT = Dropout(embedding=0, input=0, hidden=0, output=0, weight=0)


def small_model(dropout=NO_DROPOUT, policy=None, vocabulary=30):
    torch.manual_seed(0)
    model = LanguageModel(vocabulary, 6, 9, 3, dropout, policy).double()
    # Untrained weights give almost uniform predictions: spread them so that errors show.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


def test_paper_size_has_the_parameters_of_the_paper():
    model = LanguageModel(10_000, 400, 1150, 3, NO_DROPOUT)
    assert sum(p.numel() for p in model.parameters()) == 24_210_800
    shapes = [(layer.weight_ih.shape[1], layer.hidden) for layer in model.lstm]
    assert shapes == [(400, 1150), (1150, 1150), (1150, 400)]


def test_softmax_is_tied_to_the_embedding():
    model = small_model()
    x = torch.randn(4, 6, dtype=torch.float64)
    expected = x @ model.embedding.weight.T + model.decoder["bias"]
    torch.testing.assert_close(model.logits(x), expected)
    assert {name for name, _ in model.named_parameters() if "embedding" in name} == {
        "embedding.weight"
    }


def test_locked_dropout_uses_one_mask_for_all_steps():
    torch.manual_seed(0)
    x = torch.ones(7, 50, 40)
    y = locked_dropout(x, 0.4)
    assert all(torch.equal(y[0], step) for step in y)
    kept = y[0][y[0] > 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / 0.6))
    assert abs(len(kept) / 2000 - 0.6) < 5 * math.sqrt(0.24 / 2000)
    assert not torch.equal(y, locked_dropout(x, 0.4))


def test_embedding_dropout_drops_whole_word_types():
    model = small_model(Dropout(0.5, 0, 0, 0, 0)).train()
    tokens = torch.arange(30).repeat(4).view(6, 20)
    torch.manual_seed(1)
    x = model._embed(tokens).view(4, 30, 6)
    assert all(torch.equal(x[0], again) for again in x)
    dropped = (x[0] == 0).all(dim=1)
    assert 5 < dropped.sum() < 25
    torch.testing.assert_close(x[0][~dropped], 2 * model.embedding.weight[~dropped])


@pytest.mark.parametrize("rate", ["embedding", "input", "hidden", "output", "weight"])
def test_every_dropout_is_active_in_training_and_off_in_test(rate):
    model = small_model(Dropout(**{**vars(NO_DROPOUT), rate: 0.5}))
    tokens = torch.randint(30, (5, 2))

    def outputs():
        return model(tokens, model.initial_state(2))[1]

    model.train()
    assert not torch.equal(outputs(), outputs())
    model.eval()
    assert torch.equal(outputs(), outputs())


def naive_log_probabilities(model, stream):
    """One token at a time, one column."""
    state, result = model.initial_state(1), []
    for now, following in itertools.pairwise(stream):
        x, _, state = model(torch.tensor([[now]]), state)
        result.append(F.log_softmax(model.logits(x)[0, 0], dim=0)[following].item())
    return result


@pytest.mark.parametrize("policy", [None, GatePolicy("sharpened", tau=0.2)])
def test_stream_equals_one_token_at_a_time(policy, monkeypatch):
    monkeypatch.setattr("g2lstm.lm.evaluate.TOKENS_PER_CHUNK", 7)
    model = small_model(policy=policy).eval()
    tokens = np.random.default_rng(0).integers(30, size=40)
    with torch.no_grad():
        expected = naive_log_probabilities(model, tokens.tolist())
    stream = read_stream(model, batchify(tokens, 1))
    np.testing.assert_allclose(stream.log_probability[:, 0], expected, rtol=1e-10)
    assert stream.targets[:, 0].tolist() == tokens[1:].tolist()


def test_batchify_cuts_columns_and_drops_the_remainder():
    columns = batchify(np.arange(11), 3)
    assert columns.tolist() == [[0, 3, 6], [1, 4, 7], [2, 5, 8]]


def test_perplexity_in_both_conventions():
    log_probability = torch.tensor([[-1.0], [-2.0], [-3.0]])
    metrics = summarise(log_probability)
    assert metrics["tokens"] == 3
    assert metrics["perplexity"] == pytest.approx(math.exp(2.0))
    assert metrics["perplexity_as_published"] == pytest.approx(math.exp(2.0 * 3 / 4))


def test_a_uniform_model_has_the_perplexity_of_its_vocabulary():
    model = small_model().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    columns = batchify(np.random.default_rng(0).integers(30, size=100), 4)
    assert math.exp(nats_per_token(model, columns)) == pytest.approx(30)


def test_evaluate_reports_both_modes_and_the_tuned_cache():
    model = small_model().eval()
    rng = np.random.default_rng(0)
    splits = {name: rng.integers(30, size=300) for name in ("valid", "test")}
    settings = {
        "valid_batch": 10,
        "test_batch": 1,
        "cache": {
            "window": 50,
            "theta": 0.5,
            "lambda": 0.1,
            "grid": {"theta": [0.0, 0.5], "lambda": [0.01, 0.1]},
        },
    }
    plain, cached = evaluate(model, splits, settings)
    assert plain["valid"]["tokens"] == 29 * 10
    assert plain["test"]["tokens"] == cached["test"]["tokens"] == 299
    for split in splits:
        assert cached[split]["tuned"]["theta"] in (0.0, 0.5)
    valid = cached["valid"]
    assert valid["tuned"]["perplexity"] <= valid["perplexity"]


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_blockwise_cross_entropy_and_its_gradients_equal_pytorch(rows):
    generator = torch.Generator().manual_seed(2)
    x, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in ((23, 6), (30, 6), (30,))
    )
    targets = torch.randint(30, (23,), generator=generator)
    arguments = (x, weight, bias)
    loss = linear_cross_entropy(*arguments, targets, rows)
    expected = F.cross_entropy(F.linear(*arguments), targets)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    for ours, theirs in zip(
        torch.autograd.grad(3 * loss, arguments),
        torch.autograd.grad(3 * expected, arguments),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-13)
