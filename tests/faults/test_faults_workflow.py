"""Faults of a run under Snakemake: it or its whole process group is struck, or started twice."""

import json
import os
import shutil
import subprocess
import sys
from signal import SIGINT, SIGKILL, SIGTERM

import pytest
from strikes import FAULTY, PATIENCE, group_is_gone, run, wait_until
from trainer import SETTINGS

from g2lstm import config
from g2lstm.data.prepare import prepare_language_model
from g2lstm.records import file_sha256

STRIKES = [
    ("group", SIGINT, "training:3"),
    ("group", SIGTERM, "checkpoint:2"),
    ("group", SIGKILL, "validation:1"),
    ("Snakemake", SIGKILL, "checkpoint:2"),
]


class Workflow:
    """Snakemake in a tiny copy of the project, asked for one model."""

    def __init__(self, project, environment, task):
        self.project, self.environment = project, environment
        user = {"preset": "demo", "checkpoint_minutes": 1e-9, **SETTINGS}
        (project / "config.yaml").write_text(json.dumps(user))
        shutil.copy(FAULTY, project / "src/g2lstm/__main__.py")
        self.folder = project / f"results/demo/{task}/g2/s1/train"
        self.model, self.record = self.folder / "model.safetensors", self.folder / "training.json"
        self.log = project / f"logs/demo/{task}/g2/s1/train.log"
        self.marker = project / "here"
        self.command = [sys.executable, "-m", "snakemake", "--cores", "1"]

    def start(self, place):
        """Start Snakemake in a process group of its own; return when the trainer is there."""
        process = subprocess.Popen(
            [*self.command, self.model.relative_to(self.project)],
            cwd=self.project,
            env={**self.environment, "FAULT": f"{place}:{self.marker}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self.marker.exists, process)
        return process

    def call(self, *options):
        target = [] if "--unlock" in options else [self.model.relative_to(self.project)]
        found = run([*self.command, *options, *target], cwd=self.project, env=self.environment)
        return found.returncode, found.stdout + found.stderr


@pytest.fixture(params=["lm", "de-en"])
def task(request):
    return request.param


@pytest.fixture
def workflow(project, environment, task):
    return Workflow(project, environment, task)


def test_snakemake_survives_every_signal_and_a_second_one_beside_it(workflow, whole, task):
    for whom, signal, place in STRIKES:
        process = workflow.start(place)
        if place == "training:3":
            code, messages = workflow.call()
            assert code != 0
            assert "lock" in messages.lower()
            assert "Traceback" not in messages
        if whom == "group":
            os.killpg(process.pid, signal)
        else:
            process.send_signal(signal)
            process.wait(PATIENCE)
            # The trainer lives on: nobody may train the same run beside it.
            assert workflow.call("--unlock")[0] == 0
            code, messages = workflow.call()
            assert code != 0
            assert "is in use by another training process" in messages
            assert "Traceback" not in messages
            os.killpg(process.pid, signal)
        workflow.marker.unlink(missing_ok=True)
        process.wait(PATIENCE)
        wait_until(lambda group=process.pid: group_is_gone(group))
        assert not workflow.model.exists()
        assert list(workflow.folder.glob("ckpt/*/checkpoint.safetensors"))
        if signal == SIGKILL:
            assert workflow.call("--unlock")[0] == 0
    # Asked politely, Snakemake lets the job end.
    process = workflow.start("training:3")
    assert "resumed from" in workflow.log.read_text()
    process.send_signal(SIGTERM if task == "lm" else SIGINT)
    workflow.marker.unlink()
    process.wait(PATIENCE)
    code, messages = workflow.call()
    assert code == 0, messages
    assert file_sha256(workflow.model) == file_sha256(whole[task].model)
    history = json.loads(workflow.record.read_text())["history"]
    assert history == json.loads(whole[task].record.read_text())["history"]


@pytest.mark.parametrize("task", ["lm"], indirect=True)
def test_another_corpus_trains_again_and_the_old_one_finds_its_run(workflow, whole, task):
    code, messages = workflow.call()
    assert code == 0, messages
    corpus = workflow.project / "results/demo/data/lm/corpus.safetensors"
    old = corpus.read_bytes()
    synthetic = {**config.resolve(SETTINGS)["lm"]["synthetic"], "seed": 2}
    source = {"corpus": "synthetic", "synthetic": synthetic}
    prepare_language_model(source, corpus, workflow.project / "other.json")
    code, messages = workflow.call()
    assert code == 0, messages
    assert file_sha256(workflow.model) != file_sha256(whole["lm"].model)
    data = json.loads(workflow.record.read_text())["data"]
    assert data == {"corpus": file_sha256(corpus)}
    corpus.write_bytes(old)
    code, messages = workflow.call()
    assert code == 0, messages
    assert "train ppl" not in workflow.log.read_text()
    assert file_sha256(workflow.model) == file_sha256(whole["lm"].model)
    corpus.write_bytes(old[:-1])
    code, messages = workflow.call()
    assert code != 0
    assert f"error: {corpus.relative_to(workflow.project)}: damaged file" in messages
    assert not workflow.model.exists()
