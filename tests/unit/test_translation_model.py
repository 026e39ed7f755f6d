"""The translation model: attention kernel, padding, initialisation, one step at a time."""

import itertools

import pytest
import torch

from g2lstm.cells import GatePolicy
from g2lstm.cells.build import Unavailable
from g2lstm.cells.counter import GumbelNoise
from g2lstm.cells.native import library
from g2lstm.nmt import kernels, native, pieces
from g2lstm.nmt.layers import AttentionLayer, dropped, reorder, reverse_within
from g2lstm.nmt.model import TranslationModel, decoder_step
from g2lstm.nmt.reference import decode

SETTINGS = {
    "embedding": 6, "hidden": 5, "layers": 3, "dropout": 0.0, "readout_dropout": 0.0,
    "zigzag": True, "embedding_std": None, "gain": 1.0,
}  # fmt: skip
VOCABULARY = 11
POLICIES = {
    "plain": GatePolicy(),
    "sharpened": GatePolicy("sharpened", tau=0.2),
    "gumbel": GatePolicy("gumbel", tau=0.9, p=0.5),
}


def arguments(noise, steps=4, batch=3, hidden=5, source=6, attention=7, annotation=8):
    """Return arguments of the attention layer in float64, differentiable but for the last."""

    def draw(*shape):
        return (0.3 * torch.randn(*shape, dtype=torch.double)).requires_grad_()

    mask = torch.zeros(batch, source, dtype=torch.double)
    mask[1, 4:] = mask[2, 1:] = -torch.inf
    return [
        draw(steps, batch, 4 * hidden), draw(batch, hidden), draw(batch, source, annotation),
        draw(batch, source, attention), mask, draw(4 * hidden, hidden), draw(attention, hidden),
        draw(attention), draw(4 * hidden, hidden), draw(4 * hidden, annotation), draw(4 * hidden),
        *([GumbelNoise(steps, batch, hidden, POLICIES["gumbel"], seed=k) for k in (1, 2)] + [0.9]
          if noise else [None, None, 1.0]),
    ]  # fmt: skip


def skip_without_native(dtype):
    try:
        library(dtype)
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=kernels.KERNELS)
def kernel(request):
    if request.param == "native":
        skip_without_native(torch.float64)
    return kernels.KERNELS[request.param]


@pytest.fixture
def model():
    torch.manual_seed(3)
    return TranslationModel(VOCABULARY, SETTINGS, POLICIES["gumbel"]).double()


def sentences(lengths, steps):
    """Return token ids (steps, batch), padded with 0."""
    torch.manual_seed(5)
    tokens = torch.randint(1, VOCABULARY, (steps, len(lengths)))
    for column, length in enumerate(lengths):
        tokens[length - 1 :, column] = 0
    return tokens, torch.tensor(lengths)


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"steps": 1, "batch": 3},
        {"source": 6, "hidden": 1},
        {"hidden": 70, "attention": 130, "annotation": 140},
    ],
)
def test_kernel_and_its_gradients_equal_the_definition(kernel, noise, sizes):
    torch.manual_seed(1)
    values = arguments(noise, **sizes)
    wanted = [value for value in values[:11] if value.requires_grad]
    results = []
    for run in (kernel, decode):
        outputs = run(*values)
        torch.manual_seed(2)
        loss = sum((output * torch.randn_like(output)).sum() for output in outputs)
        results.append([*outputs, *torch.autograd.grad(loss, wanted)])
    for ours, reference in zip(*results, strict=True):
        torch.testing.assert_close(ours, reference, rtol=0, atol=1e-12)


def test_gradients_of_the_kernel_by_finite_differences(kernel):
    torch.manual_seed(1)
    values = arguments(noise=True, steps=2, batch=3, hidden=2, source=5, attention=3, annotation=2)
    assert torch.autograd.gradcheck(lambda *inputs: kernel(*inputs, *values[11:]), values[:11])


def test_bits_of_the_kernel_do_not_depend_on_the_number_of_threads():
    skip_without_native(torch.float32)
    torch.manual_seed(1)
    values = [v.detach().float() if torch.is_tensor(v) else v for v in arguments(True, hidden=70)]
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(native.attention_lstm(*values))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("name", POLICIES)
def test_model_gradients_equal_those_with_the_definition(kernel, name):
    tokens, lengths = sentences([6, 3, 4], 6)
    results = []
    for each in (kernel, decode):
        torch.manual_seed(3)
        model = TranslationModel(VOCABULARY, SETTINGS, POLICIES[name]).double()
        model.decoder["0"].kernel = each
        source = model.encode(tokens, lengths)
        loss, words = model.negative_log_likelihood(source, tokens, lengths)
        loss.backward()
        assert words == 13
        results.append([loss.detach(), *(p.grad for p in model.parameters())])
    for got, wanted in zip(*results, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-10)


def test_only_the_two_gates_feel_the_temperature():
    layer = AttentionLayer(4, 3, 6, POLICIES["sharpened"])
    torch.nn.init.ones_(layer.weight_nl)
    scaled = layer.effective_weights()[3]
    assert torch.equal(scaled[:6], torch.full((6, 3), 5.0))
    assert torch.equal(scaled[6:], torch.ones(6, 3))


def test_noise_reaches_both_transitions_and_only_in_training(model):
    tokens, lengths = sentences([5, 5], 5)
    source = model.encode(tokens, lengths)
    layer = model.decoder["0"]
    seen = []
    run = layer.kernel
    layer.kernel = lambda *inputs: seen.append(inputs[-3:]) or run(*inputs)
    model.decode(source, tokens)
    model.decode(source, tokens)
    model.eval().decode(source, tokens)
    noises = [noise.values(torch.float64) for call in seen[:2] for noise in call[:2]]
    assert all(noise.shape == (5, 2, 2 * SETTINGS["hidden"]) for noise in noises)
    for one, other in itertools.combinations(noises, 2):
        assert not torch.equal(one, other)
    assert [call[2] for call in seen] == [0.9, 0.9, 1.0]
    assert seen[2][:2] == (None, None)


def test_padding_does_not_change_a_sentence(model):
    model.eval()
    tokens, lengths = sentences([7, 3], 7)
    together = model.encode(tokens, lengths)
    alone = model.encode(tokens[:3, 1:], lengths[1:])
    torch.testing.assert_close(together.annotations[1:, :3], alone.annotations)
    torch.testing.assert_close(together.h0[1:], alone.h0)
    loss = model.negative_log_likelihood(together, tokens, lengths)[0]
    first = model.negative_log_likelihood(
        model.encode(tokens[:, :1], lengths[:1]), tokens[:, :1], lengths[:1]
    )[0]
    second = model.negative_log_likelihood(alone, tokens[:3, 1:], lengths[1:])[0]
    torch.testing.assert_close(loss, first + second)


def test_a_prediction_does_not_depend_on_its_own_word(model):
    model.eval()
    tokens, lengths = sentences([6, 6], 6)
    other = tokens.clone()
    other[3] = (other[3] + 1) % VOCABULARY
    source = model.encode(tokens, lengths)
    a, b = model.decode(source, tokens), model.decode(source, other)
    assert torch.equal(a[:4], b[:4])
    assert not torch.equal(a[4], b[4])


def test_zigzag_turns_the_second_encoder_layer(model):
    model.eval()
    tokens, lengths = sentences([6], 6)
    layer = model.encoder["1"]
    seen = []
    handle = layer.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
    model.encode(tokens, lengths)
    model.zigzag = False
    model.encode(tokens, lengths)
    handle.remove()
    torch.testing.assert_close(seen[0], seen[1].flip(0))


def test_only_the_third_decoder_layer_adds_its_input(model):
    x, y = torch.ones(2), torch.full((2,), 10.0)
    assert torch.equal(model._residual(1, x, y), y)
    assert torch.equal(model._residual(2, x, y), x + y)


def test_one_step_at_a_time_gives_the_teacher_forced_logits(model):
    torch.nn.init.normal_(model.eval().output.bias)
    tokens, lengths = sentences([5, 5], 5)
    source = model.encode(tokens, lengths)
    wanted = model.output(model.decode(source, tokens))
    step = decoder_step(model)
    state, memory = model.start_search(source)
    previous = None
    with torch.no_grad():
        for t in range(5):
            logits, state = step(previous, state, memory)
            torch.testing.assert_close(logits[:, 0], wanted[t])
            previous = tokens[t].unsqueeze(1)


@pytest.mark.parametrize("cached", [1, 100, 10**6])
def test_slots_of_a_step_do_not_touch_each_other(model, monkeypatch, cached):
    monkeypatch.setattr(pieces, "CACHED", cached)
    model.eval()
    source = model.encode(*sentences([5, 3, 4], 5))
    state, memory = model.start_search(source)
    step = decoder_step(model)
    state = step(None, state, memory)[1]
    tokens = torch.tensor([[1, 2], [3, 4], [5, 6]])
    both = tuple(value.expand(3, 2, -1) for value in state)
    logits, both = step(tokens, both, memory)
    logits = logits.clone()  # the next step writes over them
    for slot in range(2):
        alone, after = step(tokens[:, [slot]], state, memory)
        torch.testing.assert_close(alone[:, 0], logits[:, slot])
        for one, of_both in zip(after, both, strict=True):
            torch.testing.assert_close(one[:, 0], of_both[:, slot])
    assert not torch.allclose(logits[:, 0], logits[:, 1])


def test_logits_of_all_steps_share_their_memory(model):
    step = decoder_step(model.eval())
    state, memory = model.start_search(model.encode(*sentences([5, 3], 5)))
    first, state = step(None, state, memory)
    second, _ = step(torch.tensor([[1], [2]]), state, memory)
    assert first.data_ptr() == second.data_ptr()


def test_no_step_in_training_mode(model):
    with pytest.raises(ValueError, match="test mode"):
        decoder_step(model.train())


def assert_identity(product):
    # drawn in single precision
    torch.testing.assert_close(product, torch.eye(len(product)).double(), rtol=0, atol=1e-5)


def test_matrices_start_orthogonal_gate_by_gate_and_biases_at_zero(model):
    for block in model.decoder["1"].weight_hh.chunk(4):
        assert_identity(block @ block.T)
    wide = model.decoder["1"].weight_ctx.chunk(4)[0]  # (5, 10): its rows are orthonormal
    assert_identity(wide @ wide.T)
    context = model.decoder["0"].weight_ctx  # (20, 10), drawn as one block
    assert_identity(context.T @ context)
    of_words = model.readout.weight[:, 5:11]  # (6, 6)
    assert_identity(of_words @ of_words.T)
    tall = model.source.weight  # (11, 6): its columns are
    assert_identity(tall.T @ tall)
    assert all((p == 0).all() for name, p in model.named_parameters() if "bias" in name)


def test_gain_is_a_factor_on_the_matrices_into_gates_alone():
    torch.manual_seed(3)
    model = TranslationModel(VOCABULARY, SETTINGS | {"gain": 3.0}).double()
    first = model.decoder["0"]
    for block in model.encoder["1"].weight_ih.chunk(4):
        assert_identity(block @ block.T / 9)
    assert_identity(first.weight_ctx.T @ first.weight_ctx / 9)
    assert_identity(first.weight_query.T @ first.weight_query)
    assert_identity(first.weight_key.T @ first.weight_key)


def test_size_of_the_papers_german_english_model():
    paper = SETTINGS | {"embedding": 256, "hidden": 256, "layers": 2}
    with torch.device("meta"):
        model = TranslationModel(25_000, paper)
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    assert millions == pytest.approx(25.5, abs=0.2)


def test_dropout_is_not_inverted():
    torch.manual_seed(0)
    x = torch.ones(10_000)
    kept = dropped(x, 0.25, training=True)
    assert set(kept.tolist()) == {0.0, 1.0}
    assert kept.mean() == pytest.approx(0.75, abs=0.02)
    assert torch.equal(dropped(x, 0.25, training=False), 0.75 * x)


def test_sentences_are_turned_round_within_their_length():
    x = torch.arange(4.0).view(4, 1, 1).expand(4, 2, 1)
    turned = reorder(x, reverse_within(torch.tensor([4, 2]), 4))
    assert turned[:, 0, 0].tolist() == [3, 2, 1, 0]
    assert turned[:, 1, 0].tolist() == [1, 0, 2, 3]


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (3, 5, 7, 37), (2, 4, 9, 64)])
def test_energies_are_those_of_the_definition(sizes):
    n, k, source, attention = sizes
    torch.manual_seed(0)
    query, keys = torch.randn(n, k, attention), torch.randn(n, source, attention)
    score = torch.randn(attention)
    inner = torch.tanh(query.double().unsqueeze(2) + keys.double().unsqueeze(1))
    found = kernels.energies(query, keys, score)
    torch.testing.assert_close(found.double(), inner @ score.double(), rtol=0, atol=2e-5)
