"""Configuration: presets, overrides, checks, and the jobs that rules hand to the package.

Used by the Snakefile, so it imports neither torch nor pandas.
"""

import contextlib
import copy
from functools import cache
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from g2lstm.errors import UserError

ROOT = Path(__file__).parents[2]
PRESETS = ROOT / "workflow" / "presets"
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"


def resolve(user, preset=None):
    """Return the complete configuration: the preset, the user's keys over it, defaults filled.

    ``user`` is the content of ``config.yaml`` with what the command line adds; ``preset``
    replaces its key ``preset``. Raises UserError for an unknown preset, key or value.
    """
    preset = preset or user.get("preset", "demo")
    config = _merge(_read_preset(preset), _typed({**user, "preset": preset}))
    _check_schema(config)
    config = _fill(config, read_schema())
    _check_across(config)
    return config


@cache
def read_schema():
    """Return the JSON schema of the configuration with its references resolved."""
    with open(SCHEMA, encoding="utf-8") as stream:
        schema = yaml.safe_load(stream)
    return _inline(schema, schema["$defs"])


def presets():
    """Return the names of all presets."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def training_job(config, variant, seed, stage):
    """Return what decides the result of a training run, without the keys left at their default.

    A new key with a default, or another order of keys, leaves the job as it was.
    """
    task = config["lm"]
    complete = {
        "gate": config["variants"][variant],
        "model": task["model"],
        "optimisation": task["optimisation"],
        "schedule": task[stage],
        "valid_batch": task["evaluation"]["valid_batch"],
    }
    return {
        "task": "lm",
        "stage": stage,
        "seed": seed,
        **_without_defaults(complete, _job_schema(stage)),
    }


def complete_job(job):
    """Return a job of :func:`training_job` with its defaults filled in."""
    names = ("task", "stage", "seed")
    body = {name: value for name, value in job.items() if name not in names}
    return {name: job[name] for name in names} | _fill(body, _job_schema(job["stage"]))


def _job_schema(stage):
    task = read_schema()["properties"]["lm"]["properties"]
    gate = read_schema()["properties"]["variants"]["additionalProperties"]
    return {
        "properties": {
            "gate": gate,
            "model": task["model"],
            "optimisation": task["optimisation"],
            "schedule": task[stage],
            "valid_batch": task["evaluation"]["properties"]["valid_batch"],
        }
    }


def _read_preset(name):
    path = PRESETS / f"{name}.yaml"
    if name not in presets():
        raise UserError(f"config: preset = {name!r} is unknown; allowed: {', '.join(presets())}")
    with open(path, encoding="utf-8") as stream:
        return yaml.safe_load(stream)


def _merge(base, over):
    """Return ``base`` with ``over`` laid on top, mappings merged key by key."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merge(result[key], value) if both else copy.deepcopy(value)
    return result


def _typed(value):
    """Return ``value`` with numbers, truth values and null read where they stand as text.

    Snakemake hands over the scalars inside ``--config seeds=[1,2]`` as text.
    """
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    if isinstance(value, str):
        with contextlib.suppress(yaml.YAMLError):
            read = yaml.safe_load(value)
            if isinstance(read, bool | int | float) or value in ("null", "~"):
                return read
    return value


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


def _check_schema(config):
    validator = Draft202012Validator(read_schema())
    errors = sorted(validator.iter_errors(config), key=lambda error: list(error.absolute_path))
    if errors:
        raise UserError("config: " + _explain(errors[0]))


def _explain(error):
    """Say in one line which key is wrong, its value, and what is allowed."""
    where = ".".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "oneOf":
        return _explain_setting(where, error)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = sorted(set(error.instance) - set(known))
        return f"unknown key {', '.join(unknown)} in {where}; allowed: {', '.join(known)}"
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))
        return f"{where} lacks {', '.join(missing)}"
    if "propertyNames" in error.absolute_schema_path:
        return f"{where}: name {error.instance!r} is not allowed ({_allowed(error)})"
    return f"{where} = {error.instance!r} is not allowed ({_allowed(error)})"


def _explain_setting(where, error):
    """Explain a compression setting: by the schema of its method, when the method is known."""
    methods = {branch["properties"]["method"]["const"]: branch for branch in error.validator_value}
    setting = error.instance
    method = setting.get("method") if isinstance(setting, dict) else None
    if method not in methods:
        return f"{where}.method = {method!r} is not allowed (must be one of {', '.join(methods)})"
    inner = next(Draft202012Validator(methods[method]).iter_errors(setting))
    inner.parent = error
    return _explain(inner)


def _allowed(error):
    words = {
        "enum": "must be one of",
        "const": "must be",
        "type": "must be of type",
        "minimum": "must be at least",
        "maximum": "must be at most",
        "exclusiveMinimum": "must be above",
        "exclusiveMaximum": "must be below",
        "minItems": "least number of items:",
        "minProperties": "least number of entries:",
        "pattern": "must match",
        "uniqueItems": "items must differ:",
        "not": "reserved:",
    }
    value = error.validator_value
    shown = ", ".join(map(str, value)) if isinstance(value, list) else value
    return f"{words.get(error.validator, error.validator)} {shown}"


def _check_across(config):
    """Check what a schema cannot: keys that must fit each other."""
    for name, gate in config["variants"].items():
        _check_gate(name, gate)
    _check_settings(config)
    _check_tables(config)


def _check_gate(name, gate):
    """Refuse options that a gate policy would ignore, and noise without a probability."""
    neutral = {"plain": {"tau": 1.0, "p": 0.0}, "sharpened": {"p": 0.0}, "gumbel": {}}
    for key, value in neutral[gate["kind"]].items():
        if gate[key] != value:
            raise UserError(
                f"config: variants.{name}.{key} = {gate[key]} is not allowed "
                f"(kind {gate['kind']} does not use it; leave it out)"
            )
    if gate["kind"] == "sharpened" and gate["tau"] == 1:
        raise UserError(f"config: variants.{name}.tau = 1 is not allowed (kind sharpened: not 1)")
    if gate["kind"] == "gumbel" and gate["p"] == 0:
        raise UserError(f"config: variants.{name}.p = 0 is not allowed (kind gumbel: above 0)")


def _check_settings(config):
    smallest = _smallest_gate_matrix(config["lm"]["model"])
    for name, setting in config["settings"].items():
        if setting["method"] == "svd" and setting["k"] > smallest:
            raise UserError(
                f"config: settings.{name}.k = {setting['k']} is above the size of the smallest "
                f"gate matrix (allowed: 1 to {smallest})"
            )
        if setting["method"] == "round-clip":
            steps = setting["c"] / setting["r"]
            if abs(steps - round(steps)) > 1e-9 or round(steps) < 1:
                raise UserError(
                    f"config: settings.{name}.c = {setting['c']} is not allowed "
                    f"(must be a multiple of r = {setting['r']})"
                )


def _check_tables(config):
    methods = {"table6": ("round", "round-clip"), "table7": ("svd",)}
    for table, columns in config["tables"].items():
        for column, name in columns.items():
            if name not in config["settings"]:
                raise UserError(
                    f"config: tables.{table}.{column} = {name!r} is not allowed "
                    f"(must be one of {', '.join(config['settings'])})"
                )
            method = config["settings"][name]["method"]
            if method not in methods.get(table, (method,)):
                raise UserError(
                    f"config: tables.{table}.{column} = {name!r} is not allowed "
                    f"(its method is {method}; must be {' or '.join(methods[table])})"
                )


def _smallest_gate_matrix(model):
    """Return the smallest dimension of any gate matrix: the largest rank that all of them have."""
    return min(model["embedding"], model["hidden"] if model["layers"] > 1 else model["embedding"])
