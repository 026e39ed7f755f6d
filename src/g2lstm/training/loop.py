"""The loop around every training run: resume, checkpoint by time and on signals, stop in time."""

import signal
import sys
import time
from pathlib import Path

from g2lstm.training import checkpoint

EXIT_INTERRUPTED = 75


class Interrupted(Exception):  # noqa: N818  not an error: the run is saved and can go on
    """The run was asked to stop; its checkpoint is written."""


class StopRequest:
    """Within the block, SIGTERM and SIGINT ask for a stop after the current step."""

    def __init__(self, time_budget=None):
        self.reason = None
        self.deadline = None if time_budget is None else time.monotonic() + time_budget

    def __enter__(self):
        self.handlers = {
            number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *exception):
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _ask(self, number, frame):
        self.reason = signal.Signals(number).name

    def __bool__(self):
        if self.deadline is not None and time.monotonic() > self.deadline:
            self.reason = "time budget"
        return self.reason is not None


def run(training, folder, interval, time_budget=None):
    """Drive ``training`` to its end, from its checkpoint in ``folder`` if there is one.

    ``training`` has ``finished``, ``start()``, ``step()``, ``state() -> (tensors, meta)``,
    ``restore(tensors, meta)`` and ``progress``. A checkpoint is written every ``interval``
    seconds, when the run ends, and on SIGTERM, SIGINT or ``time_budget`` seconds after the start,
    in which case :class:`Interrupted` is raised. Returns the seconds that the run took in earlier
    processes, up to the checkpoint.
    """
    folder, began, earlier = Path(folder), time.monotonic(), 0.0
    with StopRequest(time_budget) as stop:
        saved = checkpoint.load(folder)
        if saved is None:
            training.start()
        else:
            training.restore(*saved)
            earlier = saved[1].get("seconds", 0.0)
            print(f"resumed from {folder}: {training.progress}", file=sys.stderr, flush=True)
        last = time.monotonic()
        while not training.finished:
            training.step()
            asked = bool(stop)
            due = time.monotonic() - last > interval
            if asked or due or training.finished:
                tensors, meta = training.state()
                last = time.monotonic()
                checkpoint.save(folder, tensors, {**meta, "seconds": earlier + last - began})
            if asked and not training.finished:
                raise Interrupted(f"{stop.reason}: stopped and saved at {training.progress}")
    return earlier
