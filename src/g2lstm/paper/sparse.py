"""Tables of the papers on structured sparsity, with print beside ours.

``sparse_pruning`` and ``sparse_bayes`` are Tables 1 and 2 of Lobacheva et al. (2020), the latter's
rows about words.
"""

from g2lstm.paper.spec import Column, TableSpec

LOBACHEVA = "Lobacheva et al., 2020"
TASK = "word-ptb-small"
PRUNING_ROWS = {
    "small_original": "original",
    "small_wn": "pruning-wn",
    "small_wgn": "pruning-wgn",
}
BAYES_ROWS = {
    "word_original": "original",
    "word_w": "bayes-w",
    "word_wn": "bayes-wn",
    "word_wgn": "bayes-wgn",
}


def _left(title, name, span):
    return Column(title, {"split": "-", "metric": name}, 0, ranked=False, span=span)


def _table(title, printed, rows):
    """Return a table of language models; ``rows``: id in print -> method of ours."""
    return TableSpec(
        title=title,
        tasks=(TASK,),
        rows={row_id: {"variant": method} for row_id, method in rows.items()},
        columns={
            "valid": Column("Valid", {"split": "valid"}, 2, span="Perplexity"),
            "test": Column("Test", {"split": "test"}, 2, span="Perplexity"),
            "compression": Column(
                "Compression", {"split": "-", "metric": "compression"}, 2, ranked=False,
                unit="\N{MULTIPLICATION SIGN}",
            ),
            "neurons1": _left("Layer 1", "neurons1", "Neurons left"),
            "neurons2": _left("Layer 2", "neurons2", "Neurons left"),
            "gates1": _left("Layer 1", "gates1", "Gates not constant"),
            "gates2": _left("Layer 2", "gates2", "Gates not constant"),
        },
        groups={"Small model": tuple(rows)},
        select={
            "task": TASK, "stage": "train", "setting": "original", "mode": "plain",
            "metric": "perplexity",
        },
        paper="lobacheva2020",
        printed=printed,
        source=f"Table {printed.removeprefix('table')} of {LOBACHEVA}",
        beside=True,
        note="Compression: all weights of matrices over those that are not zero.",
    )  # fmt: skip


SPARSE_TABLES = {
    "sparse_pruning": _table("Structured sparsification by pruning", "table1", PRUNING_ROWS),
    "sparse_bayes": _table(
        "Structured sparsification by sparse variational dropout", "table2", BAYES_ROWS
    ),
}
