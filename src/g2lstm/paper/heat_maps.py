"""Heat maps of the mean gate values per word (Figure 4 of Li et al., 2018).

All lengths are inches: the cells of all sentences have one size, whatever the number of words.
"""

import html
import math

import numpy as np
from matplotlib import pyplot as plt

from g2lstm.errors import UserError
from g2lstm.paper.drawing import SIZE, text_width
from g2lstm.paper.gate_figures import (
    PAGE_WIDTH,
    figure_title,
    layer_title,
    read_gate_records,
    require_variant,
    scale_of,
    source,
    write_figure,
)
from g2lstm.paper.style import LINES

ROWS = [("g2", "input"), ("g2", "forget"), ("baseline", "input"), ("baseline", "forget")]
LABELS = 1.15  # left of the cells
ABOVE, BELOW = 0.2, 0.5  # margins, the lower one with the colour scale
CELL_HEIGHT, WIDEST_CELL = 0.16, 0.36
WORD_SIZE, SLANT = 7, math.radians(40)  # points and angle of the words
COLOURS = "viridis"  # even steps of lightness, safe for colour-blind readers


def write_heat_maps(record_paths, layout, stem, sentences):
    """Write one heat map for each chosen sentence: rows are gates, columns are words.

    ``sentences`` is a slice of the sentences in the gate records: the first three for Figure 4, the
    rest for Figure 6. A cell is the mean gate over the units at the step that reads the word, and
    over the seeds where there are several. Raises UserError when ``g2`` or ``baseline`` has no
    record, when records have no words or not the same ones, and when the slice is empty.
    """
    records = read_gate_records(record_paths)
    for variant in ("g2", "baseline"):
        require_variant(variant, records)
    compared = {variant: records[variant] for variant in ("baseline", "g2")}
    layer, tokens, values = _read_words([record for found in compared.values() for record in found])
    chosen = range(len(tokens))[sentences]
    if not chosen:
        raise UserError(f"the gate records have {len(tokens)} sentences; none is left for {stem}")
    maps = [(tokens[i], np.array([_mean(values, row, i) for row in ROWS])) for i in chosen]
    caption = (
        "Mean gate over the units at the step that reads each word, after Figure 4 of Li et al. "
        f"(2018). {layer_title(layer)}. Sentences by a fixed rule: of the test sentences with 8 to "
        "16 words, evenly spaced ones in the order of the corpus. "
        f"{source(compared, layout, 'the test split')}"
    )
    about = scale_of(records, layout)
    numbers = [
        {"Preset": about, "sentence": i, "position": position, "word": word}
        | {"variant": variant, "gate": gate, "value": float(value)}
        for i, (words, cells) in zip(chosen, maps, strict=True)
        for (variant, gate), row in zip(ROWS, cells, strict=True)
        for position, (word, value) in enumerate(zip(words, row, strict=True))
    ]
    write_figure(lambda: _heat_maps(maps, about), stem, caption, numbers, layout, wide=True)


def _read_words(records):
    """Return layer, words of each sentence, and (variant, gate) -> seeds -> values by sentence."""
    if any("words" not in record for record in records):
        raise UserError("a gate record has no words; heat maps are for translation only")
    first = records[0]["words"]
    tokens = [sentence["tokens"] for sentence in first["sentences"]]
    values = {row: [] for row in ROWS}
    for record in records:
        words = record["words"]
        same = [sentence["tokens"] for sentence in words["sentences"]] == tokens
        if not same or words["layer"] != first["layer"]:
            raise UserError("the gate records show different sentences or layers; run them again")
        for gate in ("input", "forget"):
            values[record["variant"], gate].append([one[gate] for one in words["sentences"]])
    return first["layer"], tokens, values


def _mean(values, row, sentence):
    return np.mean([seed[sentence] for seed in values[row]], axis=0)


def _heat_maps(maps, about):
    """Draw the sentences below each other, with the colour scale at the bottom."""
    cell = min(_widest_cell(words) for words, _ in maps)
    heights = [_words_height(words) + len(ROWS) * CELL_HEIGHT for words, _ in maps]
    height = ABOVE + sum(heights) + BELOW
    figure = plt.figure(figsize=(PAGE_WIDTH, height))
    top = height - ABOVE
    for (words, cells), used in zip(maps, heights, strict=True):
        box = LABELS, top - used, cell * len(words), len(ROWS) * CELL_HEIGHT
        image = _heat_map(figure, _share(box, height), words, cells)
        top -= used
    scale_box = LABELS, 0.22, 2.5, 0.08
    bar = figure.colorbar(
        image, cax=figure.add_axes(_share(scale_box, height)), orientation="horizontal"
    )
    bar.set_ticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "0.25", "0.5", "0.75", "1"])
    bar.ax.tick_params(length=2, pad=1.5, labelsize=6.5)
    bar.outline.set_visible(False)
    figure.text(0.01, 0.26 / height, "Mean gate value", fontsize=7, va="center")
    figure_title(figure, about, PAGE_WIDTH)
    return figure


def _word_lengths(words):
    """Return the printed lengths of the words."""
    return np.array([text_width(html.unescape(word)) for word in words]) * WORD_SIZE / SIZE / 72


def _widest_cell(words):
    """Return the widest cell with which neither cells nor slanted words leave the page."""
    room = PAGE_WIDTH - LABELS - 0.1
    ends = room - _word_lengths(words) * math.cos(SLANT)
    return min(WIDEST_CELL, room / len(words), *(ends / (np.arange(len(words)) + 0.6)))


def _words_height(words):
    """Return the room that the slanted words need above the cells."""
    return 0.2 + max(_word_lengths(words)) * math.sin(SLANT)


def _share(box, height):
    """Return a box in inches as shares of the page-wide figure."""
    left, bottom, width, tall = box
    return left / PAGE_WIDTH, bottom / height, width / PAGE_WIDTH, tall / height


def _heat_map(figure, box, words, cells):
    """Draw one sentence: ``cells`` (4, words), written out in each cell; words slanted above."""
    axes = figure.add_axes(box)
    image = axes.imshow(cells, cmap=COLOURS, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(cells):
        colour = "white" if value < 0.6 else "black"
        style = {"ha": "center", "va": "center_baseline", "fontsize": 6, "color": colour}
        axes.text(column, row, f"{value:.2f}".removeprefix("0"), **style)
    for column, word in enumerate(words):
        style = {"rotation": math.degrees(SLANT), "rotation_mode": "anchor", "parse_math": False}
        axes.text(column - 0.1, -0.68, html.unescape(word), fontsize=WORD_SIZE, **style)
    axes.set_yticks(np.arange(len(ROWS)), [f"{LINES[name][0]}, {gate}" for name, gate in ROWS])
    axes.axhline(1.5, color="white", lw=2)  # between the two models
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image
