"""The workflow in other hands: as a module of another one, from the catalogue, as a container."""

import os
import subprocess

import pytest
from project import run_snakemake
from test_dag import job_counts

HOST = """
module gates:
    snakefile: "{source}"
    config: {{"preset": "small", "seeds": [1, 2]}}
    prefix: "gates"

use rule * from gates as gates_*
"""
# Answers what Snakemake asks of conda before it writes the recipe of a container.
CONDA = """#!/bin/sh
case $* in
    *version*) echo conda 26.1.0 ;;
    *info*) echo '{"conda_prefix": "/opt/conda", "platform": "linux-64"}' ;;
    *) echo '{"get": {"channel_priority": "strict"}}' ;;
esac
"""


@pytest.fixture
def host(tmp_path_factory):
    """Return what writes the Snakefile of another workflow, which imports ours from a source."""

    def write(source):
        folder = tmp_path_factory.mktemp("host")
        (folder / "Snakefile").write_text(HOST.format(source=source))
        return folder

    return write


def test_another_workflow_imports_ours_with_its_own_configuration(host, project, environment):
    folder = host(project / "workflow/Snakefile")
    run = run_snakemake(folder, environment, "--dry-run", "--printshellcmds")
    assert run.returncode == 0, run.stderr
    jobs = job_counts(run.stdout)
    assert jobs["gates_train"] == 24  # two seeds
    assert jobs["gates_fetch"] == 3  # the corpora of preset small
    assert jobs["gates_default"] == 1
    commands = [line for line in run.stdout.splitlines() if "python -m g2lstm" in line]
    assert len(commands) == jobs["total"] - 1  # all but the target
    for command in commands:
        # All paths lie below the host's prefix.
        words = [word for word in command.split() if "results/" in word or "tables/" in word]
        assert words
        assert all(word.startswith("gates/") for word in words), command


def test_configuration_files_of_another_workflow_are_its_own_matter(host, project, environment):
    folder = host(project / "workflow/Snakefile")
    (folder / "own.yaml").write_text("a: 1\na: 2\n")
    run = run_snakemake(folder, environment, "--dry-run", "--configfile", "own.yaml")
    assert run.returncode == 0, run.stderr


def test_rules_without_the_package_are_told_in_one_line(host, project, environment):
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    for command in (("init", "--quiet", "-b", "main"), ("add", "."), ("commit", "-qm", "all")):
        subprocess.run(["git", *identity, *command], cwd=project, check=True)
    folder = host(f"git+file://{project}/workflow/Snakefile@main")
    run = run_snakemake(folder, environment, "--dry-run")
    assert run.returncode != 0
    assert "rules without the package beside them" in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr


def test_recipe_of_a_container_holds_our_environments(project, environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bin")
    (folder / "conda").write_text(CONDA)
    (folder / "conda").chmod(0o755)
    path = f"{folder}{os.pathsep}{environment['PATH']}"
    run = run_snakemake(project, {**environment, "PATH": path}, "--containerize")
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("FROM ")
    for name in ("data", "paper", "torch"):
        assert f"COPY envs/{name}.yaml " in run.stdout
        assert (project / f"envs/{name}.yaml").read_text().splitlines()[-1] in run.stdout
    assert run.stdout.count("conda env create") == 3
