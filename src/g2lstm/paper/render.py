"""A table as LaTeX, CSV, Markdown and PNG."""

import csv
import io
import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from g2lstm.paper.drawing import draw_table
from g2lstm.records import write_text

LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "[": "{[}",  # a bracket that opens a row would be read as the argument of \\
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "\N{NO-BREAK SPACE}": "~",
    "\N{SUPERSCRIPT TWO}": r"\textsuperscript{2}",
    "\N{DAGGER}": r"\textsuperscript{\textdagger}",
}


def latex_escape(value):
    """Return ``value`` as text that LaTeX prints literally."""
    return "".join(LATEX.get(character, character) for character in str(value))


def markdown_escape(value):
    """Return ``value`` as text that a cell of a GitHub table shows literally."""
    return re.sub(r"([\\|*_`<\[\]])", r"\\\1", str(value)).replace("\n", " ")


def write_all(table, stem):
    """Write a table as ``stem.tex``, ``stem.csv``, ``stem.md`` and ``stem.png``."""
    write_text(f"{stem}.tex", to_latex(table))
    write_text(f"{stem}.csv", to_csv(table))
    write_text(f"{stem}.md", to_markdown(table))
    draw_table(table, f"{stem}.png")


def to_latex(table):
    """Return a booktabs float, ready for ``\\input``; wide tables span both columns of a page."""
    return _template("table.tex.j2", latex_escape).render(
        table=table,
        label=re.sub(r"[^A-Za-z0-9]+", "-", table.label),
        environment="table*" if len(table.header) > 4 else "table",
        has_parameters=any(parameters for _, parameters in table.header),
    )


def to_markdown(table):
    """Return a GitHub table under its caption."""
    return _template("table.md.j2", markdown_escape).render(table=table)


def to_csv(table):
    """Return the cells as CSV, with the preset and the group of each row in the first columns."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["Preset", "Group", *(" ".join(lines).strip() for lines in table.header)])
    for group in table.groups:
        writer.writerows(
            [table.scale, group.title, *(cell.text for cell in row)] for row in group.rows
        )
    return stream.getvalue()


def _template(name, escape):
    """Return a template in which every inserted value is escaped.

    LaTeX templates use ``<< >>`` and ``<% %>``, since braces are LaTeX's own.
    """
    delimiters = {}
    if name.endswith(".tex.j2"):
        delimiters = {
            "block_start_string": "<%",
            "block_end_string": "%>",
            "variable_start_string": "<<",
            "variable_end_string": ">>",
            "comment_start_string": "<#",
            "comment_end_string": "#>",
        }
    environment = Environment(
        loader=PackageLoader("g2lstm.paper"),
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        **delimiters,
    )
    return environment.get_template(name)
