"""Runs Snakemake and the package as a user would, in a copy of the project."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config.yaml", "workflow", "profiles", "envs", "resources", "src")


@pytest.fixture(scope="session")
def environment():
    """The environment of a shell with this Python first on its path, and nothing of ours.

    It sees no GPU: a device is one process's at a time, and the tests of the kernels take it.
    """
    names = {"PYTHONPATH", "SNAKEMAKE_PROFILE"}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "CUDA_VISIBLE_DEVICES": ""}


def copy_project(folder):
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / part, ignore=ignore)
        else:
            shutil.copy(source, folder / part)
    return folder


@pytest.fixture
def project(tmp_path):
    """A fresh copy of the project, without results."""
    return copy_project(tmp_path)


def run_snakemake(folder, environment, *arguments):
    """Run Snakemake in a folder and return the finished process."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def snakemake(project, environment):
    """Run Snakemake in the copy and return the finished process."""
    return partial(run_snakemake, project, environment)


@pytest.fixture(scope="session")
def demo(tmp_path_factory, environment):
    """A finished demo run in a copy of the project."""
    folder = copy_project(tmp_path_factory.mktemp("demo"))
    run = run_snakemake(folder, environment, "--cores", 2, "all")
    assert run.returncode == 0, run.stderr[-5000:]
    return folder
