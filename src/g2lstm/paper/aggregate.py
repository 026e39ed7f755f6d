"""One tidy table of numbers out of the JSON records of many runs.

Columns: task, variant, seed, stage, setting, mode, split, metric, value. Sizes are metrics too,
with split ``-``. The exact perplexity of a synthetic source is the variant ``oracle``, which has no
seed and no stage.
"""

import io
from pathlib import Path

import pandas as pd

from g2lstm.errors import UserError
from g2lstm.records import read_record, write_text

KEY = ["task", "variant", "seed", "stage", "setting", "mode", "split", "metric"]
COLUMNS = [*KEY, "value"]
NOT_SPLIT = "-"
ORACLE_RUN = {"variant": "oracle", "stage": "-", "setting": "original", "mode": "plain"}


def aggregate(record_paths):
    """Return a DataFrame with the columns ``COLUMNS``, sorted, one row per number.

    Reads records of the kinds ``evaluation`` and ``corpus``; the order of the paths does not
    matter. Raises UserError on another kind, on runs of two presets, on two records of the same
    run, and when there is nothing to read.
    """
    records = {str(path): read_record(path) for path in record_paths}
    _require_one_preset(records)
    rows = [row for path, record in records.items() for row in _rows(path, record)]
    if not rows:
        raise UserError("no evaluation records to aggregate; run the evaluations first")
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame["seed"] = frame["seed"].astype("Int64")
    twice = frame[frame.duplicated(KEY)]
    if len(twice):
        first = ", ".join(f"{name} {twice.iloc[0][name]}" for name in KEY[:6])
        raise UserError(f"two records of the same run ({first}); give each run once")
    return frame.sort_values(KEY, na_position="first", ignore_index=True)


def _require_one_preset(records):
    presets = {record["preset"] for record in records.values() if "preset" in record}
    if len(presets) > 1:
        raise UserError(
            f"records of several presets ({', '.join(sorted(presets))}); aggregate each on its own"
        )


def _rows(path, record):
    """Yield the rows of one record; a cache tuned on validation is a mode of its own."""
    kind = record.get("kind")
    if kind == "evaluation":
        names = ("task", "variant", "seed", "stage", "setting", "mode")
        metrics, sizes = record["metrics"], record.get("size", {})
        key = {name: record[name] for name in names}
    elif kind == "corpus":
        metrics, sizes = record.get("oracle", {}), {}
        key = {"task": record["task"], "seed": None, **ORACLE_RUN}
    else:
        raise UserError(f"{path}: a record of kind {kind!r}; aggregate takes evaluation and corpus")
    for split, numbers in (*metrics.items(), (NOT_SPLIT, sizes)):
        tuned = numbers.get("tuned", {})
        fixed = {metric: value for metric, value in numbers.items() if metric != "tuned"}
        for mode, values in ((key["mode"], fixed), (f"{key['mode']}-tuned", tuned)):
            for metric, value in values.items():
                row = {"mode": mode, "split": split, "metric": metric, "value": float(value)}
                yield {**key, **row}


def write_summary(frame, path):
    """Write the table of :func:`aggregate` as CSV; every float is read back as the same float."""
    write_text(path, frame.to_csv(index=False, lineterminator="\n"))


def read_summary(path):
    """Read the CSV of :func:`write_summary`; UserError when it is missing or of other columns."""
    types = dict.fromkeys(COLUMNS, str) | {"seed": "Int64"}
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such summary; aggregate the evaluation records first"
        ) from None
    try:
        frame = pd.read_csv(io.StringIO(text), dtype=types)
        if list(frame.columns) != COLUMNS:
            raise ValueError(f"its columns are not {','.join(COLUMNS)}")
        # pandas' own number parser may be off in the last bit
        frame["value"] = [float(value) for value in frame["value"]]
    except ValueError as error:
        raise UserError(f"{path}: unreadable summary ({error}); aggregate again") from error
    return frame


def is_synthetic(summary, task):
    """Tell whether a task's corpus is synthetic: only then the source's own perplexity is known."""
    return bool(((summary["task"] == task) & (summary["variant"] == ORACLE_RUN["variant"])).any())
