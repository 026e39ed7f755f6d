"""The LSTM with hard-sigmoid gates over padded texts against its definition, step by step."""

import pytest
import torch
from torch.autograd import gradcheck

from g2lstm.cells import hard

STEPS, BATCH, INPUTS, HIDDEN = 7, 4, 3, 5
LENGTHS = (7, 3, 1, 7)


def hard_sigmoid(x):
    return (0.2 * x + 0.5).clamp(0, 1)


def definition(x, kept, weight_ih, weight_hh, bias, z_hidden, z_gates):
    """One text after the other, its padding left out."""
    found = []
    for b in range(x.shape[1]):
        h = c = x.new_zeros(weight_hh.shape[1])
        for x_t in x[kept[:, b].bool(), b]:
            products = (weight_ih @ x_t + weight_hh @ h) * z_gates[b] + bias
            i, f, g, o = products.chunk(4)
            c = hard_sigmoid(f) * c + hard_sigmoid(i) * g.tanh()
            h = hard_sigmoid(o) * c.tanh() * z_hidden[b]
        found.append(h)
    return torch.stack(found)


def layer(x, kept, weight_ih, weight_hh, bias, z_hidden=None, z_gates=None):
    return hard.last_state(hard.project(x, weight_ih), kept, weight_hh, bias, z_hidden, z_gates)


def arguments(scale=1.0, dtype=torch.float64):
    """x and weights, z of neurons and gates; ``scale`` of x: large ones close and open gates."""
    generator = torch.Generator().manual_seed(4)
    shapes = [(STEPS, BATCH, INPUTS), (4 * HIDDEN, INPUTS), (4 * HIDDEN, HIDDEN), (4 * HIDDEN,)]
    shapes += [(BATCH, HIDDEN), (BATCH, 4 * HIDDEN)]
    x, *rest = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    rest[-2], rest[-1] = 1 + 0.3 * rest[-2], 1 + 0.3 * rest[-1]
    rest[-2][0, 1] = rest[-1][0, 2] = 0.0
    step, lengths = torch.arange(STEPS).unsqueeze(1), torch.tensor(LENGTHS)
    kept = (step >= STEPS - lengths).to(dtype)
    tensors = (each.to(dtype).requires_grad_() for each in (scale * x, *rest))
    x, *rest = tensors
    return [x, kept, *rest]


@pytest.mark.parametrize("count", [5, 6, 7])
def test_gradcheck_of_the_hand_written_backward(count):
    assert gradcheck(layer, arguments()[:count])


@pytest.mark.parametrize("scale", [1.0, 20.0])
@pytest.mark.parametrize("z", ["none", "neurons", "both"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_equals_the_definition(scale, z, dtype, tolerance):
    args = arguments(scale, dtype)
    ones = [torch.ones_like(value) for value in args[5:]]
    given = {"none": 5, "neurons": 6, "both": 7}[z]
    results = []
    for function, values in (
        (definition, [*args[:given], *ones[given - 5 :]]),
        (layer, args[:given]),
    ):
        y = function(*values)
        wanted = [value for value in args[:given] if value.requires_grad]
        results.append([y, *torch.autograd.grad(y.sin().sum(), wanted)])
    for a, b in zip(*results, strict=True):
        assert (a - b).abs().max() <= tolerance * b.abs().max().clamp(min=1.0)
    gates = results[0][0]
    assert gates.abs().max() > 0.01


def test_padding_adds_nothing_whatever_stands_there():
    x, kept, *weights = arguments()
    with torch.no_grad():
        found = layer(x, kept, *weights)
        assert torch.equal(found, layer(x.masked_fill(kept.unsqueeze(2) == 0, 9.0), kept, *weights))
        alone = [w[1:2] if w.shape[0] == BATCH else w for w in weights]
        short = layer(x[4:, 1:2], kept[4:, 1:2], *alone)
    torch.testing.assert_close(short[0], found[1], rtol=1e-12, atol=1e-14)


def test_the_start():
    torch.manual_seed(0)
    module = hard.HardLSTM(30, 20)
    bound = (6 / 50) ** 0.5
    assert 0.9 * bound < module.weight_ih.abs().max() <= bound
    for gate in module.weight_hh.detach().chunk(4):
        torch.testing.assert_close(gate @ gate.T, 1.21 * torch.eye(20), rtol=1e-5, atol=1e-5)
    assert module.bias.tolist() == [0.0] * 20 + [1.0] * 20 + [0.0] * 40
