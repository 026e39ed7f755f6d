"""Every training kernel against the step-by-step definition, and the choice between them."""

import os

import pytest
import torch
from kernel_cases import arguments, draws, error, outputs_and_gradients, skip_without_native
from torch.autograd import gradcheck

from g2lstm import precision
from g2lstm.cells import build, kernels, native, pytorch, reference
from g2lstm.errors import UserError

SIZES = [(20, 40, 115), (1, 16, 33), (33, 7, 130), (2, 300, 600)]


def skip_without(kernel, dtype=torch.float64):
    if kernel is native.lstm:
        skip_without_native(dtype)


@pytest.fixture(params=[name for name in kernels.KERNELS if name != "graph"])  # see test_graph.py
def kernel(request):
    found = kernels.KERNELS[request.param]
    skip_without(found)
    return found


@pytest.mark.parametrize("hidden", [3, 5])
@pytest.mark.parametrize("noisy", [True, False])
def test_gradcheck_of_the_hand_written_backward(kernel, hidden, noisy):
    args = arguments(4, 2, 3, hidden)
    others = draws(4, 2, hidden) if noisy else ()
    assert gradcheck(lambda *inputs: kernel(*inputs, *others), args)


@pytest.mark.parametrize(("batch", "inputs", "hidden"), SIZES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-6)])
def test_equals_the_definition(kernel, batch, inputs, hidden, dtype, tolerance):
    args = arguments(9, batch, inputs, hidden, dtype)
    others = draws(9, batch, hidden)
    got = outputs_and_gradients(kernel, args, *others)
    assert error(got, outputs_and_gradients(reference.lstm, args, *others)) < tolerance
    plain = outputs_and_gradients(reference.lstm, args)
    assert error(outputs_and_gradients(kernel, args), plain) < tolerance
    assert error(got, plain) > 0.01


def test_bfloat16_operands_are_as_exact_as_their_digits(kernel):
    skip_without(kernel, torch.bfloat16)
    args, others = arguments(9, 20, 40, 115, torch.float32), draws(9, 20, 115)
    got = outputs_and_gradients(kernel, args, *others, operands=torch.bfloat16)
    assert all(value.dtype == torch.float32 for value in got)
    assert 1e-3 < error(got, outputs_and_gradients(reference.lstm, args, *others)) < 2e-2


def test_bits_do_not_depend_on_the_number_of_threads():
    skip_without(native.lstm, torch.float32)
    if native.stock_is_faster(torch.float32):
        pytest.skip("MKL may split sums among threads")
    args, others = arguments(12, 20, 80, 200, torch.float32), draws(12, 20, 200)
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(outputs_and_gradients(native.lstm, args, *others))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_same_seeds_give_the_same_bits(kernel):
    args = arguments(12, 20, 80, 200, torch.float32)
    first = outputs_and_gradients(kernel, args, *draws(12, 20, 200))
    second = outputs_and_gradients(kernel, args, *draws(12, 20, 200))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_without_a_compiler_training_goes_on_with_a_notice(empty_cache, monkeypatch, capsys):
    monkeypatch.setenv("PATH", os.devnull)
    assert kernels.choose("cpu") == "pytorch"
    assert kernels.choose("cpu") == "pytorch"
    notice = capsys.readouterr().err
    assert notice.count("\n") == 1
    assert "no C++ compiler" in notice
    kernels.want("native")
    with pytest.raises(UserError, match=r"no C\+\+ compiler"):
        kernels.choose("cpu")


def test_a_compiler_that_fails_is_reported(empty_cache, monkeypatch, tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'native.cpp:1: error: no such thing' >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(build.Unavailable, match="no such thing"):
        build.load()
    assert not list(tmp_path.glob("g2lstm/*.so"))


def test_a_cache_that_cannot_be_written_is_no_reason_to_stop(
    own_choice, monkeypatch, tmp_path, capsys
):
    skip_without(native.lstm, torch.float32)
    native.library.cache_clear()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert kernels.choose("cpu") == "pytorch"
    assert "Not a directory" in capsys.readouterr().err


def test_a_kernel_that_computes_something_else_is_not_used(own_choice, monkeypatch, capsys):
    skip_without(native.lstm, torch.float32)
    monkeypatch.setitem(kernels.KERNELS, "native", reference_with_a_slip)
    assert kernels.choose("cpu") == "pytorch"
    assert "self-check" in capsys.readouterr().err


def test_so_is_one_that_computes_group_variables_otherwise(own_choice, monkeypatch, capsys):
    skip_without(native.lstm, torch.float32)
    right = native.lstm

    def wrong(*args, z_gates=None, **others):
        return right(*args, z_gates=None if z_gates is None else z_gates + 0.01, **others)

    monkeypatch.setattr(native, "lstm", wrong)
    assert kernels.choose("cpu") == "pytorch"
    assert "self-check" in capsys.readouterr().err


def reference_with_a_slip(x, h0, c0, weight_ih, weight_hh, bias, *others, operands):
    return reference.lstm(x, h0, c0, weight_ih, 0.99 * weight_hh, bias, *others)


def test_the_choice_may_be_made_where_no_gradients_are_wanted(own_choice):
    skip_without(native.lstm, torch.float32)
    with torch.no_grad():
        assert kernels.choose("cpu") == "native"


def test_the_choice_draws_no_random_numbers(own_choice):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    kernels.choose("cpu")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("name", ["pytorch", "cudnn"])
def test_a_kernel_can_be_asked_for(own_choice, name):
    kernels.want(name)
    assert kernels.choose("cpu") == name
    args = arguments(3, 2, 4, 5)
    got = outputs_and_gradients(kernels.lstm, args)
    assert error(got, outputs_and_gradients(kernels.KERNELS[name], args)) == 0


def test_without_a_trial_the_layers_on_cuda_are_those_of_cudnn(own_choice):
    assert kernels.choose("cuda") == "cudnn"


@pytest.mark.parametrize(("name", "device"), [("native", "cuda"), ("graph", "cpu")])
def test_a_kernel_is_refused_on_the_wrong_device(own_choice, name, device):
    kernels.want(name)
    with pytest.raises(UserError, match=f"kernel = {name} cannot be used.*not on {device}"):
        kernels.choose(device)


@pytest.fixture
def bfloat16():
    precision.use("bfloat16", "cpu")
    yield
    precision.use("float32", "cpu")


def test_the_precision_of_the_process_is_that_of_the_layers(own_choice, bfloat16):
    kernels.want("pytorch")
    args, others = arguments(3, 2, 4, 5, torch.float32), draws(3, 2, 5)
    got = outputs_and_gradients(kernels.lstm, args, *others)
    same = outputs_and_gradients(pytorch.lstm, args, *others, operands=torch.bfloat16)
    assert error(got, same) == 0
    assert error(got, outputs_and_gradients(pytorch.lstm, args, *others)) > 1e-3


def test_bfloat16_needs_no_particular_processor(own_choice, bfloat16):
    assert kernels.choose("cpu") in ("native", "pytorch")


def test_double_precision_stays_what_it_is(bfloat16):
    assert precision.operands(torch.float64) == torch.float64


def test_tf32_needs_cuda_and_does_not_reach_evaluation():
    with pytest.raises(UserError, match="precision = tf32 needs a CUDA device"):
        precision.use("tf32", "cpu")
    precision.use("tf32", "cuda")
    try:
        assert torch.backends.cuda.matmul.allow_tf32
        with precision.full():
            assert not torch.backends.cuda.matmul.allow_tf32
            assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.allow_tf32
    finally:
        precision.use("float32", "cpu")
    assert not torch.backends.cuda.matmul.allow_tf32
