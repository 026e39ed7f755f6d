"""The character model: chunks, its mathematics by definition, and the model it ends in."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from g2lstm.arrays import save_arrays
from g2lstm.cells import reference
from g2lstm.data.corpus import Corpus
from g2lstm.errors import UserError
from g2lstm.lm import chunks
from g2lstm.lm.characters import (
    BayesianCharacterModel,
    CharacterModel,
    empty_model,
    forward_pass,
)
from g2lstm.sparsify.bayes import masked
from g2lstm.sparsify.export import export_model
from g2lstm.sparsify.models import read_exported, read_model
from g2lstm.sparsify.structure import COUNTED, read_structure

LEVELS = ("w", "wn", "wgn")
SYMBOLS, HIDDEN = 7, 5
CPU = torch.device("cpu")


@settings(max_examples=50)
@given(st.integers(2, 30), st.integers(2, 400), st.integers(0, 99))
def test_chunks_of_an_epoch_are_the_text_once_from_some_offset_on(length, symbols, seed):
    wanted = symbols // length - 1
    if wanted < 1:
        with pytest.raises(UserError, match=f"chunks of {length} symbols are too long"):
            chunks.epoch_starts(symbols, length, seed)
        return
    starts = chunks.epoch_starts(symbols, length, seed)
    places = sorted(starts.tolist())
    assert places == list(range(places[0], places[0] + wanted * length, length))
    assert 0 <= places[0] < symbols - wanted * length
    taken = chunks.take(torch.arange(symbols), starts, length)
    assert taken.shape == (length, wanted)
    assert torch.equal(taken[0], starts)
    assert chunks.predicted(symbols, length) == wanted * (length - 1)


def test_epochs_differ_in_offset_and_order():
    found = [chunks.epoch_starts(5_017_482, 100, [1, epoch]) for epoch in (1, 2, 3)]
    assert len({int(starts.min()) for starts in found}) == 3
    assert len({tuple((starts[:5] // 100).tolist()) for starts in found}) == 3
    assert len(found[0]) == 50_173
    assert torch.equal(found[0], chunks.epoch_starts(5_017_482, 100, [1, 1]))


def model_of(levels, log_sigma=None):
    """A model in float64, its biases not 0; ``log_sigma``: of all variables, or as at the start."""
    torch.manual_seed(3)
    model = BayesianCharacterModel(SYMBOLS, HIDDEN, levels).double()
    with torch.no_grad():
        model.lstm[0].bias.uniform_(-1, 1)
        model.decoder.bias.uniform_(-1, 1)
        for value in model.log_sigma.values() if log_sigma is not None else ():
            value.fill_(log_sigma)
    return model


def test_all_matrices_start_orthogonal_and_biases_at_0():
    model = CharacterModel(SYMBOLS, 20)
    layer, dense = model.lstm[0], model.decoder.weight
    assert layer.weight_ih.shape == (80, SYMBOLS)
    gates = [layer.gate(gate) for gate in "ifgo"]
    squares = [matrix.T @ matrix for gate in gates for matrix in gate[:2]]
    for square in (*squares, dense @ dense.T):
        torch.testing.assert_close(square, torch.eye(len(square)), atol=1e-5, rtol=0)
    assert not torch.cat([*(bias for _, _, bias in gates), model.decoder.bias]).any()


def naive(tokens, z_gates, z_hidden, weight_ih, weight_hh, bias):
    """Return the states (steps, batch, hidden) by the definition, symbol by symbol."""
    steps, batch = tokens.shape
    outputs = torch.zeros(steps, batch, HIDDEN, dtype=torch.float64)
    for b in range(batch):
        h, c = torch.zeros(2, HIDDEN, dtype=torch.float64)
        for t in range(steps):
            inner = weight_ih[:, tokens[t, b]] + weight_hh @ h
            i, f, g, o = (inner * z_gates[b] + bias).split(HIDDEN)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c) * z_hidden[b]
            outputs[t, b] = h
    return outputs


@pytest.mark.parametrize("levels", LEVELS)
def test_the_model_is_its_definition_in_training(levels, monkeypatch):
    """One draw of matrices a minibatch, of z a sequence, of the softmax's noise a sequence."""
    model = model_of(levels, log_sigma=-1.0)
    draws = {}

    def kept(name, draw):
        return lambda key, *batch: draws.setdefault((name, key), draw(key, *batch))

    monkeypatch.setattr(model, "matrix", kept("matrix", model.matrix))
    monkeypatch.setattr(model, "group", kept("group", model.group))
    tokens = torch.randint(SYMBOLS, (6, 3))
    found = model.states(tokens)
    ones = torch.ones(3, 4 * HIDDEN, dtype=torch.float64)
    z_gates = draws.get(("group", "gates0"), ones)
    z_hidden = draws.get(("group", "hidden0"), ones[:, :HIDDEN])
    matrices = (draws["matrix", f"lstm.0.weight_{name}"] for name in ("ih", "hh"))
    wanted = naive(tokens, z_gates, z_hidden, *matrices, model.lstm[0].bias)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    assert len(draws) == 2 + LEVELS.index(levels)
    if levels != "w":
        assert (z_hidden[0] - z_hidden[1]).abs().max() > 1e-3

    torch.manual_seed(8)
    logits = model.logits(found)
    torch.manual_seed(8)
    noise = torch.randn(1, 3, SYMBOLS, dtype=torch.float64)
    mean, log_sigma = model.variable("decoder.weight")
    for t in range(6):
        for b in range(3):
            deviation = ((found[t, b] ** 2 * log_sigma.exp() ** 2).sum(1) + 1e-8).sqrt()
            value = mean @ found[t, b] + deviation * noise[0, b] + model.decoder.bias
            torch.testing.assert_close(logits[t, b], value, rtol=1e-10, atol=1e-12)


def test_noise_of_the_softmax_has_the_moments_of_a_drawn_matrix():
    model = model_of("w", log_sigma=-1.0)
    x = torch.randn(1, 1, HIDDEN, dtype=torch.float64).expand(2, 40_000, HIDDEN)
    products = model.logits(x) - model.decoder.bias
    assert torch.equal(products[0], products[1])
    mean, log_sigma = model.variable("decoder.weight")
    torch.testing.assert_close(products[0].mean(0), mean @ x[0, 0], atol=0.02, rtol=0)
    deviation = math.exp(-1) * x[0, 0].norm()
    torch.testing.assert_close(products[0].std(0), deviation.expand(SYMBOLS), rtol=0.02, atol=0)
    assert (log_sigma == -1).all()


@pytest.mark.parametrize("levels", LEVELS)
def test_without_noise_it_is_the_plain_model_in_training_too(levels):
    model = model_of(levels, log_sigma=-60.0)
    plain = CharacterModel(SYMBOLS, HIDDEN).double()
    plain.load_state_dict({name: model.state_dict()[name] for name in plain.state_dict()})
    tokens = torch.randint(SYMBOLS, (6, 3))
    weights = [name for name, _ in plain.named_parameters()]
    results = []
    for network in (model, plain):
        logits = network(tokens)
        loss = chunks.cross_entropy(logits, tokens)
        wanted = [network.get_parameter(name) for name in weights]
        results.append([loss, *torch.autograd.grad(loss, wanted)])
    for a, b in zip(*results, strict=True):  # 1e-8 inside the root is noise of 1e-4
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3)
    zero = plain.lstm[0].initial_state(3)
    one_hot = torch.eye(SYMBOLS, dtype=torch.float64)[tokens]
    layer = plain.lstm[0]
    states, _, _ = reference.lstm(one_hot, *zero, layer.weight_ih, layer.weight_hh, layer.bias)
    for network in (model, plain):
        torch.testing.assert_close(network.states(tokens), states, rtol=1e-10, atol=1e-12)


def noisy(levels):
    """A model in test mode of which a part of all kinds of variables is zero."""
    model = model_of(levels)
    with torch.no_grad():
        for name in model.random:
            mean, log_sigma = model.variable(name)
            mean *= 1 + 0.3 * torch.randn_like(mean)
            log_sigma.copy_(mean.abs().log() + 1.5 + 1.2 * torch.randn_like(mean) - 0.6)
        if levels != "w":
            model.variable("groups.hidden0")[1][1] = 20.0
        for name in ("lstm.0.weight_ih", "lstm.0.weight_hh"):
            model.variable(name)[1][0] = 20.0  # the input gate of neuron 0
        for name in ("lstm.0.weight_hh", "decoder.weight"):
            model.variable(name)[1][:, 4] = 20.0  # what reads neuron 4
    return model.eval()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
@pytest.mark.parametrize("levels", LEVELS)
def test_the_exported_model_computes_what_the_masked_one_does(levels, dtype, tolerance, tmp_path):
    model = noisy(levels).to(dtype)
    folded = model.folded()
    path = tmp_path / "model"
    save_arrays(path, {name: value.numpy() for name, value in folded.items()}, {"job": {}})
    facts = export_model(path, tmp_path / "small")
    plain, _ = read_model(empty_model, path, CPU)
    small, _ = read_exported(empty_model, tmp_path / "small", CPU)
    assert {name.removesuffix(COUNTED) for name in folded} == set(plain.state_dict())
    assert small.lstm[0].hidden == facts["neurons1"] < HIDDEN
    tokens = torch.randint(SYMBOLS, (8, 3))
    outputs = [network(tokens).detach() for network in (model, plain, small)]
    assert outputs[0].std() > 0.01
    for output in outputs[1:]:
        assert (output - outputs[0]).abs().max() <= tolerance
    corpus = Corpus(list("abcdefg"), {"test": np.arange(1000) % SYMBOLS})
    assert forward_pass(small, corpus)().shape == (99, 10, SYMBOLS)


@pytest.mark.parametrize("levels", LEVELS)
def test_counts_follow_the_rules_of_the_released_code(levels):
    """Of LSTM and softmax: all weights over those that are left, and gates that vary."""
    model = noisy(levels)
    with torch.no_grad():
        keep = {name: masked(*model.variable(name)).numpy() != 0 for name in model.random}
    w_x, w_h, dense = (keep[name] for name in model.random if keep[name].ndim == 2)
    z_hidden = keep.get("groups.hidden0", np.ones(HIDDEN, bool))
    z_gates = keep.get("groups.gates0", np.ones(4 * HIDDEN, bool))
    neurons = np.ones(HIDDEN, bool)
    for _ in range(HIDDEN):
        neurons = (w_h.any(0) | dense.any(0)) & z_hidden
        rows = np.tile(neurons, 4)[:, None]
        w_x, w_h, dense = w_x & rows, w_h & rows & neurons, dense & neurons
    gates = (w_x.any(1) | w_h.any(1)) & z_gates & np.tile(neurons, 4)
    found = read_structure({name: value.numpy() for name, value in model.folded().items()})
    facts = found.facts()
    assert list(found.neurons[0]) == list(neurons)
    assert list(found.gates[0].ravel()) == list(gates)
    assert facts["weights"] == 4 * HIDDEN * (SYMBOLS + HIDDEN) + SYMBOLS * HIDDEN
    assert facts["weights_left"] == w_x.sum() + w_h.sum() + dense.sum()
    assert facts["compression"] == facts["weights"] / facts["weights_left"]
    assert facts["gates1"] < 4 * facts["neurons1"] < 4 * HIDDEN


@pytest.mark.parametrize("at_once", [2, 64])
def test_bits_per_character_are_of_each_chunk_from_the_zero_state(at_once, monkeypatch):
    monkeypatch.setattr(chunks, "AT_ONCE", at_once)
    model = noisy("wgn")
    text = np.random.default_rng(1).integers(SYMBOLS, size=79).astype(np.int32)
    nats = []
    for start in range(0, 60, 10):  # 79 // 10 - 1 chunks
        tokens = torch.tensor(text[start : start + 10]).long().unsqueeze(1)
        for t in range(9):
            logits = model(tokens[: t + 1])[-1, 0]
            nats.append(-torch.log_softmax(logits, 0)[tokens[t + 1, 0]].item())
    assert len(nats) == 54
    corpus = Corpus(list("abcdefg"), {"valid": text, "test": text[:25]})
    found = chunks.evaluate_characters(model, corpus, {"length": 10})
    assert found["valid"]["symbols"] == 54
    assert found["valid"]["bpc"] == pytest.approx(np.mean(nats) / np.log(2), rel=1e-12)
    assert found["test"]["bpc"] == pytest.approx(np.mean(nats[:9]) / np.log(2), rel=1e-12)
