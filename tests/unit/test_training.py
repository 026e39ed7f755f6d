"""Optimiser, triggers and checkpoints of training runs."""

import itertools
import math

import numpy as np
import pytest
import torch

from g2lstm import config
from g2lstm.data.corpus import Corpus
from g2lstm.errors import UserError
from g2lstm.lm.train import LMTraining, chunk_length, stalled
from g2lstm.training import checkpoint, folder, loop
from g2lstm.training.optimiser import AveragingSGD
from g2lstm.training.tensors import load_tensors, save_tensors

VOCABULARY = 20


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    splits = {
        name: (rng.zipf(1.5, size=n) % VOCABULARY).astype(np.int32)
        for name, n in (("train", 1200), ("valid", 300), ("test", 300))
    }
    return Corpus([f"w{k}" for k in range(VOCABULARY)], splits)


def job(stage="train", **over):
    complete = config.complete_job({"task": "lm", "stage": stage, "seed": 1})
    complete["model"] = {**complete["model"], "embedding": 5, "hidden": 6, "layers": 2}
    complete["optimisation"] = {**complete["optimisation"], "lr": 2.0, "batch": 4, "bptt": 12}
    complete["gate"] = {"kind": "gumbel", "p": 0.2, "tau": 0.9, "eps": 1e-3}
    complete["schedule"] = {"epochs": 4, "nonmono": 5}
    if stage == "train":
        complete["schedule"]["average_after"] = 2
    for section, values in over.items():
        complete[section] = {**complete[section], **values}
    return complete


def test_averaging_sgd_is_the_naive_formula():
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(3, 4, dtype=torch.float64))
    optimiser = AveragingSGD([weight], weight_decay=0.01, clip=0.5)
    w, iterates = weight.detach().clone(), []
    rates = [1.0, 0.5, 2.0, 1.5]
    for step, rate in enumerate(rates):
        if step == 1:
            optimiser.start_averaging()
        gradient = torch.randn(3, 4, dtype=torch.float64)
        weight.grad = gradient.clone()
        optimiser.step(rate)
        clipped = gradient * min(1.0, 0.5 / (gradient.norm() + 1e-6))
        w = w - rate * (clipped + 0.01 * w)
        iterates.append(w)
        torch.testing.assert_close(weight.detach(), w, rtol=1e-10, atol=1e-12)
    mean = torch.stack(iterates[1:]).mean(0)
    with optimiser.averaged():
        torch.testing.assert_close(weight.detach(), mean, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(weight.detach(), w, rtol=1e-10, atol=1e-12)


def test_trigger_of_nt_asgd():
    """len(v) > n and L > min(v[:-n]), as in the released code."""
    assert not stalled([5, 4, 3, 2, 1], 9, 5)
    assert stalled([5, 4, 3, 2, 1, 1], 5.1, 5)
    assert not stalled([5, 4, 3, 2, 1, 1], 4.9, 5)
    assert stalled([3.0], 3.1, 0)


def test_chunk_lengths_follow_the_recipe():
    torch.manual_seed(0)
    lengths = torch.tensor([chunk_length(70) for _ in range(20_000)], dtype=torch.float64)
    short = (lengths < 52).double().mean()
    assert abs(short - 0.05) < 0.01
    long = lengths[lengths >= 52]
    assert abs(long.mean() - 69.5) < 0.3  # cut to whole numbers
    assert abs(long.std() - 5) < 0.2
    assert min(chunk_length(6) for _ in range(500)) == 5
    assert max(chunk_length(70, longest=80) for _ in range(2000)) == 80


def run(training):
    training.start()
    while not training.finished:
        training.step()
    return training


def test_averaging_starts_at_the_latest_after_the_given_epoch(corpus, tmp_path):
    torch.manual_seed(1)
    training = run(LMTraining(job(), corpus, tmp_path, torch.device("cpu")))
    assert [entry["averaged"] for entry in training.history.epochs] == [False, False, True, True]
    assert training.stopped == "schedule"


def test_best_model_is_the_one_that_is_kept(corpus, tmp_path):
    torch.manual_seed(1)
    training = run(LMTraining(job(), corpus, tmp_path, torch.device("cpu")))
    tensors, _ = load_tensors(training.best_path)
    best = min(entry["valid_perplexity"] for entry in training.history.epochs)
    training.model.load_state_dict(tensors)
    assert math.exp(training._validate()) == pytest.approx(best, rel=1e-12)


def test_finetune_starts_from_the_model_and_averages_from_the_first_step(corpus, tmp_path):
    torch.manual_seed(1)
    first = run(LMTraining(job(), corpus, tmp_path / "a", torch.device("cpu")))
    initial, _ = load_tensors(first.best_path)
    training = LMTraining(job("finetune"), corpus, tmp_path / "b", torch.device("cpu"), initial)
    training.start()
    assert math.exp(training.best) == pytest.approx(
        min(entry["valid_perplexity"] for entry in first.history.epochs)
    )
    while not training.finished:
        training.step()
    assert all(entry["averaged"] for entry in training.history.epochs)


def test_finetune_stops_by_its_rule_and_keeps_the_initial_model(corpus, tmp_path, monkeypatch):
    """The loaded model's loss decides what is saved, but is not one of the losses of the rule."""
    torch.manual_seed(1)
    first = LMTraining(job(), corpus, tmp_path / "a", torch.device("cpu"))
    initial = {name: value.clone() for name, value in first.model.state_dict().items()}
    settings = job("finetune", schedule={"nonmono": 1, "epochs": 9})
    training = LMTraining(settings, corpus, tmp_path / "b", torch.device("cpu"), initial)
    losses = itertools.count(1.0)
    monkeypatch.setattr(training, "_validate", lambda: next(losses))
    run(training)
    assert training.stopped == "stop rule"
    assert training.losses == [2.0, 3.0, 4.0]
    kept, _ = load_tensors(training.best_path)
    assert all(torch.equal(kept[name], initial[name]) for name in initial)


def test_the_rate_is_scaled_by_the_length_of_the_chunk(corpus, tmp_path, monkeypatch):
    training = LMTraining(job(), corpus, tmp_path, torch.device("cpu"))
    rates = []
    monkeypatch.setattr(training.optimiser, "step", rates.append)
    monkeypatch.setattr("g2lstm.lm.train.chunk_length", lambda *_: 18)
    training.step()
    assert rates == [2.0 * 18 / 12]
    assert training.position == 18


@pytest.mark.parametrize("stage", ["train", "finetune"])
def test_restored_at_any_step_the_run_ends_with_the_same_bits(corpus, tmp_path, stage):
    device = torch.device("cpu")
    initial = None
    if stage == "finetune":
        torch.manual_seed(5)
        initial = LMTraining(job(), corpus, tmp_path / "i", device).model.state_dict()
        initial = {name: value.clone() for name, value in initial.items()}
    settings = job(stage, schedule={"epochs": 3})

    def new(folder):
        torch.manual_seed(1)
        return LMTraining(settings, corpus, tmp_path / folder, device, initial)

    whole = run(new("whole"))
    interrupted = new("a")
    interrupted.start()
    for steps in (3, 40, 21):
        for _ in range(steps):
            if not interrupted.finished:
                interrupted.step()
        checkpoint.save(tmp_path / "a", *interrupted.state())
        interrupted = new("a")
        torch.manual_seed(999)
        interrupted.restore(*checkpoint.load(tmp_path / "a"))
    while not interrupted.finished:
        interrupted.step()
    assert interrupted.history.epochs == whole.history.epochs
    assert interrupted.best_path.read_bytes() == whole.best_path.read_bytes()


def test_restoring_a_finetune_run_keeps_its_best_model(corpus, tmp_path):
    device = torch.device("cpu")
    first = run(LMTraining(job(), corpus, tmp_path / "a", device))
    initial, _ = load_tensors(first.best_path)
    training = LMTraining(job("finetune"), corpus, tmp_path / "b", device, initial)
    training.start()
    training.model.embedding.weight.data.mul_(0.5)
    assert training._keep_if_best(training.best - 1)
    best = training.best_path.read_bytes()
    saved = training.state()
    LMTraining(job("finetune"), corpus, tmp_path / "b", device, initial).restore(*saved)
    assert training.best_path.read_bytes() == best


@pytest.mark.parametrize("when", ["before the step", "by the step", "by the end of the epoch"])
def test_nan_stops_with_one_line_and_keeps_the_last_good_checkpoint(corpus, tmp_path, when):
    torch.manual_seed(1)
    training = LMTraining(job(), corpus, tmp_path, torch.device("cpu"))
    steps = itertools.count()

    def spoil():
        with torch.no_grad():
            training.model.embedding.weight.fill_(math.nan)

    def step():
        number = next(steps)
        if when == "before the step" and number == 3:
            spoil()
        epoch = training.epoch
        LMTraining.step(training)
        if when == "by the step" and number == 3:
            spoil()
        last = training.position >= len(training.train_data) - 2
        if when == "by the end of the epoch" and epoch == 2 and last:
            spoil()

    training.step = step
    with pytest.raises(UserError, match=r"not a finite number.*last good checkpoint is kept"):
        loop.run(training, tmp_path, interval=0.0)
    tensors, _ = checkpoint.load(tmp_path)
    assert all(value.isfinite().all() for value in tensors.values())


def test_the_seconds_of_earlier_processes_are_kept(corpus, tmp_path):
    def go_on(**budget):
        return loop.run(
            LMTraining(job(), corpus, tmp_path, torch.device("cpu")), tmp_path, 3600, **budget
        )

    with pytest.raises(loop.Interrupted):
        go_on(time_budget=0.0)
    saved = checkpoint.load(tmp_path)[1]["seconds"]
    assert go_on() == saved > 0
    assert go_on() > saved


def test_a_run_killed_before_its_first_checkpoint_leaves_no_trace_in_the_history(corpus, tmp_path):
    for _ in range(2):
        torch.manual_seed(1)
        training = run(LMTraining(job(), corpus, tmp_path, torch.device("cpu")))
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert len(lines) == len(training.history.epochs) == 4
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_tensors_come_back_with_their_metadata(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"b": torch.arange(5), "a": torch.randn(2, 3)}, {"n": [1, 2]})
    tensors, meta = load_tensors(path)
    assert meta == {"n": [1, 2]}
    assert tensors["b"].tolist() == list(range(5))
    first = path.read_bytes()
    save_tensors(path, tensors, meta)
    assert path.read_bytes() == first


def test_tensors_of_any_layout_come_back_writable(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.zeros(0, 4, dtype=torch.int32),
        "transposed": torch.randn(3, 2, requires_grad=True).T,
        "mask": torch.tensor([True, False]),
    }
    save_tensors(path, tensors, {})
    loaded, _ = load_tensors(path)
    assert loaded.keys() == tensors.keys()
    for name, tensor in loaded.items():
        assert tensor.dtype == tensors[name].dtype, name
        assert torch.equal(tensor, tensors[name]), name
        tensor.zero_()


@pytest.mark.parametrize("harm", ["truncate", "flip", "empty", "text", "missing"])
def test_a_damaged_file_is_told_in_one_line(tmp_path, harm):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"a": torch.randn(20, 30)}, {})
    data = bytearray(path.read_bytes())
    if harm == "truncate":
        path.write_bytes(data[:-100])
    elif harm == "flip":
        data[-50] ^= 4
        path.write_bytes(data)
    elif harm == "missing":
        path.unlink()
    else:
        path.write_bytes(b"" if harm == "empty" else b"<html>not found</html>")
    with pytest.raises(UserError) as error:
        load_tensors(path)
    assert "x.safetensors" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, capsys):
    for n in (1, 2):
        checkpoint.save(tmp_path, {"a": torch.tensor([n])}, {"n": n})
    (tmp_path / checkpoint.CURRENT).write_bytes(b"torn")
    tensors, meta = checkpoint.load(tmp_path)
    assert meta == {"n": 1}
    assert tensors["a"].item() == 1
    assert "going on from" in capsys.readouterr().err


def test_only_one_writer_at_a_time(tmp_path):
    with folder.locked(tmp_path):
        with pytest.raises(UserError, match="in use"):
            with folder.locked(tmp_path):
                pass
    with folder.locked(tmp_path):
        pass


def test_key_depends_on_job_version_and_data_but_not_on_the_order_of_keys():
    assert folder.job_key({"a": 1, "b": 2}, 1, "x") == folder.job_key({"b": 2, "a": 1}, 1, "x")
    keys = {folder.job_key({"a": a}, v, d) for a in (1, 2) for v in (1, 2) for d in ("x", "y")}
    assert len(keys) == 8
