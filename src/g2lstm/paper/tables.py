"""The paper's tables with our numbers: what stands in each row, and which cells are bold.

Layout as in print: Table 1 of Li et al. (2018) lists whole systems in groups, Tables 3, 6 and 7 the
same three models over settings of compression, with the difference to the original in brackets.
"""

from dataclasses import dataclass

from g2lstm.paper.aggregate import NOT_SPLIT, ORACLE_RUN, is_synthetic, read_summary
from g2lstm.paper.cells import (
    MISSING,
    RUN,
    difference_text,
    measured_cells,
    number_text,
    printed_value,
    resolve_columns,
    scale,
    table_spec,
    values_by_run,
)
from g2lstm.paper.names import LITERATURE, OURS
from g2lstm.paper.published import read_tables
from g2lstm.paper.render import write_all


@dataclass(frozen=True)
class Cell:
    """Text of one cell, without any markup; ``bold`` marks a best value."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Group:
    """Rows (tuples of :class:`Cell`, the first one the row's name) under a title."""

    title: str
    rows: tuple


@dataclass(frozen=True)
class Table:
    """A table ready to render: header (one pair of lines a column), groups of rows, caption.

    ``scale`` says which preset the numbers are of.
    """

    scale: str
    caption: str
    label: str
    header: tuple
    groups: tuple


def write_table(number, summary_path, published_path, layout, stem):
    """Write Table ``number`` as ``stem.tex``, ``stem.csv``, ``stem.md`` and ``stem.png``.

    Raises UserError when the pipeline has no such table or a file cannot be read.
    """
    table_id = f"table{number}"
    published = read_tables(published_path)[table_id]
    write_all(build_table(table_id, read_summary(summary_path), published, layout), stem)


def build_table(table_id, summary, published, layout):
    """Return the :class:`Table` of a summary; ``published`` is the same table as printed."""
    spec, columns = table_spec(table_id), resolve_columns(table_id, layout)
    cells = measured_cells(table_id, summary, layout)
    lower = published["better"] == "lower"
    groups = [
        Group(title, _our_rows(row_ids, columns, cells, lower))
        for title, row_ids in spec.groups.items()
    ]
    quoted = False
    synthetic = is_synthetic(summary, spec.task)
    if synthetic:
        groups.append(_oracle_group(summary, spec, columns))
    if spec.compressed is not None:
        groups.append(_size_group(table_id, summary, layout, columns))
    elif not synthetic:
        quoted = True
        groups.insert(0, _literature_group(spec, published, columns))
    header = tuple(_header_lines(column.title) for column in columns.values())
    return Table(
        scale=scale(layout),
        caption=_caption(table_id, layout, cells, quoted),
        label=f"{layout['preset']}-{table_id}",
        header=(("Model", ""), *header),
        groups=tuple(groups),
    )


def _header_lines(title):
    """Split ``SVD (rank = 16)`` into its name and its parameters."""
    name, bracket, parameters = title.partition(" (")
    return name, bracket.strip() + parameters


def _our_rows(row_ids, columns, cells, lower):
    """Return the rows of one group of ours; the best value of each ranked column is bold."""
    best = {}
    for column_id, column in columns.items():
        values = [
            printed_value(cells[row_id, column_id], column.decimals)
            for row_id in row_ids
            if (row_id, column_id) in cells
        ]
        if column.ranked and len(values) > 1:
            best[column_id] = min(values) if lower else max(values)
    return tuple(
        (
            Cell(OURS[row_id]),
            *(_our_cell(row_id, name, columns, cells, best.get(name)) for name in columns),
        )
        for row_id in row_ids
    )


def _our_cell(row_id, column_id, columns, cells, best):
    """Return one cell: mean, deviation, unit and, as in print, the difference to the original."""
    column, values = columns[column_id], cells.get((row_id, column_id))
    if values is None:
        return Cell(MISSING)
    value = printed_value(values, column.decimals)
    text = number_text(values, column) + column.unit
    original = cells.get((row_id, "original"))
    if column_id != "original" and original is not None:
        difference = value - printed_value(original, column.decimals)
        text += f" ({difference_text(difference, column.decimals)})"
    return Cell(text, bold=best is not None and value == best)


def _size_group(table_id, summary, layout, columns):
    """Return the bytes of the input and forget gates and the factor by the paper's convention."""

    def sizes(metric):
        return measured_cells(table_id, summary, layout, split=NOT_SPLIT, metric=metric)

    gate_bytes, factors = sizes("gate_bytes"), sizes("paper_factor")

    def cell(key):
        if key not in gate_bytes:
            return Cell(MISSING)
        text = bytes_text(gate_bytes[key].mean())
        if key[1] != "original" and key in factors:
            text += f" ({factors[key].mean():.1f}\N{MULTIPLICATION SIGN})"
        return Cell(text)

    rows = tuple(
        (Cell(OURS[row_id]), *(cell((row_id, column_id)) for column_id in columns))
        for row_id in table_spec(table_id).rows
    )
    return Group("Size of the input and forget gates (compression factor)", rows)


def bytes_text(count):
    """Return a number of bytes in decimal units, e.g. ``1.2 MB``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def _oracle_group(summary, spec, columns):
    """Return the perplexity of the synthetic source itself, which no model can beat on average."""

    found = values_by_run(summary)

    def cell(column):
        if column.select.get("setting", "original") != "original":
            return Cell(MISSING)
        wanted = {**spec.select, **column.select, **ORACLE_RUN}
        values = found.get(tuple(wanted[name] for name in RUN))
        return Cell(MISSING if values is None else number_text(values, column))

    name = Cell("Oracle (exact entropy of the source)")
    return Group("Reference", ((name, *(cell(column) for column in columns.values())),))


def _literature_group(spec, published, columns):
    """Return the printed rows of other systems, marked as quoted."""

    def cell(value, column):
        if value is None:
            return Cell(MISSING)
        text = str(value) if isinstance(value, int) else f"{value:.{column.decimals}f}"
        return Cell(text + column.unit)

    rows = tuple(
        (
            Cell(f"{LITERATURE[row_id]}†"),
            *(cell(row[column_id], column) for column_id, column in columns.items()),
        )
        for row_id, row in published["rows"].items()
        if row_id not in spec.rows
    )
    return Group("Existing results", rows)


def _caption(table_id, layout, cells, quoted):
    """Return the caption: what, at which scale, over how many seeds, and what the marks mean."""
    spec, number = table_spec(table_id), table_id.removeprefix("table")
    sentences = [
        f"{spec.title} (Table {number} of Li et al., 2018).",
        f"Preset {scale(layout)}.",
    ]
    counts = sorted({len(values) for values in cells.values()})
    if counts == [1]:
        sentences.append("One seed.")
    elif counts:
        seeds = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
        sentences.append(f"Mean\N{NO-BREAK SPACE}± sample standard deviation over {seeds} seeds.")
    if spec.compressed is not None:
        sentences.append("In brackets, the difference to the original model.")
    sentences.append("Bold: best of each group.")
    if quoted:
        sentences.append("† Quoted from the paper, not run here.")
    return " ".join(sentences)
