"""What a configuration asks for, and where it is: runs, their records, what goes into print.

Shared by the Snakefile and ``status``, so it imports neither torch nor pandas. ``config`` is a
complete configuration; paths are relative to the folder that has ``results/``.
"""

from itertools import product
from typing import NamedTuple

from g2lstm.config import describe, differences, section_of, training_job, variants
from g2lstm.errors import UserError
from g2lstm.tasks import (
    GATE_FIGURES,
    LAG_TASKS,
    SPARSE,
    SPARSE_FIGURES,
    SPARSE_PAPERS,
    STAGES,
    TABLE_TASKS,
    TASKS,
    TRANSLATION,
)

GATES = "gates"  # the mode of a record of gates
LM_MODES = ("plain", "cache")
TABLE_SUFFIXES = ("tex", "csv", "md", "png")
CURVE_SUFFIXES = ("png", "pdf")
FIGURE_SUFFIXES = ("png", "pdf", "tex", "csv")
PAGE_SUFFIXES = ("md", "html")


class Run(NamedTuple):
    """One training run: a stage of a variant with a seed."""

    preset: str
    task: str
    variant: str
    seed: int
    stage: str

    @property
    def folder(self):
        """The folder of its model, records and checkpoints."""
        return f"results/{self.preset}/{self.task}/{self.variant}/s{self.seed}/{self.stage}"

    @property
    def record(self):
        """The record of the training."""
        return f"{self.folder}/training.json"

    @property
    def model(self):
        """The trained model."""
        return f"{self.folder}/model.safetensors"

    @property
    def before(self):
        """The run whose model this one starts from, or None."""
        stages = STAGES[self.task]
        place = stages.index(self.stage)
        return self._replace(stage=stages[place - 1]) if place else None


class Record(NamedTuple):
    """A record of a run's model: its file, setting of compression and mode."""

    path: str
    setting: str
    mode: str


def runs(config, task):
    """Return all training runs of a task."""
    found = product(variants(config, task), config["seeds"], STAGES[task])
    return [Run(config["preset"], task, *names) for names in found]


def model_records(config, run):
    """Return the records of a run's model that tables and figures are made of."""
    if run.task in SPARSE:
        found = [_record(run, "original", mode) for mode in ("plain", "speed")]
        lags = run.task in LAG_TASKS and run.variant == SPARSE_FIGURES["gradient-lags"]
        return [*found, _record(run, "original", "lags")] if lags else found
    if run.stage != STAGES[run.task][-1]:
        return [_record(run, "original", "plain")]
    modes = LM_MODES if run.task == "lm" else [f"beam{config[run.task]['evaluation']['beam']}"]
    settings = ["original", *config[run.task]["settings"]]
    found = [_record(run, setting, mode) for setting, mode in product(settings, modes)]
    return [*found, Record(f"{run.folder}/gates.json", "original", GATES)]


def _record(run, setting, mode):
    return Record(f"{run.folder}/eval/{setting}.{mode}.json", setting, mode)


def gate_records(config, task):
    """Return the records of gates of all variants and seeds of a task."""
    found = [record for run in runs(config, task) for record in model_records(config, run)]
    return [record.path for record in found if record.mode == GATES]


def sparse_figure_runs(config, figure):
    """Return the runs that a figure about sparse models' gates shows: one seed of each task."""
    method = SPARSE_FIGURES[figure]
    tasks = [task for task, kind in SPARSE.items() if task in config and kind != "highway"]
    return [
        Run(config["preset"], task, method, config["seeds"][0], STAGES[task][0])
        for task in tasks
        if method in config[task]["methods"]
    ]


def sparse_figure_records(config, figure):
    """Return the records that a figure about sparse models' gates shows."""
    mode = "lags" if figure == "gradient-lags" else "plain"
    runs_shown = sparse_figure_runs(config, figure)
    found = [record for run in runs_shown for record in model_records(config, run)]
    return [record.path for record in found if record.mode == mode]


def significance_records(config, task):
    """Return the comparisons of the variants of a task, one a seed."""
    if task not in TRANSLATION:
        return []
    beam = config[task]["evaluation"]["beam"]
    folder = f"results/{config['preset']}/{task}"
    return [f"{folder}/significance-s{seed}.beam{beam}.json" for seed in config["seeds"]]


def corpus(preset, task, suffix):
    """Return the corpus of a task (suffix ``safetensors``), or its record (``json``)."""
    return f"results/{preset}/data/{task}/corpus.{suffix}"


def task_records(config, task):
    """Return all records that tables and figures about a task are made of."""
    found = [record.path for run in runs(config, task) for record in model_records(config, run)]
    about = corpus(config["preset"], task, "json")
    return [*found, *significance_records(config, task), about]


def evaluation_settings(config, task):
    """Return what decides how a task's models are evaluated, without what only tables use."""
    section = config[task]["evaluation"]
    return {name: value for name, value in section.items() if name != "convention"}


def gate_settings(config, task):
    """Return what decides which gate values of a task's models are recorded."""
    section = config[task]
    if task in TRANSLATION:
        return section["gates"]
    return {"valid_batch": section["evaluation"]["valid_batch"]}


def corpus_source(config, task):
    """Return what decides the corpus of a task."""
    section = section_of(config, task)
    names = ("corpus", "synthetic") if section["corpus"] == "synthetic" else ("corpus",)
    source = {name: section[name] for name in names}
    return source | {"task": task, "bpe": section["bpe"]} if task in TRANSLATION else source


def expected(config, runs):
    """Return what today's configuration expects of the records of ``runs``, ready for JSON.

    ``jobs``: the job of each training; ``tasks``: task -> what else decides its records, for
    :func:`record_differences`.
    """
    tasks = {
        task: {
            "source": corpus_source(config, task),
            "evaluation": evaluation_settings(config, task),
            GATES: {} if task in SPARSE else gate_settings(config, task),
            "settings": config[task].get("settings", {}),
        }
        for task in {run.task: None for run in runs}
    }
    return {"jobs": [training_job(config, *run[1:]) for run in runs], "tasks": tasks}


def record_differences(record, wanted, setting=None):
    """Return in what a record of a corpus, an evaluation or gates is not of today, a phrase each.

    ``wanted`` is what :func:`expected` has of its task, ``setting`` the compression that the record
    should be of, where it is known; otherwise it is the record's own.
    """
    if record.get("kind") == "corpus":
        return _source_differences(record, wanted["source"])
    found = []
    if then := record.get("evaluation"):
        kind = GATES if record.get("kind") == GATES else "evaluation"
        found += differences(then, wanted[kind])
    setting = setting or record.get("setting", "original")
    if setting != "original":
        now = {"setting": setting, **wanted["settings"].get(setting, {})}
        found += differences(record.get("compression") or {}, now, f"{setting}.")
    return found


def _source_differences(record, now):
    if "source" in record:
        return differences(record["source"], now)
    # Older records hold but these of it.
    today = {"corpus": now["corpus"], "merges": now.get("bpe", {}).get("merges")}
    then = {name: record[name] for name in today if name in record}
    return differences(then, {name: today[name] for name in then})


def needed(found, config, name, about):
    """Return ``found``, what a table, figure or page called ``name`` is made of.

    Raises UserError when there is none: the configuration has nothing of what it is ``about``.
    """
    if not found:
        preset, about = config["preset"], ", ".join(about)
        raise UserError(f"preset {preset} has nothing that {name} is about ({about})")
    return found


def table_tasks(config, table):
    """Return the tasks that a table is about, of those that the configuration has."""
    about = TABLE_TASKS[table]
    return needed([task for task in about if task in config], config, table, about)


def judged(config, page):
    """Return the paper that a comparison or a page of claims is about, and its tasks."""
    paper = SPARSE_PAPERS.get(page.partition("_")[0])
    if paper is None:
        return "g2lstm", TASKS
    found = [task for task in paper.tasks if task in config]
    return paper.name, needed(found, config, page, paper.tasks)


def _possible(table, tasks):
    """Tell whether a table can be made of ``tasks``: all of the paper's, or some sparse ones."""
    about = set(TABLE_TASKS[table])
    return about <= set(tasks) or bool(about & set(SPARSE) & set(tasks))


def layout(config):
    """Return what tables and figures need to know of a configuration."""
    tasks = {task: config[task] for task in TASKS}
    found = {name: config[name] for name in ("preset", "label", "tables")}
    found["corpora"], found["reduced"] = describe(config)
    found["settings"] = {task: section["settings"] for task, section in tasks.items()}
    found["beam"] = {task: tasks[task]["evaluation"]["beam"] for task in TRANSLATION}
    return found | {"convention": config["lm"]["evaluation"]["convention"]}


def published_files(config, tasks):
    """Return what goes into print and needs no more than ``tasks``."""
    tables = [name for name in TABLE_TASKS if _possible(name, tasks)]
    curves = [
        f"learning-curve-{task}-{variant}-s{seed}"
        for task in tasks
        for variant, seed in product(variants(config, task), config["seeds"])
    ]
    figures = [name for name, (task, _) in GATE_FIGURES.items() if task in tasks]
    if set(SPARSE) & set(tasks):
        figures += [name for name in SPARSE_FIGURES if sparse_figure_records(config, name)]
    if "lm" in tasks:
        curves += ["rank-curve", "rounding-curve"]
    if "de-en" in tasks:
        figures.append("figure2")
    pages = ["comparison", "claims"] if set(tasks) >= set(TASKS) else []
    pages += [
        f"{start}_{page}"
        for start, paper in SPARSE_PAPERS.items()
        if set(paper.tasks) & set(tasks)
        for page in ("comparison", "claims")
    ]
    files = [
        *(f"{name}.{suffix}" for name, suffix in product(tables, TABLE_SUFFIXES)),
        *(f"{name}.{suffix}" for name, suffix in product(curves, CURVE_SUFFIXES)),
        *(f"{name}.{suffix}" for name, suffix in product(figures, FIGURE_SUFFIXES)),
        *(f"{name}.{suffix}" for name, suffix in product(pages, PAGE_SUFFIXES)),
    ]
    return [f"paper_tables/{config['preset']}/{file}" for file in files]
