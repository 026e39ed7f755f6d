"""A table as LaTeX, CSV, Markdown and PNG."""

import csv
import io
import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from g2lstm.paper.drawing import SIZE, column_widths, draw_table
from g2lstm.records import write_text

COLUMN, PAGE = 234.0, 486.0  # points: width of a column and of a page of two columns
TYPE_SIZES = (  # LaTeX's name, size and space between columns in points
    ("small", 9.0, 12.0),
    ("footnotesize", 8.0, 6.0),
    ("scriptsize", 7.0, 6.0),
)
COMPUTER_MODERN = 1.25  # its width, bold included, over that of the picture's narrow Times
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # ends of lines among them
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
    "\N{DOUBLE DAGGER}": r"\textsuperscript{\textdaggerdbl}",
}


def latex_escape(value):
    """Return ``value`` as text that LaTeX prints literally."""
    return "".join(LATEX.get(character, character) for character in CONTROLS.sub(" ", str(value)))


def markdown_escape(value):
    """Return ``value`` as text that a cell of a GitHub table shows literally."""
    return re.sub(r"([\\|*_`<\[\]])", r"\\\1", CONTROLS.sub(" ", str(value)))


def write_all(table, stem):
    """Write a table as ``stem.tex``, ``stem.csv``, ``stem.md`` and ``stem.png``."""
    write_text(f"{stem}.tex", to_latex(table))
    write_text(f"{stem}.csv", to_csv(table))
    write_text(f"{stem}.md", to_markdown(table))
    draw_table(table, f"{stem}.png")


def to_latex(table):
    """Return a booktabs float, ready for ``\\input``.

    A table wider than a column spans both columns of a page; the type is the largest in which it
    stays on the page even in LaTeX's own, wide letters.
    """

    def width(size, space):
        letters = COMPUTER_MODERN * sum(column_widths(table)) * size / SIZE
        return letters + space * (len(table.header) - 1)

    fitting = [entry for entry in TYPE_SIZES if width(*entry[1:]) <= PAGE]
    type_size, size, space = (*fitting, TYPE_SIZES[-1])[0]
    return template("table.tex.j2", latex_escape).render(
        table=table,
        label=re.sub(r"[^A-Za-z0-9]+", "-", table.label),
        environment="table*" if width(size, space) > COLUMN else "table",
        type_size=type_size,
        column_space=f"{space / 2:g}pt",
        has_parameters=any(parameters for _, parameters in table.header),
        rules=_span_rules(table.spans),
    )


def _span_rules(spans):
    """Return (first, last) column, counted from 1, under each title over several columns."""
    last, rules = 0, []
    for title, count in spans:
        first, last = last + 1, last + count
        if title:
            rules.append((first, last))
    return rules


def to_markdown(table):
    """Return a GitHub table under its caption."""
    return template("table.md.j2", markdown_escape).render(table=table)


def to_csv(table):
    """Return the cells as CSV, with the preset and the group of each row in the first columns."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["Preset", "Group", *table.column_titles])
    for group in table.groups:
        writer.writerows(
            [table.scale, group.title, *(cell.text for cell in row)] for row in group.rows
        )
    return stream.getvalue()


def template(name, escape):
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
