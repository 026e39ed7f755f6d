"""The long verbs from files to files: train, evaluate, translate, record gates."""

import sys
import time

import torch

from g2lstm import config, precision
from g2lstm.cells import kernels
from g2lstm.compress.model_file import measure
from g2lstm.data.corpus import Corpus
from g2lstm.data.parallel import ParallelCorpus
from g2lstm.errors import UserError
from g2lstm.gates.recording import record_language_model, record_translation
from g2lstm.lm import model as lm_model
from g2lstm.lm.evaluate import evaluate as evaluate_splits
from g2lstm.lm.train import LMTraining
from g2lstm.nmt import model as nmt_model
from g2lstm.nmt.evaluate import compare_variants, evaluate_translation
from g2lstm.nmt.train import NMTTraining
from g2lstm.records import (
    digest,
    file_sha256,
    link_or_copy,
    read_record,
    write_provenance,
    write_record,
    write_text,
)
from g2lstm.sparsify.kinds import kind_of
from g2lstm.tasks import SPARSE, STAGE_VERSION, TRANSLATION
from g2lstm.training import device, loop
from g2lstm.training.folder import BEST, checkpoint_folder, locked
from g2lstm.training.tensors import load_tensors


def train(
    job, labels, corpus, model, record, initial=None, device_name="auto", kernel="auto",
    threads=None, checkpoint_minutes=5, time_budget=None,
):  # fmt: skip
    """Train or finetune as ``job`` says and publish the best model.

    Parameters
    ----------
    job : as :func:`g2lstm.config.training_job` returns it
    labels : what identifies the run in its record (preset, variant)
    corpus, initial : input files; ``initial`` is the model to finetune
    model, record : output files; checkpoints go to ``ckpt/<key>/`` beside ``model``
    kernel : of the recurrence, see :mod:`g2lstm.cells.kernels`
    time_budget : minutes after which the run saves and stops, or None

    Raises :class:`g2lstm.training.loop.Interrupted` when the run was stopped and saved.
    """
    chosen = device.choose(device_name, threads)
    started = time.monotonic()
    precision.use(config.complete_job(job)["precision"], chosen.type)
    kernels.want(kernel)
    hashes = {"corpus": file_sha256(corpus)}
    if initial is not None:
        hashes["initial"] = file_sha256(initial)
    version = STAGE_VERSION[job["task"]]
    folder = checkpoint_folder(model, job, version, *hashes.values())
    print(f"training on {chosen}, checkpoints in {folder}", file=sys.stderr, flush=True)
    with locked(folder):
        torch.manual_seed(int(digest([job["seed"], job["stage"]])[:8], 16))
        training = _training(job, corpus, folder, chosen, initial)
        budget = None if time_budget is None else 60 * time_budget
        earlier = loop.run(training, folder, 60 * checkpoint_minutes, budget)
        _publish(folder, model)
    facts = {"data": hashes, "version": version, "sha256": file_sha256(model)}
    write_record(record, {**labels, **_summary(job, training), **facts})
    write_provenance(
        record, started - earlier, kernel=training.kernel,
        kernel_milliseconds=training.kernel_times, **device.facts(chosen),
    )  # fmt: skip


def _training(job, corpus, folder, chosen, initial):
    """Return what the loop drives: a new run of the job's task."""
    complete = config.complete_job(job)
    if job["task"] in TRANSLATION:
        return NMTTraining(complete, ParallelCorpus.load(corpus), folder, chosen)
    if job["task"] in SPARSE:
        kind = kind_of(job["task"])
        training = kind.trainings[job["method"]["method"]]
        return training(complete, kind.load(corpus), folder, chosen)
    tensors = None if initial is None else load_tensors(initial)[0]
    return LMTraining(complete, Corpus.load(corpus), folder, chosen, tensors)


def evaluate(
    model, corpus, labels, settings, splits, records, device_name="auto", threads=None,
    made_from=None,
):  # fmt: skip
    """Evaluate a model file on splits of a corpus and write one record for each mode.

    Parameters
    ----------
    model : an original or a compressed model file
    labels : what identifies the result (preset, task, variant, seed, stage, setting)
    settings : the section ``lm.evaluation`` of the configuration
    splits : names out of valid, test
    records : output file for each mode, ``{"plain": ..., "cache": ...}``
    made_from : hash of the model that a compressed one was made from
    """
    chosen = device.choose(device_name, threads)
    started = time.monotonic()
    text = Corpus.load(corpus)
    network, meta = lm_model.read_model(model, chosen)
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
                "data": hashes_of(corpus, model, made_from),
            },
        )
        write_provenance(records[mode], started, **device.facts(chosen))


def translate(
    model, corpus, references, labels, settings, record, translations, device_name="auto",
    threads=None, made_from=None,
):  # fmt: skip
    """Translate the test splits of a corpus, of an original model the validation too, and score.

    Parameters
    ----------
    references : folder of the corpus with ``{split}.tokenised.txt`` and ``{split}.raw.txt``
    settings : the section ``evaluation`` of a translation task
    record : output; translations : output, the text of all splits, one after the other
    other parameters : as of :func:`evaluate`
    """
    chosen = device.choose(device_name, threads)
    started = time.monotonic()
    text = ParallelCorpus.load(corpus)
    network, meta = nmt_model.read_model(model, chosen)
    splits = ["test"] if "compression" in meta else ["valid", "test"]
    splits += [name for name in text.splits if name.startswith("test-")]
    metrics, signatures, lines = evaluate_translation(network, text, references, splits, settings)
    write_text(translations, "".join(f"{line}\n" for line in lines))
    write_record(
        record,
        {
            **labels,
            "kind": "evaluation",
            "mode": f"beam{settings['beam']}",
            "metrics": metrics,
            "signatures": signatures,
            "translations": {"splits": splits, "sha256": file_sha256(translations)},
            "size": measure(model),
            "compression": meta.get("compression"),
            "evaluation": settings,
            "data": hashes_of(corpus, model, made_from),
        },
    )
    write_provenance(record, started, **device.facts(chosen))


def significance(records, translations, references, labels, samples, record):
    """Write the paired bootstrap between the original models of one task and seed.

    ``records`` and ``translations``: what :func:`translate` wrote for each variant.
    """
    started = time.monotonic()
    read = [read_record(path) for path in records]
    by_variant = {each["variant"]: each for each in read}
    texts = dict(zip(by_variant, translations, strict=True))
    tests = compare_variants(by_variant, texts, references, samples)
    hashes = {variant: file_sha256(text) for variant, text in texts.items()}
    mode = read[0]["mode"]
    facts = {"kind": "significance", "mode": mode, "samples": samples, "tests": tests}
    write_record(record, {**labels, **facts, "data": hashes})
    write_provenance(record, started, device="cpu")


def record_gates(model, corpus, labels, settings, record, device_name="auto", threads=None):
    """Record the gate values of a model in test mode.

    ``settings``: of a translation task the section ``gates``; of the language model
    ``{"valid_batch": columns}``, read on the validation text.
    """
    chosen = device.choose(device_name, threads)
    started = time.monotonic()
    if labels["task"] == "lm":
        network, _ = lm_model.read_model(model, chosen)
        tokens = Corpus.load(corpus).splits["valid"]
        facts = record_language_model(network, tokens, settings["valid_batch"])
    else:
        network, _ = nmt_model.read_model(model, chosen)
        facts = record_translation(network, ParallelCorpus.load(corpus), **settings)
    hashes = hashes_of(corpus, model)
    facts |= {"evaluation": settings, "data": hashes}
    write_record(record, {**labels, "kind": "gates", **facts})
    write_provenance(record, started, **device.facts(chosen))


def hashes_of(corpus, model, made_from=None):
    """Return the hashes of what a result was computed from, as they stand in its record."""
    hashes = {"corpus": file_sha256(corpus), "model": file_sha256(model)}
    return hashes if made_from is None else {**hashes, "original": made_from}


def _publish(folder, model):
    """Put the best model of a run at its place, if it is sound."""
    try:
        load_tensors(folder / BEST)
    except UserError as error:
        raise UserError(f"{error}; to train again, delete the folder {folder}") from error
    link_or_copy(folder / BEST, model)


def _summary(job, training):
    history = training.history.epochs
    best = [entry for entry in history if entry["best"]]
    return {
        "kind": "training",
        "task": job["task"],
        "stage": job["stage"],
        "seed": job["seed"],
        "job": job,
        "validations" if job["task"] in TRANSLATION else "epochs": len(history),
        "best_epoch": best[-1]["epoch"] if best else 0,
        "stopped": training.stopped,
        "history": history,
        "parameters": sum(p.numel() for p in training.model.parameters()),
    }
