"""The loss of the softmax layer in float32 and bfloat16, on both kernels."""

import pytest
import torch
import torch.nn.functional as F
from kernel_cases import skip_without_native

from g2lstm import precision
from g2lstm.cells import kernels, native
from g2lstm.training.softmax import linear_cross_entropy


@pytest.fixture(params=["native", "pytorch"])
def kernel(request):
    if request.param == "native":
        skip_without_native(torch.float32)
    kernels.want(request.param)
    yield request.param
    kernels.want("auto")


def arguments(tokens, units, words):
    torch.manual_seed(1)
    shapes = (tokens, units), (words, units), (words,)
    values = [torch.randn(shape, requires_grad=True) for shape in shapes]
    return values, torch.randint(words, (tokens,))


def loss_and_gradients(function, values, targets):
    loss = function(*values, targets)
    return [loss, *torch.autograd.grad(3 * loss, values)]


# One token; parts of vectors and of chunks of 64 tokens; more than one block of 256.
@pytest.mark.parametrize("sizes", [(1, 4, 5), (37, 8, 101), (64, 16, 130), (300, 5, 70)])
def test_loss_and_gradients_are_those_of_float64(kernel, sizes):
    values, targets = arguments(*sizes)

    def definition(x, weight, bias, targets):
        return F.cross_entropy(F.linear(x, weight, bias), targets)

    wide = [value.detach().double().requires_grad_() for value in values]
    wanted = loss_and_gradients(definition, wide, targets)
    got = loss_and_gradients(linear_cross_entropy, values, targets)
    for a, b in zip(got, wanted, strict=True):
        assert (a.double() - b).norm() <= 5e-6 * b.norm()


def test_a_probability_that_underflows_keeps_its_loss(kernel):
    x, weight = torch.tensor([[1.0, 0.0]]), torch.tensor([[200.0, 0.0], [0.0, 0.0]])
    loss = linear_cross_entropy(
        x.requires_grad_(), weight.requires_grad_(), torch.zeros(2), torch.tensor([1])
    )
    assert loss.item() == pytest.approx(200.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_stays_none(kernel, value):
    (x, weight, bias), targets = arguments(3, 4, 20)
    with torch.no_grad():
        weight[7, 1] = value
    assert not linear_cross_entropy(x, weight, bias, targets).isfinite()


def test_bits_do_not_depend_on_the_number_of_threads(kernel):
    if kernel == "pytorch" or native.stock_is_faster(torch.float32):
        pytest.skip("MKL may split sums among threads")
    values, targets = arguments(200, 30, 500)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(loss_and_gradients(linear_cross_entropy, values, targets))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_bfloat16_is_as_exact_as_its_digits(kernel):
    if kernel == "native":
        skip_without_native(torch.bfloat16)
    values, targets = arguments(100, 30, 200)
    exact = loss_and_gradients(linear_cross_entropy, values, targets)
    precision.use("bfloat16", "cpu")
    try:
        got = loss_and_gradients(linear_cross_entropy, values, targets)
    finally:
        precision.use("float32", "cpu")
    errors = [(a - b).norm() / b.norm() for a, b in zip(got, exact, strict=True)]
    assert max(errors) < 2e-2
    assert min(errors[1:]) > 1e-4
