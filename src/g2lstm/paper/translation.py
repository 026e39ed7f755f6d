"""Tables of machine translation: 2, 4 and 5 of the paper, and the appendix tables S1 and S2.

Tables 4 and 5 compress all matrices of the input and forget gates, as the paper's text says (scope
``paper``). Table S1 is the same for the matrices that the released code compresses: the recurrent
and the context matrices (scope ``code``); its layout has columns for each task,
``{"de-en": {"round": slug, ...}, "en-de": {...}}``. Table S2 sets intervals, the paired bootstrap
test and the detokenised score beside the BLEU of the original models, and, where WMT14 has been
translated, the BLEU of its second test set, newstest2014 in its filtered form of 2,737 sentences.
"""

from g2lstm.paper.spec import BEAM, VARIANTS, Column, TableSpec

LANGUAGES = {"de-en": "German-English", "en-de": "English-German"}
TEST_BLEU = {"stage": "train", "mode": BEAM, "split": "test", "metric": "bleu"}
COMPRESSED = ("round", "round_clip", "svd32", "svd16")
AGAINST = "Against the baseline"
INTERVAL = "95\N{NO-BREAK SPACE}% interval"
ROWS_BY_TASK = {
    f"{task}:{row_id}": {"task": task, **selector}
    for task in LANGUAGES
    for row_id, selector in VARIANTS.items()
}


def _groups_by_task(title):
    """Return one group of rows a task; ``title`` has the place ``{languages}``."""
    return {
        title.format(languages=languages): tuple(f"{task}:{row_id}" for row_id in VARIANTS)
        for task, languages in LANGUAGES.items()
    }


def _original():
    return Column("Original", {"setting": "original"}, 2)


def _unranked(title, metric, span, decimals=2, **shown):
    return Column(title, {"metric": metric}, decimals, ranked=False, span=span, **shown)


def _compression_table(task):
    """Return the table of test BLEU over settings of compression for one pair of languages."""
    return TableSpec(
        title=f"{LANGUAGES[task]} translation with compressed input and forget gates",
        tasks=(task,),
        rows=VARIANTS,
        columns={"original": _original()},
        groups={"Test BLEU": tuple(VARIANTS)},
        compressed=COMPRESSED,
        select={**TEST_BLEU, "task": task},
        precision=2,
        better="higher",
    )


TRANSLATION_TABLES = {
    "table2": TableSpec(
        title="Machine translation, BLEU of the tokenised test data",
        tasks=("en-de", "de-en"),
        rows=VARIANTS,
        columns={
            "en_de": Column("En-De", {"task": "en-de"}, 2),
            "de_en": Column("De-En", {"task": "de-en"}, 2),
        },
        groups={"Our system": tuple(VARIANTS)},
        select={**TEST_BLEU, "setting": "original"},
        precision=2,
        better="higher",
        note="De-En is scored in lower case.",
    ),
    "table4": _compression_table("de-en"),
    "table5": _compression_table("en-de"),
    "tableS1": TableSpec(
        title="Translation with compressed input and forget gates as in Tables 4 and 5, but only "
        "the recurrent and context matrices, as in the released code",
        tasks=tuple(LANGUAGES),
        rows=ROWS_BY_TASK,
        columns={"original": _original()},
        groups=_groups_by_task("{languages}, test BLEU"),
        compressed=COMPRESSED,
        scope="code",
        select=TEST_BLEU,
        precision=2,
        better="higher",
        note="Where a column has two settings, that of German-English comes first.",
    ),
    "tableS2": TableSpec(
        title="BLEU of the original translation models: of tokenised text, with its bootstrap "
        "interval over the test sentences, the paired bootstrap test, and of detokenised text",
        tasks=tuple(LANGUAGES),
        rows=ROWS_BY_TASK,
        columns={
            "bleu": Column("Tokenised", {}, 2),
            "bleu_low": _unranked("From", "bleu_low", INTERVAL, over_seeds="min"),
            "bleu_high": _unranked("To", "bleu_high", INTERVAL, over_seeds="max"),
            "difference": _unranked("Difference", "bleu_difference", AGAINST, signed=True),
            "p": _unranked("p", "p", AGAINST, decimals=3, over_seeds="max", floor=0.001),
            "detokenised": Column("Detokenised", {"metric": "bleu_detokenised"}, 2),
            "test_2737": Column(
                "Test of 2,737", {"split": "test-2737"}, 2, span="Tokenised", optional=True
            ),
        },
        groups=_groups_by_task("{languages}, test BLEU"),
        select={**TEST_BLEU, "setting": "original"},
        better="higher",
        note="Over several seeds, an interval reaches from the smallest lower to the largest upper "
        "bound, and p is the largest.",
    ),
}
