"""Faults of training: whatever strikes, the run ends with the bits of an undisturbed one."""

import json
from signal import SIGINT, SIGKILL, SIGTERM

import pytest
from strikes import (
    FAULTY,
    assert_one_line,
    assert_same_bits,
    checkpoint_of,
    paused,
    progress_of,
    struck,
)
from trainer import Trainer

from g2lstm.training.checkpoint import PREVIOUS

TASKS = ["lm", "de-en"]
# The second checkpoint, so that there is one to fall back to.
PLACES = [("training", 3), ("checkpoint", 2), ("validation", 1)]


@pytest.fixture
def trainer(tmp_path, corpora, environment):
    def make(task, folder=tmp_path):
        run = Trainer(folder / task, "train", corpora[task], environment, task=task)
        # However fast the machine is, each step ends with a checkpoint.
        run.command += ["--checkpoint-minutes", "1e-9"]
        return run

    return make


@pytest.mark.parametrize("task", TASKS)
def test_a_trainer_survives_every_signal_at_every_place(tmp_path, trainer, whole, task):
    run, marker, before = trainer(task), tmp_path / "here", (0, 0)
    for signal in (SIGINT, SIGTERM, SIGKILL):
        for place in PLACES:
            process = paused(run, *place, marker)
            code, messages = struck(process, signal, marker)
            if signal == SIGKILL:
                assert code == -SIGKILL
                marker.unlink(missing_ok=True)
            else:
                assert code == 75, messages
                assert f"{signal.name}: stopped and saved at epoch" in messages.splitlines()[-1]
            assert "Traceback" not in messages
            assert not run.model.exists()
            assert progress_of(run) >= before
            before = progress_of(run)
    assert "resumed from" in run.finish()
    assert_same_bits(run, whole[task])
    assert not list(run.folder.rglob(".*"))


@pytest.mark.parametrize("task", TASKS)
def test_a_second_trainer_on_a_run_is_sent_away(tmp_path, trainer, whole, task):
    first, second, marker = trainer(task), trainer(task), tmp_path / "here"
    process = paused(first, "training", 3, marker)
    late = second.start()
    _, messages = late.communicate()
    assert late.returncode == 2
    assert_one_line(messages, "is in use by another training process; wait for it or stop it")
    marker.unlink()
    assert process.wait() == 0
    process.stderr.close()
    assert_same_bits(first, whole[task])


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(place):
    def damage(path):
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= 16
        path.write_bytes(content)

    return damage


@pytest.mark.parametrize("task", TASKS)
def test_damaged_checkpoints_are_told_and_the_one_before_is_used(tmp_path, trainer, whole, task):
    run, marker = trainer(task), tmp_path / "here"
    struck(paused(run, "checkpoint", 3, marker), SIGTERM, marker)
    for damage in (cut, flip(0.02), flip(0.6), flip(0.999)):
        path = checkpoint_of(run)
        damage(path)
        code, messages = struck(paused(run, "checkpoint", 3, marker), SIGTERM, marker)
        assert code == 75, messages
        assert f"warning: {path}: " in messages
        assert f"going on from {path.with_name(PREVIOUS)}" in messages
    run.finish()
    assert_same_bits(run, whole[task])


def test_two_damaged_checkpoints_stop_the_run_in_one_line(tmp_path, trainer):
    run, marker = trainer("lm"), tmp_path / "here"
    struck(paused(run, "checkpoint", 3, marker), SIGTERM, marker)
    for path in (checkpoint_of(run), checkpoint_of(run).with_name(PREVIOUS)):
        cut(path)
    process = run.start()
    _, messages = process.communicate()
    assert process.returncode == 2
    assert_one_line(messages, "no sound checkpoint is left", "delete it and run again")
    assert not run.model.exists()


@pytest.mark.parametrize("task", TASKS)
def test_a_loss_that_is_no_number_stops_and_the_run_can_go_on(trainer, whole, task):
    run = trainer(task)
    process = run.start([FAULTY], FAULT="nan:30")
    _, messages = process.communicate()
    assert process.returncode == 2
    assert_one_line(messages, "not a finite number at epoch", "the last good checkpoint is kept")
    assert not run.model.exists()
    assert progress_of(run) > (0, 0)
    assert "resumed from" in run.finish()
    assert_same_bits(run, whole[task])


@pytest.mark.parametrize("task", TASKS)
def test_a_clock_that_runs_backwards_changes_nothing(trainer, whole, task):
    run = trainer(task)
    run.finish([FAULTY], FAULT="clock")
    assert checkpoint_of(run).with_name(PREVIOUS).exists()
    assert 0 < json.loads(run.record.with_suffix(".prov.json").read_text())["seconds"] < 3600
    assert_same_bits(run, whole[task])


@pytest.mark.parametrize("place", PLACES[1:], ids=lambda place: place[0])
@pytest.mark.parametrize("task", TASKS)
def test_a_full_disk_stops_a_run_that_goes_on_when_there_is_room(
    tmp_path, trainer, whole, disk, task, place
):
    run, marker = trainer(task, disk.path), tmp_path / "here"
    process = paused(run, *place, marker)
    disk.fill()
    marker.unlink()
    _, messages = process.communicate()
    assert process.returncode == 2, messages
    assert_one_line(messages, f"{disk.path}", "No space left on device", "make room and run again")
    disk.empty()
    assert "resumed from" in run.finish()
    assert_same_bits(run, whole[task])


def test_a_folder_that_cannot_be_written_is_told_in_one_line(trainer, whole, disk):
    run = trainer("lm", disk.path)
    disk.remount("ro")
    process = run.start()
    _, messages = process.communicate()
    assert process.returncode == 2
    assert_one_line(messages, f"{disk.path}", "Read-only file system", "make the folder writable")
    disk.remount("rw")
    run.finish()
    assert_same_bits(run, whole["lm"])
