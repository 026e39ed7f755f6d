"""Training and beam search of the paper's German-English model, ours beside a naive version.

Two layers of 256, 25,000 sub-words, random weights, sentences of a fixed length. The naive training
step runs every LSTM and the attention by their definitions, step by step in autograd, and keeps all
logits; the naive search translates one sentence after the other, its hypotheses in a Python list.
Contenders take turns within each round; the table shows medians.

    python bench/nmt.py [--rounds 7] [--threads 2] [--length 25] [--batch 64] [--sentences 8]
"""

import argparse
import os
import statistics
import time

import torch
import torch.nn.functional as F

from g2lstm.cells import GatePolicy, LSTMLayer, reference
from g2lstm.nmt.beam import beam_search
from g2lstm.nmt.model import TranslationModel, decoder_step
from g2lstm.nmt.reference import decode
from g2lstm.training.adadelta import AdaDelta

VOCABULARY, BEAM = 25_000, 5
SETTINGS = {
    "embedding": 256, "hidden": 256, "layers": 2, "dropout": 0.2, "readout_dropout": 0.5,
    "zigzag": True, "embedding_std": None,
}  # fmt: skip


class NaiveModel(TranslationModel):
    """The same model without our kernels and with a loss over all logits at once."""

    def __init__(self, vocabulary, settings, policy):
        super().__init__(vocabulary, settings, policy)
        for layer in self.modules():
            if isinstance(layer, LSTMLayer):
                layer.kernel = reference.lstm
        self.decoder["0"].kernel = decode

    def negative_log_likelihood(self, source, target, lengths):
        """Return the summed loss and the number of words; every sentence has the full length."""
        logits = self.output(self.decode(source, target))
        loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="sum")
        return loss, target.numel()


def training_step(model, tokens, lengths):
    """Return a function that does one update of ``model``."""
    optimiser = AdaDelta(model.parameters(), clip=2.0)

    def step():
        source = model.encode(tokens, lengths)
        loss, _ = model.negative_log_likelihood(source, tokens, lengths)
        optimiser.zero_grad()
        (loss / len(lengths)).backward()
        optimiser.step()

    return step


def batched_search(model, tokens, lengths, steps):
    """Return a function that translates all sentences together."""

    def search():
        hypotheses, memory = model.start_search(model.encode(tokens, lengths))
        # No word has the id -1, so that every hypothesis goes on to the last step.
        beam_search(decoder_step(model), hypotheses, memory, len(lengths), BEAM, 1.0, steps, end=-1)

    return search


def naive_search(model, tokens, lengths, steps):
    """Return a function that translates one sentence after the other."""

    def search():
        step = decoder_step(model)
        for column in range(tokens.shape[1]):
            source = model.encode(tokens[:, [column]], lengths[[column]])
            hypotheses, memory = model.start_search(source)
            beam = [([], 0.0, hypotheses)]
            for _ in range(steps):
                beam = grown(step, beam, memory)

    return search


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


def compare(title, contenders, amounts, unit, rounds):
    """Time the contenders in turns and print amounts a second and ratios."""
    for run in contenders.values():
        run()
    times = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            started = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - started) / amounts[name])
    naive, ours = (times[name] for name in contenders)
    ratio = statistics.median(a / b for a, b in zip(naive, ours, strict=True))
    print(f"{title}\n{'':10s} {unit:>22s} {'naive / this':>13s}")
    for (name, seconds), factor in zip(times.items(), (1.0, ratio), strict=True):
        print(f"{name:10s} {1 / statistics.median(seconds):22.1f} {factor:13.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--length", type=int, default=25)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--sentences", type=int, default=8, help="of the naive search")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    tokens = torch.randint(2, VOCABULARY, (options.length, options.batch))
    lengths = torch.full((options.batch,), options.length)
    policy = GatePolicy("gumbel", tau=0.9, p=0.2)
    naive = NaiveModel(VOCABULARY, SETTINGS, policy)
    ours = TranslationModel(VOCABULARY, SETTINGS, policy)
    print(
        f"2 x 256, {VOCABULARY} sub-words, {options.length} words a sentence, batch "
        f"{options.batch}, float32, {options.threads} threads, {options.rounds} rounds"
    )
    words = dict.fromkeys(("naive", "ours"), options.length * options.batch)
    steps = {
        name: training_step(m, tokens, lengths) for name, m in (("naive", naive), ("ours", ours))
    }
    compare("training, gumbel noise", steps, words, "target tokens a second", options.rounds)
    ours.eval()
    few = slice(0, options.sentences)
    searches = {
        "naive": naive_search(ours, tokens[:, few], lengths[few], options.length),
        "ours": batched_search(ours, tokens, lengths, options.length),
    }
    sentences = {"naive": options.sentences, "ours": options.batch}
    with torch.no_grad():
        compare(f"beam {BEAM}", searches, sentences, "sentences a second", options.rounds)


if __name__ == "__main__":
    main()
