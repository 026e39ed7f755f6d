"""The text classifier, dense and Bayesian: its definition, its noise, the plain model, counts."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from g2lstm.arrays import save_arrays
from g2lstm.data.texts import TextSplit
from g2lstm.sparsify import bayes
from g2lstm.sparsify.export import export_model, load_exported
from g2lstm.sparsify.models import read_exported
from g2lstm.sparsify.structure import COUNTED, read_structure
from g2lstm.text.bayes import BayesianTextClassifier
from g2lstm.text.evaluate import measure
from g2lstm.text.model import TextClassifier, cross_entropy, empty_model, read_batch

LEVELS = ("w", "wn", "wgn")
WORDS, EMBEDDING, HIDDEN = 12, 4, 5
CPU = torch.device("cpu")


def model_of(levels, log_sigma=None, outputs=1):
    """A model in float64, its biases not those of the start; ``log_sigma``: of all variables."""
    torch.manual_seed(3)
    model = BayesianTextClassifier(WORDS, EMBEDDING, HIDDEN, outputs, levels=levels).double()
    with torch.no_grad():
        model.embedding.weight.mul_(20)
        model.lstm[0].bias.uniform_(-1, 1)
        model.decoder.bias.uniform_(-1, 1)
        for value in model.log_sigma.values() if log_sigma is not None else ():
            value.fill_(log_sigma)
    return model


def texts(count=6):
    """Texts of 1 to 7 tokens with labels of two classes."""
    rng = np.random.default_rng(2)
    lengths = rng.integers(1, 8, count)
    tokens = rng.integers(1, WORDS, lengths.sum()).astype(np.int32)
    return TextSplit(tokens, np.concatenate([[0], np.cumsum(lengths)]), rng.integers(2, size=count))


def plain_of(model):
    """Return a plain model with the parameters of ``model``."""
    plain = TextClassifier(WORDS, EMBEDDING, HIDDEN, len(model.decoder.bias))
    plain = plain.to(model.decoder.bias.dtype)
    folded = model.state_dict() if model.training else model.folded()
    plain.load_state_dict({name: folded[name] for name in plain.state_dict()})
    return plain


def test_the_loss_is_that_of_the_recipe():
    logits = torch.tensor([[0.3], [-40.0], [40.0]], dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([1, 1, 1])
    found = cross_entropy(logits, labels, reduction="none")
    probability = torch.tensor([1 / (1 + np.exp(-0.3)), 1e-6, 1 - 1e-6], dtype=torch.float64)
    torch.testing.assert_close(found, -probability.log())
    found.sum().backward()
    assert logits.grad[1:].tolist() == [[0.0], [0.0]]
    four = torch.randn(3, 4)
    assert torch.equal(cross_entropy(four, labels), F.cross_entropy(four, labels))


@pytest.mark.parametrize("levels", LEVELS)
def test_without_noise_it_is_the_plain_model_in_training_too(levels):
    model = model_of(levels, log_sigma=-60.0, outputs=4)
    model._decode = lambda last: F.linear(last, model.decoder.weight, model.decoder.bias)
    plain = plain_of(model)
    tokens, kept, labels = read_batch(texts(), range(6), CPU)
    results = []
    for network in (model, plain):
        loss = cross_entropy(network(tokens, kept), labels)
        weights = [network.get_parameter(name) for name, _ in plain.named_parameters()]
        results.append([loss, *torch.autograd.grad(loss, weights)])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("levels", LEVELS)
def test_matrices_are_drawn_once_a_call_and_group_variables_for_each_text(levels):
    model = model_of(levels, log_sigma=-40.0)
    model._decode = lambda last: last
    tokens = torch.tensor([3, 4, 3, 5]).unsqueeze(1).expand(4, 3)
    kept = torch.ones(4, 3)
    same = model(tokens, kept)
    torch.testing.assert_close(same, same[:1].expand_as(same))
    for name in model.random:
        log_sigma = model.variable(name)[1]
        with torch.no_grad():
            log_sigma.fill_(-1.0)
        found, again = model(tokens, kept), model(tokens, kept)
        with torch.no_grad():
            log_sigma.fill_(-40.0)
        if name == "decoder.weight":
            continue
        assert (found - again).abs().max() > 1e-3
        differ = (found[0] - found[1]).abs().max() > 1e-3
        assert differ == name.startswith("groups.")


def test_a_word_has_one_draw_of_z_wherever_it_stands_in_a_text():
    model = model_of("w", log_sigma=-1.0)
    tokens = torch.tensor([[3, 3, 5], [4, 4, 5], [3, 3, 3]])
    z = model._of_words(tokens).squeeze(2)
    assert torch.equal(z[0, :2], z[2, :2])
    assert z[0, 0] != z[0, 1]
    assert z[0, 2] == z[1, 2] != z[2, 2]
    assert len(z.unique()) == 6


def test_the_dense_layer_has_the_moments_of_its_weights():
    """Mean x μ + b and variance x² σ², the bias not a part of it; one draw for each text."""
    model = model_of("w", outputs=2)
    mean, log_sigma = model.variable("decoder.weight")
    with torch.no_grad():
        log_sigma.uniform_(-1, 0)
    x = torch.randn(1, HIDDEN, dtype=torch.float64)
    found = model._decode(x.expand(100_000, -1)).detach()
    torch.testing.assert_close(
        found.mean(0), (x @ mean.T + model.decoder.bias)[0], rtol=0, atol=0.03
    )
    wanted = ((x**2) @ (2 * log_sigma).exp().T + 1e-8).sqrt()[0]
    torch.testing.assert_close(found.std(0), wanted.detach(), rtol=0.02, atol=0)
    assert np.corrcoef(found.T)[0, 1] == pytest.approx(0.0, abs=0.02)


def noisy(levels):
    """A model in test mode of which a part of all kinds of variables is zero."""
    model = model_of(levels, outputs=2)
    with torch.no_grad():
        for name in model.random:
            mean, log_sigma = model.variable(name)
            mean *= 1 + 0.3 * torch.randn_like(mean)
            log_sigma.copy_(mean.abs().log() + 1.5 + 1.2 * torch.randn_like(mean) - 0.6)
        model.variable("groups.vocabulary")[1][3] = 20.0
        model.variable("embedding.weight")[1][5] = 20.0
        for z, unit in (("hidden0", 1), ("input", 3)) if levels != "w" else ():
            model.variable(f"groups.{z}")[1][unit] = 20.0
        for name in ("lstm.0.weight_ih", "lstm.0.weight_hh"):
            model.variable(name)[1][0] = 20.0  # the input gate of neuron 0
        for name in ("lstm.0.weight_hh", "decoder.weight"):
            model.variable(name)[1][:, 4] = 20.0  # what reads neuron 4
    return model.eval()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("levels", LEVELS)
def test_the_published_model_computes_what_the_masked_one_does(levels, dtype, tolerance, tmp_path):
    model = noisy(levels).to(dtype)
    folded = model.folded()
    assert {name.removesuffix(COUNTED) for name in folded} == set(plain_of(model).state_dict())
    path = tmp_path / "model"
    save_arrays(path, {name: value.numpy() for name, value in folded.items()}, {"job": {}})
    facts = export_model(path, tmp_path / "small")
    small, _ = read_exported(empty_model, tmp_path / "small", CPU)
    gone = EMBEDDING - small.embedding.embedding_dim  # counted, as print counts
    own = sum(parameter.numel() for parameter in small.parameters())
    assert facts["dense_weights"] == own + gone * (WORDS + 4 * small.lstm[0].hidden)
    tokens, kept, _ = read_batch(texts(), range(6), CPU)
    outputs = [network(tokens, kept) for network in (model, plain_of(model), small)]
    assert outputs[0].std() > 0.01
    for output in outputs[1:]:
        assert output.dtype == dtype
        assert (output - outputs[0]).abs().max() <= tolerance


def test_words_that_are_gone_take_no_place(tmp_path):
    folded = {name: value.numpy() for name, value in noisy("wgn").folded().items()}
    save_arrays(tmp_path / "model", folded, {"job": {}})
    facts = export_model(tmp_path / "model", tmp_path / "small")
    arrays, _ = load_exported(tmp_path / "small")
    rows = arrays["embedding.weight"].any(1)
    assert not rows[3]
    assert not rows[5]
    assert facts["words"] == rows.sum() < WORDS


def counted(model):
    """Return what is left by the rules of the released code: weights, neurons, gates."""
    with torch.no_grad():
        keep = {name: bayes.masked(*model.variable(name)).numpy() != 0 for name in model.random}
    embedding, w_x, w_h, dense = (keep[name] for name in model.random if keep[name].ndim == 2)
    z = {name: np.ones(size, bool) for name, size in (("input", EMBEDDING), ("hidden0", HIDDEN))}
    z["gates0"] = np.ones(4 * HIDDEN, bool)
    z |= {name.removeprefix("groups."): k for name, k in keep.items() if k.ndim == 1}
    embedding = embedding & z["vocabulary"][:, None]
    for _ in range(3):
        units = embedding.any(0) & z["input"] & w_x.any(0)
        neurons = (w_h.any(0) | dense.any(0)) & z["hidden0"]
        rows = np.tile(neurons, 4)[:, None]
        embedding, w_x = embedding & units, w_x & units & rows
        w_h, dense = w_h & neurons & rows, dense & neurons
    gates = (w_x.any(1) | w_h.any(1)) & z["gates0"]
    return sum(int(mask.sum()) for mask in (embedding, w_x, w_h, dense)), neurons, gates


@pytest.mark.parametrize("levels", LEVELS)
def test_counts_follow_the_rules_of_the_released_code(levels):
    model = noisy(levels)
    found = read_structure({name: value.numpy() for name, value in model.folded().items()})
    weights, neurons, gates = counted(model)
    assert found.facts()["weights_left"] == weights
    assert list(found.neurons[0]) == list(neurons)
    assert list(found.gates[0].ravel()) == list(gates)
    assert found.facts()["neurons1"] < HIDDEN
    assert (
        found.facts()["weights"]
        == WORDS * EMBEDDING + 4 * HIDDEN * (EMBEDDING + HIDDEN) + 2 * HIDDEN
    )


@pytest.mark.parametrize("outputs", [1, 3])
def test_accuracy_is_in_percent_and_independent_of_the_batch(outputs):
    model, split = plain_of(model_of("w", outputs=outputs)).eval(), texts(9)
    whole, parts = (measure(model, split, batch) for batch in (9, 2))
    assert whole["nats"] == pytest.approx(parts["nats"], rel=1e-12)
    assert whole["accuracy"] == parts["accuracy"]
    tokens, kept, labels = read_batch(split, range(9), CPU)
    logits = model(tokens, kept).detach()
    classes = (logits[:, 0].sigmoid() > 0.5) if outputs == 1 else logits.softmax(1).argmax(1)
    assert whole["accuracy"] == 100 * np.mean(classes.numpy() == labels.numpy())
