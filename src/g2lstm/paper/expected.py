"""Refuses records that are not of today's configuration.

Those that came with a clone, or were copied, know nothing of a setting that was changed since, and
neither does Snakemake.
"""

from itertools import chain

from g2lstm.config import job_differences
from g2lstm.errors import UserError
from g2lstm.plan import record_differences
from g2lstm.records import read_record

SHOWN = 3  # records, and differences, of all that are found


def require_expected(record_paths, training_paths, expected):
    """Raise UserError unless records, and the trainings behind them, are of today's configuration.

    ``expected``: what :func:`g2lstm.plan.expected` gives for the runs of ``training_paths``. One
    error names all that differs.
    """
    pairs = zip(training_paths, expected["jobs"], strict=True)
    found = {path: _job_differences(path, job) for path, job in pairs}
    for path in record_paths:
        record = read_record(path)
        if path not in found and record.get("task") in expected["tasks"]:
            found[path] = record_differences(record, expected["tasks"][record["task"]])
    found = {path: phrases for path, phrases in found.items() if phrases}
    if found:
        differences = list(dict.fromkeys(chain.from_iterable(found.values())))
        paths = _some([*map(str, found)])
        raise UserError(
            f"{paths}: of other settings ({_some(differences)}); delete what is of other settings "
            "to make it again, or set them back; make status lists all of it"
        )


def _job_differences(path, job):
    then = read_record(path).get("job", {})
    return job_differences(then, job) if then != job else []


def _some(phrases):
    more = len(phrases) - SHOWN
    return ", ".join(phrases[:SHOWN]) + (f" and {more} more" if more > 0 else "")
