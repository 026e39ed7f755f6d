"""Kill a training process in the middle, start it again: the model file has the same bits."""

import os
import signal

import pytest
from trainer import Trainer

from g2lstm.records import file_sha256


@pytest.fixture(scope="module")
def trained(tmp_path_factory, corpus):
    """An uninterrupted run of both stages."""
    folder = tmp_path_factory.mktemp("whole")
    environment = {"PATH": os.environ["PATH"]}  # with a compiler, or without as all others
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
