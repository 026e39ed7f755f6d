"""How a table is described: its rows, its columns, and which summary rows stand behind a cell."""

from dataclasses import dataclass, field, replace

from g2lstm.paper.published import PAPER

BEAM = "beam"  # stands for the mode of translation, whose beam the layout gives
GATES_MODE = "gates"  # the mode of numbers about gate values
VARIANTS = {
    "baseline": {"variant": "baseline"},
    "sharp": {"variant": "sharpened"},
    "g2": {"variant": "g2"},
}
PRINTED_CORPORA = {  # task -> data set, and its name in print
    "lm": ("ptb", "Penn Treebank"),
    "de-en": ("iwslt14", "IWSLT14 German-English"),
    "en-de": ("wmt14", "WMT14 English-German"),
}


@dataclass(frozen=True)
class Column:
    """A column: which numbers of a run it shows, and how.

    ``select`` maps summary columns to values; ``scale`` turns a summary value into the printed
    unit, ``unit`` is printed after it, ``decimals`` is the printed precision. A ``ranked`` column
    compares the models: the best value of each group is bold, and several seeds have a deviation.
    ``over_seeds`` is the number shown for several seeds: ``mean``, ``min`` or ``max`` (ranked
    columns: ``mean``). ``signed`` numbers are differences; values below ``floor`` are printed as
    less than it. Adjacent columns of the same ``span`` share that title. An ``optional`` column is
    left out without any run. ``slugs`` maps a task to our setting in a column of compressed
    models; empty in others.
    """

    title: str
    select: dict
    decimals: int = 1
    scale: float = 1.0
    unit: str = ""
    ranked: bool = True
    over_seeds: str = "mean"
    signed: bool = False
    floor: float | None = None
    span: str = ""
    optional: bool = False
    slugs: dict = field(default_factory=dict)


@dataclass(frozen=True)
class TableSpec:
    """A table: title, tasks, selectors of rows, columns and compressed columns.

    ``groups`` maps the title of a group of rows to row ids. A row id is that of the printed table,
    or ``task:layer:printed row`` where a table of ours has several tasks. ``compressed`` holds the
    columns whose setting the preset chooses; None for a table of whole systems. ``scope``: that of
    these settings, ``paper`` (all matrices of the gates) or ``code`` (recurrent and context
    matrices). ``precision``: decimals of compressed columns. ``better``: ``lower`` or ``higher``.
    ``higher``: groups of rows where higher is better all the same; ``decimals``: group of rows ->
    printed precision of its ranked columns, where it is not the column's. ``sparse``: groups and
    columns without any run are left out. ``note``: sentences for the caption. ``paper`` and
    ``printed``: where the table stands in ``published.yaml``, the latter empty where its name is
    the same; ``source`` says so in words. ``beside``: the printed rows of each group are quoted
    below ours.
    """

    title: str
    tasks: tuple
    rows: dict
    columns: dict
    groups: dict
    compressed: tuple | None = None
    scope: str = "paper"
    select: dict = field(default_factory=dict)
    precision: int = 1
    better: str = "lower"
    higher: tuple = ()
    decimals: dict = field(default_factory=dict)
    sparse: bool = False
    note: str = ""
    paper: str = PAPER
    printed: str = ""
    source: str = ""
    beside: bool = False

    def task_of(self, column):
        """Return the task of a column of a table whose rows have no task of their own."""
        return {**self.select, **column.select}["task"]

    def column_in(self, row_id, column):
        """Return a column as the row's group prints it."""
        for title, decimals in self.decimals.items():
            if row_id in self.groups[title] and column.ranked:
                return replace(column, decimals=decimals)
        return column
