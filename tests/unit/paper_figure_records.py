"""Made-up gate records in files and what the figures of gates make of them, for their tests."""

import csv
from contextlib import contextmanager

import numpy as np
from matplotlib import pyplot as plt

from g2lstm.gates.statistics import GateHistogram
from g2lstm.paper import gate_figures
from g2lstm.records import write_record

LAYOUT = {
    "preset": "demo",
    "label": "demo: synthetic sentences & reduced_models",
    "reduced": ["de-en", "lm"],
    "corpora": {"de-en": "Made-up German-English, 100 %", "lm": "Penn Treebank"},
}
SHAPES = {"baseline": (2.0, 2.0), "sharpened": (1.0, 1.0), "g2": (0.3, 0.1)}
DECODER = ["decoder.0.first", "decoder.0.second", "decoder.1"]
SENTENCES = [["the", "word", "&quot;", "$x$", "100%", "."], ["a", "b_c", "."], ["d", "e", "."]]
SUFFIXES = (".png", ".pdf", ".tex", ".csv")


def gate_record(folder, variant, seed=1, task="de-en", layers=DECODER, **changes):
    generator = np.random.default_rng([seed, len(variant)])

    def statistics():
        histogram = GateHistogram()
        histogram.add(generator.beta(*SHAPES[variant], size=1000 * seed))
        return histogram.summary()

    words = [
        {"tokens": words}
        | {gate: generator.random(len(words)).tolist() for gate in ("input", "forget")}
        for words in SENTENCES
    ]
    record = {"kind": "gates", "preset": "demo", "task": task, "variant": variant, "seed": seed}
    record |= {"stage": "train", "bins": 20}
    if task != "lm":
        record["pairs"] = 500
    record["layers"] = {
        layer: {gate: statistics() for gate in ("input", "forget")} for layer in layers
    }
    record["words"] = {"layer": "decoder.0.first", "sentences": words}
    path = folder / f"{task}-{variant}-{seed}.json"
    write_record(path, record | changes)
    return path


def rows_of(stem):
    with open(stem.with_suffix(".csv"), encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def is_complete(stem):
    png, pdf = stem.with_suffix(".png"), stem.with_suffix(".pdf")
    pictures = png.read_bytes().startswith(b"\x89PNG") and pdf.read_bytes().startswith(b"%PDF")
    return pictures and all(stem.with_suffix(suffix).exists() for suffix in SUFFIXES)


@contextmanager
def kept_figures(monkeypatch):
    """Collect the figures instead of saving them."""
    figures = []
    monkeypatch.setattr(gate_figures, "save", lambda figure, path: figures.append(figure))
    yield figures
    for figure in figures:
        plt.close(figure)
