"""Recording the gate values of a trained model in test mode (Li et al. 2018, section 4.4).

Hooks on the layers see what goes in and what comes out; with the hidden states known, the gate
values of all steps of an LSTM layer are one product.
"""

from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F

from g2lstm.cells import LSTMLayer
from g2lstm.gates.statistics import GateHistogram, forget_test
from g2lstm.gates.words import function_words, merge_subwords, pick_sentences, punctuation
from g2lstm.lm.evaluate import batchify
from g2lstm.nmt.batches import make_batch
from g2lstm.nmt.layers import AttentionLayer

BINS = 20
BATCH = 64
CHUNK = 200  # steps of the language model's stream
WORD_LAYER = "decoder.0.first"  # the transition that reads the word
SAMPLE_SEED = 1


@contextmanager
def recorded(model, consume):
    """Within the block, call ``consume(layer name, input gate, forget gate)`` at every forward.

    The gates are (steps, batch, units). The attention layer is two layers, ``.first`` and
    ``.second``, for its two transitions.
    """
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, LSTMLayer):
            hook = _layer_hook(name, consume)
        elif isinstance(module, AttentionLayer):
            hook = _attention_hook(name, consume)
        else:
            continue
        handles.append(module.register_forward_hook(hook))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _layer_hook(name, consume):
    def hook(layer, arguments, output):
        x, (h0, _), *context = arguments
        x = torch.cat([x, *context], dim=2)
        weight_ih, weight_hh, bias = layer.effective_weights()
        before = torch.cat([h0.unsqueeze(0), output[0][:-1]])
        consume(name, *_gates([(x, weight_ih), (before, weight_hh)], bias))

    return hook


def _attention_hook(name, consume):
    def hook(layer, arguments, output):
        words, h0 = arguments[0], arguments[1].h0
        y, contexts = output
        weight_ih, weight_hh, bias, weight_nl, weight_ctx, bias_nl = layer.effective_weights()
        before = torch.cat([h0.unsqueeze(0), y[:-1]])
        consume(f"{name}.first", *_gates([(words, weight_ih), (before, weight_hh)], bias))
        between = _states_between(layer, words, h0, contexts)
        parts = [(between, weight_nl), (contexts, weight_ctx)]
        consume(f"{name}.second", *_gates(parts, bias_nl))

    return hook


def _gates(parts, bias):
    """Return the values of input and forget gate for the sum of ``x · weightᵀ`` over ``parts``."""
    rows = len(bias) // 2
    activation = sum(F.linear(x, weight[:rows]) for x, weight in parts) + bias[:rows]
    return torch.sigmoid(activation).chunk(2, dim=-1)


def _states_between(layer, words, h0, contexts):
    """Return the hidden states after the first transition, (steps, batch, hidden)."""
    weight_ih, weight_hh, bias, weight_nl, weight_ctx, bias_nl = layer.effective_weights()
    zero = torch.zeros_like(bias)
    state, between = (h0, torch.zeros_like(h0)), []
    for word, context in zip(words, contexts, strict=True):
        state = torch.lstm_cell(word, state, weight_ih, weight_hh, bias, zero)
        between.append(state[0])
        state = torch.lstm_cell(context, state, weight_ctx, weight_nl, bias_nl, zero)
    return torch.stack(between)


class _Histograms:
    """Histograms of both gates of every layer; ``mask`` (steps, batch) says what counts."""

    def __init__(self):
        self.layers, self.masks = {}, {}

    def __call__(self, name, input_gate, forget_gate):
        pair = self.layers.setdefault(name, (GateHistogram(BINS), GateHistogram(BINS)))
        mask = self.masks.get(name.split(".")[0])
        for histogram, values in zip(pair, (input_gate, forget_gate), strict=True):
            histogram.add(values, mask)

    def summary(self):
        return {
            name: {"input": pair[0].summary(), "forget": pair[1].summary()}
            for name, pair in sorted(self.layers.items())
        }


@torch.no_grad()
def record_language_model(model, tokens, columns):
    """Return {"bins", "layers"}: gate statistics of ``model`` on a stream of ``tokens``."""
    text = batchify(tokens, columns, model.embedding.weight.device)
    histograms, state = _Histograms(), model.initial_state(columns)
    with recorded(model, histograms):
        for chunk in text.split(CHUNK):
            state = model(chunk, state)[-1]
    return {"bins": BINS, "layers": histograms.summary()}


@torch.no_grad()
def record_translation(model, corpus, pairs, sentences):
    """Return the gate statistics of a translation model, teacher-forced in test mode.

    Histograms over ``pairs`` sampled training pairs (all, if there are fewer); averages over the
    units for each word of the test split, of which ``sentences`` sentences are kept for the heat
    maps; and how well a low forget gate marks clause boundaries, punctuation and function words.
    """
    train = corpus.splits["train"]
    sample = np.random.default_rng(SAMPLE_SEED).permutation(len(train))[:pairs]
    histograms = _Histograms()
    with recorded(model, histograms):
        for batch in _batches(train, sample, model):
            histograms.masks = {
                "encoder": _inside(batch.source_lengths, len(batch.source)),
                "decoder": _inside(batch.target_lengths, len(batch.target)),
            }
            _read(model, batch)
    words = _word_averages(model, corpus.splits["test"], corpus.vocabulary)
    return {
        "bins": BINS,
        "pairs": len(sample),
        "layers": histograms.summary(),
        "words": {"layer": WORD_LAYER, "sentences": _shown(words, sentences)},
        "words_summary": _lowest_input(words),
        "forget_tests": _forget_tests(words, corpus),
    }


def _batches(split, numbers, model):
    """Yield batches of the sentence pairs ``numbers``, the longest first."""
    lengths = split.target_offsets[numbers + 1] - split.target_offsets[numbers]
    ordered = numbers[np.argsort(-lengths, kind="stable")]
    for part in np.split(ordered, range(BATCH, len(ordered), BATCH)):
        yield make_batch(split, part, model.output.weight.device)


def _inside(lengths, steps):
    return torch.arange(steps, device=lengths.device).unsqueeze(1) < lengths


def _read(model, batch):
    model.decode(model.encode(batch.source, batch.source_lengths), batch.target)


def _word_averages(model, split, vocabulary):
    """Return (words, averages, boundaries) of each sentence of ``split``.

    ``averages`` (words, 2): mean over the units of input and forget gate of ``WORD_LAYER`` at the
    step that reads the word; ``boundaries`` (words) or None.
    """
    taken = {}

    def consume(name, *gates):
        if name == WORD_LAYER:
            taken["means"] = torch.stack([gate.mean(2) for gate in gates], 2).cpu().numpy()

    found = []
    with recorded(model, consume):
        for start in range(0, len(split), BATCH):
            numbers = np.arange(start, min(start + BATCH, len(split)))
            _read(model, make_batch(split, numbers, model.output.weight.device))
            found += [
                _sentence(split, number, taken["means"][1:, column], vocabulary)
                for column, number in enumerate(numbers)
            ]
    return found


def _sentence(split, number, means, vocabulary):
    """Merge the sub-words of a sentence; step t reads word t - 1, so ``means`` starts at step 1."""
    start, stop = split.target_offsets[number], split.target_offsets[number + 1] - 1
    subwords = [vocabulary[token] for token in split.target[start:stop]]
    words, averages = merge_subwords(subwords, means[: stop - start])
    if split.target_boundaries is None:
        return words, averages, None
    flags = split.target_boundaries[start:stop].astype(float)
    return words, averages, merge_subwords(subwords, flags)[1] > 0


def _shown(words, count):
    numbers = pick_sentences([len(tokens) for tokens, _, _ in words], count)
    return [
        {
            "tokens": words[number][0],
            "input": words[number][1][:, 0].tolist(),
            "forget": words[number][1][:, 1].tolist(),
        }
        for number in numbers
    ]


def _lowest_input(words):
    value, word = min(
        (float(mean), token)
        for tokens, means, _ in words
        for token, mean in zip(tokens, means[:, 0], strict=True)
    )
    return {"lowest_input": value, "lowest_input_word": word}


def _forget_tests(words, corpus):
    forget = np.concatenate([means[:, 1] for _, means, _ in words])
    if corpus.splits["test"].target_boundaries is not None:
        boundaries = np.concatenate([flags for _, _, flags in words])
        return {"clause boundary": forget_test(forget, boundaries)}
    tokens = [token for sentence, _, _ in words for token in sentence]
    return {
        "punctuation": forget_test(forget, punctuation(tokens)),
        "function word": forget_test(forget, function_words(tokens, corpus.target_language)),
    }
