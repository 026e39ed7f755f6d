"""Training of recurrent highway networks: a step, resume, which model is taken; configuration."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from highway_models import CPU, DEPTH, HIDDEN, WORDS, tiny

from g2lstm import config
from g2lstm.data.corpus import Corpus
from g2lstm.errors import UserError
from g2lstm.lm.evaluate import evaluate_sparse, nats_per_token
from g2lstm.lm.highway import Dropout, empty_model, evaluate
from g2lstm.lm.highway_train import HighwayTraining
from g2lstm.lm.stacked_train import learning_rate
from g2lstm.records import read_record
from g2lstm.sparsify import stages as sparse_stages
from g2lstm.sparsify.highway import export_model
from g2lstm.sparsify.models import read_exported
from g2lstm.training.tensors import load_tensors

ISS = {"method": "iss", "lambda1": 0.01, "threshold": 4e-4}
DENSE = {"method": "dense"}


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    splits = {
        name: (rng.zipf(1.5, size=n) % WORDS).astype(np.int32)
        for name, n in (("train", 810), ("valid", 300), ("test", 300))
    }
    return Corpus([f"w{k}" for k in range(WORDS)], splits)


def new(corpus, folder, method=ISS, **over):
    torch.manual_seed(5)
    job = config.complete_job(
        {"task": "word-ptb-rhn", "stage": "train", "seed": 1, "method": method}
    )
    job["model"] |= {"hidden": HIDDEN, "depth": DEPTH}
    job["optimisation"] |= {"batch": 4, "bptt": 12, "weight_decay": 0.01}
    job["schedule"] |= {"epochs": 3, "select": "best"}
    for section, values in over.items():
        job[section] |= values
    return HighwayTraining(job, corpus, folder, CPU)


@pytest.mark.parametrize("method", [ISS, DENSE], ids=lambda method: method["method"])
def test_a_step_is_clipped_sgd_on_summed_loss_and_regulariser(corpus, tmp_path, method):
    training = new(corpus, tmp_path, method, optimisation={"clip": 0.05})
    model = training.model
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    x = training.train_data[:13]
    torch.manual_seed(9)
    loss = model.cross_entropy(model(x[:-1], model.initial_state(4))[1], x[1:])
    (12 * loss + training.regulariser.penalty()).backward()
    gradients = {name: value.grad for name, value in model.named_parameters()}
    norm = torch.stack([gradient.norm() for gradient in gradients.values()]).norm()
    assert norm > 0.05
    torch.manual_seed(9)
    training.step()
    for name, value in model.named_parameters():
        wanted = before[name] - 0.2 * gradients[name] * (0.05 / (norm + 1e-6))
        if method is ISS and not name.endswith("bias"):
            wanted = torch.where(wanted.abs() < 4e-4, 0.0, wanted)
        torch.testing.assert_close(value.detach(), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", [ISS, DENSE], ids=lambda method: method["method"])
def test_restored_at_any_step_the_run_ends_with_the_same_bits(corpus, tmp_path, method):
    whole = new(corpus, tmp_path / "whole", method)
    whole.start()
    states = []
    while not whole.finished:
        states.append((*copy.deepcopy(whole.state()), torch.get_rng_state()))
        whole.step()
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


def test_training_lowers_the_loss_and_removes_units(corpus, tmp_path):
    method = {"method": "iss", "lambda1": 0.2, "threshold": 0.02}
    training = new(
        corpus, tmp_path, method, model={"dropout": dict.fromkeys(vars(Dropout()), 0.0)},
        schedule={"epochs": 6, "select": "last"},
    )  # fmt: skip
    training.start()
    while not training.finished:
        training.step()
    first, last = training.history.epochs[0], training.history.epochs[-1]
    assert last["train_loss"] < first["train_loss"]
    assert last["valid_perplexity"] < WORDS
    facts = export_model(tmp_path / "best.safetensors", tmp_path / "small")
    assert facts["neurons1"] == last["width"] < HIDDEN
    small, _ = read_exported(empty_model, tmp_path / "small", CPU)
    nats = nats_per_token(small, training.valid_data)
    assert math.exp(nats) == pytest.approx(last["valid_perplexity"], rel=1e-5)


def test_the_best_epoch_is_published(corpus, tmp_path, monkeypatch):
    losses = iter([1.0, 0.5, 2.0])
    monkeypatch.setattr(HighwayTraining, "_validate", lambda self: next(losses))
    training, models = new(corpus, tmp_path), []
    training.start()
    for epoch in itertools.count(1):
        while training.epoch == epoch and not training.finished:
            training.step()
        models.append(training.model.decoder["bias"].detach().clone())
        if training.finished:
            break
    taken, _ = load_tensors(tmp_path / "best.safetensors")
    assert torch.equal(taken["decoder.bias"], models[1])


def test_the_record_of_an_export_says_what_the_table_shows(corpus, tmp_path):
    training = new(corpus, tmp_path)
    training.start()
    while not training.finished:
        training.step()
    corpus.save(tmp_path / "corpus")
    sparse_stages.export(
        tmp_path / "best.safetensors", tmp_path / "corpus", {"task": "word-ptb-rhn"},
        {"valid_batch": 20, "test_batch": 1}, tmp_path / "small", tmp_path / "record.json", "cpu",
    )  # fmt: skip
    record = read_record(tmp_path / "record.json")
    assert (record["size"]["lambda1"], record["size"]["neurons1"]) == (0.01, HIDDEN)
    assert record["metrics"]["valid"]["tokens"] == 299
    assert not {"keep", "gates"} & {*record, *record["size"]}  # of LSTM alone


def test_the_final_evaluation_has_one_column_whatever_validates_in_training(corpus):
    model = tiny().eval()
    found = evaluate(model, corpus, {"valid_batch": 20, "test_batch": 1})
    assert found == evaluate_sparse(model, corpus, {"valid_batch": 1, "test_batch": 1})


def test_rates_of_the_paper():
    train = config.resolve({}, "paper")["word-ptb-rhn"]["train"]
    decay = {name: train[name] for name in ("decay", "hold", "every")}
    for epoch in (1, 20, 21, 22, 500):
        wanted = 0.2 / 1.02 ** max(epoch - 20, 0)
        assert learning_rate(0.2, **decay, epoch=epoch) == pytest.approx(wanted)


def test_methods_of_the_paper_have_their_own_dropout():
    paper = config.resolve({}, "paper")
    assert set(paper["word-ptb-rhn"]["methods"]) == {
        "original", *(f"iss-00{n}" for n in (4, 5, 6, 7))
    }  # fmt: skip
    for name in paper["word-ptb-rhn"]["methods"]:
        job = config.complete_job(config.training_job(paper, "word-ptb-rhn", name, 1, "train"))
        scale = 1.0 if name == "original" else 0.6
        assert job["model"]["dropout"] == pytest.approx(
            {"words": 0.25 * scale, "input": 0.75 * scale, "hidden": 0.25 * scale,
             "output": 0.75 * scale}
        )  # fmt: skip
        assert job["model"]["hidden"] == 830
        assert job["method"].get("lambda1", 0.0) == (
            0 if name == "original" else int(name[-1]) / 1000
        )


def test_a_rate_that_a_method_does_not_name_is_that_of_the_task():
    user = {"word-ptb-rhn": {"methods": {"iss-005": {"model": {"dropout": {"words": 0.5}}}}}}
    demo = config.resolve(user)
    job = config.complete_job(config.training_job(demo, "word-ptb-rhn", "iss-005", 1, "train"))
    assert job["model"]["dropout"] == {"words": 0.5, "input": 0.06, "hidden": 0.0, "output": 0.06}


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"model": {"depth": 0}}, ["word-ptb-rhn.model.depth", "0", "at least 1"]),
        ({"model": {"dropout": {"input": 1}}}, ["model.dropout.input", "1", "below 1"]),
        ({"optimisation": {"bptt": None}}, ["optimisation.bptt", "a whole number"]),
        ({"methods": {"iss-005": {"lambda2": 1}}}, ["iss-005", "lambda2", "allowed: method"]),
        ({"methods": {"iss-005": {"method": "bayes"}}}, ["'bayes'", "one of dense, iss"]),
        ({"methods": {"iss-003": {"method": "dense"}}}, ["iss-003", "iss-004"]),
    ],
)
def test_a_mistake_is_told_in_one_line(section, words):
    with pytest.raises(UserError) as error:
        config.resolve({"word-ptb-rhn": section})
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)
