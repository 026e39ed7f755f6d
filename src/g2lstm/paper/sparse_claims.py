"""The claims of Lobacheva et al. (2020) that its figures show, and those about words alone.

Predicates about figures say what ``measure`` in ``resources/claims.yaml`` describes. They see
``t.left``: what is left of each task's models, by their names with ``_`` for ``-``. The paper's
sentences on several data sets or sizes are judged on the small word models alone too: these can be
run at full size on a CPU.
"""

from g2lstm.paper.predicates import Missing
from g2lstm.sparsify.structure import GATES
from g2lstm.tasks import METHODS, SPARSE

NAMES = ("gates1", "gates2", "neurons1", "neurons2", "only_o1", "only_o2", "far_o", "far_ifgo")
SHARES = tuple(f"gates{layer}_{gate}" for layer in (1, 2) for gate in GATES)
MOST_OUTPUTS = (
    "all(t.left.word_ptb_small[m]['gates' + l + '_o'] >= "
    "max(t.left.word_ptb_small[m]['gates' + l + '_' + k] for k in ('i', 'f', 'g')) "
    "for m in {methods} for l in ('1', '2'))"
)
KEEPS_OUTPUTS = MOST_OUTPUTS.format(methods="('bayes_wgn',)")
PREDICATES = {
    "L10": f"{KEEPS_OUTPUTS} and all(2 * t.left[s].bayes_wgn.gates1_o < "
    "t.left[s].bayes_wgn.neurons1 and t.left[s].bayes_wgn.gates1_g == "
    "max(t.left[s].bayes_wgn['gates1_' + k] for k in ('i', 'f', 'g', 'o')) "
    "for s in ('imdb', 'agnews'))",
    # Of the constant gates of the layer, most are in neurons with the output gate alone.
    "L11": "2 * 3 * t.left.word_ptb_small.bayes_wgn.only_o2 > "
    "4 * t.left.word_ptb_small.bayes_wgn.neurons2 - t.left.word_ptb_small.bayes_wgn.gates2",
    "L12": "t.left.word_ptb_small.bayes_wgn.far_o < t.left.word_ptb_small.bayes_wgn.far_ifgo",
    "L14": MOST_OUTPUTS.format(methods="('bayes_w', 'pruning_wgn')"),
}
ON_WORDS = {
    "L04": "all(t.table2['word_' + m].test < t.table2.word_original.test "
    "for m in ('w', 'wn', 'wgn'))",
    "L05": "all(t.table2.word_wgn[c + l] < min(t.table2.word_w[c + l], t.table2.word_wn[c + l]) "
    "for c in ('neurons', 'gates') for l in ('1', '2'))",
    "L07": "t.table2.word_wgn.compression < t.table2.word_wn.compression",
    "L09": "all(t.table1.small_wgn['gates' + l] < 4 * t.table1.small_wgn['neurons' + l] "
    "for l in ('1', '2')) and t.table2.word_wgn.gates1 < 4 * t.table2.word_wgn.neurons1",
    "L10": KEEPS_OUTPUTS,
}
BOTH_SIZES, SMALL = "('small', 'large')", "('small',)"


def with_words_alone(claims):
    """Yield claims; one about more than the small word models is also judged on them alone."""
    for claim in claims:
        yield claim
        expression = claim["expr"] or ""
        if claim["id"] in ON_WORDS:
            expression = ON_WORDS[claim["id"]]
        elif BOTH_SIZES in expression:
            expression = expression.replace(BOTH_SIZES, SMALL)
        else:
            continue
        yield {**claim, "id": f"{claim['id']}, small word models", "expr": expression}


def left_numbers(summary):
    """Return task -> method -> numbers, means over seeds, for the expressions about ``t.left``."""
    means = summary.groupby(["task", "variant", "metric"])["value"].mean().to_dict()
    return {
        task.replace("-", "_"): {
            method.replace("-", "_"): {
                name: means.get((task, method, name), Missing()) for name in (*NAMES, *SHARES)
            }
            for method in METHODS
        }
        for task in SPARSE
    }
