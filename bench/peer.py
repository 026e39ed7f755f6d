"""JoeyNMT as a contender: a process in an environment of its own (``make bench-peer``)."""

import json
import subprocess
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent / ".venv-joeynmt"


class Peer:
    """A running ``joey_worker.py``; it does one thing at a time and waits in between."""

    def __init__(self, sizes):
        self.process = subprocess.Popen(
            [ENVIRONMENT / "bin" / "python", HERE / "joey_worker.py", json.dumps(sizes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def contender(self, task):
        """Return a contender: the seconds of one ``task`` of the worker."""

        def run():
            self.process.stdin.write(f"{task}\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
            if not answer:
                raise RuntimeError(f"JoeyNMT's process ended with status {self.process.wait()}")
            return float(answer)

        return run


@contextmanager
def joeynmt(sizes):
    """Yield a :class:`Peer`, or None where its environment is not set up."""
    if not (ENVIRONMENT / "run.stamp").exists():
        print("JoeyNMT is left out: `make bench-peer` sets up its environment", flush=True)
        yield None
        return
    peer = Peer(sizes)
    try:
        yield peer
    finally:
        peer.process.stdin.close()
        peer.process.wait()
