"""Our numbers beside the printed ones, cell by cell."""

from dataclasses import replace

from g2lstm.paper.aggregate import read_summaries
from g2lstm.paper.cells import (
    TABLES,
    corpora_text,
    difference_text,
    measured_cells,
    number_text,
    paper_tasks,
    printed_value,
    reduced_tasks,
    resolve_columns,
    tables_of,
)
from g2lstm.paper.names import OURS
from g2lstm.paper.published import PAPER, doubts_of, read_tables
from g2lstm.paper.render import markdown_escape
from g2lstm.records import write_text


def write_comparison(summary_paths, published_path, layout, output, paper=PAPER):
    """Write ``comparison.md``: mean, deviation and n of ours, print, difference, for every cell.

    Printed cells of our tables that have no run are listed as not run; rows of other systems, which
    the tables only quote, are not compared, and appendix tables have no print. Doubts about printed
    numbers are footnotes.
    """
    published, summary = read_tables(published_path, paper), read_summaries(summary_paths)
    notes = []
    parts = [_header(layout, paper)]
    parts += [
        _table_part(table_id, published[printed_id], summary, layout, notes)
        for printed_id, table_id in tables_of(paper).items()
    ]
    parts.append("\n".join(f"[^{number}]: {note}" for number, note in enumerate(notes, 1)))
    write_text(output, "\n\n".join(part for part in parts if part) + "\n")


def _header(layout, paper):
    lines = [
        "# Comparison with print",
        f"Preset: **{markdown_escape(layout['label'])}**.",
    ]
    if reduced := reduced_tasks(layout, paper_tasks(paper)):
        lines.append(
            f"Reduced: {', '.join(reduced)}. Corpus, model or schedule differ from the paper's, "
            "so **these numbers are not comparable with print**. Their differences below show only "
            "that every cell is made, not how well the paper is reproduced."
        )
    averages = {
        "exact": "over all predicted words",
        "as_published": "as in the published code, which counts one word more than it predicts",
    }
    about = f"Perplexity is averaged {averages['exact']}."
    if paper == PAPER:
        averaged = averages[layout["convention"]]
        about = f"Perplexity is averaged {averaged}. BLEU is that of tokenised text."
    lines.append(
        f"Ours: mean ± sample standard deviation over n seeds. {about} Difference: ours minus "
        "print, from rounded values."
    )
    return "\n\n".join(lines)


def _table_part(table_id, published, summary, layout, notes):
    """Return the section of one table; ``notes`` collects the footnotes of the document."""
    cells = measured_cells(table_id, summary, layout)
    columns = resolve_columns(table_id, layout)
    rows, not_run, spec = [], [], TABLES[table_id]
    for row_id in spec.rows:
        for column_id, printed in published["rows"][row_id].items():
            if isinstance(printed, str) or printed is None:
                continue
            mark = _footnotes(doubts_of(published, row_id, column_id), notes)
            column = columns.get(column_id)
            if (row_id, column_id) not in cells:
                name = _printed_column(published, column_id)
                column = column and spec.column_in(row_id, column)
                text = _printed_text(printed, column.decimals if column else spec.precision)
                not_run.append(f"| {OURS[row_id]} | {name} | {text}{mark} |")
                continue
            values = cells[row_id, column_id]
            column = spec.column_in(row_id, column)
            names = _column_names(published, column_id, column.title)
            rows.append(_line(OURS[row_id], names, values, column, printed, mark))
    number = (spec.printed or table_id).removeprefix("table")
    title = f"## Table {number}: {published['caption']}"
    corpora = corpora_text(layout, spec.tasks)
    data = f"Data of ours: {markdown_escape(corpora)}." if rows and corpora else ""
    parts = (title, data, _measured(rows), _not_run(not_run))
    return "\n\n".join(part for part in parts if part)


def _measured(rows):
    head = "| Model | Column | Ours | n | Print | Difference |\n|:--|:--|--:|--:|--:|--:|"
    return "\n".join([head, *rows]) if rows else ""


def _not_run(rows):
    if not rows:
        return ""
    head = "| Model | Printed column | Print |\n|:--|:--|--:|"
    return f"Not run ({len(rows)} printed cells without a run):\n\n" + "\n".join([head, *rows])


def _printed_text(printed, decimals):
    """Return a printed number with the decimals of print; whole numbers stay whole."""
    return str(printed) if isinstance(printed, int) else f"{printed:.{decimals}f}"


def _printed_column(published, column_id):
    """Return what a column is in print: its id, and its setting where the table has settings."""
    setting = published["columns"][column_id]
    return f"{column_id} ({setting})" if setting != "-" else column_id


def _column_names(published, column_id, title):
    """Return the printed column, and our own title of it where that says something else."""
    name = _printed_column(published, column_id)
    return f"{name}; ours: {title}" if " (" in title else name


def _line(model, names, values, column, printed, mark):
    difference = printed_value(values, column.decimals) - printed
    cells = (
        *(model, names, number_text(values, replace(column, unit="")), len(values)),
        _printed_text(printed, column.decimals) + mark,
        difference_text(difference, column.decimals),
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _footnotes(doubts, notes):
    """Return the footnote marks of a cell's doubts; equal notes share one footnote."""
    for note in doubts:
        if note not in notes:
            notes.append(note)
    return "".join(f"[^{notes.index(note) + 1}]" for note in doubts)
