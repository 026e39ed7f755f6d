"""The LSTM with group variables against its definition, and where all of them are 1."""

import pytest
import torch
from kernel_cases import arguments, error, outputs_and_gradients, skip_without_native
from torch.autograd import gradcheck

from g2lstm.cells import grouped, native, reference


def in_cpp(*args):
    """The C++ layer, whose group variables have names."""
    return native.lstm(*args[:6], z_hidden=args[6], z_gates=args[7] if len(args) > 7 else None)


@pytest.fixture(params=["calls", "C++"])
def layer(request):
    """Each of the two ways to compute the layer, where there is one."""
    if request.param == "calls":
        return grouped.in_calls
    skip_without_native(torch.float64)
    return in_cpp


def definition(x, h, c, weight_ih, weight_hh, bias, z_hidden, z_gates):
    """Step by step, one gate after the other."""
    units = [slice(k * h.shape[1], (k + 1) * h.shape[1]) for k in range(4)]
    outputs = []
    for x_t in x:
        i, f, g, o = (
            z_gates[:, rows] * (x_t @ weight_ih[rows].T + h @ weight_hh[rows].T) + bias[rows]
            for rows in units
        )
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh() * z_hidden
        outputs.append(h)
    return torch.stack(outputs), h, c


def variables(batch, hidden, dtype=torch.float64):
    """z of neurons and of gates; one of each is 0."""
    generator = torch.Generator().manual_seed(5)
    draws = []
    for units in (hidden, 4 * hidden):
        z = 1 + 0.3 * torch.randn(batch, units, generator=generator, dtype=torch.float64)
        z[0, 1] = 0.0
        draws.append(z.to(dtype).requires_grad_())
    return draws


@pytest.mark.parametrize("gates", [True, False])
def test_gradcheck_of_the_hand_written_backward(gates, layer):
    args, z = arguments(4, 2, 3, 3), variables(2, 3)
    assert gradcheck(layer, [*args, *(z if gates else z[:1])])


@pytest.mark.parametrize(("batch", "inputs", "hidden"), [(20, 40, 115), (1, 16, 33), (7, 5, 3)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 3e-6)])
def test_equals_the_definition(batch, inputs, hidden, dtype, tolerance, layer):
    args = arguments(9, batch, inputs, hidden, dtype)
    z_hidden, z_gates = variables(batch, hidden, dtype)
    everything = [*args, z_hidden, z_gates]
    wanted = outputs_and_gradients(definition, everything)
    assert error(outputs_and_gradients(layer, everything), wanted) < tolerance
    without = [*args, z_hidden]
    wanted = outputs_and_gradients(lambda *a: definition(*a, torch.ones_like(z_gates)), without)
    assert error(outputs_and_gradients(layer, without), wanted) < tolerance


def test_variables_of_1_leave_the_layer_as_it_is():
    args = arguments(9, 4, 6, 5)
    ones = torch.ones(4, 5, dtype=torch.float64), torch.ones(4, 20, dtype=torch.float64)
    plain = outputs_and_gradients(reference.lstm, args)
    assert error(outputs_and_gradients(grouped.lstm, args, *ones), plain) < 1e-13
    assert error(outputs_and_gradients(grouped.lstm, args, ones[0]), plain) < 1e-13


def test_a_gate_of_0_is_the_activation_of_its_bias_and_a_neuron_of_0_is_silent():
    x, h, c, *weights = arguments(6, 2, 3, 4)
    z_hidden, z_gates = torch.ones(2, 4).double(), torch.ones(2, 16).double()
    z_hidden[:, 2] = 0.0
    z_gates[:, 0], z_gates[:, 4], z_gates[:, 8] = 0.0, 0.0, 0.0  # i, f and g of neuron 0
    y, _, last = grouped.lstm(x, h, c, *weights, z_hidden, z_gates)
    assert not y[:, :, 2].any()
    assert y[:, :, 1].all()
    i, f, g = (weights[2][4 * k] for k in range(3))
    wanted = c[:, 0]
    for _ in x:
        wanted = f.sigmoid() * wanted + i.sigmoid() * g.tanh()
    torch.testing.assert_close(last[:, 0], wanted)
