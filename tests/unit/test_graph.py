"""The kernel of the CUDA graph on a CPU: the same steps on the same buffers, without the graph.

Triton's interpreter takes half a second to start a kernel, hence the tiny sizes. For a GPU there is
test_cuda.py.
"""

import os
import subprocess
import sys

import pytest
import torch
from kernel_cases import arguments, draws, error, outputs_and_gradients, two_layers_and_chunks
from torch.autograd import gradcheck

from g2lstm.cells import build, graph, pytorch, reference

if torch.cuda.is_available():
    pytest.skip("Triton's interpreter is for machines without a GPU", allow_module_level=True)
os.environ["TRITON_INTERPRET"] = "1"  # read when the kernels are imported
try:
    graph.cells()
except build.Unavailable as reason:
    pytest.skip(f"{reason}; it is in requirements-dev.txt", allow_module_level=True)


@pytest.mark.parametrize(("batch", "inputs", "hidden"), [(3, 5, 7), (1, 4, 33), (4, 3, 65)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-6)])
def test_equals_the_definition(batch, inputs, hidden, dtype, tolerance):
    args, others = arguments(3, batch, inputs, hidden, dtype), draws(3, batch, hidden)
    got = outputs_and_gradients(graph.lstm, args, *others)
    assert error(got, outputs_and_gradients(reference.lstm, args, *others)) < tolerance
    assert error(got, outputs_and_gradients(reference.lstm, args)) > 0.01


@pytest.mark.parametrize("noisy", [True, False])
def test_gradcheck_of_the_hand_written_backward(noisy):
    args = arguments(2, 2, 3, 5)
    others = draws(2, 2, 5) if noisy else ()
    assert gradcheck(lambda *inputs: graph.lstm(*inputs, *others), args, fast_mode=True)


def test_layers_and_chunks_of_one_shape_do_not_disturb_each_other():
    args = arguments(2, 2, 3, 5)
    others = [draws(2, 2, 5, seed=seed) for seed in range(11, 15)]
    got = two_layers_and_chunks(graph.lstm, args, 3, others)
    assert error(got, two_layers_and_chunks(reference.lstm, args, 3, others)) < 1e-12


def test_a_shorter_chunk_computes_in_the_memory_of_a_longer_one():
    for steps in (3, 1, 2):
        args, others = arguments(steps, 2, 3, 5), draws(steps, 2, 5)
        got = outputs_and_gradients(graph.lstm, args, *others)
        assert error(got, outputs_and_gradients(reference.lstm, args, *others)) < 1e-12


def test_bfloat16_operands_are_rounded_as_in_the_pytorch_kernel():
    args, others = arguments(3, 3, 5, 7, torch.float32), draws(3, 3, 7)
    got = outputs_and_gradients(graph.lstm, args, *others, operands=torch.bfloat16)
    assert all(value.dtype == torch.float32 for value in got)
    same = outputs_and_gradients(pytorch.lstm, args, *others, operands=torch.bfloat16)
    assert error(got, same) < 1e-2
    assert 1e-3 < error(got, outputs_and_gradients(reference.lstm, args, *others)) < 2e-2


def test_same_seeds_give_the_same_bits():
    args = arguments(2, 2, 3, 5, torch.float32)
    first = outputs_and_gradients(graph.lstm, args, *draws(2, 2, 5))
    second = outputs_and_gradients(graph.lstm, args, *draws(2, 2, 5))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from g2lstm.cells import triton_cell

numbers = dict.fromkeys(("limit", "count", "hidden"), "i32")
keys = dict.fromkeys(("row_keys", "column_keys"), "*i32")
constants = {"noisy": True, "slope": 1 / 0.9, "block": triton_cell.BLOCK}
for operands in ("fp32", "bf16"):
    given = dict.fromkeys(("h_new", "delta"), f"*{operands}")
    for kernel in (triton_cell._forward, triton_cell._backward):
        known = {name: value for name, value in constants.items() if name in kernel.arg_names}
        types = {**dict.fromkeys(known, "constexpr"), **numbers, **keys, **given}
        signature = {name: types.get(name, "*fp32") for name in kernel.arg_names}
        source = ASTSource(kernel, signature, constexprs=known)
        assert triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["cubin"]
"""


def test_the_kernels_compile_for_a_gpu_that_is_not_here(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment |= {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COMPILE]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
