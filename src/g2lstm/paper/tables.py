"""The paper's tables with our numbers: what stands in each row, and which cells are bold.

Layout as in print: Tables 1 and 2 of Li et al. (2018) list whole systems in groups, Tables 3 to 7
the same three models over settings of compression, with the difference to the original in brackets.
Appendix tables, S1 and up, have no counterpart in print.
"""

from dataclasses import replace
from itertools import groupby

from g2lstm.errors import UserError
from g2lstm.paper.aggregate import NOT_SPLIT, ORACLE_RUN, corpus_of, read_summaries
from g2lstm.paper.cells import (
    MISSING,
    RUN,
    bytes_text,
    corpora_text,
    difference_text,
    measured_cells,
    number_text,
    printed_value,
    resolve_columns,
    scale,
    shown_runs,
    table_spec,
    value_text,
    values_by_run,
)
from g2lstm.paper.elements import Cell, Group, Table
from g2lstm.paper.names import LITERATURE, row_name
from g2lstm.paper.provenance import provenance_notes, read_provenance_tables
from g2lstm.paper.published import doubts_of, read_tables
from g2lstm.paper.render import write_all
from g2lstm.paper.spec import BEAM, PRINTED_CORPORA

QUOTED, DOUBTFUL = "\N{DAGGER}", "\N{DOUBLE DAGGER}"  # marks of printed rows and of their cells


def write_table(table_id, summary_paths, provenance_paths, published_path, layout, stem):
    """Write a table such as ``table3``, ``tableS1`` or ``sparse_pruning``.

    The files are ``stem.tex``, ``stem.csv``, ``stem.md`` and ``stem.png``. Where its numbers come
    from stands below ``stem.md`` and in comments of ``stem.tex``. Raises UserError when the
    pipeline has no such table or a file cannot be read.
    """
    spec = table_spec(table_id)
    published = read_tables(published_path, spec.paper).get(spec.printed or table_id)
    table = build_table(table_id, read_summaries(summary_paths), published, layout)
    rows = read_provenance_tables(provenance_paths)
    notes = provenance_notes(rows, shown_runs(table_id, layout))
    write_all(replace(table, provenance=notes), stem)


def build_table(table_id, summary, published, layout):
    """Return the :class:`Table` of a summary; ``published``: the same table as printed, or None."""
    spec, columns = table_spec(table_id), resolve_columns(table_id, layout)
    cells, row_groups = measured_cells(table_id, summary, layout), spec.groups
    measured = {name for _, name in cells}
    columns = {n: column for n, column in columns.items() if n in measured or not column.optional}
    if spec.sparse:
        columns, row_groups = _measured_only(table_id, columns, row_groups, cells)
    groups = []
    for title, row_ids in row_groups.items():
        shown = {name: spec.column_in(row_ids[0], column) for name, column in columns.items()}
        lower = spec.better == "lower" and title not in spec.higher
        groups.append(Group(title, _our_rows(row_ids, shown, cells, lower, spec.beside)))
        if published and spec.beside:
            groups.append(_print_group(title, row_ids, published, shown))
    groups += _oracle_groups(summary, spec, columns)
    quoted, left_out = [], []
    if spec.compressed is not None:
        groups += _size_groups(table_id, summary, layout, columns)
    elif published and not spec.beside:
        for task in spec.tasks:
            same = corpus_of(summary, task) == PRINTED_CORPORA[task][0]
            (quoted if same else left_out).append(task)
    if quoted:
        groups.insert(0, _literature_group(spec, published, columns, quoted))
    caption = _caption(table_id, layout, columns, cells)
    return Table(
        scale=scale(layout, spec.tasks),
        caption=" ".join([*caption, *_literature_notes(groups, quoted, left_out)]),
        label=f"{layout['preset']}-{table_id}",
        header=(("Model", ""), *(_header_lines(column.title) for column in columns.values())),
        groups=tuple(groups),
        spans=_spans(columns),
    )


def _measured_only(table_id, columns, row_groups, cells):
    """Return the columns and groups of rows that have at least one run."""
    if not cells:
        raise UserError(f"{table_id}: the summary has no run for it; aggregate their records too")
    rows, names = {row_id for row_id, _ in cells}, {column_id for _, column_id in cells}
    return (
        {column_id: column for column_id, column in columns.items() if column_id in names},
        {title: row_ids for title, row_ids in row_groups.items() if rows & set(row_ids)},
    )


def _spans(columns):
    """Return titles over adjacent columns; nothing stands over the rows' names."""
    runs = groupby(columns.values(), key=lambda column: column.span)
    spans = [(title, len(list(adjacent))) for title, adjacent in runs]
    return (("", 1), *spans) if any(title for title, _ in spans) else ()


def _header_lines(title):
    """Split ``SVD (rank = 16)`` into its name and its parameters."""
    name, bracket, parameters = title.partition(" (")
    return name, bracket.strip() + parameters


def _our_rows(row_ids, columns, cells, lower, named):
    """Return the rows of one group of ours; the best value of each ranked column is bold.

    ``named``: a model without any run is called so; else its cells are merely empty.
    """
    best = {}
    for column_id, column in columns.items():
        values = [
            printed_value(cells[row_id, column_id], column.decimals)
            for row_id in row_ids
            if (row_id, column_id) in cells
        ]
        if column.ranked and len(values) > 1:
            best[column_id] = min(values) if lower else max(values)
    rows = {
        row_id: [_our_cell(row_id, name, columns, cells, best.get(name)) for name in columns]
        for row_id in row_ids
    }
    run = {row_id for row_id, _ in cells}
    without = {row_id: " (not run)" for row_id in row_ids if named and row_id not in run}
    return tuple(
        (Cell(row_name(row_id) + without.get(row_id, "")), *row) for row_id, row in rows.items()
    )


def _our_cell(row_id, column_id, columns, cells, best):
    """Return one cell: mean, deviation, unit and, as in print, the difference to the original."""
    column, values = columns[column_id], cells.get((row_id, column_id))
    if values is None:
        return Cell(MISSING)
    value = printed_value(values, column.decimals)
    text = number_text(values, column)
    original = cells.get((row_id, "original"))
    if column_id != "original" and original is not None:
        difference = value - printed_value(original, column.decimals)
        text += f" ({difference_text(difference, column.decimals)})"
    return Cell(text, bold=best is not None and value == best)


def _size_groups(table_id, summary, layout, columns):
    """Return the bytes of what is compressed and the factor by the paper's convention.

    Of the original model: the bytes of the same matrices, which are fewer in Table S1.
    """

    def sizes(metric):
        return measured_cells(table_id, summary, layout, split=NOT_SPLIT, metric=metric)

    gate_bytes, factors = sizes("gate_bytes"), sizes("paper_factor")
    for (row_id, _), dense in sizes("gate_bytes_dense").items():
        gate_bytes[row_id, "original"] = dense

    def cell(key):
        if key not in gate_bytes:
            return Cell(MISSING)
        text = bytes_text(gate_bytes[key].mean())
        if key[1] != "original" and key in factors:
            text += f" ({factors[key].mean():.1f}\N{MULTIPLICATION SIGN})"
        return Cell(text)

    groups = table_spec(table_id).groups
    for title, row_ids in groups.items():
        rows = tuple(
            (Cell(row_name(row_id)), *(cell((row_id, column_id)) for column_id in columns))
            for row_id in row_ids
        )
        prefix = title.partition(",")[0] + ", size" if len(groups) > 1 else "Size"
        yield Group(f"{prefix} of the compressed matrices (factor by the paper's count)", rows)


def _oracle_groups(summary, spec, columns):
    """Return the perplexity of a synthetic source itself, which no model can beat on average."""
    oracle = summary[summary["variant"] == ORACLE_RUN["variant"]]
    found = values_by_run(oracle)

    def cell(column):
        wanted = {**spec.select, **column.select}
        if column.slugs or wanted.get("metric") != "perplexity":
            return Cell(MISSING)
        values = found.get(tuple({**wanted, **ORACLE_RUN}[name] for name in RUN))
        return Cell(MISSING if values is None else number_text(values, column))

    cells = [cell(column) for column in columns.values()]
    if all(cell.text == MISSING for cell in cells):
        return []
    return [Group("Reference", ((Cell("Oracle (exact entropy of the source)"), *cells),))]


def _literature_group(spec, published, columns, tasks):
    """Return the printed rows of other systems on the corpora of some tasks, marked as quoted.

    Cells whose printed numbers are in doubt are marked too.
    """

    def cell(row_id, column_id):
        if spec.task_of(columns[column_id]) not in tasks:
            return Cell(MISSING)
        return _printed_cell(published, row_id, column_id, columns[column_id])

    rows = (
        (
            Cell(f"{LITERATURE[row_id]}{QUOTED}"),
            *(cell(row_id, column_id) for column_id in columns),
        )
        for row_id in published["rows"]
        if row_id not in spec.rows
    )
    shown = (row for row in rows if any(cell.text != MISSING for cell in row[1:]))
    return Group("Existing results", tuple(shown))


def _print_group(title, row_ids, published, columns):
    """Return the printed rows of one group, with the marks of doubtful cells."""
    rows = tuple(
        (
            Cell(row_name(row_id)),
            *(_printed_cell(published, row_id, name, columns[name]) for name in columns),
        )
        for row_id in row_ids
    )
    return Group(f"{title}: in print", rows)


def _printed_cell(published, row_id, column_id, column):
    value = published["rows"][row_id].get(column_id)
    if value is None:
        return Cell(MISSING)
    mark = DOUBTFUL if doubts_of(published, row_id, column_id) else ""
    text = str(value) + column.unit if isinstance(value, int) else value_text(value, column)
    return Cell(text + mark)


def _literature_notes(groups, quoted, left_out):
    """Return the sentences of the caption on the rows of other systems.

    ``quoted`` and ``left_out`` are the tasks whose rows are shown, and those whose are not since
    our corpus is another one.
    """
    notes = []
    if quoted:
        notes.append(f"{QUOTED}\N{NO-BREAK SPACE}Quoted from the paper, not run here.")
    cells = (cell for group in groups for row in group.rows for cell in row)
    if any(cell.text.endswith(DOUBTFUL) for cell in cells):
        notes.append(
            f"{DOUBTFUL}\N{NO-BREAK SPACE}Doubtful as printed; resources/published.yaml says why."
        )
    if left_out:
        names = " and ".join(PRINTED_CORPORA[task][1] for task in left_out)
        notes.append(f"Existing results are on {names}, thus left out.")
    return notes


def _caption(table_id, layout, columns, cells):
    """Return the sentences: what, at which scale, over how many seeds, and what is bold."""
    spec, number = table_spec(table_id), table_id.removeprefix("table")
    source = f"Table {number} of Li et al., 2018" if number.isdigit() else spec.source
    printed = f" ({source})" if source else ""
    ranked = any(column.ranked for column in columns.values())
    sentences = [f"{spec.title}{printed}.", f"Preset {scale(layout, spec.tasks)}."]
    if corpora := corpora_text(layout, spec.tasks):
        sentences.append(f"Data: {corpora}.")
    if spec.select.get("mode") == BEAM:
        beams = dict.fromkeys(str(layout["beam"][task]) for task in spec.tasks)
        sentences.append(f"Beam of {' and '.join(beams)}.")
    sentences += _seeds_sentence(cells, ranked)
    if spec.note:
        sentences.append(spec.note)
    if spec.compressed is not None:
        sentences.append("In brackets, the difference to the original model.")
    if ranked:
        sentences.append("Bold: best of each group.")
    return sentences


def _seeds_sentence(cells, ranked):
    """Return the sentence on the number of seeds, if there is any run."""
    counts = sorted({len(values) for values in cells.values()})
    if not counts:
        return []
    if counts == [1]:
        return ["One seed."]
    seeds = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    deviation = "\N{NO-BREAK SPACE}± sample standard deviation" if ranked else ""
    return [f"Mean{deviation} over {seeds} seeds."]
