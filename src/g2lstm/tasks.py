"""The tasks of the pipeline, their stages, and what each table and figure is about."""

from typing import NamedTuple


class Pair(NamedTuple):
    """The direction of a translation task, and whether its text is lower-cased, as in the paper."""

    source: str
    target: str
    lowercase: bool


class Paper(NamedTuple):
    """A paper: its name in resources/published.yaml, and the tasks that it is about."""

    name: str
    tasks: tuple


PAIRS = {"de-en": Pair("de", "en", lowercase=True), "en-de": Pair("en", "de", lowercase=False)}
TRANSLATION = tuple(PAIRS)
TASKS = ("lm", *TRANSLATION)  # of the G2-LSTM paper; every preset has them all
SPARSE = {  # tasks of the papers on structured sparsity -> kind, see g2lstm.sparsify.kinds
    "word-ptb-small": "words",
    "word-ptb-large": "words",
    "char-ptb": "characters",
    "imdb": "text",
    "agnews": "text",
    "word-ptb-rhn": "highway",
}
SPARSE_PAPERS = {  # how the names of a paper's pages begin -> the paper, and what it is about
    "sparse": Paper(
        "lobacheva2020", ("word-ptb-small", "word-ptb-large", "char-ptb", "imdb", "agnews")
    ),
    "iss": Paper("iss2018", ("word-ptb-large", "word-ptb-rhn")),
}
METHODS = (  # the models that they compare
    *("original", "pruning-wn", "pruning-wgn"),
    *("bayes-w", "bayes-wn", "bayes-wgn"),
    *("iss-a", "iss-b", "direct"),
    *("iss-004", "iss-005", "iss-006", "iss-007"),
)
STAGES = {"lm": ("train", "finetune")} | dict.fromkeys((*TRANSLATION, *SPARSE), ("train",))
# Raise by hand when a change of code or of a default changes what a training run computes.
STAGE_VERSION = {"lm": 4, "de-en": 3, "en-de": 3} | dict.fromkeys(SPARSE, 2)
TABLE_TASKS = {  # what a table is about; one of sparse tasks shows those that a preset has
    "sparse_pruning": ("word-ptb-small", "word-ptb-large"),
    "sparse_bayes": ("imdb", "agnews", "char-ptb", "word-ptb-small"),
    "iss_lstm": ("word-ptb-large",),
    "iss_rhn": ("word-ptb-rhn",),
    **dict.fromkeys(("table1", "table3", "table6", "table7"), ("lm",)),
    **dict.fromkeys(("table2", "tableS1", "tableS2"), TRANSLATION),
    "table4": ("de-en",),
    "table5": ("en-de",),
    "tableS3": TASKS,
}
# figure of what is left of sparse models' gates -> method whose models it shows
SPARSE_FIGURES = {
    **{f"sparse-gates-{method}": method for method in ("pruning-wgn", "bayes-w", "bayes-wgn")},
    "gradient-lags": "bayes-wgn",
}
LAG_TASKS = ("word-ptb-small", "imdb")  # tasks in the figure of gradients over the time lag
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
