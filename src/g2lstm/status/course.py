"""How far a training run is, by the ``history.jsonl`` of its checkpoint folder."""

import json
import math
import time
from statistics import median

from g2lstm.training.folder import HISTORY

RECENT = 5  # validations whose time tells the time left


class Course:
    """The course of a run so far.

    Parameters
    ----------
    folder : checkpoint folder of the run
    schedule : section of the job with ``epochs``, or ``updates`` and ``validate_every``
    """

    def __init__(self, folder, schedule):
        self.schedule = schedule
        self.unit = "epoch" if "epochs" in schedule else "updates"
        self.entries, self.problems = [], []
        path, lines = folder / HISTORY, []
        if path.exists():
            lines, self.changed = path.read_bytes().splitlines(), path.stat().st_mtime
        for number, line in enumerate(lines, 1):
            try:
                self.entries.append(self._entry(line))
            except (ValueError, TypeError, KeyError):
                self.problems.append(f"{HISTORY}: line {number} is half-written or damaged")

    def _entry(self, line):
        """Return a line with the numbers that are shown of it; raise when it is not whole."""
        entry = json.loads(line)
        names = (self.unit, "valid_perplexity", "seconds")
        return {**entry, **{name: float(entry[name]) for name in names}}

    def standing(self):
        """Return where the last validation was and what it gave."""
        if not self.entries:
            return "before its first validation"
        last = self.entries[-1]
        if self.unit == "epoch":
            place = f"epoch {last['epoch']:g} of {self.schedule['epochs']} done"
        else:
            place = f"{last['updates']:g} of {self.schedule['updates']} updates done"
        text = f"{place}, valid ppl {last['valid_perplexity']:.2f}"
        if "valid_accuracy" in last:
            text += f", accuracy {last['valid_accuracy']:.2f} %"
        if last.get("valid_bleu") is not None:
            text += f", BLEU {last['valid_bleu']:.2f}"
        return text

    def time_left(self):
        """Return the most that a running process still needs, in words; empty when not known."""
        if not self.entries:
            return ""
        pace = median(entry["seconds"] for entry in self.entries[-RECENT:])
        elapsed = min(max(time.time() - self.changed, 0.0), pace)
        seconds = self._validations_left() * pace - elapsed
        return f"at most {duration(max(seconds, 0.0))} left"

    def _validations_left(self):
        last = self.entries[-1]
        if self.unit == "epoch":
            return self.schedule["epochs"] - last["epoch"]
        updates = self.schedule["updates"] - last["updates"]
        return math.ceil(updates / self.schedule["validate_every"])


def duration(seconds):
    """Return a time in its two largest units, such as ``2 h 05 min``."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // (24 * 60)} d {minutes // 60 % 24} h"
