"""One training step of the paper's language model, and the peak memory of its training.

A step is embedding, dropouts, three layers with gate noise and weight drop, softmax over 10,000
words, activation regularisation, backward pass, clipping and SGD. The naive model runs its layers
by the definition, step by step in autograd, and keeps all logits. The peak is that of a whole
training process, short but complete: averaging, validation and checkpoints are in it.

    python bench/lm_step.py [--rounds 7] [--threads 2]
"""

import json
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F

from comparison import Ratio, compare, record, row, timed, write_results
from g2lstm import config, precision
from g2lstm.cells import reference
from g2lstm.data.corpus import Corpus
from g2lstm.lm.model import build_model
from g2lstm.training.optimiser import AveragingSGD
from machine import facts, precisions, prepare

VOCABULARY = 10_000
LONGEST = 90  # rows of a chunk: four standard deviations above the mean length


def paper_job():
    """Return the complete training job of the G² language model of the preset ``paper``."""
    settings = config.resolve({}, "paper")
    return config.complete_job(config.training_job(settings, "lm", "g2", 1, "train"))


def naive(model):
    """Return ``model`` with layers by the definition."""
    for layer in model.lstm:
        layer.kernel = reference.lstm
    return model


def all_logits(model, x, targets):
    """Return the mean cross-entropy by way of all logits of the chunk."""
    return F.cross_entropy(model.logits(x).flatten(0, 1), targets.flatten())


def training_step(model, cross_entropy, settings, kind="float32"):
    """Return a contender: one update of ``model``, as in :class:`g2lstm.lm.train.LMTraining`.

    ``kind``: precision.
    """
    optimiser = AveragingSGD(model.parameters(), settings["weight_decay"], settings["clip"])
    tokens = torch.randint(VOCABULARY, (settings["bptt"] + 1, settings["batch"]))
    rows = model.initial_state(settings["batch"])

    def run():
        nonlocal rows
        precision.use(kind, "cpu")
        raw, dropped, state = model(tokens[:-1], rows)
        rows = [(h.detach(), c.detach()) for h, c in state]
        loss = cross_entropy(model, dropped, tokens[1:])
        loss = loss + settings["alpha"] * dropped.pow(2).mean()
        loss = loss + settings["beta"] * (raw[1:] - raw[:-1]).pow(2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step(settings["lr"])

    return timed(run)


def random_corpus(job):
    """Return a corpus of random words: three longest chunks to train on, little to validate."""
    random = np.random.default_rng(0)
    rows = {"train": 3 * LONGEST + 2, "valid": 400, "test": 400}
    columns = {"train": job["optimisation"]["batch"], "valid": job["valid_batch"], "test": 1}
    splits = {
        name: random.integers(VOCABULARY, size=rows[name] * columns[name], dtype=np.int32)
        for name in rows
    }
    return Corpus([f"w{k}" for k in range(VOCABULARY)], splits)


def peak_memory(job, threads):
    """Return the peak memory (bytes) of a training process of two epochs, the second averaging."""
    optimisation = {**job["optimisation"], "bptt": LONGEST}
    schedule = {**job["schedule"], "epochs": 2, "average_after": 1}
    job = {**job, "optimisation": optimisation, "schedule": schedule}
    with TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus"
        random_corpus(job).save(corpus)
        subprocess.run(
            [
                sys.executable, "-m", "g2lstm", "train", "--job", json.dumps(job), "--labels", "{}",
                "--corpus", corpus, "--model", f"{folder}/model", "--record", f"{folder}/record",
                "--device", "cpu", "--threads", str(threads),
            ],
            check=True,
        )  # fmt: skip
    return 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def main():
    options = prepare(__doc__)
    job = paper_job()
    settings = job["optimisation"]
    # First: a child's peak begins with what its parent holds.
    peak = peak_memory(job, options.threads)
    memory = record(
        "Training of the paper's language model, whole process",
        [row("peak memory, GB", peak / 1e9, "<= 2.5")],
    )
    ours, slow = build_model(job, VOCABULARY), naive(build_model(job, VOCABULARY))
    contenders = {"naive float32": training_step(slow, all_logits, settings)}
    contenders |= {
        f"ours {kind}": training_step(ours, type(ours).cross_entropy, settings, kind)
        for kind in precisions()
    }
    *others, fastest = [name for name in contenders if "ours" in name]
    ratios = [Ratio("naive float32", name) for name in others]
    ratios.append(Ratio("naive float32", fastest, ">= 5"))
    steps = compare(
        f"Training step of the paper's language model, {settings['bptt']} steps, batch "
        f"{settings['batch']}, {VOCABULARY} words",
        "step", contenders, ratios, options.rounds,
    )  # fmt: skip
    write_results(options.results / "lm_step.json", facts(), options.rounds, [steps, memory])


if __name__ == "__main__":
    main()
