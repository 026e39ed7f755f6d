"""The long verbs from files to files: train a model, evaluate a model."""

import sys
import time
from pathlib import Path

import torch

from g2lstm import config
from g2lstm.compress.model_file import measure
from g2lstm.data.corpus import Corpus
from g2lstm.errors import UserError
from g2lstm.lm.evaluate import evaluate as evaluate_splits
from g2lstm.lm.model import read_model
from g2lstm.lm.train import BEST, LMTraining
from g2lstm.records import digest, file_sha256, link_or_copy, write_provenance, write_record
from g2lstm.training import checkpoint, device, loop
from g2lstm.training.tensors import load_tensors

STAGE_VERSION = 3  # raise by hand when a change of code changes what a training run computes


def train(
    job, labels, corpus, model, record, initial=None, device_name="auto", threads=None,
    checkpoint_minutes=5, time_budget=None,
):  # fmt: skip
    """Train or finetune as ``job`` says and publish the best model.

    Parameters
    ----------
    job : as :func:`g2lstm.config.training_job` returns it
    labels : what identifies the run in its record (preset, variant)
    corpus, initial : input files; ``initial`` is the model to finetune
    model, record : output files; checkpoints go to ``ckpt/<key>/`` beside ``model``
    time_budget : minutes after which the run saves and stops, or None

    Raises :class:`g2lstm.training.loop.Interrupted` when the run was stopped and saved.
    """
    started = time.time()
    chosen = device.choose(device_name, threads)
    hashes = {"corpus": file_sha256(corpus)}
    if initial is not None:
        hashes["initial"] = file_sha256(initial)
    key = checkpoint.job_key(job, STAGE_VERSION, *hashes.values())
    folder = Path(model).parent / "ckpt" / key
    print(f"training on {chosen}, checkpoints in {folder}", file=sys.stderr, flush=True)
    with checkpoint.locked(folder):
        torch.manual_seed(int(digest([job["seed"], job["stage"]])[:8], 16))
        tensors = None if initial is None else load_tensors(initial)[0]
        training = LMTraining(
            config.complete_job(job), Corpus.load(corpus), folder, chosen, tensors
        )
        budget = None if time_budget is None else 60 * time_budget
        loop.run(training, folder, 60 * checkpoint_minutes, budget)
        _publish(folder, model)
    write_record(record, {**labels, **_summary(job, training), "data": hashes})
    write_provenance(record, started, device=str(chosen))


def evaluate(model, corpus, labels, settings, splits, records, device_name="auto", threads=None):
    """Evaluate a model file on splits of a corpus and write one record for each mode.

    Parameters
    ----------
    model : an original or a compressed model file
    labels : what identifies the result (preset, task, variant, seed, stage, setting)
    settings : the section ``lm.evaluation`` of the configuration
    splits : names out of valid, test
    records : output file for each mode, ``{"plain": ..., "cache": ...}``
    """
    started = time.time()
    chosen = device.choose(device_name, threads)
    text = Corpus.load(corpus)
    network, meta = read_model(model, chosen)
    plain, cached = evaluate_splits(network, {name: text.splits[name] for name in splits}, settings)
    for mode, metrics in (("plain", plain), ("cache", cached)):
        write_record(
            records[mode],
            {
                **labels,
                "kind": "evaluation",
                "mode": mode,
                "metrics": metrics,
                "size": measure(model),
                "compression": meta.get("compression"),
                "evaluation": settings,
                "data": {"corpus": file_sha256(corpus), "model": file_sha256(model)},
            },
        )
        write_provenance(records[mode], started, device=str(chosen))


def _publish(folder, model):
    """Put the best model of a run at its place, if it is sound."""
    try:
        load_tensors(folder / BEST)
    except UserError as error:
        raise UserError(f"{error}; to train again, delete the folder {folder}") from error
    link_or_copy(folder / BEST, model)


def _summary(job, training):
    epochs = training.history.epochs
    best = [entry for entry in epochs if entry["best"]]
    return {
        "kind": "training",
        "task": job["task"],
        "stage": job["stage"],
        "seed": job["seed"],
        "job": job,
        "epochs": len(epochs),
        "best_epoch": best[-1]["epoch"] if best else 0,
        "stopped": training.stopped,
        "history": epochs,
        "parameters": sum(p.numel() for p in training.model.parameters()),
    }
