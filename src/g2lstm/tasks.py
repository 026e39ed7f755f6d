"""The tasks of the pipeline, their stages, and what each table and figure is about."""

from typing import NamedTuple


class Pair(NamedTuple):
    """The direction of a translation task, and whether its text is lower-cased, as in the paper."""

    source: str
    target: str
    lowercase: bool


PAIRS = {"de-en": Pair("de", "en", lowercase=True), "en-de": Pair("en", "de", lowercase=False)}
TRANSLATION = tuple(PAIRS)
TASKS = ("lm", *TRANSLATION)  # of the G2-LSTM paper; every preset has them all
SPARSE = ("word-ptb-small",)  # tasks of the papers on structured sparsity
METHODS = (  # the models that they compare
    *("original", "pruning-wn", "pruning-wgn"),
    *("bayes-w", "bayes-wn", "bayes-wgn"),
)
STAGES = {"lm": ("train", "finetune")} | dict.fromkeys((*TRANSLATION, *SPARSE), ("train",))
# Raise by hand when a change of code or of a default changes what a training run computes.
STAGE_VERSION = {"lm": 4, "de-en": 3, "en-de": 3, "word-ptb-small": 2}
TABLE_TASKS = {  # what a table is about
    **dict.fromkeys(("sparse_pruning", "sparse_bayes"), ("word-ptb-small",)),
    **dict.fromkeys(("table1", "table3", "table6", "table7"), ("lm",)),
    **dict.fromkeys(("table2", "tableS1", "tableS2"), TRANSLATION),
    "table4": ("de-en",),
    "table5": ("en-de",),
    "tableS3": TASKS,
}
# figure of gates -> task whose records it shows, and the verb that draws it; the second transition
# of the attention layer is a supplement
GATE_FIGURES = {
    "figure1": ("de-en", "gate-histograms --variant baseline --layer decoder.0.first"),
    "figure1-second": ("de-en", "gate-histograms --variant baseline --layer decoder.0.second"),
    "figure3": ("de-en", "gate-histograms --variant g2 --layer decoder.0.first"),
    "figure3-second": ("de-en", "gate-histograms --variant g2 --layer decoder.0.second"),
    "figure4": ("de-en", "heat-maps --sentences 1 3"),
    "figure6": ("de-en", "heat-maps --sentences 4 8"),
    "gates-lm": ("lm", "layer-histograms --part lstm"),
    "gates-encoder": ("de-en", "layer-histograms --part encoder"),
    "gates-decoder": ("de-en", "layer-histograms --part decoder"),
}
