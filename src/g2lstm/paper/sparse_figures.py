"""Figures about what is left of sparse models' gates, after Figures 4 to 7 of Lobacheva et al.

They take records of exported models, or of gradients over time, and nothing else. The files of a
figure are those of :mod:`g2lstm.paper.gate_figures`.
"""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import ListedColormap

from g2lstm.errors import UserError
from g2lstm.paper.cells import corpora_text, scale
from g2lstm.paper.gate_figures import PAGE_WIDTH, figure_title, write_figure
from g2lstm.paper.style import COLUMN_WIDTH, SPARSE_LINES
from g2lstm.records import read_record
from g2lstm.sparsify.structure import GATES

SHOWN = 15  # neurons of a layer at most
ROW = 0.16  # inches
FEW_COLOURS = {"ifgo": "#0072B2", "o": "#D55E00", "other": "#999999"}
NAMES = {"ifgo": "all four gates live", "o": "the output gate alone", "other": "others"}


def write_gate_maps(record_paths, layout, stem, seed=0):
    """Write the map of which gates are constant in each layer of one method's models.

    ``record_paths``: records of exported models, one a task. A layer with more than ``SHOWN``
    neurons shows that many, drawn with ``seed`` (15 random ones in print).
    """
    records = [read_record(path) for path in record_paths]
    panels = [
        (record["task"], number, layer)
        for record in records
        for number, layer in enumerate(record["gates"], 1)
    ]
    if not panels:
        raise UserError(f"{stem}: no record has a map of gates; export the models again")
    draw = np.random.default_rng(seed)
    chosen = [_choose(layer, draw) for _, _, layer in panels]
    method = SPARSE_LINES[records[0]["variant"]][0]
    about = f"{method}. {_scale(records, layout)}"
    numbers = [
        {
            "task": task, "layer": number, "neuron": int(neuron), "gate": gate,
            "live": int(gate in layer["live"][neuron]),
            "constant": layer["constants"][neuron][GATES.index(gate)],
        }
        for task, number, layer in panels
        for neuron in range(len(layer["live"]))
        for gate in GATES
    ]  # fmt: skip
    caption = (
        f"Gates of {method}, after Figures 4, 6 and 7 of Lobacheva et al. (2020). A row is a "
        f"neuron that is left, a column a gate: input, forget, candidate g, output. Filled: the "
        f"gate depends on something. Empty: it is constant, with its value. At most {SHOWN} "
        f"neurons of a layer, chosen at random. {_source(records, layout)}"
    )
    write_figure(lambda: _maps(panels, chosen, about), stem, caption, numbers, layout, wide=True)


def _choose(layer, draw):
    """Return the neurons to show, in their order."""
    count = len(layer["live"])
    return np.sort(draw.permutation(count)[:SHOWN])


def _source(records, layout):
    tasks = [record["task"] for record in records]
    return f"Data: {corpora_text(layout, tasks)}. Preset {_scale(records, layout)}."


def _scale(records, layout):
    return scale(layout, [record["task"] for record in records])


def _maps(panels, chosen, about):
    """Draw one panel for each layer, side by side."""
    rows = max(map(len, chosen))
    width = min(PAGE_WIDTH, 0.4 + 1.35 * len(panels))
    figure, axes = plt.subplots(
        1, len(panels), figsize=(width, 0.9 + ROW * rows), squeeze=False, layout="constrained"
    )
    for ax, (task, number, layer), neurons in zip(axes[0], panels, chosen, strict=True):
        _map(ax, layer, neurons, rows)
        left = len(layer["live"])
        shown = f"{len(neurons)} of {left}" if len(neurons) < left else left
        ax.set_title(f"{task}\nlayer {number}: {shown} neurons", fontsize=7)
    figure_title(figure, about, width)
    return figure


def _map(ax, layer, neurons, rows):
    live = np.array([[gate in layer["live"][n] for gate in GATES] for n in neurons])
    if len(neurons):
        edges = np.arange(len(neurons) + 1) - 0.5
        ax.pcolormesh(
            np.arange(5) - 0.5, edges, live, vmin=0, vmax=1, edgecolors="#888888", linewidth=0.4,
            cmap=ListedColormap(["white", "#56B4E9"]),
        )  # fmt: skip
    for row, neuron in enumerate(neurons):
        for column in np.flatnonzero(~live[row]):
            value = f"{layer['constants'][neuron][column]:.2f}".replace("-", "\N{MINUS SIGN}")
            ax.text(column, row, value, ha="center", va="center", fontsize=5.5)
    ax.set(xlim=(-0.5, 3.5), ylim=(rows - 0.5, -0.5), yticks=[])
    ax.set_xticks(range(4), [*GATES], style="italic")
    ax.tick_params(length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def write_gradient_lags(record_paths, layout, stem):
    """Write how far back in time the neurons of the last layer look, after Figure 5.

    ``record_paths``: records of :func:`g2lstm.sparsify.lags.gradient_norms`, one a task.
    """
    records = [read_record(path) for path in record_paths]
    numbers = [
        {
            "task": record["task"], "neuron": neuron, "live": live or "none", "lag": lag,
            "norm": norm,
        }
        for record in records
        for neuron, (live, norms) in enumerate(zip(record["live"], record["norms"], strict=True))
        for lag, norm in enumerate(norms)
    ]  # fmt: skip
    method = SPARSE_LINES[records[0]["variant"]][0]
    windows = " and ".join(dict.fromkeys(str(record["windows"]) for record in records))
    caption = (
        f"Norm of the gradient of each neuron of the last layer with respect to the layer's input, "
        f"over the lag in steps, after Figure 5 of Lobacheva et al. (2020). {method}; mean over "
        f"{windows} windows of the validation data; each line is divided by its largest value. "
        f"Colours: which gates of the neuron are not constant. {_source(records, layout)}"
    )
    about = f"{method}. {_scale(records, layout)}"
    write_figure(lambda: _lags(records, about), stem, caption, numbers, layout)


def _lags(records, about):
    width = COLUMN_WIDTH if len(records) == 1 else PAGE_WIDTH
    figure, axes = plt.subplots(
        1, len(records), figsize=(width, 2.3), squeeze=False, layout="constrained"
    )
    for ax, record in zip(axes[0], records, strict=True):
        for live, norms in zip(record["live"], record["norms"], strict=True):
            # Not by lag 0: a neuron that reads other neurons alone does not see the input there.
            relative = np.array(norms) / (max(norms) or 1.0)
            relative[relative == 0.0] = np.nan  # no place on the axis
            ax.plot(
                relative,
                color=FEW_COLOURS[_kind(live)],
                lw=0.5,
                alpha=0.6,
                zorder=2 + (live in FEW_COLOURS),
            )
        ax.set(xlabel="Lag (steps)", ylabel="Gradient norm, relative", yscale="log")
        ax.set(title=record["task"], xlim=(0, len(record["norms"][0]) - 1), ylim=(1e-6, 2))
    drawn = {_kind(live) for record in records for live in record["live"]}
    kinds = [kind for kind in NAMES if kind in drawn]
    handles = [plt.Line2D([], [], color=FEW_COLOURS[kind]) for kind in kinds]
    labels = [NAMES[kind] for kind in kinds]
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure_title(figure, about, width)
    return figure


def _kind(live):
    """Return which of ``NAMES`` a neuron is, by the letters of its gates that are not constant."""
    return live if live in NAMES else "other"
