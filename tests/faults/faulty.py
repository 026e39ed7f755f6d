"""The package with a fault built in, started in the place of ``python -m g2lstm``.

``FAULT="training:3:FILE"`` in the environment: at the third call of that place, the process makes
FILE and waits until it is gone, so that a test can strike just there. The places are ``training``
(in a step), ``validation`` and ``checkpoint`` (half written). ``nan:3`` spoils the loss of the
third step, ``clock`` lets the clock run backwards, fast.
"""

import os
import sys
import time
from itertools import count
from pathlib import Path

from g2lstm import cli

PATIENCE = 1200  # seconds


def at_call(number, owner, name, act, counts=lambda *_: True):
    """Call ``act`` before the ``number``-th call of a function that ``counts``."""
    original, calls = getattr(owner, name), count(1)

    def replaced(*arguments, **options):
        if counts(*arguments) and next(calls) == number:
            arguments = act(*arguments) or arguments
        return original(*arguments, **options)

    setattr(owner, name, replaced)


def wait(marker):
    Path(marker).touch()
    until = time.monotonic() + PATIENCE
    while Path(marker).exists():
        if time.monotonic() > until:
            sys.exit("nobody has struck: the test is gone")
        time.sleep(0.01)


def pause(place, number, marker):
    from g2lstm.lm import stream as lm
    from g2lstm.nmt import train as nmt
    from g2lstm.training.run import TrainingRun

    def write_half(path, content):
        with open(path, "wb") as stream:
            stream.write(content[: len(content) // 2])
        wait(marker)

    def is_checkpoint(path, _):
        return path.name.startswith(".checkpoint.safetensors.")

    if place == "training":
        at_call(number, TrainingRun, "_add_loss", lambda *_: wait(marker))
    if place == "validation":
        at_call(number, lm, "nats_per_token", lambda *_: wait(marker))
        at_call(number, nmt, "nats_per_word", lambda *_: wait(marker))
    if place == "checkpoint":
        at_call(number, Path, "write_bytes", write_half, is_checkpoint)


def spoil(number):
    from g2lstm.training.run import TrainingRun

    at_call(number, TrainingRun, "_add_loss", lambda run, nats, n: (run, nats * float("nan"), n))


def main():
    place, *rest = os.environ.get("FAULT", "none").split(":")
    if place == "clock":
        time.time = lambda: -1000 * time.monotonic()
    elif sys.argv[1] == "train" and place == "nan":
        spoil(int(rest[0]))
    elif sys.argv[1] == "train" and rest:
        pause(place, int(rest[0]), rest[1])
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
