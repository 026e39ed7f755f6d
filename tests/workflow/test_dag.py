"""Shape of the DAG: dry runs of every preset, and how configuration mistakes are told."""

import re

import pytest

from g2lstm import config


def job_counts(output):
    """Return the jobs of each rule from the statistics that a dry run prints."""
    table = output[output.index("Job stats:") :]
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


@pytest.mark.parametrize("preset", config.presets())
def test_dry_run_of_every_preset(snakemake, preset):
    run = snakemake("--dry-run", "--config", f"preset={preset}")
    assert run.returncode == 0, run.stderr
    settings = config.resolve({}, preset)
    runs = len(settings["variants"]) * len(settings["seeds"])
    jobs = job_counts(run.stdout)
    assert jobs["train"] == 2 * runs
    assert jobs["compress"] == runs * len(settings["settings"])
    assert jobs["evaluate"] == runs * (len(settings["settings"]) + 2)
    assert jobs["table"] == 4
    assert jobs.get("fetch", 0) == (settings["lm"]["corpus"] != "synthetic")


def test_a_table_of_another_preset_can_be_asked_for_by_its_path(snakemake):
    run = snakemake("--dry-run", "paper_tables/paper/table3.tex")
    assert run.returncode == 0, run.stderr
    assert job_counts(run.stdout)["train"] == 18


def test_two_seeds_train_twice_as_much(snakemake):
    run = snakemake("--dry-run", "--config", "seeds=[1,2]")
    assert job_counts(run.stdout)["train"] == 12


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("preset=huge", ["preset", "'huge'", "demo, paper, small"]),
        ("sedes=[1]", ["unknown key", "sedes", "seeds"]),
        ("settings={svd-k16: {k: 500}}", ["settings.svd-k16.k", "500", "1 to 64"]),
        ("lm={model: {dropout: {input: -0.5}}}", ["lm.model.dropout.input", "-0.5", "at least 0"]),
    ],
)
def test_a_mistake_stops_with_one_line_and_no_traceback(snakemake, override, words):
    run = snakemake("--dry-run", "--quiet", "--config", override)
    assert run.returncode != 0
    message = [line for line in run.stderr.splitlines() if line.startswith("config: ")]
    assert len(message) == 1
    for word in words:
        assert word in message[0]
    assert "Traceback" not in run.stderr + run.stdout
