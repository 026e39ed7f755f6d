"""Sparse variational dropout: divergence, draws, the plain model it ends in, what is counted."""

import numpy as np
import pytest
import torch

from g2lstm.arrays import save_arrays
from g2lstm.lm.bayes import BayesianLanguageModel
from g2lstm.lm.stacked import StackedLanguageModel, empty_model
from g2lstm.sparsify import bayes
from g2lstm.sparsify.export import export_model
from g2lstm.sparsify.models import read_exported
from g2lstm.sparsify.structure import COUNTED, read_structure

LEVELS = ("w", "wn", "wgn")
WORDS, EMBEDDING, HIDDEN = 9, 4, 5


def model_of(levels, log_sigma=None):
    """A model in float64, its biases not 0; ``log_sigma``: of all variables, or as at the start."""
    torch.manual_seed(3)
    model = BayesianLanguageModel(WORDS, [EMBEDDING, HIDDEN, HIDDEN], 0.5, levels=levels).double()
    with torch.no_grad():
        for layer in model.lstm:
            layer.bias.uniform_(-1, 1)
        for value in model.log_sigma.values() if log_sigma is not None else ():
            value.fill_(log_sigma)
    return model


def read(model, tokens):
    """Return the last layer's states after ``tokens``."""
    return model(tokens, model.initial_state(tokens.shape[1]))[0]


def test_values_of_the_surrogate():
    found = bayes.surrogate(torch.tensor([-8.0, 0.0, 3.0, 8.0], dtype=torch.float64))
    assert found.tolist() == pytest.approx([3.9701, -0.2437, -0.6447, -0.6698], abs=5e-5)
    beyond = bayes.surrogate(torch.tensor([-20.0, 20.0, torch.inf], dtype=torch.float64))
    assert beyond.tolist() == [found[0], found[3], found[3]]


def test_the_surrogate_is_the_divergence_from_the_log_uniform_prior_less_0_67():
    """KL(N(μ, αμ²) || 1/|w|) = E log|1 + √α ε| - log(α)/2 + (γ + log 2)/2, which ends at 0."""
    width = 2e-5
    noise = np.arange(-10, 10, width) + width / 2  # never where the logarithm is infinite
    density = np.exp(-(noise**2) / 2) / np.sqrt(2 * np.pi) * width
    for log_alpha in np.linspace(-6, 6, 13):
        mean_log = density @ np.log(np.abs(1 + np.exp(log_alpha / 2) * noise))
        divergence = mean_log - log_alpha / 2 + (np.euler_gamma + np.log(2)) / 2
        found = bayes.surrogate(torch.tensor(log_alpha)).item() + 0.67
        assert found == pytest.approx(divergence, abs=0.02)


def test_gradient_of_the_surrogate(monkeypatch):
    monkeypatch.setattr(bayes, "BLOCK", 7)
    torch.manual_seed(1)
    mean = torch.randn(20, 5, dtype=torch.float64, requires_grad=True)
    log_sigma = (2.5 * torch.randn(20, 5, dtype=torch.float64)).requires_grad_()
    log_alpha = bayes.log_alpha(mean, log_sigma)
    wanted = torch.autograd.grad(bayes.surrogate(log_alpha).sum(), [mean, log_sigma])
    beyond = log_alpha.abs() > bayes.CUT
    assert 5 < beyond.sum() < 50
    mean.grad, log_sigma.grad = torch.ones_like(mean), torch.ones_like(mean)
    bayes.add_surrogate_gradient(mean, log_sigma, 0.25)
    for variable, gradient in zip((mean, log_sigma), wanted, strict=True):
        torch.testing.assert_close(variable.grad, 1 + 0.25 * gradient, rtol=1e-12, atol=1e-12)
        assert (variable.grad[beyond] == 1).all()


def test_in_c_plus_plus_gradient_and_draw_are_those_of_the_calls(monkeypatch):
    if not bayes.kernels.in_cpp(torch.ones(1)):
        pytest.skip("no C++ kernel here")
    torch.manual_seed(2)
    mean, log_sigma = torch.randn(1003), 2.5 * torch.randn(1003)
    found = []
    for in_cpp in (True, False):
        monkeypatch.setattr(bayes.kernels, "in_cpp", lambda _, way=in_cpp: way)
        pair = [value.clone().requires_grad_() for value in (mean, log_sigma)]
        for value in pair:
            value.grad = torch.ones_like(value)
        bayes.add_surrogate_gradient(*pair, 0.25)
        torch.manual_seed(3)
        draw = bayes.sample(*pair)
        draw.square().sum().backward()
        found.append([draw.detach(), *(value.grad for value in pair)])
    for ours, stock in zip(*found, strict=True):
        torch.testing.assert_close(ours, stock, rtol=2e-6, atol=1e-6)


def test_no_mean_and_no_deviation_make_the_gradient_infinite():
    mean = torch.tensor([0.0, 1e-30, 1.0, 1.0, -1e20]).requires_grad_()
    log_sigma = torch.tensor([-3.0, -3.0, -60.0, 60.0, -3.0]).requires_grad_()
    mean.grad, log_sigma.grad = torch.zeros_like(mean), torch.zeros_like(mean)
    bayes.add_surrogate_gradient(mean, log_sigma, 1.0)
    assert mean.grad.tolist() == log_sigma.grad.tolist() == [0.0] * 5
    variational = bayes.SparseVariationalDropout([(mean, log_sigma)], tokens=2)
    assert variational.penalty().isfinite()


def test_a_draw_has_the_moments_and_the_gradient_of_its_posterior():
    mean = torch.tensor([[0.5], [-2.0]]).expand(2, 100_000).clone().requires_grad_()
    log_sigma = torch.tensor([[-1.0], [0.5]]).expand(2, 100_000).clone().requires_grad_()
    draw = bayes.sample(mean, log_sigma)
    torch.testing.assert_close(draw.mean(1), mean[:, 0], atol=0.03, rtol=0)
    torch.testing.assert_close(draw.std(1), log_sigma[:, 0].exp(), rtol=0.01, atol=0)
    weight = torch.randn_like(draw)
    (draw * weight).sum().backward()
    assert torch.equal(mean.grad, weight)
    torch.testing.assert_close(log_sigma.grad, (weight * (draw - mean)).detach())


def test_weights_are_drawn_once_a_chunk_for_all_sequences_and_words():
    model = model_of("w", log_sigma=-1.0)
    tokens = torch.tensor([1, 2, 1, 3]).unsqueeze(1).expand(4, 3)
    first, second = read(model, tokens), read(model, tokens)
    torch.testing.assert_close(first, first[:, :1].expand_as(first))
    assert (first - second).abs().mean() > 0.01
    embedded = model._embed(tokens)
    assert torch.equal(embedded[0], embedded[2])
    assert not torch.equal(embedded, model._embed(tokens))
    losses = {model.cross_entropy(first, tokens).item() for _ in range(3)}
    assert len(losses) == 3


@pytest.mark.parametrize("name", ["input", "hidden0", "hidden1", "gates0", "gates1"])
def test_a_group_variable_is_drawn_for_each_sequence(name):
    model = model_of("wgn", log_sigma=-40.0)
    tokens = torch.tensor([1, 2, 1, 3]).unsqueeze(1).expand(4, 3)
    same = read(model, tokens)
    torch.testing.assert_close(same, same[:, :1].expand_as(same))
    with torch.no_grad():
        model.variable(f"groups.{name}")[1].fill_(-1.0)
    differ = read(model, tokens)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (differ[0, a] - differ[0, b]).abs().max() > 1e-3
    gate = model.group("gates0", 50)
    assert gate.shape == (50, 4 * HIDDEN)


@pytest.mark.parametrize("levels", LEVELS)
def test_without_noise_it_is_the_plain_model_in_training_too(levels):
    model = model_of(levels, log_sigma=-60.0)
    plain = StackedLanguageModel(WORDS, [EMBEDDING, HIDDEN, HIDDEN]).double()
    plain.load_state_dict({name: model.state_dict()[name] for name in plain.state_dict()})
    tokens = torch.randint(WORDS, (6, 3))
    results = []
    for network in (model, plain):
        y = read(network, tokens)
        loss = network.cross_entropy(y, tokens)
        weights = [network.get_parameter(name) for name, _ in plain.named_parameters()]
        results.append([y, loss, *torch.autograd.grad(loss, weights)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_a_variable_is_kept_up_to_log_alpha_3():
    log_alpha = torch.tensor([-9.0, 0.0, 2.99, 3.01, 9.0], dtype=torch.float64)
    mean = torch.tensor([0.3, -0.3, 2.0, -2.0, 1e-3], dtype=torch.float64)
    log_sigma = (log_alpha + mean.square().log()) / 2
    assert bayes.masked(mean, log_sigma).tolist() == [0.3, -0.3, 2.0, 0.0, 0.0]
    assert bayes.masked(torch.zeros(1), torch.full((1,), -3.0)).item() == 0.0


def noisy(levels):
    """A model in test mode of which a part of all kinds of variables is zero."""
    model = model_of(levels)
    with torch.no_grad():
        for name in model.random:
            mean, log_sigma = model.variable(name)
            mean *= 1 + 0.3 * torch.randn_like(mean)
            log_sigma.copy_(mean.abs().log() + 1.5 + 1.2 * torch.randn_like(mean) - 0.6)
        for z, unit in (("hidden0", 1), ("hidden1", 2), ("input", 3)) if levels != "w" else ():
            model.variable(f"groups.{z}")[1][unit] = 20.0
        for name in ("lstm.0.weight_ih", "lstm.0.weight_hh"):
            model.variable(name)[1][0] = 20.0  # the input gate of neuron 0
        for name in ("lstm.1.weight_hh", "decoder.weight"):
            model.variable(name)[1][:, 4] = 20.0  # what reads neuron 4
    return model.eval()


@pytest.mark.parametrize("levels", LEVELS)
def test_the_published_model_computes_what_the_masked_one_does(levels, tmp_path):
    model = noisy(levels)
    folded = model.folded()
    plain = StackedLanguageModel(WORDS, [EMBEDDING, HIDDEN, HIDDEN]).double().eval()
    plain.load_state_dict({name: folded[name] for name in plain.state_dict()})
    assert {name.removesuffix(COUNTED) for name in folded} == set(plain.state_dict())
    path = tmp_path / "model"
    save_arrays(path, {name: value.numpy() for name, value in folded.items()}, {"job": {}})
    export_model(path, tmp_path / "small")
    small, _ = read_exported(empty_model, tmp_path / "small", torch.device("cpu"))
    tokens = torch.randint(WORDS, (8, 3))
    outputs = [network.logits(read(network, tokens)) for network in (model, plain, small)]
    assert outputs[0].std() > 0.01
    for output in outputs[1:]:
        assert (output - outputs[0]).abs().max() <= 1e-12


def counted(model):
    """Return what is left by the rules of the released code, and the gates that are not constant.

    The rules are applied again until nothing changes, as two layers need.

    Masks of embedding, W_x and W_h of both layers, and softmax; of neurons; of gates.
    """
    with torch.no_grad():
        keep = {name: bayes.masked(*model.variable(name)).numpy() != 0 for name in model.random}
    matrices = [keep[name] for name in model.random if keep[name].ndim == 2]
    embedding, wx1, wh1, wx2, wh2, dense = matrices
    ones = np.ones(HIDDEN, bool)
    z = [keep.get(f"groups.hidden{k}", ones) for k in range(2)]
    z_gates = [keep.get(f"groups.gates{k}", np.ones(4 * HIDDEN, bool)) for k in range(2)]
    neurons = [ones, ones]
    for _ in range(4):
        units = keep.get("groups.input", np.ones(EMBEDDING, bool))
        units = units & embedding.any(0) & wx1.any(0)
        neurons = [(wh1.any(0) | wx2.any(0)) & z[0], (wh2.any(0) | dense.any(0)) & z[1]]
        embedding, wx1 = embedding & units, wx1 & units & np.tile(neurons[0], 4)[:, None]
        wh1 = wh1 & neurons[0] & np.tile(neurons[0], 4)[:, None]
        wx2 = wx2 & neurons[0] & np.tile(neurons[1], 4)[:, None]
        wh2 = wh2 & neurons[1] & np.tile(neurons[1], 4)[:, None]
        dense = dense & neurons[1]
    gates = [
        (wx.any(1) | wh.any(1)) & z_gates[k] & np.tile(neurons[k], 4)
        for k, (wx, wh) in enumerate(((wx1, wh1), (wx2, wh2)))
    ]
    return (embedding, wx1, wh1, wx2, wh2, dense), neurons, gates


@pytest.mark.parametrize("levels", LEVELS)
def test_counts_follow_the_rules_of_the_released_code(levels):
    model = noisy(levels)
    found = read_structure({name: value.numpy() for name, value in model.folded().items()})
    matrices, neurons, gates = counted(model)
    facts = found.facts()
    assert facts["weights_left"] == sum(int(mask.sum()) for mask in matrices)
    for k in range(2):
        assert list(found.neurons[k]) == list(neurons[k])
        assert list(found.gates[k].ravel()) == list(gates[k])
    assert facts["gates1"] < 4 * facts["neurons1"]
    assert facts["neurons2"] < HIDDEN
    if levels == "wgn":  # weights of gates that only z removes are counted
        zeros = {name: value.numpy() for name, value in model.folded().items()}
        bare = {name: value for name, value in zeros.items() if not name.endswith(COUNTED)}
        assert read_structure(bare).facts()["weights_left"] < facts["weights_left"]
        assert facts["gates2"] < 4 * facts["neurons2"]
