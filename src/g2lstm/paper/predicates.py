"""Safe evaluation of the claims' expressions, with a record of the numbers they read.

An expression sees ``t``, the tables as dictionaries whose items are attributes too, and eight
harmless functions. It is parsed first and refused when it holds anything else.
"""

import ast
from dataclasses import dataclass

from g2lstm.errors import UserError

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
FUNCTIONS = {f.__name__: f for f in (round, min, max, abs, all, any, sum, len)}
METHODS = ("values", "items")
NODES = (
    *(ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.Compare, ast.BinOp, ast.UnaryOp),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.USub, ast.Not, ast.Call, ast.Attribute),
    *(ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn),
    *(ast.Subscript, ast.GeneratorExp, ast.comprehension, ast.Name, ast.Load, ast.Store),
    *(ast.Constant, ast.Tuple),
)


class MissingNumberError(Exception):
    """An expression read a number that no run has given; the message is the number's path."""


class Missing:
    """Stands in a table for a number without a run."""


@dataclass(frozen=True)
class Verdict:
    """Outcome of one part: ``holds``, ``fails`` or ``undecided`` with the missing number's path.

    ``numbers`` maps the paths of the numbers read (``table1.g2.test``) to their values.
    """

    outcome: str
    numbers: dict
    missing: str = ""


class Fields(dict):
    """A dictionary whose items are attributes too; leaves are noted when read.

    ``path`` names it in messages; ``seen`` (path -> number) collects what an expression reads.
    Reading a :class:`Missing` raises MissingNumberError.
    """

    def __init__(self, content, path="", seen=None):
        """Copy ``content`` with all dictionaries inside it."""
        self._path, self._seen = path, {} if seen is None else seen
        super().__init__(
            (key, Fields(value, self._join(key), self._seen) if isinstance(value, dict) else value)
            for key, value in content.items()
        )

    def _join(self, key):
        return f"{self._path}.{key}" if self._path else key

    def __getitem__(self, key):
        """Return one value and note it as read; MissingNumberError when it is missing."""
        value = super().__getitem__(key)
        if isinstance(value, Missing):
            raise MissingNumberError(self._join(key))
        if isinstance(value, int | float):
            self._seen[self._join(key)] = value
        return value

    def __getattr__(self, name):
        """Return ``self[name]``; AttributeError with the whole path when there is none."""
        if name not in self:
            raise AttributeError(self._join(name))
        return self[name]

    def values(self):
        """Return the values, each read as by ``[key]``."""
        return [self[key] for key in self]

    def items(self):
        """Return (key, value) pairs, each value read as by ``[key]``."""
        return [(key, self[key]) for key in self]


def split_parts(expression):
    """Return the top-level ``and`` parts of an expression, as source text.

    Raises UserError when the expression is not Python or holds more than arithmetic, comparisons,
    generators, the tables and the allowed functions.
    """
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError as error:
        raise UserError(f"claim {expression!r}: not an expression ({error.msg})") from error
    _require_safe(tree, expression)
    whole = tree.body
    conjunction = isinstance(whole, ast.BoolOp) and isinstance(whole.op, ast.And)
    parts = whole.values if conjunction else [whole]
    return [ast.get_source_segment(expression, part) for part in parts]


def _require_safe(tree, expression):
    """Raise UserError at the first node, name or call that is not on the lists above."""
    bound = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in ast.walk(tree):
        allowed = isinstance(node, NODES)
        if isinstance(node, ast.Call):
            names = isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
            methods = isinstance(node.func, ast.Attribute) and node.func.attr in METHODS
            allowed = (names or methods) and not node.keywords
        elif isinstance(node, ast.Name):
            allowed = node.id in bound | {"t", *FUNCTIONS}
        elif isinstance(node, ast.Attribute):
            allowed = not node.attr.startswith("_")
        if not allowed:
            what = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
            raise UserError(f"claim {expression!r}: {what!r} is not allowed in an expression")


def evaluate(part, tables):
    """Return the :class:`Verdict` on one part; ``tables``: table -> row -> column -> number.

    A part that needs a missing number before it is settled is undecided. Raises UserError when it
    names a table, row or column that does not exist.
    """
    _require_safe(ast.parse(part, mode="eval"), part)
    seen = {}
    names = {**FUNCTIONS, "t": Fields(tables, seen=seen), "__builtins__": {}}
    try:
        outcome = HOLDS if eval(part, names) else FAILS
    except MissingNumberError as missing:
        return Verdict(UNDECIDED, seen, str(missing))
    except (AttributeError, KeyError, TypeError, ZeroDivisionError) as error:
        raise UserError(f"claim {part!r}: cannot be evaluated ({error})") from error
    return Verdict(outcome, seen)


def conjunction(outcomes):
    """Return the outcome of ``and``: one failing part fails it, else one undecided part leaves it.

    (Kleene's three-valued logic.)
    """
    for outcome in (FAILS, UNDECIDED):
        if outcome in outcomes:
            return outcome
    return HOLDS
