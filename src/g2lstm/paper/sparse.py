"""Tables of the papers on structured sparsity, with print below ours.

``sparse_pruning`` and ``sparse_bayes`` are Tables 1 and 2 of Lobacheva et al. (2020), ``iss_lstm``
and ``iss_rhn`` those of Wen et al. (2018). Row ids are those of print; columns that print does not
have say what our exported models take on disk and how much faster they are.
"""

from dataclasses import replace

from g2lstm.paper.spec import Column, TableSpec

LOBACHEVA, WEN = "lobacheva2020", "iss2018"
SOURCES = {LOBACHEVA: "Lobacheva et al., 2020", WEN: "Wen et al., 2018"}
TIMES = "\N{MULTIPLICATION SIGN}"
NOTE = (
    "Compression: all weights of matrices over those that are not zero. Size: of the exported "
    "model. Speed-up: time of a forward pass of the dense model over that of the exported one, "
    "measured side by side on our machine."
)


def _size(title, metric, decimals=0, span="", **others):
    """Return a column about a model's size, which is not ranked."""
    select = {"split": "-", "metric": metric}
    return Column(title, select, decimals, ranked=False, span=span, **others)


QUALITY = {
    "valid": Column("Valid", {"split": "valid"}, 2, span="Perplexity"),
    "test": Column("Test", {"split": "test"}, 2, span="Perplexity"),
}
EXPORTED = {  # not in print
    "bytes": _size("Size", "file_bytes", unit="B", optional=True),
    "exported_speedup": Column(
        "Speed-up", {"split": "-", "mode": "speed", "metric": "speedup"}, 2, unit=TIMES,
        ranked=False, optional=True,
    ),
}  # fmt: skip
STRUCTURE = {
    "compression": _size("Compression", "compression", 2, unit=TIMES),
    "neurons1": _size("Layer 1", "neurons1", span="Neurons left"),
    "neurons2": _size("Layer 2", "neurons2", span="Neurons left"),
    "gates1": _size("Layer 1", "gates1", span="Gates not constant"),
    "gates2": _size("Layer 2", "gates2", span="Gates not constant"),
}


def _rows(start, task, methods, metric="perplexity"):
    """Return the rows of one task; ``methods``: end of the id in print -> method of ours."""
    same = {"task": task, "metric": metric}
    return {f"{start}{end}": {**same, "variant": method} for end, method in methods.items()}


def _table(paper, title, printed, groups, columns, **others):
    """Return a table; ``groups``: title of a group -> its rows."""
    rows = {row_id: row for group in groups.values() for row_id, row in group.items()}
    return TableSpec(
        title=title,
        tasks=tuple(dict.fromkeys(row["task"] for row in rows.values())),
        rows=rows,
        columns=columns,
        groups={name: tuple(group) for name, group in groups.items()},
        select={"stage": "train", "setting": "original", "mode": "plain"},
        paper=paper,
        printed=printed,
        source=f"Table {printed.removeprefix('table')} of {SOURCES[paper]}",
        beside=True,
        **others,
    )


PRUNING = {"original": "original", "wn": "pruning-wn", "wgn": "pruning-wgn"}
BAYES = {"original": "original", "w": "bayes-w", "wn": "bayes-wn", "wgn": "bayes-wgn"}
ISS = {"baseline": "original", "iss_a": "iss-a", "iss_b": "iss-b", "direct_design": "direct"}
WIDTHS = {"baseline": "original"} | {f"iss_00{n}": f"iss-00{n}" for n in (4, 5, 6, 7)}
SPARSE_TABLES = {
    "sparse_pruning": _table(
        LOBACHEVA,
        "Structured sparsification by pruning",
        "table1",
        {
            "Small model": _rows("small_", "word-ptb-small", PRUNING),
            "Large model": _rows("large_", "word-ptb-large", PRUNING),
        },
        QUALITY | STRUCTURE | EXPORTED,
        note=NOTE,
    ),
    "sparse_bayes": _table(
        LOBACHEVA,
        "Structured sparsification by sparse variational dropout",
        "table2",
        {
            "IMDb, accuracy (%)": _rows("imdb_", "imdb", BAYES, "accuracy"),
            "AGNews, accuracy (%)": _rows("agnews_", "agnews", BAYES, "accuracy"),
            "Characters, bits per character": _rows("char_", "char-ptb", BAYES, "bpc"),
            "Words, perplexity": _rows("word_", "word-ptb-small", BAYES),
        },
        {name: replace(column, span="Quality") for name, column in QUALITY.items()}
        | STRUCTURE
        | EXPORTED,
        higher=("IMDb, accuracy (%)", "AGNews, accuracy (%)"),
        decimals={"Characters, bits per character": 3},
        note=NOTE,
    ),
    "iss_lstm": _table(
        WEN,
        "Intrinsic sparse structures of two stacked LSTM layers",
        "table1",
        {"Large model": _rows("", "word-ptb-large", ISS)},
        {
            "keep": _size("Keep ratio", "keep", 2),
            **QUALITY,
            "iss1": _size("Layer 1", "neurons1", span="ISS size"),
            "iss2": _size("Layer 2", "neurons2", span="ISS size"),
            "weights_m": _size("Weights", "dense_weights", 1, scale=1e-6, unit="M"),
            "time_ms": Column(
                "Time", {"split": "-", "mode": "speed", "metric": "milliseconds"}, 2, unit=" ms",
                ranked=False,
            ),
            "speedup": replace(EXPORTED["exported_speedup"], optional=False),
            "multadd": _size("Fewer products", "multadd", 2, unit=TIMES),
        },
        note="Size: the neurons that anything reads. "
        "Time: a forward pass of 30 steps and 10 sequences through the smaller dense model.",
    ),
    "iss_rhn": _table(
        WEN,
        "Intrinsic sparse structures of a recurrent highway network",
        "table2",
        {"Recurrent highway network": _rows("", "word-ptb-rhn", WIDTHS)},
        {
            "lambda_": _size("λ", "lambda1", 3),
            **QUALITY,
            "width": _size("Width", "neurons1"),
            "params_m": _size("Parameters", "dense_weights", 1, scale=1e-6, unit="M"),
        },
    ),
}  # fmt: skip
