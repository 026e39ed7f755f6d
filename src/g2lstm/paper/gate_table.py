"""Appendix table S3: where the input and forget gates of each layer stand, in numbers.

Rows come from gate records: the two transitions of the decoder's attention layer for each pair of
languages, and the layers of the language model. ``AUC`` is the area under the ROC curve of a low
mean forget gate as a sign of the words named.
"""

from g2lstm.paper.spec import GATES_MODE, VARIANTS, Column, TableSpec
from g2lstm.paper.translation import LANGUAGES

LM_LAYERS = 9  # the most that the configuration allows; a model's missing layers are left out
FORGET_TESTS = ("clause boundary", "punctuation", "function word")
TRANSITIONS = {"decoder.0.first": "first transition", "decoder.0.second": "second transition"}
LAYERS = {
    **{
        (task, "train", layer): f"{languages}, decoder: {name} of the attention layer"
        for task, languages in LANGUAGES.items()
        for layer, name in TRANSITIONS.items()
    },
    **{("lm", "finetune", f"lstm.{n}"): f"Language model: layer {n + 1}" for n in range(LM_LAYERS)},
}


def _columns():
    columns = {}
    for gate in ("input", "forget"):
        span = f"{gate.capitalize()} gate"
        for metric, title, decimals, scale, unit in (
            ("below_0.1", "Below 0.1", 1, 100.0, "%"),
            ("above_0.9", "Above 0.9", 1, 100.0, "%"),
            ("mean", "Mean", 2, 1.0, ""),
            ("entropy", "Entropy", 2, 1.0, ""),
        ):
            name = f"{gate}.{metric}"
            select = {"metric": name}
            columns[name] = Column(title, select, decimals, scale, unit, ranked=False, span=span)
    for test in FORGET_TESTS:
        select = {"metric": f"forget_auc.{test}"}
        columns[test] = Column(test.capitalize(), select, 2, ranked=False, span="AUC")
    return columns


GATE_TABLE = TableSpec(
    title="Input and forget gates of the original models in test mode: shares of elements, mean, "
    "and entropy of the histogram of 20 bins (in nats)",
    tasks=(*LANGUAGES, "lm"),
    rows={
        f"{task}:{layer}:{row_id}": {"task": task, "stage": stage, "split": layer, **selector}
        for task, stage, layer in LAYERS
        for row_id, selector in VARIANTS.items()
    },
    columns=_columns(),
    groups={
        title: tuple(f"{task}:{layer}:{row_id}" for row_id in VARIANTS)
        for (task, _, layer), title in LAYERS.items()
    },
    select={"setting": "original", "mode": GATES_MODE},
    sparse=True,
    note="Gates of the language model are read on its validation text, those of translation on "
    "sampled training pairs. AUC, on the test split: how well a low mean forget gate tells the "
    "named words from all others; 0.5 is chance.",
)
