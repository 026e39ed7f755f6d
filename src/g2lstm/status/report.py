"""The state of all runs as text: a line each, then the sums."""

from collections import Counter

from g2lstm.status.survey import MISSING, STATES

HEADER = ("task", "variant", "seed", "stage", "state", "evaluations", "")
NOTES = 3  # that a line shows at most


def report(survey):
    """Return the lines about a :class:`g2lstm.status.survey.Survey`."""
    preset = survey.config["preset"]
    states = Counter(status.state for status in survey.runs)
    evaluations = sum((status.evaluations for status in survey.runs), Counter())
    folder = survey.root / "results" / preset
    if set(states) | set(evaluations) == {MISSING}:
        return [f"{folder}: nothing yet of {len(survey.runs)} training runs (preset {preset})"]
    lines = [f"{survey.config['label']} ({folder})", ""]
    lines += _aligned([HEADER, *(_row(status) for status in survey.runs)])
    sums = {"training runs": states, "evaluations": evaluations}
    sums |= {"paired tests": survey.significance, "published files": survey.files}
    lines += ["", *(f"{title}: {_counts(counts)}" for title, counts in sums.items())]
    return lines


def _row(status):
    _, *names = status.run
    notes = status.notes[:NOTES]
    if len(status.notes) > NOTES:
        notes.append(f"and {len(status.notes) - NOTES} more")
    return (*map(str, names), status.state, _counts(status.evaluations), "; ".join(notes))


def _counts(counts):
    """Return how many are in which state, such as ``19 done, 2 stale``."""
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def _aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
