"""The tasks of the pipeline, their last stages, and what each table is about."""

from typing import NamedTuple


class Pair(NamedTuple):
    """The direction of a translation task, and whether its text is lower-cased, as in the paper."""

    source: str
    target: str
    lowercase: bool


PAIRS = {"de-en": Pair("de", "en", lowercase=True), "en-de": Pair("en", "de", lowercase=False)}
TRANSLATION = tuple(PAIRS)
TASKS = ("lm", *TRANSLATION)
FINAL_STAGE = {"lm": "finetune", "de-en": "train", "en-de": "train"}
# Raise by hand when a change of code or of a default changes what a training run computes.
STAGE_VERSION = {"lm": 4, "de-en": 3, "en-de": 3}
TABLE_TASKS = {  # what a table is about
    **dict.fromkeys(("table1", "table3", "table6", "table7"), ("lm",)),
    **dict.fromkeys(("table2", "tableS1", "tableS2"), TRANSLATION),
    "table4": ("de-en",),
    "table5": ("en-de",),
    "tableS3": TASKS,
}
