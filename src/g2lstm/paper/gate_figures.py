"""Figures of gate values: histograms (Figures 1 and 3 of Li et al., 2018).

They take the gate records of runs and nothing else. A figure is four files: ``stem.png`` and
``stem.pdf``, ``stem.tex`` (a float ready for ``\\input``) and ``stem.csv`` (the numbers drawn).
The layout is that of the tables; its ``corpora`` maps a task to the corpus name to show.
"""

import csv
import io
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from g2lstm.errors import UserError
from g2lstm.paper.cells import scale
from g2lstm.paper.render import latex_escape, template
from g2lstm.paper.style import COLUMN_WIDTH, LINES, STYLE, save
from g2lstm.records import read_record, write_text

PAGE_WIDTH = 6.75  # inches, both columns of a two-column page
GATES = {"input": "Input gate", "forget": "Forget gate"}
STROKES = {"baseline": "-", "sharpened": (0, (4, 1.5)), "g2": (0, (2, 0.7))}


@dataclass(frozen=True)
class GateDensity:
    """Distribution of one gate in one layer: mean over the seeds of a variant.

    ``shares`` (bins) are the shares of the bins of equal width on [0, 1], ``mean`` is the mean
    gate value, ``elements`` the number of gate values of all seeds.
    """

    variant: str
    layer: str
    gate: str
    seeds: int
    elements: int
    mean: float
    shares: np.ndarray

    @property
    def density(self):
        """Density in each bin (bins); its integral over [0, 1] is 1."""
        return self.shares * len(self.shares)

    @property
    def edges(self):
        """Edges of the bins (bins + 1)."""
        return np.arange(len(self.shares) + 1) / len(self.shares)


def write_histograms(record_paths, layout, stem, layer, variant):
    """Write the histograms of a variant's input and forget gates in one layer, side by side.

    Figure 1 is the first transition of the first decoder layer (``decoder.0.first``) of the
    baseline, Figure 3 that of ``g2``. ``record_paths`` are gate records of one task; those of other
    variants only set the vertical axis, so that the figures can be compared by eye. Several seeds
    of a variant are averaged. Raises UserError when there is no record of the variant, or one
    without the layer.
    """
    records = read_gate_records(record_paths)
    require_variant(variant, records)
    densities = {name: _both_gates(records, name, layer) for name in records}
    highest = max(density.density.max() for both in densities.values() for density in both)
    drawn, about = densities[variant], scale_of(records, layout)
    caption = (
        f"Input and forget gates of one layer, after Figures 1 and 3 of Li et al. (2018). "
        f"{layer_title(layer)}; {LINES[variant][0]}. {_counted(drawn, 'panel')} All variants have "
        f"the same vertical axis. {histogram_source({variant: records[variant]}, layout)}"
    )
    write_figure(
        lambda: _histograms(drawn, 1.05 * highest, about),
        *(stem, caption, _numbers(drawn, about), layout),
    )


def write_layer_histograms(record_paths, layout, stem, part):
    """Write the histograms of all variants over each other, for each layer of a part of the model.

    ``part`` is the first word of the layers' names: ``lstm``, ``encoder`` or ``decoder``. Columns
    are layers, rows are gates. Raises UserError when there are no such layers.
    """
    records = read_gate_records(record_paths)
    first = next(iter(records.values()))[0]
    layers = [layer for layer in first["layers"] if layer.split(".")[0] == part]
    if not layers:
        raise UserError(f"the gate records have no layer {part}.*; nothing to draw in {stem}")
    both = [_both_gates(records, variant, layer) for layer in layers for variant in records]
    drawn = [density for pair in both for density in pair]
    caption = (
        f"Input and forget gates of every layer and variant. {_counted(drawn, 'histogram')} "
        f"{histogram_source(records, layout)}"
    )
    wide, about = len(layers) > 2, scale_of(records, layout)
    write_figure(
        lambda: _layer_histograms(drawn, layers, wide, about),
        *(stem, caption, _numbers(drawn, about), layout, wide),
    )


def read_gate_records(record_paths):
    """Return variant -> gate records by seed, in the order of the tables.

    Raises UserError when a file is no gate record, when the records are of several presets, tasks
    or stages or of unequal bins, and when two are of the same run.
    """
    records = [read_record(path) for path in record_paths]
    if any(record.get("kind") != "gates" for record in records):
        raise UserError("a figure of gates takes gate records only")
    origins = {
        tuple(record[name] for name in ("preset", "task", "stage", "bins")) for record in records
    }
    runs = {(record["variant"], record["seed"]) for record in records}
    if len(origins) != 1 or len(runs) != len(records):
        raise UserError("a figure of gates takes the gate records of one task, one for each run")
    records.sort(key=lambda record: record["seed"])
    chosen = {name: [record for record in records if record["variant"] == name] for name in LINES}
    return {variant: found for variant, found in chosen.items() if found}


def require_variant(variant, records):
    """Raise UserError when there is no gate record of a variant."""
    if variant not in records:
        raise UserError(f"no gate record of variant {variant}; run it first")


def layer_title(layer):
    """Return what a layer's name in the records, such as ``decoder.0.first``, means."""
    match = re.fullmatch(r"(lstm|encoder|decoder)\.(\d+)(r?)(?:\.(first|second))?", layer)
    if not match:
        raise UserError(f"no layer of ours is called {layer}; write for instance decoder.0.first")
    part, number, backward, transition = match.groups()
    title = f"{'LSTM' if part == 'lstm' else part.capitalize()} layer {int(number) + 1}"
    title += ", backward" if backward else ""
    return title + (f", {transition} transition" if transition else "")


def histogram_source(records, layout):
    """Return :func:`source` for histograms; the record of a translation model counts its pairs."""
    found = [record for seeds in records.values() for record in seeds]
    if found[0]["task"] == "lm":
        return source(records, layout, "the validation text")
    pairs = _range(record["pairs"] for record in found)
    return source(records, layout, f"{pairs} sampled training pairs")


def source(records, layout, text):
    """Return the sentences of a caption that name corpus, preset and number of seeds.

    ``text`` says on which part of the corpus the gates were read.
    """
    seeds = _range(len(found) for found in records.values())
    averaged = "One seed." if seeds == "1" else f"Mean over {seeds} seeds."
    data = f"Data: {layout['corpora'][_task(records)]}; gates read on {text}, without noise."
    return f"{data} Preset {scale_of(records, layout)}. {averaged}"


def _task(records):
    """Return the task of variant -> gate records."""
    return next(iter(records.values()))[0]["task"]


def scale_of(records, layout):
    """Return what the numbers of variant -> gate records are, as it stands beside each of them."""
    return scale(layout, [_task(records)])


def write_figure(draw, stem, caption, numbers, layout, wide=False):
    """Write a figure as ``stem.png``, ``.pdf``, ``.tex`` and ``.csv``.

    ``draw`` makes a new matplotlib figure, ``numbers`` is a list of dictionaries, the rows of the
    CSV file; a ``wide`` float spans both columns of a page. Raises UserError for a file name that
    LaTeX would not find.
    """
    name = Path(stem).name
    if not re.fullmatch(r"[A-Za-z0-9.-]+", name):
        raise UserError(f"{name}: a figure's file name has letters, digits, dots and hyphens only")
    for suffix in (".png", ".pdf"):
        with plt.rc_context(STYLE):
            save(draw(), f"{stem}{suffix}")
    text = template("figure.tex.j2", latex_escape).render(
        environment="figure*" if wide else "figure",
        picture=f"{name}.pdf",
        caption=caption,
        label=f"{layout['preset']}-{name}",
    )
    write_text(f"{stem}.tex", text)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(numbers[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(numbers)
    write_text(f"{stem}.csv", stream.getvalue())


def figure_title(figure, text, width):
    """Put the scale of the numbers above a figure of ``width`` inches, in small grey type."""
    lines = textwrap.fill(text, int(22 * width))
    figure.suptitle(lines, x=0.01, ha="left", fontsize=7, color="#444444", linespacing=1)


def _both_gates(records, variant, layer):
    """Return the distributions of the input and the forget gate, means over the variant's seeds."""
    found = [record["layers"].get(layer) for record in records[variant]]
    if None in found:
        raise UserError(f"a gate record of variant {variant} has no layer {layer}")
    densities = []
    for gate in GATES:
        seeds = [statistics[gate] for statistics in found]
        elements = sum(one["elements"] for one in seeds)
        mean = float(np.mean([one["mean"] for one in seeds]))
        shares = np.mean([np.array(one["histogram"]) / one["elements"] for one in seeds], axis=0)
        densities.append(GateDensity(variant, layer, gate, len(seeds), elements, mean, shares))
    return densities


def _numbers(densities, about):
    """Return the rows of the CSV file: one for each bin of each histogram."""
    names = ("variant", "layer", "gate", "seeds", "elements", "mean")
    rows = []
    for drawn in densities:
        common = {"Preset": about} | {name: getattr(drawn, name) for name in names}
        bins = zip(drawn.edges[:-1], drawn.edges[1:], drawn.shares, drawn.density, strict=True)
        rows += [
            common | dict(zip(("low", "high", "share", "density"), map(float, one), strict=True))
            for one in bins
        ]
    return rows


def _counted(densities, what):
    return f"Density of {_range(drawn.elements for drawn in densities)} gate values a {what}."


def _range(counts):
    counts = sorted(set(counts))
    return " to ".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1])))


def _gate_axis(axes):
    """Label the horizontal axis; a margin keeps the outer bins clear of the edges."""
    axes.set(xlabel="Gate value", xlim=(-0.02, 1.02))
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])


def _histograms(densities, top, about):
    """Draw the histograms of the two gates side by side on one vertical axis from 0 to ``top``."""
    size = (COLUMN_WIDTH, 1.95)
    figure, panels = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
    for axes, drawn in zip(panels, densities, strict=True):
        _, colour, _ = LINES[drawn.variant]
        axes.stairs(drawn.density, drawn.edges, fill=True, color=colour, alpha=0.35, lw=0)
        axes.stairs(drawn.density, drawn.edges, color=colour, lw=0.9)
        _gate_axis(axes)
        axes.set_title(f"{GATES[drawn.gate]}, mean {drawn.mean:.2f}", fontsize=8)
    panels[0].set(ylabel="Density", ylim=(0, top))
    name, layer = LINES[densities[0].variant][0], layer_title(densities[0].layer)
    figure_title(figure, f"{layer}, {name}; {about}", COLUMN_WIDTH)
    return figure


def _layer_histograms(densities, layers, wide, about):
    """Draw small multiples: a row for each gate, a column for each layer, a line a variant."""
    width = PAGE_WIDTH if wide else COLUMN_WIDTH
    grid = {"sharex": True, "sharey": True, "squeeze": False, "layout": "constrained"}
    figure, panels = plt.subplots(len(GATES), len(layers), figsize=(width, 3.3), **grid)
    for row, gate in zip(panels, GATES, strict=True):
        row[0].set_ylabel(f"{GATES[gate]}, density")
        for axes, layer in zip(row, layers, strict=True):
            for drawn in densities:
                if (drawn.gate, drawn.layer) == (gate, layer):
                    name, colour, _ = LINES[drawn.variant]
                    style = {"color": colour, "ls": STROKES[drawn.variant], "label": name}
                    axes.stairs(drawn.density, drawn.edges, **style)
    for axes, layer in zip(panels[0], layers, strict=True):
        axes.set_title(layer_title(layer).replace(", ", ",\n"), fontsize=8, linespacing=1)
    for axes in panels[-1]:
        _gate_axis(axes)
    panels[0, 0].set_ylim(0, None)
    figure_title(figure, about, width)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
