"""Configuration files: YAML in which 1e-3 is a number and no key stands twice."""

import re

import yaml

from g2lstm.errors import UserError

FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where there is one: ten times faster
EXPONENT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$")


class Loader(FAST):
    """Reads YAML without two of its surprises.

    1e-3 would be text, as YAML 1.1 wants a point and a sign in it; and of two sections of the same
    name the second would take the place of the first without a word.
    """

    def construct_document(self, node):
        """Return what a document says, from its tree of nodes."""
        _refuse_twice(node, set())
        return super().construct_document(node)


Loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789"))


def read_config(path):
    """Return the content of a configuration file; raise UserError when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as stream:
            content = yaml.load(stream, Loader)
    except (OSError, yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise UserError(f"{path}: {reason}") from error
    if content is None:
        raise UserError(f"{path}: empty; it needs a key at least, such as preset: demo")
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a list of keys and values")
    return content


def _refuse_twice(node, seen):
    """Refuse a key that stands twice; ``seen`` are the nodes that aliases may lead back to."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_twice(item, seen)
        return
    lines = {}
    for key, value in node.value:
        name, line = (key.tag, str(key.value)), key.start_mark.line + 1
        if name in lines:
            where = f"in lines {lines[name]} and {line}"
            raise yaml.YAMLError(f"{key.value} stands twice, {where}; join them")
        lines[name] = line
        _refuse_twice(value, seen)
