"""One tidy table of numbers out of the JSON records of many runs.

Columns: task, variant, seed, stage, setting, mode, split, metric, value. Sizes are metrics too,
with split ``-``. A corpus is the variant ``corpus`` with its name as metric and the value 1; the
exact perplexity of a synthetic source is the variant ``oracle``. Both have no seed and no stage.

The paired bootstrap between models gives two metrics of each variant but the baseline, on the split
``test``: ``bleu_difference`` (to the baseline, in BLEU) and ``p``.

Gates are the mode ``gates`` with the layer as split. Metrics: ``input.mean``, ``input.entropy``,
``input.below_0.1``, ``input.above_0.9``, ``input.elements`` and ``input.share_01`` to
``input.share_20`` (the bins of the histogram in rising order, as shares), the same for ``forget``;
on the layer whose words are recorded also ``lowest_input`` (the smallest mean input gate of a word)
and ``forget_auc.punctuation``, ``forget_lowest_decile_share.punctuation`` and so on for each test.
"""

import io
from pathlib import Path

import pandas as pd

from g2lstm.errors import UserError
from g2lstm.paper.spec import GATES_MODE
from g2lstm.records import read_record, write_text

KEY = ["task", "variant", "seed", "stage", "setting", "mode", "split", "metric"]
COLUMNS = [*KEY, "value"]
NOT_SPLIT = "-"
ORACLE_RUN = {"variant": "oracle", "stage": "-", "setting": "original", "mode": "plain"}
CORPUS_RUN = {"variant": "corpus", "stage": "-", "setting": "-", "mode": "-"}
BINS = 20  # of the histograms of gates


def aggregate(record_paths):
    """Return a DataFrame with the columns ``COLUMNS``, sorted, one row per number.

    Reads records of the kinds ``evaluation``, ``significance``, ``gates`` and ``corpus``; the order
    of the paths does not matter. Raises UserError on another kind, on histograms of another number
    of bins, on runs of two presets, on two records of the same run, and when there is nothing to
    read.
    """
    records = {str(path): read_record(path) for path in record_paths}
    _require_one_preset(records)
    rows = [row for path, record in records.items() for row in _rows(path, record)]
    if not rows:
        raise UserError("no evaluation records to aggregate; run the evaluations first")
    frame = pd.DataFrame(rows, columns=COLUMNS)
    frame["seed"] = frame["seed"].astype("Int64")
    _require_once(frame, "records")
    return frame.sort_values(KEY, na_position="first", ignore_index=True)


def _require_once(frame, sources):
    """Raise UserError when two of the ``sources`` (records or summaries) give the same number."""
    twice = frame[frame.duplicated(KEY)]
    if len(twice):
        first = ", ".join(f"{name} {twice.iloc[0][name]}" for name in KEY[:6])
        raise UserError(f"two {sources} of the same run ({first}); give each run once")


def _require_one_preset(records):
    presets = {record["preset"] for record in records.values() if "preset" in record}
    if len(presets) > 1:
        raise UserError(
            f"records of several presets ({', '.join(sorted(presets))}); aggregate each on its own"
        )


def _rows(path, record):
    """Return the rows of one record, by its kind."""
    readers = {
        "evaluation": _evaluation_rows,
        "significance": _significance_rows,
        "gates": _gate_rows,
        "corpus": _corpus_rows,
    }
    kind = record.get("kind")
    if kind not in readers:
        raise UserError(f"{path}: a record of kind {kind!r}; aggregate takes {', '.join(readers)}")
    if record.get("bins", BINS) != BINS:
        raise UserError(f"{path}: histograms of {record['bins']} bins; record them with {BINS}")
    return readers[kind](record)


def _evaluation_rows(record):
    """Yield metrics and sizes; a cache tuned on validation is a mode of its own."""
    names = ("task", "variant", "seed", "stage", "setting", "mode")
    key = {name: record[name] for name in names}
    for split, numbers in (*record["metrics"].items(), (NOT_SPLIT, record.get("size", {}))):
        tuned = numbers.get("tuned", {})
        fixed = {metric: value for metric, value in numbers.items() if metric != "tuned"}
        yield from _number_rows(key, split, fixed)
        yield from _number_rows({**key, "mode": f"{key['mode']}-tuned"}, split, tuned)


def _significance_rows(record):
    """Yield each variant's difference to the baseline and its p-value; the baseline has none."""
    for variant, numbers in record["tests"].items():
        key = {name: record[name] for name in ("task", "seed", "stage", "mode")}
        key |= {"variant": variant, "setting": "original"}
        if numbers["p"] is not None:
            values = {"bleu_difference": numbers["difference"], "p": numbers["p"]}
            yield from _number_rows(key, "test", values)


def _corpus_rows(record):
    """Yield the name of the corpus and, for a synthetic one, the source's own perplexity."""
    key = {"task": record["task"], "seed": None}
    yield from _number_rows({**key, **CORPUS_RUN}, NOT_SPLIT, {record["corpus"]: 1.0})
    for split, numbers in record.get("oracle", {}).items():
        yield from _number_rows({**key, **ORACLE_RUN}, split, numbers)


def _gate_rows(record):
    """Yield the statistics of each layer's gates, and those of words on the layer of the words.

    A test without positives or negatives has no area under its curve (null) and gives no row.
    """
    key = {name: record[name] for name in ("task", "variant", "seed", "stage")}
    key |= {"setting": "original", "mode": GATES_MODE}
    for layer, gates in record["layers"].items():
        for gate, statistics in gates.items():
            numbers = _gate_numbers(statistics)
            yield from _number_rows(key, layer, {f"{gate}.{k}": v for k, v in numbers.items()})
    if "words" not in record:
        return
    words = {"lowest_input": record["words_summary"]["lowest_input"]}
    for test, numbers in record["forget_tests"].items():
        words |= {f"forget_{k}.{test}": v for k, v in numbers.items() if v is not None}
    yield from _number_rows(key, record["words"]["layer"], words)


def _gate_numbers(statistics):
    """Return the numbers of one gate, the counts of its histogram as shares."""
    numbers = {name: value for name, value in statistics.items() if name != "histogram"}
    counts = statistics["histogram"]
    return numbers | {f"share_{n:02d}": count / sum(counts) for n, count in enumerate(counts, 1)}


def _number_rows(key, split, numbers):
    for metric, value in numbers.items():
        yield {**key, "split": split, "metric": metric, "value": float(value)}


def write_summary(frame, path):
    """Write the table of :func:`aggregate` as CSV; every float is read back as the same float."""
    write_text(path, frame.to_csv(index=False, lineterminator="\n"))


def read_summaries(paths):
    """Read several files of :func:`write_summary`, one for each task, as one table.

    Raises UserError when two of them hold the same run, and as :func:`read_summary` does.
    """
    frame = pd.concat([read_summary(path) for path in paths], ignore_index=True)
    _require_once(frame, "summaries")
    return frame


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


def corpus_of(summary, task):
    """Return the name of a task's corpus, such as ``ptb`` or ``synthetic``; None if not known."""
    rows = summary[(summary["task"] == task) & (summary["variant"] == CORPUS_RUN["variant"])]
    return rows["metric"].iloc[0] if len(rows) else None
