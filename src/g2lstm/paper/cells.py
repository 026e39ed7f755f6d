"""Where each cell of the published tables comes from in the summary of our runs.

One declarative entry of ``TABLES`` per published table. Row and column ids are those of
``resources/published.yaml``. A cell's runs are the summary rows that match the selectors of its row
and of its column; a further table needs one more entry here and no other code.

The layout, given by the preset, is a dictionary: ``preset``, ``label``, ``reduced`` (true: not the
paper's corpus, model and schedule), ``convention`` (``exact`` or ``as_published``), ``settings``
(slug -> method and parameters) and ``tables`` (table id -> printed column id -> slug).
"""

from dataclasses import dataclass, field

from g2lstm.errors import UserError

RUN = ["task", "variant", "stage", "setting", "mode", "split", "metric"]
MISSING = "\N{EN DASH}"


@dataclass(frozen=True)
class Column:
    """A printed column: which numbers of a run it shows, and how.

    ``select`` maps summary columns to values; ``scale`` turns a summary value into the printed
    unit, ``unit`` is printed after it, ``decimals`` is the printed precision; ``ranked`` tells
    a measured quality, whose best value is set in bold, from a property of the model.
    """

    title: str
    select: dict
    decimals: int = 1
    scale: float = 1.0
    unit: str = ""
    ranked: bool = True


@dataclass(frozen=True)
class TableSpec:
    """A published table: title, corpus task, selectors of rows, columns and compressed columns.

    ``groups`` maps the title of a group of rows to printed row ids. ``compressed`` holds the
    printed columns whose setting the preset chooses; None for a table of whole systems.
    """

    title: str
    task: str
    rows: dict
    columns: dict
    groups: dict
    compressed: tuple | None = None
    select: dict = field(default_factory=dict)
    precision: int = 1


PERPLEXITY = {"task": "lm", "metric": "perplexity"}
AFTER_TRAINING = {"stage": "train", "mode": "plain"}
AFTER_FINETUNING = {"stage": "finetune", "mode": "plain"}
WITH_CACHE = {"stage": "finetune", "mode": "cache"}
VARIANTS = {
    "baseline": {"variant": "baseline"},
    "sharp": {"variant": "sharpened"},
    "g2": {"variant": "g2"},
}


def _compression_table(title, compressed):
    """Return a table of perplexity with cache on test data, over settings of compression."""
    return TableSpec(
        title=title,
        task="lm",
        rows=VARIANTS,
        columns={"original": Column("Original", {"setting": "original"})},
        groups={"Test perplexity with continuous cache": tuple(VARIANTS)},
        compressed=compressed,
        select={**PERPLEXITY, **WITH_CACHE, "split": "test"},
    )


TABLES = {
    "table1": TableSpec(
        title="Word-level language modelling, perplexity on validation and test data",
        task="lm",
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


def scale(layout):
    """Return what the numbers of a preset are, as it stands beside each of them."""
    return layout["label"] + ("; not comparable with print" if layout["reduced"] else "")


def table_spec(table_id):
    """Return the entry of a table such as ``table3``; UserError when there is none."""
    if table_id not in TABLES:
        raise UserError(f"no {table_id} in this pipeline; the tables are {', '.join(TABLES)}")
    return TABLES[table_id]


def resolve_columns(table_id, layout):
    """Return printed column id -> :class:`Column`, with the preset's settings of compression.

    Printed columns for which the preset has no setting are left out. Raises UserError when the
    layout names an unknown column or a setting that it does not define.
    """
    spec = table_spec(table_id)
    chosen = layout["tables"].get(table_id, {})
    allowed = spec.compressed or ()
    for column_id, slug in chosen.items():
        if column_id not in allowed:
            raise UserError(f"{table_id} has no column {column_id}; it has {', '.join(allowed)}")
        if slug not in layout["settings"]:
            raise UserError(f"{table_id}.{column_id}: setting {slug} is not among the settings")
    columns = dict(spec.columns)
    for column_id in allowed:
        if column_id in chosen:
            slug = chosen[column_id]
            title = setting_title(layout["settings"][slug])
            columns[column_id] = Column(title, {"setting": slug}, spec.precision)
    return columns


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
    spec, found = table_spec(table_id), values_by_run(summary)
    cells = {}
    for row_id, row in spec.rows.items():
        for column_id, column in resolve_columns(table_id, layout).items():
            wanted = {**spec.select, **row, **column.select, **instead}
            if wanted["metric"] == "perplexity" and layout["convention"] == "as_published":
                wanted["metric"] = "perplexity_as_published"
            run = tuple(wanted[name] for name in RUN)
            if run in found:
                cells[row_id, column_id] = found[run] * column.scale
    return cells


def printed_value(values, decimals):
    """Return the mean of a Series, rounded as it is printed."""
    return round(float(values.mean()), decimals)


def number_text(values, column):
    """Return ``88.1`` for one seed, ``88.1 ± 0.3`` (sample standard deviation) for several.

    A column that is not ranked is a property of the model, the same for all seeds: its mean only.
    """
    text = f"{values.mean():.{column.decimals}f}"
    if len(values) == 1 or not column.ranked:
        return text
    return f"{text} ± {values.std(ddof=1):.{column.decimals}f}"


def difference_text(difference, decimals):
    """Return a difference with its sign, e.g. ``+12.7``, with a typographic minus."""
    return f"{difference:+.{decimals}f}".replace("-", "\N{MINUS SIGN}")
