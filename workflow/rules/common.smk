# What the rules share: the configuration of a preset and the paths that follow from it.
import shlex
import shutil
from functools import cache

from g2lstm import config as g2config
from g2lstm.errors import UserError
from g2lstm.records import canonical_json

STAGES = ("train", "finetune")
MODES = ("plain", "cache")
TABLE_SUFFIXES = ("tex", "csv", "md", "png")
FIGURE_SUFFIXES = ("png", "pdf")


@cache
def settings(preset=None):
    """Return the complete configuration of a preset; stop with one line when it is wrong."""
    try:
        return g2config.resolve(config, preset)
    except UserError as error:
        sys.exit(str(error))


wildcard_constraints:
    preset="|".join(g2config.presets()),
    variant="baseline|sharpened|g2",
    seed=r"\d+",
    stage="|".join(STAGES),
    setting=r"[a-z][a-z0-9.-]*",
    number=r"\d+",


def gpus(wildcards):
    """Return how many GPUs a job of the package takes: none where there is none to take."""
    device = settings(wildcards.preset)["device"]
    return int(device.startswith("cuda") or (device == "auto" and bool(shutil.which("nvidia-smi"))))


def threads(kind):
    """Return the function that gives the threads of a kind of job: train or evaluate."""
    return lambda wildcards: settings(wildcards.preset)["threads"][kind]


def option(*path):
    """Return the function that looks up a key of the configuration for a job's preset."""

    def look_up(wildcards):
        value = settings(wildcards.preset)
        for key in path:
            value = value[key]
        return value

    return look_up


def mirror_option(wildcards):
    """Return the option that names the mirror, when the user has set one."""
    mirror = settings()["data_mirror"]
    return f"--mirror {shlex.quote(mirror)}" if mirror else ""


def raw_text(wildcards):
    """Return the record of the data set that a preset's corpus is made of."""
    corpus = settings(wildcards.preset)["lm"]["corpus"]
    return [] if corpus == "synthetic" else f"results/datasets/{corpus}/files.json"


def corpus_source(wildcards):
    """Return what decides the corpus, as JSON."""
    task = settings(wildcards.preset)["lm"]
    names = ("corpus", "synthetic") if task["corpus"] == "synthetic" else ("corpus",)
    return canonical_json({name: task[name] for name in names})


def initial_model(wildcards):
    """Return the model that a stage starts from: finetune goes on from train."""
    if wildcards.stage == "train":
        return []
    return f"results/{wildcards.preset}/lm/{wildcards.variant}/s{wildcards.seed}/train/model.safetensors"


def training_job(wildcards):
    """Return all that decides the result of a training run, as JSON."""
    config = settings(wildcards.preset)
    seed = int(wildcards.seed)
    return canonical_json(g2config.training_job(config, wildcards.variant, seed, wildcards.stage))


def training_labels(wildcards):
    """Return what identifies a run in its record, as JSON."""
    return canonical_json({"preset": wildcards.preset, "variant": wildcards.variant})


def compression_setting(wildcards):
    """Return method and parameters of a setting, as JSON."""
    return canonical_json(settings(wildcards.preset)["settings"][wildcards.setting])


def evaluated_model(wildcards):
    """Return the model file of a setting: the model itself, or one of its compressed files."""
    name = "model" if wildcards.setting == "original" else f"compressed/{wildcards.setting}"
    run = f"results/{wildcards.preset}/lm/{wildcards.variant}/s{wildcards.seed}"
    return f"{run}/{wildcards.stage}/{name}.safetensors"


def evaluated_splits(wildcards):
    """Return the splits to evaluate: print shows only the test split of compressed models."""
    return "valid test" if wildcards.setting == "original" else "test"


def evaluation_labels(wildcards):
    """Return what identifies an evaluation in its record, as JSON."""
    names = ("preset", "variant", "stage", "setting")
    labels = {name: wildcards[name] for name in names}
    return canonical_json({**labels, "task": "lm", "seed": int(wildcards.seed)})


def evaluation_settings(wildcards):
    """Return the section lm.evaluation, as JSON, without what only the tables use."""
    section = settings(wildcards.preset)["lm"]["evaluation"]
    return canonical_json({key: value for key, value in section.items() if key != "convention"})


def table_layout(wildcards):
    """Return what tables and figures need to know of a preset, as JSON."""
    config = settings(wildcards.preset)
    names = ("preset", "label", "reduced", "settings", "tables")
    layout = {name: config[name] for name in names}
    return canonical_json({**layout, "convention": config["lm"]["evaluation"]["convention"]})


def run_records(wildcards):
    """Return the training records of both stages of a run."""
    run = f"results/{wildcards.preset}/lm/{wildcards.variant}/s{wildcards.seed}"
    return [f"{run}/{stage}/training.json" for stage in STAGES]


def evaluation_records(preset):
    """Return all evaluation records that the tables of a preset need."""
    names = settings(preset)
    finetuned = expand(
        "results/{preset}/lm/{variant}/s{seed}/finetune/eval/{setting}.{mode}.json",
        preset=preset,
        variant=names["variants"],
        seed=names["seeds"],
        setting=["original", *names["settings"]],
        mode=MODES,
    )
    return finetuned + expand(
        "results/{preset}/lm/{variant}/s{seed}/train/eval/original.plain.json",
        preset=preset,
        variant=names["variants"],
        seed=names["seeds"],
    )


def records(preset):
    """Return all records that the tables of a preset are made of."""
    return [*evaluation_records(preset), f"results/{preset}/data/lm/corpus.json"]


def published_files(preset):
    """Return everything that goes into print: tables, figures, comparison and claims."""
    names = settings(preset)
    tables = expand("table{number}.{suffix}", number=(1, 3, 6, 7), suffix=TABLE_SUFFIXES)
    figures = expand(
        "{figure}.{suffix}",
        figure=[
            "rank-curve",
            "rounding-curve",
            *expand(
                "learning-curve-{variant}-s{seed}",
                variant=names["variants"],
                seed=names["seeds"],
            ),
        ],
        suffix=FIGURE_SUFFIXES,
    )
    return expand(
        "paper_tables/{preset}/{file}",
        preset=preset,
        file=[*tables, *figures, "comparison.md", "claims.md"],
    )
