"""The recurrent highway layer against its definition, gradients included."""

import pytest
import torch
from kernel_cases import error, outputs_and_gradients
from torch.autograd import gradcheck

from g2lstm.cells import kernels
from g2lstm.cells.highway import HighwayLayer, highway


def definition(x, s, weight_ih, weight_hh, bias, mask=None):
    """Step by step and depth by depth, each gate with a matrix of its own."""
    hidden = s.shape[1]
    blocks = list(zip(weight_hh.split(hidden), bias.split(hidden), strict=True))
    inputs = weight_ih.split(hidden)
    outputs = []
    for x_t in x:
        for d in range(len(blocks) // 2):
            dropped = s if mask is None else s * mask
            h, t = (dropped @ weight.T + b for weight, b in blocks[2 * d : 2 * d + 2])
            if d == 0:
                h, t = h + x_t @ inputs[0].T, t + x_t @ inputs[1].T
            s = h.tanh() * t.sigmoid() + s * (1 - t.sigmoid())
        outputs.append(s)
    return torch.stack(outputs), s


def arguments(steps, batch, hidden, depth, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    shapes = [(steps, batch, hidden), (batch, hidden), (2 * hidden, hidden)]
    shapes += [(depth * 2 * hidden, hidden), (depth * 2 * hidden,)]
    scales = [1.0, 1.0, *[hidden**-0.5] * 3]
    drawn = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return [
        (scale * each).to(dtype).requires_grad_() for scale, each in zip(scales, drawn, strict=True)
    ]


def mask_of(batch, hidden, dtype=torch.float64):
    drawn = torch.rand(batch, hidden, generator=torch.Generator().manual_seed(2))
    return (drawn >= 0.3).to(dtype) / 0.7


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("masked", [True, False])
def test_gradcheck_of_the_hand_written_backward(depth, masked):
    mask = mask_of(2, 3) if masked else None
    assert gradcheck(highway, [*arguments(3, 2, 3, depth), mask])


@pytest.mark.parametrize("kernel", ["auto", "pytorch"])
@pytest.mark.parametrize(("batch", "hidden", "depth"), [(20, 83, 4), (1, 16, 2), (7, 5, 1)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 5e-6)])
def test_equals_the_definition(own_choice, kernel, batch, hidden, depth, dtype, tolerance):
    kernels.want(kernel)
    args = arguments(9, batch, hidden, depth, dtype)
    for mask in (mask_of(batch, hidden, dtype), None):
        wanted = outputs_and_gradients(lambda *a, mask=mask: definition(*a, mask), args)
        found = outputs_and_gradients(lambda *a, mask=mask: highway(*a, mask), args)
        assert error(found, wanted) < tolerance


def test_a_chunk_in_two_parts_is_the_same():
    x, s, *weights = arguments(8, 4, 6, 3)
    whole, last = highway(x, s, *weights)
    first, s = highway(x[:3], s, *weights)
    second, s = highway(x[3:], s, *weights)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    assert torch.equal(whole[-1], last)


def test_a_layer_starts_with_closed_transform_gates():
    layer = HighwayLayer(40, 5)
    layer.initialise(0.04, -2.0)
    bias = layer.bias.view(5, 2, 40)
    assert (bias[:, 1] == -2).all()
    for part in (bias[:, 0], layer.weight_ih, layer.weight_hh):
        assert 0.035 < part.abs().max() <= 0.04
