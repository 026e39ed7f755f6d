"""One training step or one beam search of JoeyNMT 2.3.0 for each line on standard input.

Runs in an interpreter of its own, started by ``peer.py``; nothing of the project is imported. The
command line has the sizes as JSON. A line is a precision to train in (``float32`` or ``bfloat16``,
by autocast) or ``search``; the answer is a line with the seconds. Everything else goes to the
standard error.

A training step is that of JoeyNMT's ``TrainManager`` with Adam. JoeyNMT's recurrent encoder has to
read in both directions, so that each gets half of the units; the attention is additive, like ours.
"""

import json
import os
import sys
import time
from types import SimpleNamespace

import torch
from joeynmt.batch import Batch
from joeynmt.builders import build_gradient_clipper, build_optimizer
from joeynmt.model import build_model
from joeynmt.search import search
from joeynmt.vocabulary import Vocabulary

SPECIALS = SimpleNamespace(
    unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>", sep_token=None,
    unk_id=0, pad_id=1, bos_id=2, eos_id=3, sep_id=None, lang_tags=[],
)  # fmt: skip
FIRST_WORD = 4


def model_of(sizes):
    """Return a JoeyNMT model with random weights."""
    words = [str(k) for k in range(sizes["vocabulary"] - FIRST_WORD)]
    vocabulary = Vocabulary(words, SPECIALS)
    half, shared = sizes["hidden"] // 2, {"type": "recurrent", "rnn_type": "lstm"}
    shared["num_layers"], shared["dropout"] = sizes["layers"], sizes["dropout"]
    shared["embeddings"] = {"embedding_dim": sizes["embedding"], "scale": False, "dropout": 0.0}
    encoder = {**shared, "hidden_size": half, "bidirectional": True}
    decoder = {
        **shared, "hidden_size": sizes["hidden"], "hidden_dropout": sizes["readout_dropout"],
        "input_feeding": True, "init_hidden": "bridge", "attention": "bahdanau",
    }  # fmt: skip
    model = build_model({"encoder": encoder, "decoder": decoder}, vocabulary, vocabulary)
    model.loss_function = ("crossentropy", 0.0)
    return model


def batch_of(sizes, with_target):
    """Return a batch of random sentences, all of the same length."""
    shape = sizes["batch"], sizes["length"]
    source = torch.randint(FIRST_WORD, sizes["vocabulary"], shape)
    target = torch.cat(
        [
            torch.full((shape[0], 1), SPECIALS.bos_id),
            torch.randint(FIRST_WORD, sizes["vocabulary"], (shape[0], shape[1] - 1)),
            torch.full((shape[0], 1), SPECIALS.eos_id),
        ],
        dim=1,
    )
    return Batch(
        source, torch.full(shape[:1], shape[1]), None, target if with_target else None, None,
        torch.arange(shape[0]), torch.device("cpu"), SPECIALS.pad_id, SPECIALS.eos_id,
        is_train=with_target,
    )  # fmt: skip


def trainer(model, sizes):
    """Return a function that does one update of ``model`` in the precision it is given."""
    batch = batch_of(sizes, with_target=True)
    optimiser = build_optimizer(
        {"optimizer": "adam", "learning_rate": sizes["rate"]}, model.parameters()
    )
    clip = build_gradient_clipper({"clip_grad_val": None, "clip_grad_norm": sizes["clip"]})

    def step(precision):
        model.train()
        batch.sort_by_src_length()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss, _, _, correct = model(return_type="loss", **vars(batch))
        loss = batch.normalize(loss, "batch")
        loss.backward()
        loss.item(), correct.item()
        clip(parameters=model.parameters())
        optimiser.step()
        model.zero_grad()

    return step


def searcher(model, sizes):
    """Return a function that translates a batch, every hypothesis to the full length."""
    batch = batch_of(sizes, with_target=False)
    length = sizes["length"]

    def run():
        model.eval()
        search(
            model, batch, max_output_length=length, beam_size=sizes["beam"], beam_alpha=1.0,
            min_output_length=length,
        )  # fmt: skip

    return run


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sizes = json.loads(sys.argv[1])
    torch.set_flush_denormal(True)
    torch.set_num_threads(sizes["threads"])
    torch.manual_seed(0)
    model = model_of(sizes)
    train, translate = trainer(model, sizes), searcher(model, sizes)
    for line in sys.stdin:
        task = line.strip()
        started = time.perf_counter()
        if task == "search":
            translate()
        else:
            train(task)
        print(time.perf_counter() - started, file=answers, flush=True)


if __name__ == "__main__":
    main()
