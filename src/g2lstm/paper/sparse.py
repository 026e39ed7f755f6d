"""Tables of the papers on structured sparsity, with print beside ours.

``sparse_pruning`` is Table 1 of Lobacheva et al. (2020).
"""

from g2lstm.paper.spec import Column, TableSpec

LOBACHEVA = "Lobacheva et al., 2020"
METHOD_ROWS = {"original": "original", "wn": "pruning-wn", "wgn": "pruning-wgn"}


def _left(title, name, span):
    return Column(title, {"split": "-", "metric": name}, 0, ranked=False, span=span)


SPARSE_TABLES = {
    "sparse_pruning": TableSpec(
        title="Structured sparsification by pruning",
        tasks=("word-ptb-small",),
        rows={f"small_{row}": {"variant": method} for row, method in METHOD_ROWS.items()},
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
        groups={"Small model": tuple(f"small_{row}" for row in METHOD_ROWS)},
        select={
            "task": "word-ptb-small", "stage": "train", "setting": "original", "mode": "plain",
            "metric": "perplexity",
        },
        paper="lobacheva2020",
        printed="table1",
        source=f"Table 1 of {LOBACHEVA}",
        beside=True,
        note="Compression: all weights of matrices over those that are not zero.",
    ),
}  # fmt: skip
