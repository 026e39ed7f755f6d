"""The course of a run: one line an epoch for people and logs, ``history.jsonl``, TensorBoard."""

import json
import math
import sys
import time
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar
from tqdm import tqdm

from g2lstm.records import write_text
from g2lstm.training.folder import HISTORY


class History:
    """Epochs (or validations) of one run, kept in its checkpoint folder.

    ``epochs`` holds what is deterministic and goes into checkpoints and records;
    ``history.jsonl`` has the same lines with the seconds each epoch took. On a terminal a
    progress bar shows the epoch under way; logs get one line an epoch.
    """

    def __init__(self, folder):
        self.epochs = []
        self.path = Path(folder) / HISTORY
        self.folder = Path(folder) / "tensorboard"
        self.started = time.monotonic()
        self.writer = None
        self.bar = tqdm(
            total=1.0,
            disable=not sys.stderr.isatty(),
            bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}",
        )

    def show(self, epoch, share, loss):
        """Move the progress bar: ``share`` of the epoch is done, ``loss`` in nats a token."""
        self.bar.set_description_str(f"epoch {epoch}  train ppl {_perplexity(loss):.1f}", False)
        self.bar.n = share
        self.bar.refresh()

    def add(self, **entry):
        """Add an epoch: file first, then the line for people, then TensorBoard."""
        self.epochs.append(entry)
        seconds = time.monotonic() - self.started
        self.started = time.monotonic()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps({**entry, "seconds": round(seconds, 2)}) + "\n")
        tqdm.write(
            f"epoch {entry['epoch']:6g}  train ppl {_perplexity(entry['train_loss']):8.2f}  "
            f"valid ppl {entry['valid_perplexity']:8.2f}  {seconds:6.1f} s"
            + (f"  accuracy {entry['valid_accuracy']:.2f} %" if "valid_accuracy" in entry else "")
            + (f"  BLEU {entry['valid_bleu']:.2f}" if entry.get("valid_bleu") is not None else "")
            + ("  averaged" if entry["averaged"] else "")
            + ("  best" if entry["best"] else ""),
            file=sys.stderr,
        )
        self._to_tensorboard(entry)

    def rewind(self, epochs):
        """Go back to the epochs of a checkpoint: later lines of the file are dropped."""
        self.epochs = epochs
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            write_text(self.path, "".join(lines[: len(epochs)]))

    def _to_tensorboard(self, entry):
        """Write an epoch at once: the library's own writer does it in a thread, which a full disk
        would end with a traceback, and wait for it for ever.
        """
        step = len(self.epochs)
        if self.writer is None:
            self.folder.mkdir(exist_ok=True)
            self.writer = EventsWriter(str(self.folder / "events"))
            # Hides the epochs that an earlier run has shown beyond its last checkpoint.
            start = SessionLog(status=SessionLog.START)
            self.writer.write_event(Event(step=step, session_log=start))
        for name, value in (
            ("train", _perplexity(entry["train_loss"])),
            ("valid", entry["valid_perplexity"]),
        ):
            summary = scalar(f"perplexity/{name}", value)
            self.writer.write_event(Event(wall_time=time.time(), step=step, summary=summary))
        self.writer.flush()


def _perplexity(nats):
    return math.exp(min(nats, 700.0))
