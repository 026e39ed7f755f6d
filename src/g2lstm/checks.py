"""Checks of a configuration: a mistake is told in one line with key, value and what is allowed."""

import math
import re

from jsonschema import Draft202012Validator, validators

from g2lstm.errors import UserError
from g2lstm.tasks import SPARSE, TABLE_TASKS, TASKS

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # controls, halves of letters
LONGEST = 80  # of a value in a message, in letters
KINDS = {  # types of the schema in words
    "array": "a list such as [1, 2]",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a section of keys and values",
    "string": "text",
}


def _is_integer(_, value):
    """Tell whether ``value`` is a whole number; 3.0 is none, as a path would show it."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(checker, value):
    """Tell whether ``value`` is a number to calculate with, so neither NaN nor infinite."""
    finite = isinstance(value, float) and math.isfinite(value)
    return finite or _is_integer(checker, value)


Validator = validators.extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def check_schema(config, schema):
    """Raise UserError for the first key or value of ``config`` that ``schema`` does not allow."""
    _check_parts(config, "top level")
    errors = Validator(schema).iter_errors(config)
    first = min(errors, key=lambda error: list(error.absolute_path), default=None)
    if first:
        raise UserError("config: " + _explain(first))


def _check_parts(value, where):
    """Refuse keys that are no text, text that neither a file nor a table could hold, and numbers
    that are too large for any array.
    """
    if isinstance(value, str) and UNPRINTABLE.search(value):
        raise UserError(f"config: {shown(value)} in {where} holds control characters")
    if isinstance(value, int) and value.bit_length() >= 64:
        raise UserError(f"config: {where} holds a number of more than 64 bits")
    if isinstance(value, list):
        for item in value:
            _check_parts(item, where)
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise UserError(f"config: key {shown(key)} in {where} is not text; quote it")
            _check_parts(key, where)
            _check_parts(item, key)


def shown(value):
    """Return ``value`` as a message shows it."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _explain(error):
    """Say in one line which key is wrong, its value, and what is allowed."""
    where = ".".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "oneOf":
        return _explain_setting(where, error)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        unknown = sorted(set(error.instance) - set(known))
        return f"unknown key {shown(', '.join(unknown))} in {where}; allowed: {', '.join(known)}"
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))
        return f"{where} lacks {', '.join(missing)}"
    if "propertyNames" in error.absolute_schema_path:
        return f"{where}: name {shown(error.instance)} is not allowed ({_allowed(error)})"
    return f"{where} = {shown(error.instance)} is not allowed ({_allowed(error)})"


def _explain_setting(where, error):
    """Explain a compression setting: by the schema of its method, when the method is known."""
    setting = error.instance
    if not isinstance(setting, dict):
        return f"{where} = {shown(setting)} is not allowed (must be {KINDS['object']})"
    methods = {branch["properties"]["method"]["const"]: branch for branch in error.validator_value}
    method = setting.get("method")
    if not isinstance(method, str) or method not in methods:
        allowed = f"must be one of {', '.join(methods)}"
        return f"{where}.method = {shown(method)} is not allowed ({allowed})"
    inner = next(Validator(methods[method]).iter_errors(setting))
    inner.parent = error
    return _explain(inner)


def _allowed(error):
    """Say what is allowed in place of the value that ``error`` is about."""
    value = error.validator_value
    if error.validator == "type":
        kinds = value if isinstance(value, list) else [value]
        return f"must be {' or '.join(KINDS[kind] for kind in kinds)}"
    if error.validator == "pattern":
        return f"must be {error.schema['allowed']}"
    if error.validator == "uniqueItems":
        return "each may stand there once"
    if error.validator == "not":
        return f"{value['const']} is reserved"
    words = {
        "enum": "must be one of",
        "const": "must be",
        "minimum": "must be at least",
        "maximum": "must be at most",
        "exclusiveMinimum": "must be above",
        "exclusiveMaximum": "must be below",
        "minItems": "least number of items:",
        "minProperties": "least number of entries:",
    }
    allowed = ", ".join(map(str, value)) if isinstance(value, list) else value
    return f"{words.get(error.validator, error.validator)} {allowed}"


def check_across(config):
    """Raise UserError for keys that do not fit each other, which a schema cannot tell."""
    for name, gate in config["variants"].items():
        _check_gate(name, gate)
    for task in TASKS:
        _check_settings(config, task)
    _check_tables(config)
    for task in filter(config.get, SPARSE):
        section = config[task]
        for name, method in section["methods"].items():
            own = method.get("model", {})
            _check_layers(f"config: {task}.methods.{name}", section["model"] | own)


def _check_layers(key, model):
    """Refuse a list of units that has not one number for each layer."""
    units, layers = model.get("hidden"), model.get("layers")
    if isinstance(units, list) and len(units) != layers:
        raise UserError(
            f"{key}.model.hidden = {units} is not allowed (must have one number for each of the "
            f"{layers} layers)"
        )


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


def _check_settings(config, task):
    smallest = _smallest_gate_matrix(task, config[task]["model"])
    for name, setting in config[task]["settings"].items():
        key = f"config: {task}.settings.{name}"
        if setting["method"] == "svd" and setting["k"] > smallest:
            raise UserError(
                f"{key}.k = {setting['k']} is above the size of the smallest "
                f"gate matrix (allowed: 1 to {smallest})"
            )
        if setting["method"] == "round-clip":
            steps = setting["c"] / setting["r"]
            if not math.isfinite(steps) or abs(steps - round(steps)) > 1e-9 or round(steps) < 1:
                raise UserError(
                    f"{key}.c = {setting['c']} is not allowed "
                    f"(must be a multiple of r = {setting['r']})"
                )
        if task == "lm" and "scope" in setting:
            raise UserError(f"{key}.scope is not allowed (only translation models have scopes)")


def _check_tables(config):
    methods = {"table6": ("round", "round-clip"), "table7": ("svd",)}
    for table, columns in config["tables"].items():
        if table == "tableS1":  # columns for each task
            for task, task_columns in columns.items():
                _check_columns(config, f"{table}.{task}", task, task_columns, scope="code")
        else:
            _check_columns(config, table, TABLE_TASKS[table][0], columns, methods.get(table))


def _check_columns(config, table, task, columns, methods=None, scope="paper"):
    """Refuse a column whose setting the task lacks, or whose method or scope does not belong."""
    settings = config[task]["settings"]
    for column, name in columns.items():
        if name not in settings:
            raise UserError(
                f"config: tables.{table}.{column} = {name!r} is not allowed "
                f"(must be one of {', '.join(settings)})"
            )
        method = settings[name]["method"]
        if methods and method not in methods:
            raise UserError(
                f"config: tables.{table}.{column} = {name!r} is not allowed "
                f"(its method is {method}; must be {' or '.join(methods)})"
            )
        if settings[name].get("scope", "paper") != scope:
            raise UserError(
                f"config: tables.{table}.{column} = {name!r} is not allowed "
                f"(its scope must be {scope})"
            )


def _smallest_gate_matrix(task, model):
    """Return the smallest dimension of any gate matrix: the largest rank that all of them have."""
    if task == "lm" and model["layers"] == 1:
        return model["embedding"]
    return min(model["embedding"], model["hidden"])
