# What the rules share: the configuration of a preset and the paths that follow from it.
import shlex
import shutil
from contextlib import suppress
from functools import cache

from g2lstm import config as g2config
from g2lstm import plan
from g2lstm.errors import UserError, told
from g2lstm.records import canonical_json
from g2lstm.tasks import (
    METHODS,
    SPARSE,
    STAGE_VERSION,
    STAGES,
    TABLE_TASKS,
    TASKS,
    TRANSLATION,
)
from g2lstm.yaml_files import read_config

# Read before Snakemake does: stricter, and told with the line. A workflow that imports ours has files
# of its own; JSON may hold tabs.
if not workflow.modifier.skip_configfile:
    for file in (ROOT / "config.yaml", *workflow.configfiles):
        if Path(file).suffix != ".json":
            told(read_config)(file)


configfile: ROOT / "config.yaml"


@cache
def resolved(preset):
    """Return the complete configuration of a preset; raise UserError when it is wrong."""
    return g2config.resolve(config, preset)


@told
def settings(preset=None):
    """Return the complete configuration of a preset; stop with one line when it is wrong."""
    return resolved(None if preset == config.get("preset") else preset)


wildcard_constraints:
    preset="|".join(g2config.presets()),
    variant="|".join(("baseline", "sharpened", "g2", *METHODS)),
    seed=r"\d+",
    task="|".join((*TASKS, *SPARSE)),
    words="|".join(("lm", *SPARSE)),
    method="|".join(METHODS),
    pair="|".join(TRANSLATION),
    stage="|".join(STAGES["lm"]),
    beam=r"\d+",
    table="|".join(TABLE_TASKS),


# Properties of the machine, not of a preset: the same for all jobs.
def gpus():
    """Return how many GPUs a job of the package takes: none where there is none to take.

    A job of a cluster has been given its GPU and asks for none on account of finding one.
    """
    device = settings()["device"]
    found = not workflow.remote_exec and shutil.which("nvidia-smi")
    return int(device.startswith("cuda") or (device == "auto" and bool(found)))


@cache
def usable_presets():
    """Return the chosen preset and those others that the user's keys go together with."""
    found = [settings()["preset"]]
    for preset in sorted({*g2config.presets()} - {*found}):
        with suppress(UserError):
            found.append(resolved(preset)["preset"])
    return found


def threads(kind):
    """Return the function that gives the threads of a kind of job: train or evaluate."""
    return lambda wildcards: settings(wildcards.preset)["threads"][kind]


def asked(kind, resource):
    """Return the function that gives what a kind of job asks of a cluster: runtime or mem_mb."""
    return lambda wildcards: settings(wildcards.preset)["resources"][kind][resource]


# Minutes of a cluster job that training leaves: for the start before it, for the last step and the
# checkpoint after it.
RESERVE = 5


def time_budget(wildcards, resources):
    """Return the option that lets a training job stop in time, where a cluster would end it.

    Snakemake takes no parameter that follows from resources for a reason to run again.
    """
    if not workflow.remote_exec:
        return ""
    return f"--time-budget {max(resources.runtime - RESERVE, 0)}"


def mirror_option():
    """Return the option that names the mirror, when the user has set one."""
    mirror = settings()["data_mirror"]
    return f"--mirror {shlex.quote(os.path.expanduser(mirror))}" if mirror else ""


@told
def task_of(wildcards):
    """Return the section of the configuration of a job's task, and the task's name."""
    names = (wildcards.get(name) for name in ("task", "pair", "words"))
    task = next(filter(None, names), "lm")
    return g2config.section_of(settings(wildcards.preset), task), task


def run_of(wildcards):
    """Return the training run that a job is, or the first stage of those it is about."""
    task = task_of(wildcards)[1]
    stage = wildcards.get("stage", STAGES[task][0])
    return plan.Run(wildcards.preset, task, wildcards.variant, int(wildcards.seed), stage)


def raw_text(wildcards):
    """Return the record of the data set that a task's corpus is made of."""
    corpus = task_of(wildcards)[0]["corpus"]
    return [] if corpus == "synthetic" else f"results/datasets/{corpus}/files.json"


def corpus_source(wildcards):
    """Return what decides the corpus, as JSON."""
    return canonical_json(plan.corpus_source(settings(wildcards.preset), task_of(wildcards)[1]))


def initial_model(wildcards):
    """Return the model that a stage starts from: finetune goes on from train."""
    before = run_of(wildcards).before
    return before.model if before else []


@told
def training_job(wildcards):
    """Return all that decides the result of a training run, as JSON."""
    job = g2config.training_job(
        settings(wildcards.preset),
        wildcards.task,
        wildcards.variant,
        int(wildcards.seed),
        wildcards.stage,
    )
    return canonical_json(job)


def training_labels(wildcards):
    """Return what identifies a run in its record, as JSON."""
    return canonical_json({"preset": wildcards.preset, "variant": wildcards.variant})


def compression_names(preset, task):
    """Return the names of the settings of a task, in the order of :func:`compressions`."""
    return sorted(settings(preset)[task]["settings"])


def compressions(wildcards, output):
    """Return the options that compress a model at every setting before it is evaluated."""
    found = canonical_json(task_of(wildcards)[0]["settings"])
    return f"--compressions {shlex.quote(found)} --compressed {output.compressed}"


def labels(wildcards):
    """Return what identifies a result of a model in its record, as JSON."""
    variant = wildcards.get("variant") or wildcards.method
    found = {"preset": wildcards.preset, "variant": variant}
    found |= {"task": task_of(wildcards)[1], "seed": int(wildcards.seed)}
    found["stage"] = wildcards.get("stage", "train")
    return canonical_json(found)


def significance_labels(wildcards):
    """Return what identifies a comparison of variants in its record, as JSON."""
    found = {"preset": wildcards.preset, "task": wildcards.pair, "seed": int(wildcards.seed)}
    return canonical_json({**found, "stage": "train"})


def evaluation_settings(wildcards):
    """Return the section evaluation of a task on words, as JSON, without what tables use."""
    task = task_of(wildcards)[1]
    return canonical_json(plan.evaluation_settings(settings(wildcards.preset), task))


def translation_settings(wildcards):
    """Return the section evaluation of a translation task, as JSON; the path names the beam."""
    section = plan.evaluation_settings(settings(wildcards.preset), wildcards.pair)
    return canonical_json({**section, "beam": int(wildcards.beam)})


def gate_settings(wildcards):
    """Return what decides which gate values are recorded, as JSON."""
    return canonical_json(plan.gate_settings(settings(wildcards.preset), wildcards.task))
