# How results stand in the HTML report: folders, labels, captions (paths as seen from the rules).
from g2lstm.paper.cells import TABLES


report: "../report/workflow.rst"


SUBJECTS = {  # tasks that a result is about -> folder
    ("lm",): "Language model",
    ("de-en",): "German-English",
    ("en-de",): "English-German",
    TRANSLATION: "Both directions of translation",
    TASKS: "All tasks",
    **{(task,): "Structured sparsity" for task in SPARSE},
    **{about: "Structured sparsity" for about in TABLE_TASKS.values() if set(about) & {*SPARSE}},
}
FIGURES = {
    "figure1": "Baseline, first transition of the decoder",
    "figure1-second": "Baseline, second transition of the decoder",
    "figure2": "Sketch of a saturated sigmoid",
    "figure3": "G²-LSTM, first transition of the decoder",
    "figure3-second": "G²-LSTM, second transition of the decoder",
    "figure4": "Word by word, sentences 1 to 3",
    "figure6": "Word by word, sentences 4 to 8",
    "gates-lm": "All layers of the language model",
    "gates-encoder": "All layers of the encoder",
    "gates-decoder": "All layers of the decoder",
    "sparse-gates-pruning-wgn": "What is left, pruning W+G+N",
    "sparse-gates-bayes-w": "What is left, Bayes W",
    "sparse-gates-bayes-wgn": "What is left, Bayes W+G+N",
    "gradient-lags": "Gradient over the time lag",
}


def table_labels(form):
    """Return the function that gives the labels of a table; ``form``: image or numbers."""
    return lambda wildcards: {
        "table": wildcards.table.removeprefix("table"),
        "about": TABLES[wildcards.table].title,
        "shown as": form,
    }


def figure_labels(form, figure="{figure}"):
    """Return the function that gives the labels of a figure; ``form``: image or numbers."""

    def labels(wildcards):
        name = figure.format(**wildcards)
        return {"figure": name, "about": FIGURES[name], "shown as": form}

    return labels


TABLE = {
    "caption": "../report/table.rst",
    "category": "Tables",
    "subcategory": lambda wildcards: SUBJECTS[TABLE_TASKS[wildcards.table]],
}
FIGURE = {
    "caption": "../report/gates.rst",
    "category": "Gates",
    "subcategory": lambda wildcards: SUBJECTS[GATE_FIGURES[wildcards.figure][0],],
}
SPARSE_FIGURE = {
    "caption": "../report/sparse.rst",
    "category": "Gates",
    "subcategory": "Structured sparsity",
}
SKETCH = {"caption": "../report/sketch.rst", "category": "Gates", "subcategory": "Sketch"}
