"""Training and beam search of the paper's German-English model beside naive versions and JoeyNMT.

Two layers of 256, 25,000 sub-words, random weights, sentences of a fixed length, Adam. The naive
training step runs every LSTM and the attention by their definitions, step by step in autograd, and
keeps all logits; the naive search translates one sentence after the other, its hypotheses in a
Python list. JoeyNMT 2.3.0 has the same sizes and dropout rates, but no gate noise and half the
encoder: it reads in both directions in every layer, so that each direction gets 128 units. It runs
in a process of its own (``peer.py``) and still takes its turn in every round.

    python bench/nmt.py [--rounds 7] [--threads 2]
"""

import torch
import torch.nn.functional as F

from comparison import Ratio, compare, record, row, timed, write_results
from g2lstm import config, precision
from g2lstm.cells import LSTMLayer, reference
from g2lstm.nmt.beam import beam_search
from g2lstm.nmt.model import build_model, decoder_step
from g2lstm.nmt.reference import decode
from g2lstm.training.adam import Adam
from machine import facts, precisions, prepare
from peer import joeynmt

VOCABULARY, LENGTH, BATCH, BEAM = 25_000, 25, 64, 5
NAIVE_SENTENCES = 8  # of the naive search, which knows no batches
RATE, CLIP = 1e-3, 2.0

# Bars stand where contenders compute in the same type.
TRAINING = [
    Ratio("naive float32", "ours float32"),
    Ratio("JoeyNMT float32", "ours float32", ">= 2"),
    Ratio("JoeyNMT bfloat16", "ours float32"),
    Ratio("JoeyNMT bfloat16", "ours bfloat16", ">= 1.3"),
]
SEARCH = [Ratio("naive", "ours"), Ratio("JoeyNMT", "ours", ">= 1.7")]


def paper_job():
    """Return the complete training job of the German-English G² model of the preset ``paper``."""
    settings = config.resolve({}, "paper")
    return config.complete_job(config.training_job(settings, "de-en", "g2", 1, "train"))


def naive_model(job):
    """Return the model with every layer by its definition."""
    model = build_model(job, VOCABULARY)
    for layer in model.modules():
        if isinstance(layer, LSTMLayer):
            layer.kernel = reference.lstm
    model.decoder["0"].kernel = decode
    return model


def loss_over_blocks(model, source, tokens, lengths):
    """Return the loss of a sentence as training computes it."""
    return model.negative_log_likelihood(source, tokens, lengths)[0] / len(lengths)


def loss_over_all_logits(model, source, tokens, lengths):
    """Return the same loss by way of all logits; every sentence has the full length."""
    logits = model.output(model.decode(source, tokens))
    loss = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="sum")
    return loss / len(lengths)


def training_step(model, loss_of, tokens, lengths, kind="float32"):
    """Return a contender: one update of ``model`` in precision ``kind``."""
    optimiser = Adam(model.parameters(), CLIP)

    def step():
        precision.use(kind, "cpu")
        model.train()
        loss = loss_of(model, model.encode(tokens, lengths), tokens, lengths)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step(RATE)

    return timed(step)


def batched_search(model, tokens, lengths):
    """Return a contender: the translation of one of the sentences, all done together."""

    def search():
        model.eval()
        hypotheses, memory = model.start_search(model.encode(tokens, lengths))
        # No word has the id -1, so that every hypothesis goes on to the last step.
        beam_search(
            decoder_step(model), hypotheses, memory, len(lengths), BEAM, 1.0, LENGTH, end=-1
        )

    return timed(torch.no_grad()(search), len(lengths))


def naive_search(model, tokens, lengths):
    """Return a contender: the translation of one sentence, one after the other."""

    def search():
        model.eval()
        step = decoder_step(model)
        for column in range(len(lengths)):
            source = model.encode(tokens[:, [column]], lengths[[column]])
            hypotheses, memory = model.start_search(source)
            beam = [([], 0.0, hypotheses)]
            for _ in range(LENGTH):
                beam = grown(step, beam, memory)

    return timed(torch.no_grad()(search), len(lengths))


def grown(step, beam, memory):
    """Return the best hypotheses, (words, score, state), one word longer."""
    candidates = []
    for words, score, state in beam:
        last = torch.tensor([words[-1:]]) if words else None
        logits, state = step(last, state, memory)
        values, ids = torch.log_softmax(logits[0, 0], 0).topk(BEAM)
        candidates += [
            ([*words, word], score + value, state)
            for value, word in zip(values.tolist(), ids.tolist(), strict=True)
        ]
    return sorted(candidates, key=lambda candidate: -candidate[1])[:BEAM]


def peer_contenders(peer):
    """Return the contenders of JoeyNMT for training and for search; none without it."""
    if peer is None:
        return {}, {}
    training = {f"JoeyNMT {dtype}": peer.contender(dtype) for dtype in ("float32", "bfloat16")}
    batch = peer.contender("search")
    return training, {"JoeyNMT": lambda: batch() / BATCH}


def measure(peer, job, rounds):
    """Return the comparisons of training and of search."""
    tokens = torch.randint(2, VOCABULARY, (LENGTH, BATCH))
    lengths = torch.full((BATCH,), LENGTH)
    model, naive = build_model(job, VOCABULARY), naive_model(job)
    ours = {
        f"ours {kind}": training_step(model, loss_over_blocks, tokens, lengths, kind)
        for kind in precisions()
    }
    peer_training, peer_search = peer_contenders(peer)
    training = {
        "naive float32": training_step(naive, loss_over_all_logits, tokens, lengths),
        **ours,
        **peer_training,
    }
    few = slice(NAIVE_SENTENCES)
    search = {
        "naive": naive_search(model, tokens[:, few], lengths[few]),
        "ours": batched_search(model, tokens, lengths),
        **peer_search,
    }
    sizes = f"2 x 256, {VOCABULARY} sub-words, {LENGTH} words a sentence, batch {BATCH}"
    steps = compare(f"Training step, {sizes}", "step", training, TRAINING, rounds)
    trained = rates("Training, target tokens a second", steps, LENGTH * BATCH)
    searches = compare(f"Beam search, beam {BEAM}, {sizes}", "sentence", search, SEARCH, rounds)
    return [steps, trained, searches, rates("Beam search, sentences a second", searches, 1)]


def rates(title, comparison, amount):
    """Return how many things a second every contender did that does ``amount`` in its time."""
    medians = comparison["medians_ms"].items()
    return record(title, [row(name, 1000 * amount / ms) for name, ms in medians])


def main():
    options = prepare(__doc__)
    job = paper_job()
    sizes = {
        name: job["model"][name]
        for name in ("embedding", "hidden", "layers", "dropout", "readout_dropout")
    }
    sizes |= {"vocabulary": VOCABULARY, "batch": BATCH, "length": LENGTH, "beam": BEAM}
    sizes |= {"rate": RATE, "clip": CLIP, "threads": options.threads}
    with joeynmt(sizes) as peer:
        comparisons = measure(peer, job, options.rounds)
    write_results(options.results / "nmt.json", facts(), options.rounds, comparisons)


if __name__ == "__main__":
    main()
