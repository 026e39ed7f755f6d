"""A table drawn as a picture in the look of LaTeX's booktabs, without LaTeX.

All lengths are points (1/72 inch). Widths of texts are measured, so that no cell overlaps another.
"""

from matplotlib import pyplot as plt
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from g2lstm.paper.style import STYLE, save

SIZE = 9.0
LINE = 1.35 * SIZE
GAP = 1.6 * SIZE  # between columns
RULE_SPACE = 0.45 * SIZE  # above and below a rule
MARGIN = 6.0
HEAVY, LIGHT = 0.08 * SIZE, 0.05 * SIZE  # thickness of booktabs' rules
MIN_WIDTH = 300.0


def draw_table(table, path):
    """Draw a :class:`g2lstm.paper.elements.Table` to a PNG file at 300 dpi."""
    with plt.rc_context(STYLE):
        widths = column_widths(table)
        width = sum(widths) + GAP * (len(widths) - 1)
        caption = wrap(table.caption, width)
        height = _height(table, len(caption))
        size = (width + 2 * MARGIN) / 72, (height + 2 * MARGIN) / 72
        figure = plt.figure(figsize=size)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-MARGIN, width + MARGIN), ylim=(-height - MARGIN, MARGIN))
        axes.axis("off")
        _Pen(axes, widths, width).table(table, caption)
        save(figure, str(path))


def text_width(text, bold=False, italic=False):
    """Return the width of a line of text in points, at the table's size."""
    return text_to_path.get_text_width_height_descent(text, _font(bold, italic), ismath=False)[0]


def column_widths(table):
    """Return the width of each column: its widest cell; a long group title widens the first."""
    columns = [[(line, False) for line in lines] for lines in table.header]
    for group in table.groups:
        for row in group.rows:
            for column, cell in zip(columns, row, strict=True):
                column.append((cell.text, cell.bold))
    widths = [max(text_width(text, bold) for text, bold in column) for column in columns]
    first = 0
    for title, count in table.spans:
        spanned = sum(widths[first : first + count]) + GAP * (count - 1)
        widths[first] += max(0.0, text_width(title) - spanned)
        first += count
    total = sum(widths) + GAP * (len(widths) - 1)
    wanted = max([MIN_WIDTH, *(text_width(group.title, italic=True) for group in table.groups)])
    widths[0] += max(0.0, wanted - total)
    return widths


def wrap(text, width):
    """Break a text at its blanks into lines of at most ``width`` points."""
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}".strip()
        if line and text_width(longer) > width:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line]


def _font(bold, italic):
    return FontProperties(
        family="STIXGeneral",
        size=SIZE,
        weight="bold" if bold else "normal",
        style="italic" if italic else "normal",
    )


def _header_lines(table):
    return 2 if any(parameters for _, parameters in table.header) else 1


def _height(table, caption_lines):
    """Return the height of caption, rules and rows in points."""
    rows = sum(1 + len(group.rows) for group in table.groups)
    rules = 2 + len(table.groups)
    spans = LINE + RULE_SPACE if table.spans else 0.0
    lines = caption_lines + _header_lines(table) + rows
    return spans + LINE * lines + 2 * RULE_SPACE * rules


class _Pen:
    """Draws from the top down; ``y`` is the upper edge of what comes next."""

    def __init__(self, axes, widths, width):
        self.axes, self.widths, self.width, self.y = axes, widths, width, 0.0

    def table(self, table, caption):
        for line in caption:
            self.row([line], [False])
        self.rule(HEAVY)
        if table.spans:
            self.spans(table.spans)
        for line in range(_header_lines(table)):
            self.row([lines[line] for lines in table.header])
        for group in table.groups:
            self.rule(LIGHT)
            self.row([group.title], italic=True)
            for row in group.rows:
                self.row([cell.text for cell in row], [cell.bold for cell in row])
        self.rule(HEAVY)

    def rule(self, thickness):
        self.y -= RULE_SPACE
        self.line((0, self.width), self.y, thickness)
        self.y -= RULE_SPACE

    def spans(self, spans):
        """Draw the titles over adjacent columns, each with a rule under it."""
        left, column = 0.0, 0
        baseline, rule = self.y - 0.72 * LINE, self.y - LINE
        for title, count in spans:
            right = left + sum(self.widths[column : column + count]) + GAP * (count - 1)
            if title:
                self.text((left + right) / 2, baseline, title, "center", _font(False, False))
                self.line((left, right), rule, LIGHT)
            left, column = right + GAP, column + count
        self.y = rule - RULE_SPACE

    def row(self, texts, bold=None, italic=False):
        """Draw one line: the first text flush left, the others centred in their columns."""
        bold = bold or [False] * len(texts)
        baseline, left = self.y - 0.72 * LINE, 0.0
        for column, text in enumerate(texts):
            x = left if column == 0 else left + self.widths[column] / 2
            self.text(
                x, baseline, text, "center" if column else "left", _font(bold[column], italic)
            )
            left += self.widths[column] + GAP
        self.y -= LINE

    def text(self, x, baseline, text, align, font):
        self.axes.text(
            x, baseline, text, ha=align, va="baseline", fontproperties=font, parse_math=False
        )

    def line(self, x, y, thickness):
        self.axes.plot(x, (y, y), color="black", lw=thickness, solid_capstyle="butt")
