"""Kill a training process in the middle, start it again: the model file has the same bits."""

import json
import signal
import subprocess
import sys
import time

import pytest

from conftest import ROOT
from g2lstm import config
from g2lstm.data.prepare import prepare_language_model, prepare_translation
from g2lstm.records import file_sha256

SETTINGS = {
    "variants": {"g2": {"kind": "gumbel", "tau": 0.9, "p": 0.2}},
    "lm": {
        "synthetic": {
            "vocabulary": 500,
            "tokens": {"train": 12_000, "valid": 2_000, "test": 2_000},
        },
        "model": {"embedding": 16, "hidden": 24},
        "optimisation": {"batch": 10, "bptt": 10},
        "train": {"epochs": 4, "average_after": 2},
        "finetune": {"epochs": 3},
        "settings": {"svd-k16": {"k": 4}},
    },
    "de-en": {
        "synthetic": {"pairs": {"train": 600, "valid": 20, "test": 20}},
        "bpe": {"merges": 300, "vocabulary": 400},
        "model": {"embedding": 16, "hidden": 16},
        "optimisation": {"batch": 20},
        "train": {"updates": 60, "validate_every": 15},
    },
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    synthetic = config.resolve(SETTINGS)["lm"]["synthetic"]
    path = folder / "corpus.safetensors"
    prepare_language_model("synthetic", path, folder / "corpus.json", synthetic=synthetic)
    return path


@pytest.fixture(scope="module")
def parallel_corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parallel")
    section = config.resolve(SETTINGS)["de-en"]
    source = {name: section[name] for name in ("corpus", "synthetic", "bpe")}
    prepare_translation({"task": "de-en", **source}, folder, registry_path=None)
    return folder / "corpus.safetensors"


class Trainer:
    """The command that a rule runs, with checkpoints after every few steps."""

    def __init__(self, folder, stage, corpus, environment, initial=None, task="lm"):
        self.model, self.record = folder / "model.safetensors", folder / "training.json"
        self.environment = {**environment, "PYTHONPATH": str(ROOT / "src")}
        self.folder = folder
        job = config.training_job(config.resolve(SETTINGS), task, "g2", 1, stage)
        self.command = [sys.executable, "-m", "g2lstm", "train", "--job", json.dumps(job)]
        self.command += ["--labels", "{}", "--corpus", corpus, "--model", self.model]
        self.command += ["--record", self.record, "--checkpoint-minutes", "0.001"]
        self.command += ["--device", "cpu", "--threads", "1"]
        if initial is not None:
            self.command += ["--initial", initial]

    def start(self):
        return subprocess.Popen(
            list(map(str, self.command)), env=self.environment, stderr=subprocess.PIPE, text=True
        )

    def finish(self):
        process = self.start()
        _, messages = process.communicate()
        assert process.returncode == 0, messages
        return messages

    def stop_after(self, epochs, signal_number):
        """Start, wait for the end of that many epochs and for a later checkpoint, and kill."""
        process = self.start()
        while self._epochs() < epochs or not self._checkpoint_after_history():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.005)
        process.send_signal(signal_number)
        _, messages = process.communicate()
        return process.returncode, messages

    def _epochs(self):
        return sum(
            len(p.read_text().splitlines()) for p in self.folder.glob("ckpt/*/history.jsonl")
        )

    def _checkpoint_after_history(self):
        history, newest = (
            max((p.stat().st_mtime_ns for p in self.folder.glob(f"ckpt/*/{name}")), default=0)
            for name in ("history.jsonl", "checkpoint.safetensors")
        )
        return newest > history


@pytest.fixture(scope="module")
def trained(tmp_path_factory, corpus):
    """An uninterrupted run of both stages."""
    folder = tmp_path_factory.mktemp("whole")
    environment = {"PATH": "/usr/bin:/bin"}
    train = Trainer(folder / "train", "train", corpus, environment)
    train.finish()
    finetune = Trainer(folder / "finetune", "finetune", corpus, environment, train.model)
    finetune.finish()
    return {"train": train, "finetune": finetune}


@pytest.mark.parametrize("stage", ["train", "finetune"])
def test_killed_twice_and_resumed_the_run_ends_with_the_same_bits(
    tmp_path, corpus, trained, environment, stage
):
    whole = trained[stage]
    initial = trained["train"].model if stage == "finetune" else None
    trainer = Trainer(tmp_path, stage, corpus, environment, initial)

    code, messages = trainer.stop_after(1, signal.SIGTERM)
    assert code == 75, messages
    assert "SIGTERM: stopped and saved at epoch" in messages
    assert not trainer.model.exists()

    code, _ = trainer.stop_after(2, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not trainer.model.exists()

    assert "resumed from" in trainer.finish()
    assert file_sha256(trainer.model) == file_sha256(whole.model)
    assert trainer.record.read_bytes() == whole.record.read_bytes()


def test_a_translation_run_survives_too(tmp_path, parallel_corpus, environment):
    arguments = ("train", parallel_corpus, environment)
    whole = Trainer(tmp_path / "whole", *arguments, task="de-en")
    whole.finish()
    trainer = Trainer(tmp_path / "killed", *arguments, task="de-en")
    code, messages = trainer.stop_after(1, signal.SIGTERM)
    assert code == 75, messages
    assert "SIGTERM: stopped and saved at epoch" in messages
    code, _ = trainer.stop_after(2, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert "resumed from" in trainer.finish()
    assert file_sha256(trainer.model) == file_sha256(whole.model)
    assert trainer.record.read_bytes() == whole.record.read_bytes()


def test_a_finished_run_is_published_again_without_training(trained):
    trainer = trained["train"]
    before = file_sha256(trainer.model)
    trainer.model.unlink()
    messages = trainer.finish()
    assert file_sha256(trainer.model) == before
    assert "train ppl" not in messages


def test_a_time_budget_saves_and_stops(tmp_path, corpus, environment):
    trainer = Trainer(tmp_path, "train", corpus, environment)
    trainer.command += ["--time-budget", "0"]
    process = trainer.start()
    _, messages = process.communicate()
    assert process.returncode == 75
    assert "time budget: stopped and saved" in messages


def test_a_missing_gpu_is_told_in_one_line(tmp_path, corpus, environment):
    trainer = Trainer(tmp_path, "train", corpus, environment)
    trainer.command += ["--device", "cuda:7"]
    process = trainer.start()
    _, messages = process.communicate()
    assert process.returncode == 2
    assert messages.count("\n") == 1
    assert "device = cuda:7 does not exist here" in messages
