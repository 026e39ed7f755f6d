"""Training of text classifiers: the loss's scale, resume, which model is taken, sparsity."""

import copy

import numpy as np
import pytest
import torch

from g2lstm import config
from g2lstm.data.prepare_texts import build_text_corpus
from g2lstm.data.text_sources import make_texts
from g2lstm.errors import UserError
from g2lstm.sparsify.bayes import log_alpha, surrogate
from g2lstm.sparsify.kinds import kind_of
from g2lstm.sparsify.structure import read_structure
from g2lstm.text import train
from g2lstm.text.evaluate import measure
from g2lstm.text.model import TextClassifier, cross_entropy, read_batch
from g2lstm.training.tensors import load_tensors

DENSE = {"method": "dense"}
BAYES = [{"method": "bayes", "levels": levels} for levels in ("w", "wn", "wgn")]


@pytest.fixture(scope="module", params=[2, 3])
def corpus(request):
    texts = make_texts(1, 100, request.param, {"train": 200, "test": 40}, longest=12)
    return build_text_corpus(texts, 12, 0.15)[0]


def new(corpus, folder, method=DENSE, **over):
    complete = config.complete_job({"task": "imdb", "stage": "train", "seed": 1, "method": method})
    complete["model"] |= {"embedding": 6, "hidden": 5}
    complete["optimisation"] |= {"batch": 40, "lr": 0.01}
    complete["schedule"]["epochs"] = 3
    for section, values in over.items():
        complete[section] = {**complete[section], **values}
    torch.manual_seed(5)
    training = kind_of("imdb").trainings[method["method"]]
    return training(complete, corpus, folder, torch.device("cpu"))


@pytest.mark.parametrize("method", [DENSE, *BAYES])
def test_restored_at_any_step_the_run_ends_with_the_same_bits(corpus, tmp_path, method):
    whole = new(corpus, tmp_path / "whole", method)
    whole.start()
    states = []
    while not whole.finished:
        states.append((*copy.deepcopy(whole.state()), torch.get_rng_state()))
        whole.step()
    assert whole.chunks == 170 // 40
    assert len(states) == 3 * (whole.chunks + 1)
    for tensors, meta, generator in (states[1], states[whole.chunks], states[-2]):
        resumed = new(corpus, tmp_path / "resumed", method)
        resumed.restore(tensors, meta)
        torch.set_rng_state(generator)
        while not resumed.finished:
            resumed.step()
        for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
            assert torch.equal(a, b)
        assert resumed.history.epochs == whole.history.epochs


def test_an_epoch_reads_every_text_once_in_an_order_of_its_own(corpus, tmp_path):
    training = new(corpus, tmp_path, optimisation={"batch": 17})
    orders = []
    for epoch in (1, 2):
        parts = []
        for position in range(training.chunks):
            training.epoch, training.steps = epoch, position
            parts.append(training._chosen())
        orders.append(np.concatenate(parts))
        assert sorted(orders[-1]) == list(range(170))
    assert list(orders[0]) != list(orders[1])


@pytest.mark.parametrize("method", BAYES)
def test_r_is_over_the_number_of_training_texts(corpus, tmp_path, method):
    training = new(corpus, tmp_path, method)
    training.optimiser.step = lambda rate: None
    tokens, kept, labels = read_batch(training.train_split, training._chosen(), "cpu")
    variables = [training.model.variable(name) for name in training.model.random]
    torch.manual_seed(9)
    loss = cross_entropy(training.model(tokens, kept), labels)
    total = sum(surrogate(log_alpha(*variable)).sum() for variable in variables)
    parameters = list(training.model.parameters())
    wanted = torch.autograd.grad(loss + total / 170, parameters)
    torch.manual_seed(9)
    training.step()
    for parameter, gradient in zip(parameters, wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("select", ["last", "best"])
def test_which_model_is_taken(corpus, tmp_path, monkeypatch, select):
    losses = iter([1.0, 0.5, 2.0])
    found = lambda *_: {"nats": next(losses), "accuracy": 50.0}  # noqa: E731
    monkeypatch.setattr(train, "measure", found)
    training, models = new(corpus, tmp_path, schedule={"select": select}), []
    training.start()
    while not training.finished:
        epoch = training.epoch
        training.step()
        if training.epoch > epoch:
            models.append(training.model.decoder.weight.detach().clone())
    taken, _ = load_tensors(tmp_path / "best.safetensors")
    assert torch.equal(taken["decoder.weight"], models[2 if select == "last" else 1])


@pytest.mark.parametrize(("patience", "epochs"), [(1, 3), (2, 6), (None, 9)])
def test_patience_stops_a_run_that_gets_no_better(corpus, tmp_path, monkeypatch, patience, epochs):
    losses = iter([1.0, 0.5, 2.0, 0.4, 0.6, 0.5, 0.3, 1.0, 1.0])
    monkeypatch.setattr(train, "measure", lambda *_: {"nats": next(losses), "accuracy": 50.0})
    schedule = {"select": "best", "patience": patience, "epochs": 9}
    training = new(corpus, tmp_path, schedule=schedule)
    training.start()
    while not training.finished:
        training.step()
    assert len(training.history.epochs) == epochs
    assert training.stopped == ("schedule" if patience is None else "patience")


@pytest.mark.parametrize("method", BAYES)
def test_bayesian_training_makes_weights_zero_and_publishes_what_it_validates(
    corpus, tmp_path, method
):
    training = new(corpus, tmp_path, method, schedule={"epochs": 8}, optimisation={"lr": 0.03})
    training.start()
    training._validate()
    before = training._facts()
    while not training.finished:
        training.step()
    last = training.history.epochs[-1]
    assert last["divergence"] < before["divergence"]
    assert last["compression"] > max(before["compression"], 1.5)
    published, _ = load_tensors(tmp_path / "best.safetensors")
    facts = read_structure({name: value.numpy() for name, value in published.items()}).facts()
    assert facts["compression"] == last["compression"]
    outputs = len(published["decoder.bias"])
    plain = TextClassifier(corpus.vocabulary_size, 6, 5, outputs)
    plain.load_state_dict({name: published[name] for name in plain.state_dict()})
    assert measure(plain.eval(), corpus.splits["valid"], 250)["accuracy"] == last["valid_accuracy"]


def test_a_batch_larger_than_the_training_split_is_refused(corpus, tmp_path):
    with pytest.raises(UserError, match="batch = 200 is too many for 170"):
        new(corpus, tmp_path, optimisation={"batch": 200})
