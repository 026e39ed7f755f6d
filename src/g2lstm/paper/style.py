"""The one look of all pictures: serif type, colours safe for colour-blind readers, fixed bytes."""

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

from g2lstm.records import atomic_path

DPI = 300
COLUMN_WIDTH = 3.25  # inches, one column of a two-column page
LINES = {  # variant -> name, colour (Okabe and Ito's palette), marker
    "baseline": ("Baseline", "#0072B2", "o"),
    "sharpened": ("Sharpened sigmoid", "#D55E00", "s"),
    "g2": ("G²-LSTM", "#009E73", "^"),
}
SPARSE_LINES = {  # the same of the papers on sparsity
    "original": ("Original", "#0072B2", "o"),
    "pruning-wn": ("Pruning W+N", "#D55E00", "s"),
    "pruning-wgn": ("Pruning W+G+N", "#009E73", "^"),
    "bayes-w": ("Bayes W", "#CC79A7", "D"),
    "bayes-wn": ("Bayes W+N", "#E69F00", "v"),
    "bayes-wgn": ("Bayes W+G+N", "#56B4E9", "P"),
    "iss-a": ("ISS, smaller", "#D55E00", "s"),
    "iss-b": ("ISS, better", "#009E73", "^"),
    "direct": ("Direct design", "#CC79A7", "D"),
    "iss-004": ("ISS, λ = 0.004", "#D55E00", "s"),
    "iss-005": ("ISS, λ = 0.005", "#009E73", "^"),
    "iss-006": ("ISS, λ = 0.006", "#CC79A7", "D"),
    "iss-007": ("ISS, λ = 0.007", "#E69F00", "v"),
}
STYLE = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.4,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "text.hinting": "none",  # widths are measured without hinting
}


def save(figure, path):
    """Write a figure atomically as PNG or PDF (by suffix), without dates or versions; close it."""
    empty = {".png": ("Software",), ".pdf": ("Creator", "Producer", "CreationDate")}
    metadata = dict.fromkeys(empty[path[path.rindex(".") :]])
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata=metadata)
    plt.close(figure)
