"""Checkpoints: everything that makes a resumed run equal to an uninterrupted one, bit for bit.

A run owns a folder ``ckpt/<key>/`` beside its output, where Snakemake does not clean up. The key
is a hash of the job, so a changed setting trains in a new folder and a setting put back finds its
finished run again. Only one process at a time may hold the folder.
"""

import fcntl
import sys
from contextlib import contextmanager
from pathlib import Path

import torch

from g2lstm.errors import UserError
from g2lstm.records import digest, link_or_copy
from g2lstm.training.tensors import load_tensors, save_tensors

CURRENT, PREVIOUS, LOCK = "checkpoint.safetensors", "checkpoint.previous.safetensors", "lock"


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
    with open(folder / LOCK, "a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{folder} is in use by another training process; wait for it or stop it first"
            ) from None
        for torn in folder.glob(".*.safetensors"):  # of a process killed while it wrote
            torn.unlink()
        yield


def save(folder, tensors, meta):
    """Write a checkpoint with the state of all random generators; keep the one before it."""
    folder = Path(folder)
    current = folder / CURRENT
    if current.exists():
        link_or_copy(current, folder / PREVIOUS)
    save_tensors(current, {**tensors, **_generator_states()}, meta)


def load(folder):
    """Return ``(tensors, meta)`` of the newest sound checkpoint and set the random generators.

    Returns None when there is no checkpoint. A damaged newest one is reported on the standard
    error and the one before it is used. Raises UserError when none is sound, or when an unfinished
    run comes from another kind of device, whose random numbers cannot go on here.
    """
    problems = []
    for name in (CURRENT, PREVIOUS):
        path = Path(folder) / name
        if not path.exists():
            continue
        try:
            tensors, meta = load_tensors(path)
        except UserError as error:
            problems.append(str(error))
            continue
        if problems:
            print(f"warning: {problems[0]}; going on from {path}", file=sys.stderr, flush=True)
            # The next save would put it in the place of the one that is sound.
            (Path(folder) / CURRENT).unlink()
        _restore_generators(tensors, folder, meta.get("finished"))
        return tensors, meta
    if problems:
        raise UserError(f"no sound checkpoint is left: {'; '.join(problems)}")
    return None


def _generator_states():
    states = {"rng.cpu": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        states["rng.cuda"] = torch.cuda.get_rng_state()
    return states


def _restore_generators(tensors, folder, finished):
    torch.set_rng_state(tensors.pop("rng.cpu"))
    on_gpu = tensors.pop("rng.cuda", None)
    if finished:
        return
    if (on_gpu is not None) != torch.cuda.is_initialized():
        kind = "the CPU" if on_gpu is None else "a GPU"
        raise UserError(
            f"{folder}: this run was begun on {kind} and can only go on there; set device, or "
            "delete the folder to train anew"
        )
    if on_gpu is not None:
        torch.cuda.set_rng_state(on_gpu)
