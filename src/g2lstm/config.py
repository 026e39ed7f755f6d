"""Configuration: presets, overrides, checks, and the jobs that rules hand to the package.

Used by the Snakefile, so it imports neither torch nor pandas.
"""

import contextlib
import copy
import re
from functools import cache
from pathlib import Path

import yaml

from g2lstm.checks import check_across, check_schema, shown
from g2lstm.errors import UserError
from g2lstm.tasks import SPARSE, TASKS
from g2lstm.yaml_files import Loader, read_config

ROOT = Path(__file__).parents[2]
PRESETS = ROOT / "workflow" / "presets"
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
NAME = re.compile("[a-z][a-z0-9_-]*")  # of a preset: stands in paths and in names of rules
NAMING = "a name has small letters, digits, - and _, a letter first"
VALIDATION = ("valid_batch", "length")  # settings of an evaluation that decide the validations
TEXTS = ("label", "data_mirror")  # keys whose value is text whatever it looks like


def resolve(user, preset=None):
    """Return the complete configuration: the preset, the user's keys over it, defaults filled.

    ``user`` is the content of ``config.yaml`` with what the command line adds; ``preset``
    replaces its key ``preset``. Raises UserError for an unknown preset, key or value.
    """
    preset = preset or user.get("preset", "demo")
    try:
        config = _merge(_read_preset(preset), _typed({**user, "preset": preset}))
        config = _without_left_out(config)
        check_schema(config, read_schema())
        config = _fill(config, read_schema())
    except RecursionError:
        raise UserError("config: values within values without end; check its braces") from None
    check_across(config)
    return config


def _without_left_out(config):
    """Return ``config`` without sparse tasks, and without their methods, that are null: so a preset
    or a user leaves them out.
    """
    found = {key: config[key] for key in config if key not in SPARSE or config[key] is not None}
    for task in SPARSE:
        section = found.get(task)
        if isinstance(section, dict) and isinstance(section.get("methods"), dict):
            kept = {name: value for name, value in section["methods"].items() if value is not None}
            found[task] = section | {"methods": kept}
    return found


@cache
def read_schema():
    """Return the JSON schema of the configuration with its references resolved."""
    with open(SCHEMA, encoding="utf-8") as stream:
        schema = yaml.load(stream, Loader)
    return _inline(schema, schema["$defs"])


def presets():
    """Return the names of all presets; files of other names, such as those of editors, are none."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml") if NAME.fullmatch(path.stem))


def describe(config):
    """Return what to call the tasks' numbers: ``(task -> label, reduced tasks)``.

    The numbers of a reduced task are not comparable with print: all those of a reduced preset, and
    each task that is not run as its preset says. Such a one is called so, unless the user gives it
    a label.
    """
    preset = resolve({}, config["preset"])
    labels, reduced = {}, []
    for task in tasks_of(config):
        section, original = config[task], preset.get(task, {"label": None})
        labels[task] = section["label"]
        deciding = {name for name in section if name not in ("label", "settings", "gates")}
        if "methods" in section and "methods" in original:  # to leave some out changes none
            kept = {name: original["methods"].get(name) for name in section["methods"]}
            original = original | {"methods": kept}
        changed = any(section[name] != original.get(name) for name in deciding) or any(
            config[name] != preset[name] for name in ("variants", "precision")
        )
        if changed and section["label"] == original["label"]:
            labels[task] += ", changed from the preset"
        if changed or config["reduced"]:
            reduced.append(task)
    return labels, reduced


def tasks_of(config):
    """Return the tasks of a configuration: those of the paper, and others that have a section."""
    return [*TASKS, *(task for task in SPARSE if task in config)]


def section_of(config, task):
    """Return the section of a task; raise UserError when the configuration has no such task."""
    if task not in config:
        found = ", ".join(tasks_of(config))
        raise UserError(f"preset {config['preset']} has no task {task}; it has {found}")
    return config[task]


def variants(config, task):
    """Return the models that a task compares, by name."""
    return section_of(config, task)["methods"] if task in SPARSE else config["variants"]


def training_job(config, task, variant, seed, stage):
    """Return what decides the result of a training run, without the keys left at their default.

    A new key with a default, or another order of keys, leaves the job as it was.
    """
    section, models = section_of(config, task), variants(config, task)
    if variant not in models:
        found = f"preset {config['preset']} has no {variant} of {task}"
        raise UserError(f"{found}; it has {', '.join(models)}")
    complete = {
        "model": section["model"],
        "optimisation": section["optimisation"],
        "schedule": section[stage],
        "precision": config["precision"],
    }
    if task in SPARSE:
        complete["method"] = method = dict(models[variant])
        # A method may have its own model, optimiser and schedule; the task's other keys stay.
        for part in ("model", "optimisation", "schedule"):
            name = stage if part == "schedule" else part
            complete[part] = _merge(complete[part], method.pop(name, {}))
    else:
        complete["gate"] = models[variant]
    complete |= {
        name: section["evaluation"][name] for name in VALIDATION if name in section["evaluation"]
    }
    return {
        "task": task,
        "stage": stage,
        "seed": seed,
        **_without_defaults(complete, _job_schema(task, stage)),
    }


def complete_job(job):
    """Return a job of :func:`training_job` with its defaults filled in."""
    names = ("task", "stage", "seed")
    body = {name: value for name, value in job.items() if name not in names}
    schema = _job_schema(job["task"], job["stage"])
    return {name: job[name] for name in names} | _fill(body, schema)


def job_differences(then, now):
    """Return in what two jobs of :func:`training_job` differ, a phrase for each key.

    Of jobs of other tasks or stages, or of none (an empty dictionary), only these are compared.
    """
    names = ("task", "stage")
    kinds = [{name: job[name] for name in names if name in job} for job in (then, now)]
    if kinds[0] != kinds[1]:
        return differences(*kinds)
    return differences(complete_job(then), complete_job(now)) or differences(then, now)


def differences(then, now, prefix=""):
    """Return the keys in which two nested settings differ, with both values."""
    found = []
    for key in sorted(then.keys() | now.keys()):
        before, after = then.get(key, "not set"), now.get(key, "not set")
        if isinstance(before, dict) and isinstance(after, dict):
            found += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key} was {before}, is {after}")
    return found


def _job_schema(task, stage):
    section = read_schema()["properties"][task]["properties"]
    parts = {
        "gate": read_schema()["properties"]["variants"]["additionalProperties"],
        "model": section["model"],
        "optimisation": section["optimisation"],
        "schedule": section[stage],
        "precision": read_schema()["properties"]["precision"],
    }
    if task in SPARSE:
        parts["method"] = {}  # of a kind, not of a key: given in full
        del parts["gate"]
    evaluation = section["evaluation"]["properties"]
    parts |= {name: evaluation[name] for name in VALIDATION if name in evaluation}
    return {"properties": parts}


def _read_preset(name, where="config: preset", above=()):
    """Return the settings of a preset, laid over those of its ``base`` if it names one.

    ``where`` is the key that names the preset, ``above`` are those that it is the base of.
    """
    if name not in presets():
        known = ", ".join(presets())
        rule = "" if NAME.fullmatch(str(name)) else f" ({NAMING})"
        raise UserError(f"{where} = {shown(name)} is unknown; allowed: {known}{rule}")
    above = (*above, name)
    path = PRESETS / f"{name}.yaml"
    settings = read_config(path)
    base = settings.pop("base", None)
    if base is None:
        return settings
    if base in above:
        raise UserError(f"{path}: base = {base!r} leads back to itself; name another preset")
    return _merge(_read_preset(base, f"{path}: base", above), settings)


def _merge(base, over):
    """Return ``base`` with ``over`` laid on top, mappings merged key by key."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merge(result[key], value) if both else copy.deepcopy(value)
    return result


def _typed(value, key=None):
    """Return ``value`` with numbers, truth values and null read where they stand as text.

    Snakemake hands over the scalars inside ``--config seeds=[1,2]`` as text, and 1e-3 anywhere.
    """
    if isinstance(value, dict):
        return {name: _typed(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if value in ("null", "~"):
        return None
    # ValueError and the like: what looks like a number or a date and is none.
    with contextlib.suppress(yaml.YAMLError, ValueError, ArithmeticError):
        if key in TEXTS:
            return _as_text(value)
        if isinstance(value, str):
            read = yaml.load(value, Loader)
            if isinstance(read, bool | int | float):
                return read
    return value


def _as_text(value):
    """Return a whole number as text: Snakemake reads the folder of ``data_mirror=2026`` so."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if whole else value


def _inline(node, definitions):
    """Return a schema with every ``$ref`` replaced by what it names; keys beside it win."""
    if isinstance(node, list):
        return [_inline(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: _inline(value, definitions) for key, value in node.items() if key != "$ref"}
    if "$ref" in node:
        result = _inline(definitions[node["$ref"].rsplit("/", 1)[1]], definitions) | result
    return result


def _fill(value, schema):
    """Return ``value`` with the defaults of ``schema`` where a key is missing."""
    if not isinstance(value, dict):
        return value
    properties = schema.get("properties", {})
    other = schema.get("additionalProperties")
    result = {}
    for key, item in value.items():
        below = properties.get(key, other if isinstance(other, dict) else {})
        result[key] = _fill(item, below)
    for key, below in properties.items():
        if key not in result and "default" in below:
            result[key] = _fill(copy.deepcopy(below["default"]), below)
    return result


def _without_defaults(value, schema):
    """Return ``value`` without what :func:`_fill` would put back."""
    result = {}
    for key, item in value.items():
        below = schema["properties"][key]
        if isinstance(item, dict) and "properties" in below:
            item = _without_defaults(item, below)
            if not item:
                continue
        elif "default" in below and item == below["default"]:
            continue
        result[key] = item
    return result
