"""Training runs of seconds through the command line, for tests that interrupt them."""

import json
import subprocess
import sys
import time

import pytest
from project import ROOT

from g2lstm import config, plan
from g2lstm.data.prepare import prepare_language_model, prepare_translation

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


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    source = plan.corpus_source(config.resolve(SETTINGS), "lm")
    path = folder / "corpus.safetensors"
    prepare_language_model(source, path, folder / "corpus.json")
    return path


@pytest.fixture(scope="session")
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
        self.command = ["train", "--job", json.dumps(job)]
        self.command += ["--labels", "{}", "--corpus", corpus, "--model", self.model]
        self.command += ["--record", self.record, "--checkpoint-minutes", "0.001"]
        self.command += ["--device", "cpu", "--threads", "1"]
        if initial is not None:
            self.command += ["--initial", initial]

    def start(self, program=("-m", "g2lstm"), **variables):
        return subprocess.Popen(
            [sys.executable, *map(str, [*program, *self.command])],
            env={**self.environment, **variables},
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *program, **variables):
        process = self.start(*program, **variables)
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
