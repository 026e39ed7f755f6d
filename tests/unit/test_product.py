"""The product in C++: any shape, both types of operands, any number of threads."""

import pytest
import torch
from kernel_cases import skip_without_native

from g2lstm import precision
from g2lstm.cells import kernels, native


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=str)
def operands(request):
    skip_without_native(request.param)
    return request.param


# One row, odd sums, more than one block of a sum, parts of panels and of blocks of rows.
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (7, 5, 3), (65, 257, 129), (130, 600, 64), (3, 64, 200)]
)
@pytest.mark.parametrize("add", [False, True])
def test_equals_the_product_of_the_operands_in_float64(operands, shape, add):
    torch.manual_seed(1)
    rows, inner, columns = shape
    a = torch.randn(inner, rows).to(operands).T  # not contiguous
    b = torch.randn(inner, columns).to(operands)
    before = torch.randn(rows, columns) if add else torch.full((rows, columns), torch.nan)
    want = a.double() @ b.double() + (before.double() if add else 0)
    got = native.product(a, b, before.clone(), add)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.double(), want, rtol=0, atol=2e-6 * max(inner, 10) ** 0.5 * 3)


def test_bits_do_not_depend_on_the_number_of_threads(operands):
    if native.stock_is_faster(operands):
        pytest.skip("MKL may split sums among threads")
    torch.manual_seed(2)
    a, b = torch.randn(200, 700).to(operands), torch.randn(700, 150).to(operands)
    threads, results = torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(native.product(a, b, torch.empty(200, 150)))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*results)


@pytest.mark.parametrize("name", ["native", "pytorch"])
def test_both_kernels_multiply_narrow_operands_with_wide_sums(name, operands):
    torch.manual_seed(3)
    a, b = torch.randn(20, 70), torch.randn(70, 30)
    kernels.want(name)
    try:
        precision.use({torch.float32: "float32", torch.bfloat16: "bfloat16"}[operands], "cpu")
        left, right = precision.operand(a), precision.operand(b)
        assert left.dtype == operands
        got = kernels.product(left, right, torch.ones(20, 30), add=True)
    finally:
        kernels.want("auto")
        precision.use("float32", "cpu")
    torch.testing.assert_close(got.double(), left.double() @ right.double() + 1, rtol=0, atol=2e-5)
