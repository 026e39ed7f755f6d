"""Training of the character model: its loss, resume, which model is taken, its configuration."""

import copy
import math

import numpy as np
import pytest
import torch

from g2lstm import config
from g2lstm.data.corpus import Corpus
from g2lstm.errors import UserError
from g2lstm.lm.characters import CharacterModel
from g2lstm.lm.chunks import cross_entropy, nats_per_symbol
from g2lstm.paper.figures import _has_dropout
from g2lstm.sparsify.bayes import log_alpha, surrogate
from g2lstm.sparsify.kinds import kind_of
from g2lstm.sparsify.structure import read_structure
from g2lstm.training.tensors import load_tensors

SYMBOLS, LENGTH = 9, 12
DENSE = {"method": "dense"}
BAYES = [{"method": "bayes", "levels": levels} for levels in ("w", "wn", "wgn")]


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    splits = {
        name: (rng.zipf(1.5, size=n) % SYMBOLS).astype(np.int32)
        for name, n in (("train", 230), ("valid", 150), ("test", 150))
    }
    return Corpus(list("abcdefghi"), splits)


def new(corpus, folder, method=DENSE, **over):
    """A run of 18 chunks an epoch: four minibatches of 4, and one of 2."""
    torch.manual_seed(5)
    job = config.complete_job({"task": "char-ptb", "stage": "train", "seed": 1, "method": method})
    job |= {"model": {"hidden": 6}, "length": LENGTH}
    job["optimisation"] |= {"batch": 4, "length": LENGTH}
    job["schedule"] |= {"epochs": 3}
    for section, values in over.items():
        job[section] = job[section] | values
    training = kind_of("char-ptb").trainings[method["method"]]
    return training(job, corpus, folder, torch.device("cpu"))


@pytest.mark.parametrize("method", [DENSE, *BAYES])
def test_the_loss_is_per_symbol_and_r_over_all_predicted_ones(corpus, tmp_path, method):
    training = new(corpus, tmp_path, method)
    training.optimiser.step = lambda rate: None
    text, starts = corpus.splits["train"], training.batches[0]
    tokens = torch.tensor(np.stack([text[s : s + LENGTH] for s in starts], axis=1)).long()
    torch.manual_seed(9)
    loss = cross_entropy(training.model(tokens[:-1]), tokens[1:])
    if method != DENSE:
        names = training.model.random
        variables = [training.model.variable(name) for name in names]
        total = sum(surrogate(log_alpha(*variable)).sum() for variable in variables)
        loss = loss + total / (18 * (LENGTH - 1))
    parameters = list(training.model.parameters())
    wanted = torch.autograd.grad(loss, parameters)
    torch.manual_seed(9)
    training.step()
    for parameter, gradient in zip(parameters, wanted, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)


def test_an_epoch_has_a_smaller_last_minibatch_which_weighs_less(corpus, tmp_path):
    training = new(corpus, tmp_path)
    assert training.chunks == 5
    assert [len(batch) for batch in training.batches] == [4, 4, 4, 4, 2]
    losses = []
    for _ in range(5):
        before = training.sums.clone()
        training.step()
        nats, chunks = (training.sums - before).tolist()
        losses.append((nats / chunks, chunks))
    assert [chunks for _, chunks in losses] == [4, 4, 4, 4, 2]
    assert training._mean_loss() == pytest.approx(sum(a * b for a, b in losses) / 18)
    old = training.batches
    training.step()
    assert (training.epoch, training.steps) == (2, 0)
    assert not torch.equal(torch.cat(old), torch.cat(training.batches))


@pytest.mark.parametrize("method", [DENSE, *BAYES])
def test_restored_at_any_step_the_run_ends_with_the_same_bits(corpus, tmp_path, method):
    whole = new(corpus, tmp_path / "whole", method)
    whole.start()
    states = []
    while not whole.finished:
        states.append((*copy.deepcopy(whole.state()), torch.get_rng_state()))
        whole.step()
    assert len(states) == 3 * 6
    for tensors, meta, generator in (states[1], states[5], states[8], states[-2]):
        resumed = new(corpus, tmp_path / "resumed", method)
        resumed.restore(tensors, meta)
        torch.set_rng_state(generator)
        while not resumed.finished:
            resumed.step()
        for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
            assert torch.equal(a, b)
        assert resumed.history.epochs == whole.history.epochs


@pytest.mark.parametrize("method", BAYES)
def test_bayesian_training_lowers_the_loss_and_makes_weights_zero(corpus, tmp_path, method):
    over = {"schedule": {"epochs": 20}, "optimisation": {"lr": 0.03}}
    training = new(corpus, tmp_path, method, **over)
    training.start()
    before = training._facts()
    while not training.finished:
        training.step()
    first, last = training.history.epochs[0], training.history.epochs[-1]
    assert last["train_loss"] < first["train_loss"] - 0.1
    assert last["valid_perplexity"] < SYMBOLS
    assert last["divergence"] < before["divergence"]
    assert all(entry["best"] for entry in training.history.epochs)
    published, _ = load_tensors(tmp_path / "best.safetensors")
    facts = read_structure({name: value.numpy() for name, value in published.items()}).facts()
    assert facts["compression"] == last["compression"] > 1.5
    plain = CharacterModel(SYMBOLS, 6)
    plain.load_state_dict({name: published[name] for name in plain.state_dict()})
    nats = nats_per_symbol(plain.eval(), training.valid_data, LENGTH)
    assert math.exp(nats) == last["valid_perplexity"]


@pytest.mark.parametrize(("select", "taken"), [("last", 2), ("best", 1)])
def test_which_model_is_taken(corpus, tmp_path, monkeypatch, select, taken):
    training, models = new(corpus, tmp_path, schedule={"select": select}), []
    losses = iter([1.0, 0.5, 2.0])
    monkeypatch.setattr(training, "_validate", lambda: next(losses))
    training.start()
    while not training.finished:
        epoch = training.epoch
        training.step()
        if training.epoch > epoch:
            models.append(training.model.decoder.weight.detach().clone())
    found, _ = load_tensors(tmp_path / "best.safetensors")
    assert torch.equal(found["decoder.weight"], models[taken])


def test_a_text_shorter_than_its_chunks_is_refused(corpus, tmp_path):
    with pytest.raises(UserError, match="chunks of 200 symbols are too long for a text of 230"):
        new(corpus, tmp_path, optimisation={"length": 200})


def test_the_paper_preset_is_the_published_recipe():
    paper = config.resolve({}, "paper")
    section = paper["char-ptb"]
    jobs = {
        method: config.complete_job(config.training_job(paper, "char-ptb", method, 1, "train"))
        for method in section["methods"]
    }
    levels = {name: job["method"].get("levels") for name, job in jobs.items()}
    assert levels == {"original": None, "bayes-w": "w", "bayes-wn": "wn", "bayes-wgn": "wgn"}
    for name, job in jobs.items():
        assert job["model"] == {"hidden": 1000}
        assert job["optimisation"] == {"lr": 0.002, "clip": 1.0, "batch": 64, "length": 100}
        assert job["length"] == 100
        select = "best" if name == "original" else "last"
        patience = 5 if name == "original" else None
        assert job["schedule"] == {"epochs": 250, "select": select, "patience": patience}
        assert not _has_dropout(job)


def test_validation_by_chunks_of_another_length_is_another_job():
    user = {"preset": "paper", "char-ptb": {"evaluation": {"length": 50}}}
    job = config.training_job(config.resolve(user), "char-ptb", "bayes-w", 1, "train")
    assert job["length"] == 50
    assert "length" not in job.get("optimisation", {})


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"optimisation": {"length": 1}}, ["char-ptb.optimisation.length", "1", "at least 2"]),
        ({"model": {"layers": 2}}, ["char-ptb.model", "layers", "hidden"]),
        ({"methods": {"pruning-wn": {"method": "dense"}}}, ["methods", "pruning-wn", "bayes-wgn"]),
        (
            {"methods": {"original": {"method": "pruning"}}},
            ["char-ptb.methods.original.method", "'pruning'", "dense, bayes"],
        ),
        (
            {"methods": {"bayes-wgn": {"levels": "all"}}},
            ["char-ptb.methods.bayes-wgn.levels", "'all'", "wgn"],
        ),
    ],
)
def test_a_mistake_names_key_value_and_what_is_allowed(over, words):
    with pytest.raises(UserError) as error:
        config.resolve({"char-ptb": over})
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
