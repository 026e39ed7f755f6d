"""The folder of a training run: its name, what is in it, and that one process at a time writes it.

A run owns ``ckpt/<key>/`` beside its output, where Snakemake does not clean up. The key is a hash
of the job, so a changed setting trains in a new folder and a setting put back finds its finished
run again. Used by ``status`` too, so this imports no torch.
"""

from contextlib import contextmanager
from pathlib import Path

from g2lstm.errors import UserError
from g2lstm.locks import lock
from g2lstm.records import digest

CURRENT, PREVIOUS, LOCK = "checkpoint.safetensors", "checkpoint.previous.safetensors", "lock"
BEST = "best.safetensors"  # the best model of a run so far
HISTORY = "history.jsonl"  # one line an epoch or validation


def checkpoint_folder(model, job, stage_version, *data_hashes):
    """Return the folder of a run, beside its output ``model``."""
    return Path(model).parent / "ckpt" / job_key(job, stage_version, *data_hashes)


def job_key(job, stage_version, *data_hashes):
    """Return the name of a run's checkpoint folder: a hash of all that decides its result."""
    return digest([job, stage_version, *data_hashes])[:12]


@contextmanager
def locked(folder):
    """Hold ``folder`` for one writer; the kernel frees it when the process dies.

    Raises UserError when another process holds it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    handle = lock(folder / LOCK, patience=0.5)
    if handle is None:
        raise UserError(
            f"{folder} is in use by another training process; wait for it or stop it first"
        )
    with handle:
        for torn in folder.glob(".*.safetensors"):  # of a process killed while it wrote
            torn.unlink()
        yield
