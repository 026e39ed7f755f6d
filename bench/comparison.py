"""Contenders in turns: medians, ratios taken within a round, tables and a JSON file.

A slow moment of the machine hits all contenders of a round alike, so a ratio is taken within each
round and the median over the rounds is what counts. A *contender* is a function without arguments
that returns its seconds; a *row* is a measured value with the bar it has to clear, if it has one.
"""

import json
import operator
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

SIGNS = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Ratio:
    """Time of contender ``over`` divided by that of ``under``; ``bar`` such as ``"<= 0.85"``."""

    over: str
    under: str
    bar: str | None = None

    @property
    def name(self):
        """What the tables call this ratio."""
        return f"{self.over} / {self.under}"


def timed(run, amount=1):
    """Return a contender: the seconds ``run`` takes for one of the ``amount`` things it does."""

    def contender():
        started = time.perf_counter()
        run()
        return (time.perf_counter() - started) / amount

    return contender


def in_turns(contenders, rounds):
    """Run every contender once unmeasured, then all in turns; return name -> seconds by round."""
    for contender in contenders.values():
        contender()
    measured = [{name: run() for name, run in contenders.items()} for _ in range(rounds)]
    return {name: [each[name] for each in measured] for name in contenders}


def holds(value, bar):
    """Tell whether ``value`` clears ``bar``."""
    sign, limit = bar.split()
    return SIGNS[sign](value, float(limit))


def row(name, value, bar=None):
    """Return a measured value and how it stands to its bar."""
    return {
        "name": name,
        "value": value,
        "bar": bar,
        "held": None if bar is None else holds(value, bar),
    }


def summarise(title, unit, seconds, ratios):
    """Return a comparison: medians of ``seconds`` (name -> by round) and the ``ratios``.

    A ratio of which a contender did not run is left out. ``unit`` says what one contender did in
    the time: a step, a token.
    """
    rows = []
    for ratio in ratios:
        if ratio.over in seconds and ratio.under in seconds:
            pairs = zip(seconds[ratio.over], seconds[ratio.under], strict=True)
            rows.append(row(ratio.name, statistics.median(a / b for a, b in pairs), ratio.bar))
    medians = {name: 1000 * statistics.median(values) for name, values in seconds.items()}
    return {"title": title, "unit": unit, "medians_ms": medians, "rows": rows}


def compare(title, unit, contenders, ratios, rounds):
    """Measure ``contenders`` in turns; print the comparison and return it."""
    comparison = summarise(title, unit, in_turns(contenders, rounds), ratios)
    print(tables(comparison), flush=True)
    return comparison


def record(title, rows):
    """Print and return a comparison that has nothing but ``rows`` of values."""
    comparison = {"title": title, "unit": None, "medians_ms": {}, "rows": rows}
    print(tables(comparison), flush=True)
    return comparison


def tables(comparison):
    """Return a comparison as text: Markdown tables under its title."""
    text = f"**{comparison['title']}**\n"
    if comparison["medians_ms"]:
        medians = [[name, number(ms)] for name, ms in comparison["medians_ms"].items()]
        text += "\n" + aligned(["", f"median ms a {comparison['unit']}"], medians)
    if comparison["rows"]:
        text += "\n" + _rows_table(comparison["rows"])
    return text


def _rows_table(rows):
    if not any(each["bar"] for each in rows):
        return aligned(["", "value"], [[each["name"], number(each["value"])] for each in rows])
    verdicts = {True: "held", False: "not held", None: ""}
    cells = [
        [each["name"], number(each["value"]), each["bar"] or "", verdicts[each["held"]]]
        for each in rows
    ]
    return aligned(["", "value", "bar", ""], cells)


def number(value):
    """Return ``value`` with three digits, more where they stand before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def aligned(header, rows):
    """Return a Markdown table whose columns line up as plain text, too."""
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "".join(
        f"| {' | '.join(cell.ljust(w) for cell, w in zip(line, widths, strict=True))} |\n"
        for line in lines
    )


def write_results(path, machine, rounds, comparisons):
    """Write what a benchmark measured, and on which machine, to the JSON file ``path``."""
    results = {"machine": machine, "rounds": rounds, "comparisons": comparisons}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
