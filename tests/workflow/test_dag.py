"""Shape of the DAG: dry runs of every preset, and how configuration mistakes are told."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from project import ROOT, copy_project, run_snakemake

from g2lstm import config
from g2lstm.tasks import SPARSE, TABLE_TASKS, TASKS, TRANSLATION


def job_counts(output):
    """Return the jobs of each rule from the statistics that a dry run prints."""
    table = output[output.index("Job stats:") :]
    return {name: int(n) for name, n in re.findall(r"^([\w-]+) +(\d+)$", table, re.MULTILINE)}


@pytest.mark.parametrize("preset", config.presets())
def test_dry_run_of_every_preset(snakemake, preset):
    run = snakemake("--dry-run", "--config", f"preset={preset}")
    assert run.returncode == 0, run.stderr
    settings = config.resolve({}, preset)
    runs = len(settings["variants"]) * len(settings["seeds"])
    sparse = [task for task in SPARSE if task in settings]
    small = sum(len(settings[task]["methods"]) for task in sparse) * len(settings["seeds"])
    jobs = job_counts(run.stdout)
    assert jobs["train"] == runs * 4 + small  # two stages of the language model, two pairs
    assert jobs.get("export", 0) == small
    assert jobs["evaluate"] == runs * 2
    assert jobs[f"evaluate_compressed_{preset}"] == runs
    assert jobs["translate"] == runs * 2
    for pair in TRANSLATION:
        assert jobs[f"translate_compressed_{preset}_{pair}"] == runs
    assert jobs["gates"] == runs * 3
    assert jobs["aggregate"] == 3 + len(sparse)
    shown = [name for name, about in TABLE_TASKS.items() if set(about) & set(sparse)]
    assert jobs["table"] == 10 + len(shown)
    corpora = {settings[task]["corpus"] for task in (*TASKS, *sparse)}
    assert jobs.get("fetch", 0) == len(corpora - {"synthetic"})


def test_one_half_of_the_paper_needs_nothing_of_the_other(snakemake):
    counts = {
        target: job_counts(snakemake("--dry-run", target).stdout)
        for target in ("language_model", "translation")
    }
    assert "translate" not in counts["language_model"]
    assert counts["language_model"]["train"] == counts["translation"]["train"] == 6
    assert "evaluate" not in counts["translation"]


def test_a_table_of_another_preset_can_be_asked_for_by_its_path(snakemake):
    run = snakemake("--dry-run", "paper_tables/paper/table3.tex")
    assert run.returncode == 0, run.stderr
    assert job_counts(run.stdout)["train"] == 18


def test_a_key_that_does_not_fit_the_other_presets_does_no_harm(snakemake):
    key = "lm={settings: {svd-k300: {method: svd, k: 300}}}"
    assert snakemake("--dry-run", "--config", "preset=paper", key).returncode == 0


def test_two_seeds_train_twice_as_much(snakemake):
    one, two = (snakemake("--dry-run", "--config", f"seeds={seeds}") for seeds in ("[1]", "[1,2]"))
    assert job_counts(two.stdout)["train"] == 2 * job_counts(one.stdout)["train"]


def test_a_mirror_may_lie_in_the_home_folder(snakemake):
    mirror = ("--config", "preset=small", "data_mirror=~/copies of texts")
    command = snakemake("--dry-run", "--printshellcmds", "results/datasets/ptb/files.json", *mirror)
    assert f"--mirror '{Path.home()}/copies of texts'" in command.stdout


def test_training_has_no_time_limit_where_nobody_ends_it(snakemake):
    model = "results/demo/de-en/g2/s1/train/model.safetensors"
    command = snakemake("--dry-run", "--printshellcmds", model).stdout
    assert "--checkpoint-minutes" in command
    assert "--time-budget" not in command


def test_the_profiles_differ_only_in_what_slurm_needs():
    default, slurm = (
        yaml.safe_load((ROOT / "profiles" / name / "config.yaml").read_text())
        for name in ("default", "slurm")
    )
    del default["resources"]  # the GPUs of one machine
    assert default.items() <= slurm.items()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("preset=huge", ["preset", "'huge'", "demo, paper, paper-short, small"]),
        ("preset=2026", ["preset", "2026", "a name has small letters"]),
        ("preset=[demo]", ["preset", "demo, paper, paper-short, small"]),
        ("sedes=[1]", ["unknown key", "sedes", "seeds"]),
        ("lm={settings: {svd-k16: {k: 500}}}", ["lm.settings.svd-k16.k", "500", "1 to 64"]),
        ("resources={train: {runtime: 5}}", ["resources.train.runtime", "5", "at least 10"]),
        ("lm={model: {dropout: {input: -0.5}}}", ["lm.model.dropout.input", "-0.5", "at least 0"]),
        ("lm={optimisation: {lr: .nan}}", ["lm.optimisation.lr", "nan", "must be a number"]),
        ("lm={settings: {svd-k16: {method: [svd]}}}", ["lm.settings.svd-k16.method", "svd"]),
        ("seeds=[1.0]", ["seeds.0", "1.0", "must be a whole number"]),
        ('lm={label: "a\\nb"}', ["in label holds control characters"]),
        ("lm={3: 1}", ["key", "3"]),
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


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("results/demo/word-ptb-large/summary.csv", "demo has no task word-ptb-large; it has lm,"),
        ("results/demo/data/agnews/corpus.json", "demo has no task agnews; it has lm,"),
        (
            "results/demo/word-ptb-small/bayes-w/s1/train/training.json",
            "demo has no bayes-w of word-ptb-small; it has original, pruning-wn, pruning-wgn, ba",
        ),
        ("paper_tables/demo/iss_lstm.md", "demo has nothing that iss_lstm is about (word-ptb-l"),
        (
            "paper_tables/demo/sparse-gates-bayes-w.png",
            "demo has nothing that sparse-gates-bayes-w is about (bayes-w)",
        ),
        ("paper_tables/small/iss_claims.md", "small has nothing that iss_claims is about (word-"),
        ("sparse", "small has no task of sparse; these have: demo, paper, paper-short"),
    ],
)
def test_what_a_preset_has_not_is_told_in_one_line(snakemake, target, message):
    preset = message.split()[0]
    run = snakemake("--dry-run", "--quiet", "all", "--config", f"preset={preset}", "--", target)
    assert run.returncode != 0
    assert run.stderr.splitlines()[-1].startswith(f"preset {message}")
    assert "Traceback" not in run.stderr + run.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds: [1, 2\n", "line 1, column 8"),
        ("lm:\n\ttrain: {epochs: 1}\n", "line 2, column 1"),
        ("seeds [1, 2]\n", "config.yaml: not a list of keys and values"),
        ("# preset: demo\n", "config.yaml: empty; it needs a key at least, such as preset: demo"),
    ],
)
def test_a_configuration_that_cannot_be_read_stops_with_one_line(project, snakemake, text, message):
    (project / "config.yaml").write_text(text)
    run = snakemake("--dry-run", "--quiet")
    assert run.returncode != 0
    assert message in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr + run.stdout


@pytest.mark.parametrize("option", [(), ("--configfile", "mine.yaml")])
def test_a_section_that_stands_twice_stops_with_one_line(project, snakemake, option):
    file = project / (option[1] if option else "config.yaml")
    file.write_text("lm: {train: {epochs: 1}}\nlm: {finetune: {epochs: 1}}\n")
    run = snakemake("--dry-run", "--quiet", *option)
    assert run.returncode != 0
    assert run.stderr.splitlines()[-1].endswith(
        f"{file.name}: lm stands twice, in lines 1 and 2; join them"
    )
    assert "Traceback" not in run.stderr


def test_a_file_that_is_no_preset_does_no_harm(project, snakemake):
    for name, text in (("demo+", "base: demo"), ("my run", "base: demo"), ("mine", "label: [x")):
        (project / f"workflow/presets/{name}.yaml").write_text(text)
    run = snakemake("--dry-run", "--quiet")
    assert run.returncode == 0, run.stderr


def test_a_configuration_file_may_be_json_with_tabs(project, snakemake):
    (project / "own.json").write_text('{\n\t"lm": {\n\t\t"label": "letters"\n\t}\n}\n')
    run = snakemake("--dry-run", "--quiet", "--configfile", "own.json")
    assert run.returncode == 0, run.stderr


def test_a_rate_with_an_exponent_is_a_number(project, snakemake):
    for rate, option in (("1e-3", ()), ("3.0", ("--config", "lm={optimisation: {lr: 1e-3}}"))):
        (project / "config.yaml").write_text(f"lm: {{optimisation: {{lr: {rate}}}}}\n")
        run = snakemake("--dry-run", "--quiet", *option)
        assert run.returncode == 0, run.stderr


def test_the_folder_may_have_any_name(tmp_path, environment):
    folder = tmp_path / "it's mine"
    folder.mkdir()
    figure = "paper_tables/demo/figure2.png"
    run = run_snakemake(copy_project(folder), environment, "--cores", 1, figure)
    assert run.returncode == 0, run.stderr
    assert (folder / figure).exists()


def test_rules_run_in_the_python_of_snakemake_though_nobody_activated_it(project):
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "paper_tables/demo/figure2.png"],
        cwd=project,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert (project / "paper_tables/demo/figure2.png").stat().st_size > 0
