"""The demo through SLURM, with faults: the files are those of a run without SLURM and faults.

Tiny models, and of the DAG what leads to the tables of the language model and of German-English:
every rule but those for English-German again, for figures, and for what all three tasks go into.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from one_node import Cluster, obstacle, wait_for

ROOT = Path(__file__).parents[2]
LIMIT = 3600  # seconds: the machine may be busy with other work
TARGETS = [f"paper_tables/demo/table{number}.tex" for number in (1, 3, 4, 6, 7)]
CONFIG = {
    "preset": "demo",
    "device": "cpu",
    "kernel": "pytorch",
    "checkpoint_minutes": 0.001,
    "lm": {
        "synthetic": {"vocabulary": 500, "tokens": {"train": 12000, "valid": 1000, "test": 1000}},
        "model": {"embedding": 16, "hidden": 16},
        "optimisation": {"batch": 10, "bptt": 10},
    },
    "de-en": {
        "synthetic": {"pairs": {"train": 600, "valid": 20, "test": 20}},
        "bpe": {"merges": 300, "vocabulary": 400},
        "model": {"embedding": 16, "hidden": 16},
        "train": {"updates": 200, "validate_every": 50},
        "gates": {"pairs": 50},
    },
}
OVERRIDES = [f"{key}={json.dumps(value)}" for key, value in CONFIG.items()]

CANCELLED = "results/demo/lm/baseline/s1/train"
OUT_OF_TIME = "results/demo/lm/sharpened/s1/train"
REQUEUED = "results/demo/de-en/baseline/s1/train"
NODE_LOST = "results/demo/de-en/g2/s1/train"
# In its first attempt this run has no minute beyond the five that training leaves to the cluster:
# it saves after one step.
RUNTIME = (
    "5 if attempt == 1 and wildcards.task == 'lm' and wildcards.variant == 'sharpened'"
    " and wildcards.stage == 'train' else 30"
)
RESOURCES = [f"train:runtime={RUNTIME}", "train:gpu=1", "gates:gres='gpu:1'"]


def jobs_of(verb, work):
    """Yield ``(process, SLURM job, device, command line)`` of a verb's jobs below ``work``."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            if command[1:4] == ["-m", "g2lstm", verb] and process.cwd() == str(work):
                environment = process.environ()
                job = environment["SLURM_JOB_ID"]
                yield process, job, environment.get("CUDA_VISIBLE_DEVICES"), command
        except psutil.Error:  # it has ended meanwhile
            continue


class Watch:
    """Follows the jobs on the cluster, and has a fault happen to each run that is to have one."""

    def __init__(self, cluster, work):
        self.cluster, self.work = cluster, work
        self.faults = {
            CANCELLED: self._cancel,
            REQUEUED: self._requeue,
            NODE_LOST: self._lose_node,
        }
        self.jobs = defaultdict(set)  # run -> its SLURM jobs
        self.starts = defaultdict(set)  # run -> its processes
        self.devices = []  # of the training jobs at one time
        self.gates_devices = set()

    def look(self):
        """Take note of what runs now, and act on it."""
        now = {}
        for process, job, device, command in jobs_of("train", self.work):
            run = str(Path(command[command.index("--model") + 1]).parent)
            self.jobs[run].add(job)
            self.starts[run].add(process)
            now[job] = device
            if run in self.faults and list(self.work.glob(f"{run}/ckpt/*/checkpoint.safetensors")):
                process.suspend()  # it shall not finish before the fault
                if run == NODE_LOST and len(self.starts[REQUEUED]) < 2:
                    continue  # SLURM may give a job no GPU whose node is lost while it is requeued
                self.faults.pop(run)(job)
                with suppress(psutil.NoSuchProcess):
                    process.resume()
        self.devices.append(now)
        self.gates_devices |= {device for _, _, device, _ in jobs_of("gates", self.work)}

    def _cancel(self, job):
        self.cluster.call("scancel", job)

    def _requeue(self, job):
        self.cluster.call("scontrol", "requeue", job)

    def _lose_node(self, job):
        node = f"NodeName={self.cluster.host}"
        self.cluster.call("scontrol", "update", node, "State=DOWN", "Reason=test")
        wait_for(lambda: not self.cluster.steps(), "the end of all jobs on the node")
        self.cluster.call("scontrol", "update", node, "State=RESUME")


def start(work, environment, *command):
    """Start Snakemake in ``work``; what it prints goes to a file there."""
    with open(work / "snakemake.log", "w") as log:
        return subprocess.Popen(
            [sys.executable, *map(str, command), "--snakefile", str(ROOT / "Snakefile"),
             "--config", *OVERRIDES, "--", *TARGETS],
            cwd=work, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same run twice, at the same time: by SLURM with faults, and by Snakemake alone."""
    if (found := obstacle()) is not None:
        pytest.skip(found)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    alone, slurm = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("slurm")
    with tempfile.TemporaryDirectory(prefix="slurm-", dir="/tmp") as folder:
        with Cluster(folder) as cluster:
            watch = Watch(cluster, slurm)
            processes = [
                start(
                    slurm, {**cluster.environment, "PATH": path},
                    Path(__file__).parent / "prompt_snakemake.py",
                    "--workflow-profile", ROOT / "profiles/slurm", "--set-resources", *RESOURCES,
                ),
                start(
                    alone, {**os.environ, "PATH": path},
                    "-m", "snakemake", "--workflow-profile", ROOT / "profiles/default",
                    "--cores", "2",
                ),
            ]  # fmt: skip
            try:
                _follow(processes, watch)
            finally:
                for process in processes:
                    process.send_signal(signal.SIGINT)  # on SIGTERM it would wait for its jobs
                    process.wait()
    for work, process in zip((slurm, alone), processes, strict=True):
        assert process.returncode == 0, (work / "snakemake.log").read_text()[-5000:]
    output = (slurm / "snakemake.log").read_text()
    return SimpleNamespace(alone=alone, slurm=slurm, watch=watch, output=output)


def _follow(processes, watch):
    end = time.monotonic() + LIMIT
    while any(process.poll() is None for process in processes):
        if time.monotonic() > end:
            raise TimeoutError(f"not finished after {LIMIT} s: {watch.work}/snakemake.log")
        watch.look()
        time.sleep(0.2)


def contents(work):
    """Return ``{path: hash}`` of what a run makes, without provenance and checkpoints."""
    return {
        str(path.relative_to(work)): sha256(path.read_bytes()).hexdigest()
        for folder in ("results", "paper_tables")
        for path in (work / folder).rglob("*")
        if path.is_file() and "ckpt" not in path.parts and not path.name.endswith(".prov.json")
    }


def test_every_file_has_the_same_bits_as_without_slurm_and_faults(runs):
    found, expected = contents(runs.slurm), contents(runs.alone)
    assert set(found) == set(expected)
    assert [name for name in found if found[name] != expected[name]] == []
    assert sum(name.endswith("model.safetensors") for name in found) == 9
    assert set(TARGETS) <= set(found)


def test_every_job_but_those_of_seconds_went_through_slurm(runs):
    submitted = runs.output.count("has been submitted with SLURM jobid")
    assert submitted >= 32


@pytest.mark.parametrize("run", [CANCELLED, OUT_OF_TIME, REQUEUED, NODE_LOST])
def test_a_run_goes_on_from_its_checkpoint(runs, run):
    assert not runs.watch.faults
    log = runs.slurm / run.replace("results", "logs").replace("/s1/train", "/s1/train.log")
    assert "resumed from" in log.read_text()


@pytest.mark.parametrize("run", [CANCELLED, OUT_OF_TIME])
def test_snakemake_submits_a_failed_job_again(runs, run):
    assert len(runs.watch.jobs[run]) == 2


@pytest.mark.parametrize("run", [REQUEUED, NODE_LOST])
def test_slurm_starts_the_same_job_again(runs, run):
    assert len(runs.watch.jobs[run]) == 1
    assert len(runs.watch.starts[run]) >= 2


def test_a_run_stops_by_itself_before_slurm_ends_it(runs):
    assert "time budget: stopped and saved at epoch 1" in runs.output


def test_jobs_at_the_same_time_have_different_gpus(runs):
    assert all(len(set(now.values())) == len(now) for now in runs.watch.devices)
    assert {"0", "1"} in [set(now.values()) for now in runs.watch.devices]


def test_a_gpu_can_be_asked_for_as_generic_resource(runs):
    assert runs.watch.gates_devices <= {"0", "1"}
    assert runs.watch.gates_devices


def test_nothing_is_left_running(runs):
    assert not list(jobs_of("train", runs.slurm))
