"""Checkpoints: everything that makes a resumed run equal to an uninterrupted one, bit for bit.

Where they are and who may write them, see :mod:`g2lstm.training.folder`.
"""

import sys
from pathlib import Path

import torch

from g2lstm.errors import UserError
from g2lstm.records import link_or_copy
from g2lstm.training.folder import CURRENT, PREVIOUS
from g2lstm.training.tensors import load_tensors, save_tensors


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
