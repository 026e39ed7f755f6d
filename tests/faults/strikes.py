"""Strike a process where it stands, and look at what it leaves."""

import os
import subprocess
import time
from pathlib import Path

from g2lstm.records import file_sha256
from g2lstm.training.checkpoint import CURRENT
from g2lstm.training.tensors import load_tensors

FAULTY = Path(__file__).with_name("faulty.py")
PATIENCE = 1200  # seconds, on a busy machine


def wait_until(happened, process=None):
    """Wait for something; it must come before ``process`` ends."""
    until = time.monotonic() + PATIENCE
    while not happened():
        assert process is None or process.poll() is None, "it ended before it came to the place"
        if time.monotonic() > until:
            if process is not None:
                process.kill()
            raise TimeoutError("it did not come to the place")
        time.sleep(0.01)


def paused(trainer, place, number, marker):
    """Start a trainer and return its process when it stands at the place."""
    process = trainer.start([FAULTY], FAULT=f"{place}:{number}:{marker}")
    wait_until(marker.exists, process)
    return process


def struck(process, signal, marker):
    """Send the signal, let the process go on, and return its exit status and messages."""
    process.send_signal(signal)
    marker.unlink()
    _, messages = process.communicate(timeout=PATIENCE)
    return process.returncode, messages


def assert_one_line(messages, *words):
    """The last line says it all, and no traceback stands before it."""
    assert "Traceback" not in messages
    told = [line for line in messages.splitlines() if line.startswith("g2lstm ")]
    assert len(told) == 1, messages
    assert messages.endswith(f"{told[0]}\n")
    for word in words:
        assert word in told[0]


def assert_same_bits(trainer, whole):
    """A run ended with model and record of the undisturbed one."""
    assert file_sha256(trainer.model) == file_sha256(whole.model)
    assert trainer.record.read_bytes() == whole.record.read_bytes()


def checkpoint_of(trainer):
    (path,) = trainer.folder.glob(f"ckpt/*/{CURRENT}")
    return path


def progress_of(trainer):
    """Epoch and position of the last checkpoint: what a strike must not take away."""
    meta = load_tensors(checkpoint_of(trainer))[1]
    return meta["epoch"], meta["position"]


def group_is_gone(group):
    """Tell whether no process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def run(command, **options):
    """Run a command to its end."""
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
