"""Where the numbers of a table come from: commits, devices, corpora, seeds, versions.

A file beside each summary has one row a record: what names its run in the summary, then the facts
of the record and of the provenance beside it. A training run is the mode ``training``. A fact that
was not recorded is empty; a record without any provenance has no ``g2lstm``.
"""

import csv
import io
from pathlib import Path

from g2lstm.errors import UserError
from g2lstm.records import read_provenance, read_record, write_text

RUN = ["task", "variant", "seed", "stage", "setting", "mode"]
VERSIONS = {"g2lstm": "g2lstm", "python": "Python", "torch": "PyTorch", "numpy": "NumPy"}
COLUMNS = [*RUN, "corpus", "commit", "device", "kernel", *VERSIONS]
TRAINING = "training"
SHORT = 12  # hexadecimal digits of a commit or hash that are shown
NOT_RECORDED = "not recorded"


def write_provenance_table(record_paths, path):
    """Write one row for each record of a model: training, evaluation, significance, gates."""
    rows = [row for record_path in record_paths for row in _rows(record_path)]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: [row[name] for name in COLUMNS]))
    write_text(path, stream.getvalue())


def _rows(record_path):
    """Return the rows of one record: a comparison of variants has one for each of them."""
    record = read_record(record_path)
    kind = record.get("kind")
    if kind == "corpus":
        return []
    facts = read_provenance(record_path) or {}
    run = {
        "task": record["task"],
        "seed": str(record["seed"]),
        "stage": record["stage"],
        "setting": record.get("setting", "-" if kind == "training" else "original"),
        "mode": record.get("mode", kind),
        "corpus": record.get("data", {}).get("corpus", ""),
        "device": facts.get("device_name") or facts.get("device") or "",
    }
    run |= {name: facts.get(name) or "" for name in ("commit", "kernel", *VERSIONS)}
    variants = record["tests"] if kind == "significance" else [record["variant"]]
    return [{**run, "variant": variant} for variant in variants]


def read_provenance_tables(paths):
    """Return the rows of several files; UserError when one is missing or of other columns."""
    rows = []
    for path in paths:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; aggregate the records first") from None
        reader = csv.DictReader(io.StringIO(text))
        if reader.fieldnames != COLUMNS:
            raise UserError(f"{path}: its columns are not {','.join(COLUMNS)}; aggregate again")
        rows += reader
    return rows


def provenance_notes(rows, runs):
    """Return the sentences under a table that shows ``runs`` (task, variant, stage, setting, mode).

    The training runs behind them are those of the same task, variant and seed, up to their stage.
    """
    names = ("task", "variant", "stage", "setting", "mode")
    measured = [row for row in rows if tuple(row[name] for name in names) in runs]
    models = {(row["task"], row["variant"], row["seed"], row["stage"]) for row in measured}
    models |= {(*run, "train") for *run, _ in models}
    names = ("task", "variant", "seed", "stage")
    trained = [
        row
        for row in rows
        if row["mode"] == TRAINING and tuple(row[name] for name in names) in models
    ]
    return tuple(_sentences(trained, measured))


def _sentences(trained, measured):
    recorded = [row for row in (*trained, *measured) if row["g2lstm"]]
    if not recorded:
        yield "No provenance recorded."
        return
    yield _work("Training", trained, ("commit", "device", "kernel"))
    yield _work("Evaluation", measured, ("commit", "device"))
    corpora = sorted({(row["task"], row["corpus"][:SHORT]) for row in measured if row["corpus"]})
    yield f"Data (SHA-256): {', '.join(' '.join(corpus) for corpus in corpora)}."
    seeds = sorted({int(row["seed"]) for row in measured})
    yield f"Seeds: {', '.join(map(str, seeds))}."
    versions = (f"{title} {_values(recorded, name)}" for name, title in VERSIONS.items())
    yield f"Versions: {', '.join(versions)}."


def _work(title, rows, names):
    """Return what is known of a kind of work, and of how many of its records nothing is."""
    recorded = [row for row in rows if row["g2lstm"]]
    if not recorded:
        return f"{title}: no provenance recorded."
    facts = [f"{name} {_values(recorded, name)}" for name in names]
    if missing := len(rows) - len(recorded):
        facts.append(f"no provenance recorded for {missing} of {len(rows)} records")
    return f"{title}: {', '.join(facts)}."


def _values(rows, name):
    values = {row[name] for row in rows}
    if name == "commit":
        values = {_short(commit) for commit in values}
    return " / ".join(value or NOT_RECORDED for value in sorted(values))


def _short(commit):
    """Return a commit with fewer digits; it may end in ``+dirty``."""
    digits, plus, state = commit.partition("+")
    return digits[:SHORT] + plus + state
