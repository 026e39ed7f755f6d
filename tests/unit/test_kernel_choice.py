"""The kernel of a training run: settled once, kept with its checkpoints, never changed silently."""

import itertools
import json
import os

import numpy as np
import pytest
import torch
from kernel_cases import skip_without_native

from g2lstm import config, stages
from g2lstm.cells import LSTMLayer, kernels, native, trial
from g2lstm.data.corpus import Corpus
from g2lstm.errors import UserError
from g2lstm.training import checkpoint, loop
from g2lstm.training.tensors import load_tensors, save_tensors


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.safetensors"
    rng = np.random.default_rng(0)
    splits = {
        name: (rng.zipf(1.5, size=n) % 30).astype(np.int32)
        for name, n in (("train", 900), ("valid", 200), ("test", 200))
    }
    Corpus([f"w{k}" for k in range(30)], splits).save(path)
    return path


def train(folder, corpus, kernel="auto", time_budget=None, **over):
    lm = {
        "model": {"embedding": 8, "hidden": 12},
        "optimisation": {"batch": 5},
        "train": {"epochs": 1},
        "settings": {"svd-k16": {"k": 4}},
    }
    job = config.training_job(config.resolve({"lm": lm, **over}), "lm", "g2", 1, "train")
    stages.train(
        job, {}, corpus, folder / "model.safetensors", folder / "training.json",
        device_name="cpu", kernel=kernel, threads=1, time_budget=time_budget,
    )  # fmt: skip


def begin(folder, corpus, kernel):
    """Start a run and stop it after its first step."""
    with pytest.raises(loop.Interrupted):
        train(folder, corpus, kernel, time_budget=0)


def provenance(folder):
    return json.loads((folder / "training.prov.json").read_text())


def test_a_run_goes_on_with_the_kernel_it_was_begun_with(own_choice, corpus, tmp_path):
    begin(tmp_path, corpus, "pytorch")
    train(tmp_path, corpus, "auto")
    assert provenance(tmp_path)["kernel"] == "pytorch"


def test_another_kernel_is_refused_in_one_line(own_choice, corpus, tmp_path):
    begin(tmp_path, corpus, "pytorch")
    with pytest.raises(UserError) as error:
        train(tmp_path, corpus, "cudnn")
    assert "\n" not in str(error.value)
    for words in ("begun with kernel pytorch, not cudnn", "set kernel to pytorch", "delete"):
        assert words in str(error.value)


def test_a_run_begun_in_cpp_does_not_go_on_without_a_compiler(
    empty_cache, corpus, tmp_path, monkeypatch
):
    skip_without_native(torch.float32)
    begin(tmp_path, corpus, "auto")
    native.library.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(UserError) as error:
        train(tmp_path, corpus)
    assert "\n" not in str(error.value)
    for words in ("begun with kernel native", "no C++ compiler", "delete the folder"):
        assert words in str(error.value)


def test_a_finished_run_needs_no_kernel(own_choice, corpus, tmp_path):
    train(tmp_path, corpus, "pytorch")
    (tmp_path / "model.safetensors").unlink()
    train(tmp_path, corpus, "cudnn")
    assert (tmp_path / "model.safetensors").exists()
    assert provenance(tmp_path)["kernel"] == "pytorch"


def test_a_checkpoint_that_names_no_kernel_goes_on_with_that_of_the_moment(
    own_choice, corpus, tmp_path
):
    begin(tmp_path, corpus, "pytorch")
    (path,) = tmp_path.glob(f"ckpt/*/{checkpoint.CURRENT}")
    tensors, meta = load_tensors(path)
    del meta["kernel"], meta["kernel_times"]
    save_tensors(path, tensors, meta)
    train(tmp_path, corpus, "cudnn")
    assert provenance(tmp_path)["kernel"] == "cudnn"


def test_where_kernels_are_timed_the_fastest_is_taken_and_the_times_are_kept(
    own_choice, corpus, tmp_path, monkeypatch
):
    ticks = itertools.count()
    late = []  # a second for each call of the slow one: a clock that no other work disturbs

    def slow(*arguments, **options):
        late.append(1.0)
        return kernels.KERNELS["pytorch"](*arguments, **options)

    monkeypatch.setattr(trial, "_now", lambda _: sum(late) + 1e-6 * next(ticks))
    monkeypatch.setitem(kernels.KERNELS, "slow", slow)
    monkeypatch.setattr(kernels, "_problem", lambda *_: "")
    monkeypatch.setitem(kernels.TIMED, "cpu", ("slow", "pytorch"))
    begin(tmp_path, corpus, "auto")
    train(tmp_path, corpus, "auto")
    found = provenance(tmp_path)
    assert found["kernel"] == "pytorch"
    assert 0 < found["kernel_milliseconds"]["pytorch"] < found["kernel_milliseconds"]["slow"]


def test_a_kernel_that_does_not_work_is_not_timed(own_choice, monkeypatch, capsys):
    def broken(*arguments, **options):
        raise RuntimeError("no such device\nand more")

    monkeypatch.setitem(kernels.KERNELS, "graph", broken)
    monkeypatch.setattr(kernels.graph, "cells", lambda: None)
    monkeypatch.setitem(kernels.ONLY_ON, "graph", "cpu")
    monkeypatch.setitem(kernels.TIMED, "cpu", ("pytorch", "graph"))
    layers = [LSTMLayer(3, 4).train()]
    name, times = kernels.settle(layers, 2, 2, torch.device("cpu"))
    assert name == "pytorch"
    assert set(times) == {"pytorch"}
    notice = capsys.readouterr().err
    assert notice.count("\n") == 1
    assert "without kernel graph, slower (RuntimeError: no such device)" in notice


def test_the_trial_leaves_the_random_generators_and_gradients_alone(own_choice, monkeypatch):
    monkeypatch.setattr(kernels, "_problem", lambda *_: "")
    monkeypatch.setitem(kernels.TIMED, "cpu", ("pytorch", "cudnn"))
    layer = LSTMLayer(3, 4, weight_drop=0.5, context=2).train()
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    kernels.settle([layer], 2, 2, torch.device("cpu"))
    assert torch.equal(torch.rand(3), expected)
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_precision_decides_the_result(own_choice, corpus, tmp_path):
    """The same job in bfloat16 is another job, and another model."""
    models = {}
    for precision in ("float32", "bfloat16"):
        folder = tmp_path / precision
        train(folder, corpus, "pytorch", precision=precision)
        tensors, meta = load_tensors(folder / "model.safetensors")
        assert meta["job"]["precision"] == precision
        models[precision] = tensors["lstm.0.weight_hh"]
    difference = (models["float32"] - models["bfloat16"]).norm() / models["float32"].norm()
    assert 0 < difference < 0.05


def test_tf32_on_a_cpu_is_told_in_one_line(own_choice, corpus, tmp_path):
    with pytest.raises(UserError, match="precision = tf32 needs a CUDA device"):
        train(tmp_path, corpus, precision="tf32")
