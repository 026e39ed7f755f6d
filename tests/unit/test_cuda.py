"""All kernels, the CUDA graph among them, on a GPU."""

import numpy as np
import pytest
import torch
from kernel_cases import arguments, draws, error, outputs_and_gradients, two_layers_and_chunks

from g2lstm import config, precision
from g2lstm.cells import LSTMLayer, build, graph, kernels, reference
from g2lstm.cells.counter import Halves
from g2lstm.data.corpus import Corpus
from g2lstm.lm.train import LMTraining
from g2lstm.sparsify import lags
from g2lstm.training import device, gpus

if not torch.cuda.is_available():
    pytest.skip("no GPU", allow_module_level=True)
CUDA = torch.device("cuda", 0)
NAMES = ["pytorch", "cudnn", "graph"]


@pytest.fixture(scope="module", autouse=True)
def claim():
    """Hold the device while these tests run, not while they are collected: that all workers do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpus, "_claims", {})
        device.choose("cuda:0")
        yield
        for handle in gpus._claims.values():
            handle.close()


@pytest.fixture(params=NAMES)
def kernel(request):
    if request.param == "graph":
        try:
            graph.cells()
        except build.Unavailable as reason:
            pytest.skip(str(reason))
    return kernels.KERNELS[request.param]


@pytest.mark.parametrize(
    ("steps", "batch", "inputs", "hidden"),
    [(9, 20, 40, 115), (3, 1, 16, 33), (70, 20, 400, 1150), (25, 64, 256, 256)],
)
def test_equals_the_definition(kernel, steps, batch, inputs, hidden):
    args = arguments(steps, batch, inputs, hidden, torch.float32, CUDA)
    others = draws(steps, batch, hidden, CUDA)
    got = outputs_and_gradients(kernel, args, *others)
    assert error(got, outputs_and_gradients(reference.lstm, args, *others)) < 2e-5
    plain = outputs_and_gradients(reference.lstm, args)
    assert error(outputs_and_gradients(kernel, args), plain) < 2e-5
    assert error(got, plain) > 0.01


def test_numbers_are_those_of_the_cpu():
    on_gpu, on_cpu = (Halves(1400, 1150, place, seed=11).words() for place in (CUDA, "cpu"))
    assert torch.equal(on_gpu.cpu(), on_cpu)


def test_draws_are_those_of_the_cpu(kernel):
    on_gpu = arguments(9, 5, 7, 33, torch.float32, CUDA)
    on_cpu = arguments(9, 5, 7, 33, torch.float32)
    got = outputs_and_gradients(kernel, on_gpu, *draws(9, 5, 33, CUDA))
    want = outputs_and_gradients(reference.lstm, on_cpu, *draws(9, 5, 33))
    assert error([value.cpu() for value in got], want) < 2e-5


def test_layers_and_chunks_of_one_shape_do_not_disturb_each_other(kernel):
    args = arguments(30, 8, 48, 96, torch.float32, CUDA)
    others = [draws(30, 8, 96, CUDA, seed) for seed in range(11, 15)]
    for _ in range(3):
        got = two_layers_and_chunks(kernel, args, 48, others)
        assert error(got, two_layers_and_chunks(reference.lstm, args, 48, others)) < 5e-5


def test_lengths_in_turns(kernel):
    for steps in (30, 70, 12, 70, 130, 30):
        args, others = arguments(steps, 8, 24, 40, torch.float32, CUDA), draws(steps, 8, 40, CUDA)
        got = outputs_and_gradients(kernel, args, *others)
        assert error(got, outputs_and_gradients(reference.lstm, args, *others)) < 2e-5


def test_same_seeds_give_the_same_bits(kernel):
    args = arguments(70, 20, 400, 1150, torch.float32, CUDA)
    results = [outputs_and_gradients(kernel, args, *draws(70, 20, 1150, CUDA)) for _ in range(3)]
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_bfloat16_operands_are_as_exact_as_their_digits(kernel):
    args, others = arguments(30, 20, 64, 128, torch.float32, CUDA), draws(30, 20, 128, CUDA)
    got = outputs_and_gradients(kernel, args, *others, operands=torch.bfloat16)
    want = outputs_and_gradients(reference.lstm, args, *others)
    assert all(value.dtype == torch.float32 for value in got)
    assert 1e-3 < error(got, want) < 4e-2


def test_tf32_is_as_exact_as_its_digits_and_no_graph_outlives_it(kernel):
    args, others = arguments(30, 20, 64, 128, torch.float32, CUDA), draws(30, 20, 128, CUDA)
    want = outputs_and_gradients(reference.lstm, args, *others)
    precision.use("tf32", "cuda")
    try:
        rounded = error(outputs_and_gradients(kernel, args, *others), want)
    finally:
        precision.use("float32", "cuda")
    assert rounded < 1e-2
    assert error(outputs_and_gradients(kernel, args, *others), want) < 2e-5


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_passes_the_self_check(name, kind):
    assert kernels._problem(name, "cuda", kind) == ""


def test_gradient_norms_in_test_mode_are_those_of_the_cpu():
    torch.manual_seed(1)
    layer, x = LSTMLayer(24, 40).eval(), torch.randn(12, 3, 24)
    norms = []
    for place in ("cpu", CUDA):
        layer.to(place)
        run = lambda values: layer(values, layer.initial_state(3))[0]  # noqa: E731
        norms.append(lags.gradient_norms(run, x.to(place)).cpu())
    assert error(norms[1:], norms[:1]) < 2e-5


def test_the_faster_kernel_is_taken(own_choice):
    layers = [LSTMLayer(40, 64).to(CUDA).train(), LSTMLayer(64, 64).to(CUDA).train()]
    name, times = kernels.settle(layers, 35, 20, CUDA)
    assert set(times) == {"cudnn", "graph"}
    assert times[name] == min(times.values())
    assert kernels.choose("cuda") == name


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_run_ends_with_the_same_bits(own_choice, tmp_path, name):
    rng = np.random.default_rng(0)
    splits = {
        split: (rng.zipf(1.5, size=3000) % 50).astype(np.int32) for split in ("train", "valid")
    }
    corpus = Corpus([f"w{k}" for k in range(50)], splits)
    job = config.complete_job({"task": "lm", "stage": "train", "seed": 1})
    job["model"] = {**job["model"], "embedding": 16, "hidden": 24}
    job["gate"] = {"kind": "gumbel", "p": 0.2, "tau": 0.9, "eps": 1e-3}
    job["optimisation"] = {**job["optimisation"], "bptt": 20}
    job["schedule"] = {"epochs": 2, "nonmono": 5, "average_after": 1}
    kernels.want(name)

    def new(folder):
        torch.manual_seed(1)
        return LMTraining(job, corpus, tmp_path / folder, CUDA)

    whole = new("whole")
    whole.start()
    saved = None
    while not whole.finished:
        whole.step()
        if saved is None and whole.position > 60:
            tensors, meta = whole.state()
            saved = {key: value.clone() for key, value in tensors.items()}, meta
            generators = torch.get_rng_state(), torch.cuda.get_rng_state()
    kernels.want("auto")
    other = new("other")
    other.restore(*saved)
    torch.set_rng_state(generators[0])
    torch.cuda.set_rng_state(generators[1])
    while not other.finished:
        other.step()
    assert other.kernel == name
    for a, b in zip(whole.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(a, b)
