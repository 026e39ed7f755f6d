"""The paper's sentences about gates (its Figures 1, 3 and 4) as predicates over our gate records.

The predicates say what ``measure`` in ``resources/claims.yaml`` describes. They see ``t.gates``:
the numbers of the first transition of the decoder's attention layer, German-English, by the row
ids ``baseline``, ``sharp`` and ``g2``.
"""

from g2lstm.paper.aggregate import BINS
from g2lstm.paper.gate_table import FORGET_TESTS
from g2lstm.paper.predicates import Missing
from g2lstm.paper.spec import GATES_MODE, VARIANTS

LAYER = {
    **{"task": "de-en", "stage": "train", "setting": "original"},
    **{"mode": GATES_MODE, "split": "decoder.0.first"},
}
DECIMALS = 4
PREDICATES = {
    "G23": "t.gates.g2.input.above_09 > t.gates.baseline.input.above_09 "
    "and t.gates.g2.input.bin_20 == t.gates.g2.input.largest_bin",
    "G24": "t.gates.g2.forget.below_01 + t.gates.g2.forget.above_09 "
    "> t.gates.baseline.forget.below_01 + t.gates.baseline.forget.above_09 "
    "and t.gates.g2.forget.bin_01 > t.gates.g2.forget.bin_02 "
    "and t.gates.g2.forget.bin_20 > t.gates.g2.forget.bin_19",
    "G25": "t.gates.baseline.input.largest_bin < 0.15 "
    "and t.gates.baseline.forget.largest_bin < 0.15",
    "G26": "t.gates.g2.lowest_input > 0.5 and t.gates.baseline.lowest_input < 0.5",
}
FORGET_REAL_TEXT = (
    "t.gates.g2.punctuation.lowest_decile_share + t.gates.g2.function_word.lowest_decile_share "
    "> t.gates.g2.punctuation.overall_share + t.gates.g2.function_word.overall_share"
)
FORGET_SYNTHETIC = (
    "t.gates.g2.clause_boundary.lowest_decile_share > t.gates.g2.clause_boundary.overall_share"
)


def gate_predicates(synthetic):
    """Return claim id -> expression.

    ``synthetic``: the German-English corpus is synthetic; its words are no real function words, but
    the clause boundaries are known. In real text it is the other way round.
    """
    return PREDICATES | {"G27": FORGET_SYNTHETIC if synthetic else FORGET_REAL_TEXT}


def gate_numbers(summary):
    """Return row id -> numbers, means over seeds, for the expressions of :func:`gate_predicates`.

    Per gate: ``below_01`` and ``above_09`` (shares of elements), ``bin_01`` to ``bin_20`` and
    ``largest_bin`` (shares of the histogram); ``lowest_input``; shares of each test of the forget
    gate. A number without a run is :class:`Missing`.
    """
    rows = summary
    for name, value in LAYER.items():
        rows = rows[rows[name] == value]
    means = rows.groupby(["variant", "metric"])["value"].mean().round(DECIMALS).to_dict()
    return {row_id: _row(means, **selector) for row_id, selector in VARIANTS.items()}


def _row(means, variant):
    def number(metric):
        return means.get((variant, metric), Missing())

    def gate(name):
        bins = {f"bin_{n:02d}": number(f"{name}.share_{n:02d}") for n in range(1, BINS + 1)}
        known = not any(isinstance(share, Missing) for share in bins.values())
        return bins | {
            "largest_bin": max(bins.values()) if known else Missing(),
            "below_01": number(f"{name}.below_0.1"),
            "above_09": number(f"{name}.above_0.9"),
        }

    tests = {
        test.replace(" ", "_"): {
            share: number(f"forget_{share}.{test}")
            for share in ("lowest_decile_share", "overall_share")
        }
        for test in FORGET_TESTS
    }
    gates = {name: gate(name) for name in ("input", "forget")}
    return {**gates, "lowest_input": number("lowest_input"), **tests}
