"""Text from data stays text: in LaTeX, in Markdown and in CSV."""

import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2lstm.paper.elements import Cell, Group, Table
from g2lstm.paper.render import LATEX, latex_escape, markdown_escape, to_csv, to_latex, to_markdown

ACTIVE = set("\\{}&%$#_^")
ENDS_OF_LINES = re.compile(r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
WRITTEN = re.compile("|".join(re.escape(s) for s in sorted(LATEX.values(), key=len, reverse=True)))
texts = st.text() | st.text("\\|{}&%$#_^~<>[]*`\n\r\t\0 ab", max_size=12)
printable = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)


@settings(max_examples=500)
@given(texts)
def test_no_text_is_active_in_latex(text):
    escaped = latex_escape(text)
    rest = WRITTEN.sub("", escaped)
    assert not ACTIVE & set(rest)
    assert escaped.count("~") == text.count("\N{NO-BREAK SPACE}")
    assert not re.search(r"[\x00-\x1f\x7f]", escaped)
    kept = [character for character in text if character not in LATEX]
    assert re.findall(r"[^\W_]", rest) == re.findall(r"[^\W_]", "".join(kept))


@settings(max_examples=500)
@given(texts)
def test_no_text_leaves_its_cell_in_markdown(text):
    escaped = markdown_escape(text)
    assert not ENDS_OF_LINES.search(escaped)
    # A bar is escaped when an odd number of backslashes stands before it.
    assert all(len(run) % 2 for run in re.findall(r"(\\*)\|", escaped))
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`<\[\]]", escaped)


def table_of(text):
    row = (Cell(text), Cell(text, bold=True))
    return Table(
        scale=text,
        caption=text,
        label=text,
        header=(("Model", ""), (text, text)),
        groups=(Group(text, (row, row)),),
    )


@pytest.mark.filterwarnings("ignore:Glyph")
@settings(max_examples=40)
@given(st.text("|\\&%${}_#~^\n\r a", min_size=1, max_size=8))
def test_no_text_changes_the_shape_of_a_table(text):
    wanted, found = to_markdown(table_of("a")), to_markdown(table_of(text))
    assert len(found.split("\n")) == len(wanted.split("\n"))
    for line in found.split("\n")[2:-1]:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3
    wanted, found = to_latex(table_of("a")), to_latex(table_of(text))
    assert len(found.split("\n")) == len(wanted.split("\n"))
    for one, other in zip(wanted.split("\n"), found.split("\n"), strict=True):
        assert len(re.findall(r"(?<!\\)&", one)) == len(re.findall(r"(?<!\\)&", other))


@settings(max_examples=100)
@given(printable)
def test_csv_gives_every_text_back(text):
    rows = list(csv.reader(io.StringIO(to_csv(table_of(text)))))
    assert rows[1:] == [[text] * 4] * 2
