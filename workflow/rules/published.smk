# What tables, figures and pages are made of, and which of them a preset has.
from functools import cache

from g2lstm import config as g2config
from g2lstm import plan
from g2lstm.errors import UserError, told
from g2lstm.records import canonical_json
from g2lstm.tasks import GATE_FIGURES, SPARSE, SPARSE_FIGURES, STAGES, TRANSLATION

TARGETS = {"language_model": ["lm"], "translation": TRANSLATION, "sparse": SPARSE}


def table_layout(wildcards):
    """Return what tables and figures need to know of a job's preset, as JSON."""
    return layout(wildcards.preset)


@cache
def layout(preset):
    """Return the layout of a preset, as JSON."""
    return canonical_json(plan.layout(settings(preset)))


def run_stages(wildcards):
    """Return the runs of all stages of a variant and seed."""
    return [run_of(wildcards)._replace(stage=stage) for stage in STAGES[wildcards.task]]


def originals(suffix):
    """Return the function that gives a file of every variant's original translations."""
    return lambda wildcards: expand(
        "results/{preset}/{pair}/{variant}/s{seed}/train/eval/original.beam{beam}.{suffix}",
        variant=settings(wildcards.preset)["variants"],
        suffix=suffix,
        **wildcards,
    )


def gate_records(preset, task):
    """Return the records of gates of all variants and seeds of a task."""
    return plan.gate_records(settings(preset), task)


@told
def sparse_records(wildcards):
    """Return the records that a figure about sparse models' gates shows."""
    found, figure = settings(wildcards.preset), wildcards.figure
    shown = plan.sparse_figure_records(found, figure)
    return plan.needed(shown, found, figure, [SPARSE_FIGURES[figure]])


@told
def records(wildcards):
    """Return all records that tables and figures about a task are made of."""
    return plan.task_records(settings(wildcards.preset), wildcards.task)


@told
def task_runs(wildcards):
    """Return all training runs of a task."""
    return plan.runs(settings(wildcards.preset), wildcards.task)


@told
def figure_runs(wildcards):
    """Return the training runs behind a figure of gates."""
    config, figure = settings(wildcards.preset), wildcards.figure
    if figure in SPARSE_FIGURES:
        return plan.sparse_figure_runs(config, figure)
    return plan.runs(config, GATE_FIGURES[figure][0])


def trainings(runs):
    """Return the function that gives the records of the trainings that ``runs`` gives."""
    return lambda wildcards: [run.record for run in runs(wildcards)]


def expected(runs):
    """Return the function that gives what is expected of the records of ``runs``, as JSON."""
    return lambda wildcards: canonical_json(
        plan.expected(settings(wildcards.preset), runs(wildcards))
    )


def summaries(tasks, file="summary"):
    """Return the function that gives the summaries of ``tasks``, or another file beside them."""
    return lambda wildcards: expand(
        "results/{preset}/{task}/{file}.csv", preset=wildcards.preset, task=tasks, file=file
    )


def table_inputs(file):
    """Return the function that gives a file of each of the tasks that a table is about."""

    @told
    def files(wildcards):
        tasks = plan.table_tasks(settings(wildcards.preset), wildcards.table)
        return summaries(tasks, file)(wildcards)

    return files


@told
def judged(wildcards):
    """Return the paper that a comparison or a page of claims is about, and its tasks."""
    return plan.judged(settings(wildcards.preset), wildcards.kind)


def published_files(preset, tasks):
    """Return what goes into print and needs no more than ``tasks``."""
    return plan.published_files(settings(preset), tasks)


def published(tasks):
    """Return what goes into print of those of ``tasks`` that the chosen preset has."""
    found = [task for task in g2config.tasks_of(settings()) if task in tasks]
    return published_files(settings()["preset"], found)


def target_files(target):
    """Return the function that gives what a target makes: not all presets have something of it."""

    @told
    def files(wildcards):
        tasks = {*TARGETS[target]}
        if not (found := published(tasks)):
            others = [n for n in usable_presets() if tasks & {*g2config.tasks_of(settings(n))}]
            known = ", ".join(others) or "none"
            preset = settings()["preset"]
            raise UserError(f"preset {preset} has no task of {target}; these have: {known}")
        return found

    return files


def document_files(wildcards):
    """Return the tables and figures of the compiled document, in the order of the paper."""
    suffixes, tasks = (".tex", ".pdf"), g2config.tasks_of(settings(wildcards.preset))
    return sorted(
        (file for file in published_files(wildcards.preset, tasks) if file.endswith(suffixes)),
        key=lambda file: ("table" not in Path(file).name, "S" in file, "figure" not in file, file),
    )
