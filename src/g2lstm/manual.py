"""The configuration page of the documentation, made from the schema."""

import json

from g2lstm.config import presets, read_schema

HEAD = """# Configuration

Made from `workflow/schemas/config.schema.yaml` by `make docs`; do not edit.

`config.yaml` names a preset ({presets}) and overrides any of its keys. The defaults below are the
published recipe (of `en-de`: that of German-English); each preset in `workflow/presets/` spells out
its own values. On the command line:
`snakemake --cores 2 --config preset=small "seeds=[1,2]" "lm={{train: {{epochs: 10}}}}"`. Keys that
do not exist and values that are not allowed stop the run with one line. A task that is not run as
its preset says is called so wherever its numbers appear, unless you give it a `label`.

| key | type | default | meaning |
|---|---|---|---|
"""


def configuration_page():
    """Return docs/configuration.md as text."""
    names = ", ".join(f"`{name}`" for name in presets())
    rows = (f"| {' | '.join(row)} |" for row in _rows(read_schema(), ""))
    return HEAD.format(presets=names) + "\n".join(rows) + "\n"


def _rows(schema, prefix):
    """Yield key, type, default and meaning of every key below ``schema``."""
    for key, below in schema.get("properties", {}).items():
        name = f"{prefix}{key}"
        other = below.get("additionalProperties")
        if "properties" in below:
            if "null" in below.get("type", ""):
                yield _row(name, below)
            yield from _rows(below, f"{name}.")
        else:
            yield _row(name, below)
        if isinstance(other, dict):
            for branch in other.get("oneOf", [other]):
                yield from _rows(branch, f"{name}.NAME.")


def _row(name, schema):
    default = f"`{json.dumps(schema['default'])}`" if "default" in schema else ""
    return f"`{name}`", _type(schema), default, schema.get("description", "")


def _type(schema):
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "mapping")
    kinds = kind if isinstance(kind, list) else [kind]
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = ", ".join(f"{sign} {schema[name]}" for name, sign in bounds.items() if name in schema)
    return " or ".join(kinds).replace("object", "mapping") + (f" {limits}" if limits else "")
