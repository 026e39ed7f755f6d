"""What a table is made of, ready to render: cells, groups of rows, header and caption."""

from dataclasses import dataclass


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

    ``scale`` says which preset the numbers are of. ``spans`` are titles over adjacent columns:
    (title, number of columns) from the left, together all columns; empty without such titles.
    ``provenance``: sentences on where the numbers come from.
    """

    scale: str
    caption: str
    label: str
    header: tuple
    groups: tuple
    spans: tuple = ()
    provenance: tuple = ()

    @property
    def column_titles(self):
        """The title of each column in one line, with that of its span."""
        spans = [f"{title}:" if title else "" for title, count in self.spans for _ in range(count)]
        spans = spans or [""] * len(self.header)
        titles = ((span, *lines) for span, lines in zip(spans, self.header, strict=True))
        return tuple(" ".join(filter(None, title)) for title in titles)
