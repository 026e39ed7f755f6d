"""Where each cell of a table comes from in the summary of our runs.

One declarative entry of ``TABLES`` per table. Row and column ids of Tables 1 to 7 are those of
``resources/published.yaml``; Tables S1 to S3 are ours. A cell's runs are the summary rows that
match the selectors of its row and of its column; a further table needs one more entry here.

The layout, given by the preset, is a dictionary: ``preset``, ``label``, ``reduced`` (tasks that are
not run with the paper's corpora, models and schedules), ``convention`` (of perplexity: ``exact`` or
``as_published``), ``beam`` (task of translation -> width), ``corpora`` (task -> corpus,
then after a comma size and schedule; headers show the corpus alone),
``settings`` (task -> slug -> method and parameters) and ``tables`` (table id -> column id -> slug;
for Table S1 table id -> task -> column id -> slug).
"""

from dataclasses import replace

from g2lstm.errors import UserError
from g2lstm.paper.gate_table import GATE_TABLE
from g2lstm.paper.sparse import SPARSE_TABLES
from g2lstm.paper.spec import BEAM, VARIANTS, Column, TableSpec
from g2lstm.paper.translation import TRANSLATION_TABLES

RUN = ["task", "variant", "stage", "setting", "mode", "split", "metric"]
TIMES, LARGE_FACTOR = "\N{MULTIPLICATION SIGN}", 100
MISSING = "\N{EN DASH}"
PERPLEXITY = {"task": "lm", "metric": "perplexity"}
AFTER_TRAINING = {"stage": "train", "mode": "plain"}
AFTER_FINETUNING = {"stage": "finetune", "mode": "plain"}
WITH_CACHE = {"stage": "finetune", "mode": "cache"}


def _compression_table(title, compressed):
    """Return a table of perplexity with cache on test data, over settings of compression."""
    return TableSpec(
        title=title,
        tasks=("lm",),
        rows=VARIANTS,
        columns={"original": Column("Original", {"setting": "original"})},
        groups={"Test perplexity with continuous cache": tuple(VARIANTS)},
        compressed=compressed,
        select={**PERPLEXITY, **WITH_CACHE, "split": "test"},
    )


LANGUAGE_MODEL_TABLES = {
    "table1": TableSpec(
        title="Word-level language modelling, perplexity on validation and test data",
        tasks=("lm",),
        rows={
            "awd_nofinetune": VARIANTS["baseline"] | AFTER_TRAINING,
            "awd": VARIANTS["baseline"] | AFTER_FINETUNING,
            "sharp_nofinetune": VARIANTS["sharp"] | AFTER_TRAINING,
            "sharp": VARIANTS["sharp"] | AFTER_FINETUNING,
            "g2_nofinetune": VARIANTS["g2"] | AFTER_TRAINING,
            "g2": VARIANTS["g2"] | AFTER_FINETUNING,
            "awd_cache": VARIANTS["baseline"] | WITH_CACHE,
            "sharp_cache": VARIANTS["sharp"] | WITH_CACHE,
            "g2_cache": VARIANTS["g2"] | WITH_CACHE,
        },
        columns={
            "size_m": Column("Size", {"split": "-", "metric": "parameters"}, 1, 1e-6, "M", False),
            "valid": Column("Valid", {"split": "valid"}),
            "test": Column("Test", {"split": "test"}),
        },
        groups={
            "Our system": (
                *("awd_nofinetune", "awd", "sharp_nofinetune", "sharp"),
                *("g2_nofinetune", "g2"),
            ),
            "Our system with continuous cache": ("awd_cache", "sharp_cache", "g2_cache"),
        },
        select={**PERPLEXITY, "setting": "original"},
    ),
    "table3": _compression_table(
        "Language model with compressed input and forget gates",
        ("round", "round_clip", "svd128", "svd64"),
    ),
    "table6": _compression_table(
        "Language model with input and forget gates of low precision",
        ("c020_r010", "c040_r020", "c060_r030", "c080_r040"),
    ),
    "table7": _compression_table(
        "Language model with input and forget gates of low rank",
        ("rank128", "rank64", "rank32", "rank16"),
    ),
}


TABLES = dict(
    sorted((LANGUAGE_MODEL_TABLES | TRANSLATION_TABLES | {"tableS3": GATE_TABLE}).items()),
    **SPARSE_TABLES,
)


def tables_of(paper):
    """Return the tables of a paper: name in print -> ours."""
    found = {spec.printed or name: name for name, spec in TABLES.items() if spec.paper == paper}
    return {printed: name for printed, name in found.items() if not printed.startswith("tableS")}


def paper_tasks(paper):
    """Return the tasks that the tables of a paper are about, in the order of the tables."""
    specs = (TABLES[name] for name in tables_of(paper).values())
    return list(dict.fromkeys(task for spec in specs for task in spec.tasks))


def reduced_tasks(layout, tasks):
    """Return those of some tasks whose numbers are not comparable with print."""
    return [task for task in tasks if task in layout["reduced"]]


def scale(layout, tasks):
    """Return what the numbers of some tasks of a preset are, as it stands beside each of them."""
    reduced, label = reduced_tasks(layout, tasks), layout["label"]
    some = len(reduced) < sum(task in layout["corpora"] for task in tasks)
    which = f": {', '.join(reduced)}" if some else ""
    return f"{label}; not comparable with print{which}" if reduced else label


def corpora_text(layout, tasks):
    """Return the names of the corpora of some tasks, those that the layout names."""
    return "; ".join(layout["corpora"][task] for task in tasks if task in layout["corpora"])


def table_spec(table_id):
    """Return the entry of a table such as ``table3``; UserError when there is none."""
    if table_id not in TABLES:
        raise UserError(f"no {table_id} in this pipeline; the tables are {', '.join(TABLES)}")
    return TABLES[table_id]


def resolve_columns(table_id, layout):
    """Return column id -> :class:`Column`, with corpora and settings of compression of the preset.

    Columns for which the preset has no setting are left out. Raises UserError when the layout names
    an unknown column, or a setting that it does not define or whose scope is not the table's.
    """
    spec = table_spec(table_id)
    columns = {name: _with_corpus(column, layout) for name, column in spec.columns.items()}
    chosen = layout["tables"].get(table_id, {})
    by_task = chosen if len(spec.tasks) > 1 else {spec.tasks[0]: chosen}
    slugs = {}
    for task, settings in by_task.items():
        _require_known(table_id, task, settings, layout)
        for column_id, slug in settings.items():
            slugs.setdefault(column_id, {})[task] = slug
    for column_id in spec.compressed or ():
        if column_id in slugs:
            title = _shared_title(table_id, column_id, slugs[column_id], layout)
            columns[column_id] = Column(title, {}, spec.precision, slugs=slugs[column_id])
    return columns


def _with_corpus(column, layout):
    """Return a column of one task with the name of its corpus in the title."""
    corpus = layout["corpora"].get(column.select.get("task"), "").split(",")[0]
    return replace(column, title=f"{column.title} ({corpus})") if corpus else column


def _require_known(table_id, task, settings, layout):
    spec = table_spec(table_id)
    allowed = spec.compressed or ()
    if task not in spec.tasks:
        raise UserError(f"{table_id} has no task {task}; it has {', '.join(spec.tasks)}")
    defined = layout["settings"].get(task, {})
    for column_id, slug in settings.items():
        if column_id not in allowed:
            raise UserError(f"{table_id} has no column {column_id}; it has {', '.join(allowed)}")
        if slug not in defined:
            raise UserError(
                f"{table_id}.{column_id}: setting {slug} is not among the settings of {task}"
            )
        scope = defined[slug].get("scope", "paper")
        if scope != spec.scope:
            raise UserError(
                f"{table_id}.{column_id}: setting {slug} of {task} has the scope {scope}; "
                f"choose one of scope {spec.scope}"
            )


def _shared_title(table_id, column_id, slugs, layout):
    """Return the title of a column of compressed models, with the parameters of each task.

    ``slugs``: task -> slug. Parameters that differ between tasks are given in the tasks' order.
    """
    tasks = [task for task in table_spec(table_id).tasks if task in slugs]
    titles = [setting_title(layout["settings"][task][slugs[task]]) for task in tasks]
    names, _, parameters = zip(
        *(title.rstrip(")").partition(" (") for title in titles), strict=True
    )
    if len(set(names)) > 1:
        raise UserError(f"{table_id}.{column_id}: choose settings of one method for all tasks")
    return f"{names[0]} ({' / '.join(dict.fromkeys(parameters))})"


def setting_title(setting):
    """Return a setting as a column header, e.g. ``SVD (rank = 16)``; UserError if unknown."""
    titles = {
        "round": "Round (r = {r})",
        "round-clip": "Round & clip (r = {r}, c = {c})",
        "svd": "SVD (rank = {k})",
    }
    if setting["method"] not in titles:
        raise UserError(f"no column title for the compression method {setting['method']!r}")
    return titles[setting["method"]].format(**setting)


def values_by_run(summary):
    """Return (task, variant, stage, setting, mode, split, metric) -> Series indexed by seed."""
    runs = summary.set_index("seed").groupby(RUN)["value"]
    return dict(iter(runs))


def measured_cells(table_id, summary, layout, **instead):
    """Return (row id, column id) -> Series of values in the printed unit, indexed by seed.

    ``instead`` replaces selectors, e.g. ``split="-", metric="gate_bytes"`` for sizes.

    Only cells with at least one run are in the result. Perplexity follows the layout's
    convention (``as_published``: the released code's average, which counts one more word).
    """
    runs, columns = _runs(table_id, layout, instead), resolve_columns(table_id, layout)
    # the gates have thousands of numbers: group only what the table shows
    shown = summary["metric"].isin({run[-1] for run in runs.values()})
    found = values_by_run(summary[shown])
    return {cell: found[run] * columns[cell[1]].scale for cell, run in runs.items() if run in found}


def shown_runs(table_id, layout):
    """Return (task, variant, stage, setting, mode) of all runs that a table has a place for."""
    return {run[:5] for run in _runs(table_id, layout, {}).values()}


def _runs(table_id, layout, instead):
    """Return (row id, column id) -> key of its run in :func:`values_by_run`."""
    spec, runs = table_spec(table_id), {}
    for row_id, row in spec.rows.items():
        for column_id, column in resolve_columns(table_id, layout).items():
            wanted = {**spec.select, **row, **column.select, **instead}
            if column.slugs:
                wanted["setting"] = column.slugs.get(wanted["task"])
            runs[row_id, column_id] = _run(wanted, layout)
    return runs


def _run(wanted, layout):
    """Return the key of a run in :func:`values_by_run`, with the layout's convention and beam."""
    published = wanted["task"] == "lm" and layout["convention"] == "as_published"
    if published and wanted["metric"] == "perplexity":
        wanted = {**wanted, "metric": "perplexity_as_published"}
    if wanted["mode"] == BEAM:
        wanted = {**wanted, "mode": f"{BEAM}{layout['beam'][wanted['task']]}"}
    return tuple(wanted[name] for name in RUN)


def printed_value(values, decimals):
    """Return the mean of a Series, rounded as it is printed."""
    return round(float(values.mean()), decimals)


def number_text(values, column):
    """Return ``88.1`` for one seed, ``88.1 ± 0.3`` (sample standard deviation) for several, with
    the column's unit behind the mean.

    A column that is not ranked shows one number for all seeds, the one that its ``over_seeds``
    names; differences have their sign, and a value below a ``floor`` reads ``< 0.001``.
    """
    value = values.agg(column.over_seeds)
    if column.floor is not None and value < column.floor:
        return f"< {column.floor:.{column.decimals}f}{column.unit}"
    text = value_text(value, column)
    if len(values) == 1 or not column.ranked:
        return text
    return f"{text} ± {values.std(ddof=1):.{column.decimals}f}"


def value_text(value, column):
    """Return a value with the decimals and the unit of its column.

    Bytes (unit ``B``) are in the decimal unit that suits; large factors are whole numbers.
    """
    if column.unit == "B":
        return bytes_text(value)
    if column.signed:
        return difference_text(value, column.decimals) + column.unit
    decimals = 0 if column.unit == TIMES and value >= LARGE_FACTOR else column.decimals
    return f"{value:.{decimals}f}{column.unit}"


def bytes_text(count):
    """Return a number of bytes in decimal units, e.g. ``1.2 MB``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def difference_text(difference, decimals):
    """Return a difference with its sign, e.g. ``+12.7``, with a typographic minus."""
    return f"{difference:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")
