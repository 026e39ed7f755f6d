"""Which training kernel the layers run on, for the whole process; said aloud when it is a slow one.

On a CPU ``auto`` is C++ where it works, else PyTorch calls. On CUDA it is cuDNN, unless
:func:`settle` has found the graph to be faster.
"""

import functools
import sys

import torch

from g2lstm.cells import build, cudnn, graph, native, pytorch, trial
from g2lstm.cells.counter import GumbelNoise, WeightDrop
from g2lstm.cells.gates import GatePolicy
from g2lstm.errors import UserError
from g2lstm.precision import full, operands
from g2lstm.precision import product as stock_product

KERNELS = {
    "native": native.lstm,
    "pytorch": pytorch.lstm,
    "cudnn": cudnn.lstm,
    "graph": graph.lstm,
}
ONLY_ON = {"native": "cpu", "graph": "cuda"}
TIMED = {"cuda": ("cudnn", "graph")}  # where it is not known beforehand which is the faster
_wanted = "auto"


def want(name):
    """Ask for a kernel by name for the rest of the process; "auto" takes the fastest that works."""
    global _wanted
    _wanted = name
    _choose.cache_clear()


def lstm(x, *others):
    """Run the chosen kernel; the contract is that of :func:`g2lstm.cells.reference.lstm`."""
    kernel = KERNELS[choose(x.device.type, x.dtype)]
    return kernel(x, *others, operands=operands(x.dtype))


def product(a, b, out, add=False):
    """Write ``a · b`` to ``out``, or add it; sums have its type, operands may be narrower."""
    if in_cpp(out):
        return native.product(a, b, out, add)
    return stock_product(a, b, out, out if add else None)


def softmax_loss(logits, bias, targets, d_bias):
    """Return the summed cross-entropy (nats) of a block of tokens, and its gradient as an operand.

    ``logits`` (words, tokens), overwritten, get ``bias`` (words) added; ``targets`` (tokens). The
    gradient is with respect to the logits; its sums over tokens are added to ``d_bias``.
    """
    kind = operands(logits.dtype)
    if in_cpp(logits):
        return native.softmax_loss(logits, bias, targets, d_bias, kind)
    here = targets.unsqueeze(0)
    logits += bias.unsqueeze(1)
    logits -= logits.amax(dim=0)
    loss = -logits.gather(0, here).sum()
    total = logits.exp_().sum(dim=0, keepdim=True)
    loss += total.log().sum()
    # From here on the block holds the gradient of the loss: softmax minus one-hot.
    logits /= total
    logits.scatter_add_(0, here, -torch.ones_like(total))
    d_bias += logits.sum(dim=1)
    return loss, logits.to(kind)


def multiplier(matrix):
    """Return the function that writes ``a · matrix`` to its second argument, or adds it where a
    third one, ``add``, is true; to be used often.
    """
    if in_cpp(matrix):
        return native.Packed(matrix).product
    return lambda a, out, add=False: stock_product(a, matrix, out, out if add else None)


def in_cpp(result):
    """Tell whether C++ computes what goes into ``result``: it has float32 sums alone."""
    return result.dtype == torch.float32 and choose(result.device.type) == "native"


def choose(device_type, dtype=torch.float32):
    """Return the name of the kernel for tensors of ``dtype`` on a kind of device.

    Raises UserError when the one that was asked for does not work here.
    """
    return _choose(device_type, operands(dtype))


@functools.cache
def _choose(device_type, kind):
    if _wanted != "auto":
        if problem := _problem(_wanted, device_type, kind):
            raise UserError(f"kernel = {_wanted} cannot be used: {problem}; set kernel to auto")
        return _wanted
    if device_type != "cpu":
        return "cudnn"
    return "native" if _works("native", device_type, kind) else "pytorch"


def settle(layers, steps, batch, device):
    """Choose the kernel of a new training run, for the rest of the process.

    With ``auto`` on CUDA those that work are timed on ``layers``, if there are any, and chunks of
    ``steps`` by ``batch``. Returns the name, and the milliseconds that each took: empty when none
    was timed.
    """
    if _wanted != "auto" or device.type not in TIMED or not layers:
        return choose(device.type), {}
    kind, times = operands(torch.float32), {}
    for name in [name for name in TIMED[device.type] if _works(name, device.type, kind)]:
        want(name)
        times[name] = round(trial.milliseconds(layers, steps, batch, device), 3)
    want(min(times, key=times.get))
    return _wanted, times


def go_on_with(name, device, folder):
    """Use the kernel that the run of ``folder`` was begun with: another one rounds differently.

    Raises UserError when another one was asked for, or when it does not work here.
    """
    begun = f"{folder}: this run was begun with kernel {name}"
    if _wanted not in ("auto", name):
        raise UserError(
            f"{begun}, not {_wanted}; set kernel to {name} or auto, or delete the folder to train "
            "anew"
        )
    if problem := _problem(name, device.type, operands(torch.float32)):
        raise UserError(
            f"{begun}, which cannot be used: {problem}; mend that, or delete the folder to train "
            "anew with another kernel"
        )
    want(name)


def _works(name, device_type, kind):
    """Tell whether a kernel can be used; if not, say why training goes on without it."""
    problem = _problem(name, device_type, kind)
    if problem:
        print(f"note: training without kernel {name}, slower ({problem})", file=sys.stderr)
    return not problem


def _problem(name, device_type, kind):
    """Return why a kernel cannot be used for operands of type ``kind``, or an empty string."""
    if ONLY_ON.get(name, device_type) != device_type:
        return f"it runs on {ONLY_ON[name]} alone, not on {device_type}"
    if name in ("pytorch", "cudnn"):
        return ""
    try:
        native.library(kind) if name == "native" else graph.cells()
        return "" if _agrees(name, device_type, kind) else f"it fails its self-check in {kind}"
    except build.Unavailable as reason:
        return str(reason)
    except Exception as error:  # of Triton, its compilers, the driver: there is another kernel
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


@torch.enable_grad()
@full()
def _agrees(name, device_type, kind):
    """Compare a kernel with the PyTorch calls on two chunks of a small layer, gradients included.

    The second chunk takes over the buffers of the first before that one's backward pass.
    """
    generator = torch.Generator().manual_seed(0)
    steps, batch, inputs, hidden = 3, 5, 7, 33
    shapes = [(steps, batch, inputs), (batch, hidden), (batch, hidden)]
    shapes += [(4 * hidden, inputs), (4 * hidden, hidden), (4 * hidden,)]
    arguments = [
        torch.randn(shape, generator=generator, dtype=torch.promote_types(kind, torch.float32))
        .mul_(0.3).to(device_type).requires_grad_()
        for shape in shapes
    ]  # fmt: skip
    policy = GatePolicy("gumbel", tau=0.9, p=0.2)
    draws = [
        (
            GumbelNoise(steps, batch, hidden, policy, device_type, seed),
            WeightDrop(4 * hidden, hidden, 0.3, device_type, seed),
        )
        for seed in (1, 2)
    ]
    results = []
    for kernel in (KERNELS[name], pytorch.lstm):
        x, h, c, *weights = arguments
        outputs = []
        for noise, drop in draws:
            y, h, c = kernel(x, h, c, *weights, noise, drop, policy.tau, operands=kind)
            outputs.append(y)
        gradients = torch.autograd.grad(torch.cat(outputs).sin().sum(), arguments)
        results.append([*outputs, h, c, *gradients])
    if name == "native":  # the others have no group variables
        for result, found in zip(results, _with_groups(arguments, generator, kind), strict=True):
            result += found
    tolerance = {torch.float64: 1e-9, torch.float32: 1e-4}.get(kind, 5e-2)
    return all((a - b).norm() <= tolerance * b.norm() for a, b in zip(*results, strict=True))


def _with_groups(arguments, generator, kind):
    """Return the outputs and gradients with group variables, of C++ and of the PyTorch calls."""
    from g2lstm.cells import grouped  # which asks here for the kernel

    batch, hidden = arguments[1].shape
    z_hidden, z_gates = (
        torch.randn(batch, units, generator=generator, dtype=arguments[0].dtype)
        .add_(1.0).requires_grad_()
        for units in (hidden, 4 * hidden)
    )  # fmt: skip
    in_cpp = native.lstm(*arguments, operands=kind, z_hidden=z_hidden, z_gates=z_gates)
    in_calls = grouped.in_calls(*arguments, z_hidden, z_gates)
    inputs = [*arguments, z_hidden, z_gates]
    return [
        [*outputs, *torch.autograd.grad(outputs[0].sin().sum(), inputs)]
        for outputs in (in_cpp, in_calls)
    ]
