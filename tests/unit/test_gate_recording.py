"""Recorded gate values against the definition, step by step."""

import numpy as np
import pytest
import torch
from translation_corpus import make_corpus

from g2lstm.cells import GatePolicy
from g2lstm.gates.recording import record_language_model, record_translation, recorded
from g2lstm.lm.model import Dropout, LanguageModel
from g2lstm.nmt.batches import make_batch
from g2lstm.nmt.model import TranslationModel

SETTINGS = {
    "embedding": 6, "hidden": 5, "layers": 2, "dropout": 0.2, "readout_dropout": 0.0,
    "zigzag": True, "embedding_std": None, "gain": 1.0,
}  # fmt: skip


@pytest.fixture
def corpus():
    return make_corpus(train=40, test=25)


@pytest.fixture
def model(corpus):
    torch.manual_seed(0)
    policy = GatePolicy("sharpened", tau=0.2)
    return TranslationModel(len(corpus.vocabulary), SETTINGS, policy).double().eval()


def values_of(model, batch):
    found = {}
    with torch.no_grad(), recorded(model, lambda name, *gates: found.update({name: gates})):
        model.decode(model.encode(batch.source, batch.source_lengths), batch.target)
    return found


def test_attention_gates_equal_the_definition(model, corpus):
    batch = make_batch(corpus.splits["test"], np.arange(4), "cpu")
    found = values_of(model, batch)
    layer, tau, d = model.decoder["0"], 0.2, 5
    with torch.no_grad():
        source = model.encode(batch.source, batch.source_lengths)
        h, c = source.h0, torch.zeros_like(source.h0)
        word = torch.zeros(4, 6).double()
        for t in range(len(batch.target)):
            for name in ("first", "second"):
                if name == "first":
                    pre = word @ layer.weight_ih.T + h @ layer.weight_hh.T + layer.bias
                else:
                    inner = torch.tanh(source.keys + (h @ layer.weight_query.T).unsqueeze(1))
                    weights = torch.softmax(inner @ layer.score + source.mask, 1)
                    context = (weights.unsqueeze(2) * source.annotations).sum(1)
                    pre = h @ layer.weight_nl.T + context @ layer.weight_ctx.T + layer.bias_nl
                i, f = torch.sigmoid(pre[:, :d] / tau), torch.sigmoid(pre[:, d : 2 * d] / tau)
                torch.testing.assert_close(found[f"decoder.0.{name}"][0][t], i)
                torch.testing.assert_close(found[f"decoder.0.{name}"][1][t], f)
                c = f * c + i * torch.tanh(pre[:, 2 * d : 3 * d])
                h = torch.sigmoid(pre[:, 3 * d :]) * torch.tanh(c)
            word = model.target(batch.target[t])


def test_every_lstm_of_the_model_is_recorded(model, corpus):
    batch = make_batch(corpus.splits["test"], np.arange(4), "cpu")
    names = {"encoder.0", "encoder.0r", "encoder.1", "decoder.0.first", "decoder.0.second"}
    assert set(values_of(model, batch)) == names | {"decoder.1"}


def test_the_record_counts_words_not_padding(model, corpus):
    record = record_translation(model, corpus, pairs=17, sentences=3)
    assert record["pairs"] == 17
    split = corpus.splits["train"]
    sample = np.random.default_rng(1).permutation(40)[:17]
    words = int((split.target_offsets[sample + 1] - split.target_offsets[sample]).sum())
    for name, units in (("encoder.0", 5), ("encoder.1", 10), ("decoder.0.first", 5)):
        assert record["layers"][name]["forget"]["elements"] == words * units
    assert 0 < record["words_summary"]["lowest_input"] < 1


def test_word_averages_belong_to_the_step_that_reads_the_word(model, corpus):
    record = record_translation(model, corpus, pairs=5, sentences=50)
    split, vocabulary = corpus.splits["test"], corpus.vocabulary
    shown = record["words"]["sentences"]
    assert shown == []  # no sentence of the tiny corpus has eight words
    batch = make_batch(split, np.array([0]), "cpu")
    gates = values_of(model, batch)["decoder.0.first"][0]
    lowest = gates[1:].mean(2).min().item()
    assert record["words_summary"]["lowest_input"] <= lowest + 1e-9
    assert record["words_summary"]["lowest_input_word"].split("half")[-1] in ["", *vocabulary]


def test_real_text_is_tested_for_punctuation_and_function_words(model, corpus):
    tests = record_translation(model, corpus, pairs=5, sentences=3)["forget_tests"]
    assert set(tests) == {"punctuation", "function word"}
    target = corpus.splits["test"].target
    corpus.splits["test"].target_boundaries = (target == 5).astype(np.uint8)
    tests = record_translation(model, corpus, pairs=5, sentences=3)["forget_tests"]
    assert set(tests) == {"clause boundary"}
    assert tests["clause boundary"]["positives"] > 0
    assert 0 <= tests["clause boundary"]["auc"] <= 1


def test_language_model_gates():
    torch.manual_seed(0)
    model = LanguageModel(20, 4, 6, 2, Dropout(0, 0, 0, 0, 0)).eval()
    tokens = np.random.default_rng(0).integers(0, 20, 500)
    record = record_language_model(model, tokens, columns=5)
    assert set(record["layers"]) == {"lstm.0", "lstm.1"}
    assert record["layers"]["lstm.0"]["input"]["elements"] == 500 * 6
    assert sum(record["layers"]["lstm.1"]["forget"]["histogram"]) == 500 * 4
