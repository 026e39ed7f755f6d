"""A sketch without data, after Figure 2 of Li et al. (2018): the sigmoid saturates."""

import numpy as np
from matplotlib import pyplot as plt

from g2lstm.paper.gate_figures import write_figure
from g2lstm.paper.style import COLUMN_WIDTH

SKETCH = {"steep region": (-1.0, 1.0), "flat region": (3.0, 5.0)}  # two intervals of one width


def write_saturation_sketch(layout, stem):
    """Write Figure 2, a sketch without data: the sigmoid saturates.

    An interval of a gate's input of the same width changes the gate much less in the flat region.
    """
    sketched = []
    for region, (low, high) in SKETCH.items():
        bottom, top = float(_sigmoid(low)), float(_sigmoid(high))
        interval = {"x_low": low, "x_high": high, "gate_low": bottom, "gate_high": top}
        sketched.append({"region": region, **interval, "change": top - bottom})
    caption = (
        "The same change of a parameter, seen as an interval of the gate's input x, changes the "
        "gate much less in the flat region of the sigmoid than in the steep one (after Figure 2 of "
        "Li et al., 2018). A sketch, no data."
    )
    write_figure(lambda: _saturation(sketched), stem, caption, sketched, layout)


def _saturation(sketched):
    """Draw the sigmoid, two intervals of its argument and the intervals of its value."""
    figure, axes = plt.subplots(figsize=(COLUMN_WIDTH, 2.0), layout="constrained")
    x = np.linspace(-6, 6, 400)
    for interval, colour in zip(sketched, ("#0072B2", "#D55E00"), strict=True):
        low, high, bottom, top = list(interval.values())[1:5]
        inside = np.linspace(low, high, 100)
        band = {"color": colour, "alpha": 0.25, "lw": 0}
        axes.fill_between(inside, _sigmoid(inside), **band)
        axes.fill_betweenx(_sigmoid(inside), -6, inside, **band)
        width, change = rf"$\Delta x = {high - low:g}$", rf"$\Delta\sigma = {top - bottom:.2f}$"
        axes.text((low + high) / 2, 0.06, width, color=colour, ha="center")
        label = f"{change}, {interval['region']}"
        axes.text(-5.8, top - 0.06, label, color=colour, va="top")
    axes.plot(x, _sigmoid(x), color="black")
    axes.set(xlabel=r"Input of the gate, $x$", ylabel=r"Gate, $\sigma(x)$")
    axes.set(xlim=(-6, 6), ylim=(0, 1.05))
    axes.grid(False)
    return figure


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))
