"""Batches, training and translation on a tiny corpus."""

import numpy as np
import pytest
import torch
from translation_corpus import make_corpus

from g2lstm import config
from g2lstm.errors import UserError
from g2lstm.nmt.batches import by_length, epoch_order, make_batch, pad
from g2lstm.nmt.model import build_model, read_model
from g2lstm.nmt.train import NMTTraining
from g2lstm.nmt.translate import nats_per_word, to_lines, translate
from g2lstm.training import checkpoint, loop
from g2lstm.training.tensors import load_tensors, save_tensors

SETTINGS = {
    "model": {"embedding": 16, "hidden": 16, "dropout": 0.1, "readout_dropout": 0.0},
    "optimisation": {"optimiser": "adadelta", "lr": 1.0, "lag": False, "batch": 16, "bucket": 4},
    "train": {"updates": 60, "decay": "none", "validate_every": 20, "patience": None},
}


def make_job(variant="g2", **changes):
    sections = {name: {**SETTINGS[name], **changes.get(name, {})} for name in SETTINGS}
    settings = config.resolve({"preset": "demo", "de-en": sections})
    return config.complete_job(config.training_job(settings, "de-en", variant, 1, "train"))


def make_run(folder, job=None, corpus=None):
    torch.manual_seed(1)
    return NMTTraining(job or make_job(), corpus or make_corpus(), folder, torch.device("cpu"))


def finish(training, folder):
    folder.mkdir(parents=True, exist_ok=True)
    loop.run(training, folder, interval=3600)
    return training


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return finish(make_run(folder), folder)


def test_an_epoch_holds_every_sentence_once_and_buckets_go_from_the_longest():
    target = np.random.default_rng(0).integers(1, 30, 1000)
    source = np.random.default_rng(1).integers(1, 30, 1000)
    order = epoch_order(source, target, batch=8, bucket=10, seed=[1, 1])
    assert sorted(np.concatenate(order).tolist()) == list(range(1000))
    assert {len(batch) for batch in order} == {8}
    for start in range(0, len(order), 10):
        lengths = target[np.concatenate(order[start : start + 10])]
        assert (np.diff(lengths) <= 0).all()


def test_epochs_differ_and_repeat_with_their_seed():
    lengths = np.arange(1, 100)
    first, again, second = (epoch_order(lengths, lengths, 10, 2, [1, n]) for n in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_padding_keeps_every_token():
    tokens, offsets = np.array([5, 0, 6, 7, 0, 0]), np.array([0, 2, 5, 6])
    padded, lengths = pad(tokens, offsets, np.array([1, 2, 0]))
    assert padded.T.tolist() == [[6, 7, 0], [0, 0, 0], [5, 0, 0]]
    assert lengths.tolist() == [3, 1, 2]


def test_the_loss_of_a_split_does_not_depend_on_the_batch():
    corpus = make_corpus()
    model = build_model(make_job(), len(corpus.vocabulary)).eval()
    values = [nats_per_word(model, corpus.splits["valid"], batch) for batch in (1, 7, 64)]
    assert values == pytest.approx([values[0]] * 3, rel=1e-5)
    assert values[0] == pytest.approx(np.log(len(corpus.vocabulary)), rel=0.05)


def test_training_lowers_the_loss_and_keeps_the_best(trained):
    history = trained.history.epochs
    assert [entry["updates"] for entry in history] == [20, 40, 60]
    assert history[-1]["valid_perplexity"] < history[0]["valid_perplexity"] < 12
    assert trained.stopped == "schedule"
    tensors, meta = load_tensors(trained.best_path)
    assert meta["job"] == trained.job
    model = build_model(trained.job, 12)
    model.load_state_dict(tensors)
    loss = nats_per_word(model.eval(), make_corpus().splits["valid"], 64)
    assert np.exp(loss) == pytest.approx(min(e["valid_perplexity"] for e in history))


def test_a_run_can_be_repeated_bit_for_bit(trained, tmp_path):
    again = finish(make_run(tmp_path), tmp_path)
    for ours, other in zip(again.model.parameters(), trained.model.parameters(), strict=True):
        assert torch.equal(ours, other)


def test_a_model_file_older_than_a_setting_is_read_with_its_default(trained, tmp_path):
    tensors, meta = load_tensors(trained.best_path)
    assert meta["job"]["model"].pop("gain") == 1
    save_tensors(tmp_path / "model.safetensors", tensors, meta)
    model, _ = read_model(tmp_path / "model.safetensors", torch.device("cpu"))
    torch.testing.assert_close(model.state_dict(), tensors, rtol=0, atol=0)


@pytest.mark.parametrize("stop", [7, 20, 45])
def test_a_stopped_run_ends_with_the_same_bits(trained, tmp_path, stop):
    first = make_run(tmp_path)
    first.start()
    for _ in range(stop):
        first.step()
    checkpoint.save(tmp_path, *first.state())
    torch.manual_seed(99)
    resumed = NMTTraining(make_job(), make_corpus(), tmp_path, torch.device("cpu"))
    finish(resumed, tmp_path)
    assert resumed.history.epochs == trained.history.epochs
    assert resumed.best_path.read_bytes() == trained.best_path.read_bytes()


def test_a_stopped_run_with_adam_ends_with_the_same_bits(tmp_path):
    job = make_job(optimisation={"optimiser": "adam", "lr": 0.01})
    whole = finish(make_run(tmp_path / "whole", job), tmp_path / "whole")
    first = make_run(tmp_path / "part", job)
    first.start()
    for _ in range(25):
        first.step()
    checkpoint.save(tmp_path / "part", *first.state())
    resumed = finish(make_run(tmp_path / "part", job), tmp_path / "part")
    assert resumed.best_path.read_bytes() == whole.best_path.read_bytes()


def test_the_output_bias_may_start_at_the_words_frequencies(tmp_path):
    corpus = make_corpus()
    job = make_job(model={"output_bias": "unigram"})
    model = make_run(tmp_path, job, corpus).model
    target = corpus.splits["train"].target
    shares = (np.bincount(target, minlength=12) + 1) / (len(target) + 12)
    np.testing.assert_allclose(model.output.bias.detach().exp(), shares, rtol=1e-5)


def test_selection_by_bleu_is_recorded(tmp_path):
    job = make_job(train={"updates": 10, "validate_every": 5, "select": "bleu"})
    training = finish(make_run(tmp_path, job), tmp_path)
    assert all(entry["valid_bleu"] >= 0 for entry in training.history.epochs)
    assert training.history.epochs[0]["best"]


def test_linear_decay_ends_at_nothing(tmp_path):
    training = make_run(tmp_path, make_job(train={"decay": "linear", "updates": 40}))
    rates = []
    for updates in (0, 10, 40):
        training.updates = updates
        rates.append(training._decayed_rate())
    assert rates == [1.0, 0.75, 0.0]


def test_patience_halves_the_rate_then_quarters_the_clip_then_stops(tmp_path):
    training = make_run(tmp_path, make_job(train={"patience": 1}))
    seen = []
    while not training.finished:
        training._follow_patience(better=False)
        seen.append((training.rate, training.optimiser.clip))
    assert seen[:4] == [(0.5, 2.0), (0.5, 0.5), (0.25, 0.5), (0.25, 0.125)]
    assert training.rate == 2**-6
    assert training.stopped == "patience"


def test_a_loss_that_is_not_finite_stops_with_advice(tmp_path):
    training = make_run(tmp_path)
    with torch.no_grad():
        training.model.output.bias[0] = float("nan")
    with pytest.raises(UserError, match=r"not a finite number.*after 20 updates.*optimisation\.lr"):
        finish(training, tmp_path)


@pytest.mark.parametrize("beam", [1, 4])
def test_translations_do_not_depend_on_the_batch(trained, beam):
    model, split = trained.model.eval().double(), make_corpus().splits["test"]
    whole = translate(model, split, beam, 1.0, 12, batch=64)
    for batch in (1, 7):
        parts = translate(model, split, beam, 1.0, 12, batch=batch)
        assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))
    model.float().train()


def test_subwords_are_joined():
    words = ["</s>", "<unk>", "half@@", "way"]
    lines = to_lines([[2, 3, 3], [1], [], [3, 2]], words)
    assert lines == ["halfway way", "<unk>", "", "way half"]


def test_batches_for_evaluation_go_from_the_longest():
    lengths = np.array([3, 9, 1, 9, 5])
    assert [part.tolist() for part in by_length(lengths, 2)] == [[1, 3], [4, 0], [2]]


def test_a_batch_holds_both_sides():
    split = make_corpus().splits["test"]
    batch = make_batch(split, np.array([4, 2]), "cpu")
    for column, sentence in enumerate((4, 2)):
        start, stop = split.source_offsets[sentence : sentence + 2]
        length = stop - start
        assert batch.source[:length, column].tolist() == split.source[start:stop].tolist()
        assert batch.target[:length, column].tolist() == split.target[start:stop].tolist()
        assert batch.target_lengths[column] == length
