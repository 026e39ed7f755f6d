"""Training of the stacked language model: the loss's scale, resume, which model is taken."""

import copy
import math

import numpy as np
import pytest
import torch

from g2lstm import config
from g2lstm.data.corpus import Corpus
from g2lstm.lm.bayes_train import BayesianTraining
from g2lstm.lm.evaluate import nats_per_token
from g2lstm.lm.stacked import StackedLanguageModel
from g2lstm.lm.stacked_train import StackedTraining
from g2lstm.sparsify.bayes import log_alpha, surrogate
from g2lstm.sparsify.structure import read_structure
from g2lstm.training.tensors import load_tensors

VOCABULARY = 20
PRUNING = {
    "method": "pruning", "groups": "gates", "lambda1": 2e-3, "lambda2": 1e-5, "threshold": 1e-4
}  # fmt: skip
BAYES = [{"method": "bayes", "levels": levels} for levels in ("w", "wn", "wgn")]


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    splits = {
        name: (rng.zipf(1.5, size=n) % VOCABULARY).astype(np.int32)
        for name, n in (("train", 810), ("valid", 300), ("test", 300))
    }
    return Corpus([f"w{k}" for k in range(VOCABULARY)], splits)


def job(method=PRUNING, **over):
    complete = config.complete_job(
        {"task": "word-ptb-small", "stage": "train", "seed": 1, "method": method}
    )
    complete["model"] = {**complete["model"], "embedding": 5, "hidden": 6}
    complete["optimisation"] = {**complete["optimisation"], "batch": 4, "bptt": 12}
    complete["schedule"] = {**complete["schedule"], "epochs": 3, "hold": 1}
    for section, values in over.items():
        complete[section] = {**complete[section], **values}
    return complete


def new(corpus, folder, **over):
    torch.manual_seed(5)
    complete = job(**over)
    kind = BayesianTraining if complete["method"]["method"] == "bayes" else StackedTraining
    return kind(complete, corpus, folder, torch.device("cpu"))


def test_a_step_is_sgd_on_the_loss_summed_over_the_chunk_plus_the_regulariser(corpus, tmp_path):
    training = new(corpus, tmp_path, optimisation={"clip": 0.05})
    before = [parameter.detach().clone() for parameter in training.model.parameters()]
    x = training.train_data[:13]
    state = training.model.initial_state(4)
    loss = training.model.cross_entropy(training.model(x[:-1], state)[1], x[1:])
    (12 * loss + training.regulariser.penalty()).backward()
    gradients = [parameter.grad for parameter in training.model.parameters()]
    norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
    assert norm > 0.05
    training.step()
    for parameter, old, gradient in zip(
        training.model.parameters(), before, gradients, strict=True
    ):
        moved = old - gradient * (0.05 / (norm + 1e-6))
        wanted = torch.where(moved.abs() < 1e-4, 0.0, moved)
        torch.testing.assert_close(parameter.detach(), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", [PRUNING, {"method": "dense"}, *BAYES])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_restored_at_any_step_the_run_ends_with_the_same_bits(corpus, tmp_path, method, optimiser):
    over = {"method": method, "optimisation": {"optimiser": optimiser, "lr": 0.1}}
    whole = new(corpus, tmp_path / "whole", **over)
    whole.start()
    states = []
    while not whole.finished:
        states.append((*copy.deepcopy(whole.state()), torch.get_rng_state()))
        whole.step()
    assert whole.chunks == (810 // 4 - 1) // 12
    assert len(states) == 3 * (whole.chunks + 1)
    for tensors, meta, generator in (states[1], states[whole.chunks], states[-2]):
        resumed = new(corpus, tmp_path / "resumed", **over)
        resumed.restore(tensors, meta)
        torch.set_rng_state(generator)
        while not resumed.finished:
            resumed.step()
        for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
            assert torch.equal(a, b)
        assert resumed.history.epochs == whole.history.epochs


@pytest.mark.parametrize("select", ["last", "best"])
def test_which_model_is_taken(corpus, tmp_path, monkeypatch, select):
    losses = iter([1.0, 0.5, 2.0])
    monkeypatch.setattr(StackedTraining, "_validate", lambda self: next(losses))
    training, models = new(corpus, tmp_path, schedule={"select": select}), []
    training.start()
    while not training.finished:
        epoch = training.epoch
        training.step()
        if training.epoch > epoch:
            models.append(training.model.decoder.weight.detach().clone())
    taken, _ = load_tensors(tmp_path / "best.safetensors")
    assert torch.equal(taken["decoder.weight"], models[2 if select == "last" else 1])


@pytest.mark.parametrize("method", BAYES)
def test_the_bayesian_loss_is_per_token_and_r_over_all_predicted_tokens(corpus, tmp_path, method):
    training = new(corpus, tmp_path, method=method)
    training.optimiser.step = lambda rate: None
    x, state = training.train_data[:13], training.model.initial_state(4)
    variables = [training.model.variable(name) for name in training.model.random]
    torch.manual_seed(9)
    loss = training.model.cross_entropy(training.model(x[:-1], state)[1], x[1:])
    total = sum(surrogate(log_alpha(*variable)).sum() for variable in variables)
    assert len(training.train_data) == 202
    parameters = list(training.model.parameters())
    wanted = torch.autograd.grad(loss + total / (201 * 4), parameters)
    torch.manual_seed(9)
    training.step()
    for parameter, gradient in zip(parameters, wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("method", BAYES)
def test_bayesian_training_lowers_the_loss_and_makes_weights_zero(corpus, tmp_path, method):
    over = {"schedule": {"epochs": 8, "hold": 8}, "optimisation": {"optimiser": "adam", "lr": 0.02}}
    training = new(corpus, tmp_path, method=method, **over)
    training.start()
    before = training._facts()
    while not training.finished:
        training.step()
    first, last = training.history.epochs[0], training.history.epochs[-1]
    assert last["train_loss"] < first["train_loss"] - 0.1
    assert last["valid_perplexity"] < VOCABULARY
    assert last["divergence"] < before["divergence"]
    assert last["compression"] > before["compression"]
    assert all(entry["best"] for entry in training.history.epochs)
    published, _ = load_tensors(tmp_path / "best.safetensors")
    facts = read_structure({name: value.numpy() for name, value in published.items()}).facts()
    assert facts["compression"] == last["compression"] > 1.5
    plain = StackedLanguageModel(VOCABULARY, [5, 6, 6])
    plain.load_state_dict({name: published[name] for name in plain.state_dict()})
    nats = nats_per_token(plain.eval(), training.valid_data)
    assert math.exp(nats) == last["valid_perplexity"]
