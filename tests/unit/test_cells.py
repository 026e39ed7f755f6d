"""The LSTM layer and its gates against their formulas and torch.nn.LSTM."""

import math

import pytest
import torch

from g2lstm.cells import GatePolicy, LSTMLayer
from g2lstm.cells.counter import GumbelNoise, WeightDrop
from g2lstm.errors import UserError

GUMBEL = GatePolicy("gumbel", tau=0.9, p=0.2)
SHARPENED = GatePolicy("sharpened", tau=0.2)


def torch_lstm(layer, x, policy_scale=1.0):
    stock = torch.nn.LSTM(x.shape[2], layer.hidden).to(x.dtype)
    scale = torch.ones(4 * layer.hidden, dtype=x.dtype)
    scale[: 2 * layer.hidden] = policy_scale
    stock.load_state_dict(
        {
            "weight_ih_l0": layer.weight_ih * scale[:, None],
            "weight_hh_l0": layer.weight_hh * scale[:, None],
            "bias_ih_l0": layer.bias * scale,
            "bias_hh_l0": torch.zeros_like(layer.bias),
        }
    )
    return stock(x)[0]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("policy", "factor"),
    [(GatePolicy(), 1.0), (GatePolicy("gumbel", tau=0.9, p=0.0), 1.0), (SHARPENED, 5.0)],
)
def test_without_noise_the_layer_is_torch_nn_lstm(training, policy, factor):
    torch.manual_seed(0)
    layer = LSTMLayer(6, 9, policy).double().train(training)
    x = torch.randn(8, 3, 6, dtype=torch.float64)
    y, _ = layer(x, layer.initial_state(3))
    torch.testing.assert_close(y, torch_lstm(layer, x, factor), rtol=1e-12, atol=1e-12)


def test_gumbel_gates_are_plain_in_test_mode():
    torch.manual_seed(0)
    layer = LSTMLayer(6, 9, GUMBEL).double().eval()
    x = torch.randn(8, 3, 6, dtype=torch.float64)
    y, _ = layer(x, layer.initial_state(3))
    torch.testing.assert_close(y, torch_lstm(layer, x), rtol=1e-12, atol=1e-12)


def test_training_layer_equals_the_formula_of_the_paper():
    """σ((α + noise) / τ) step by step, with the noise that the layer has drawn."""
    torch.manual_seed(0)
    layer = LSTMLayer(4, 7, GUMBEL).double().train()
    x = torch.randn(5, 2, 4, dtype=torch.float64)
    torch.manual_seed(1)
    y, _ = layer(x, layer.initial_state(2))
    torch.manual_seed(1)
    noise = GumbelNoise(5, 2, 7, GUMBEL).values(torch.float64)
    h, c = layer.initial_state(2)
    for t in range(5):
        i, f, g, o = (
            x[t] @ weight_ih.T + h @ weight_hh.T + bias
            for weight_ih, weight_hh, bias in map(layer.gate, "ifgo")
        )
        i = torch.sigmoid((i + noise[t, :, :7]) / 0.9)
        f = torch.sigmoid((f + noise[t, :, 7:]) / 0.9)
        c = f * c + i * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        torch.testing.assert_close(y[t], h, rtol=1e-12, atol=1e-12)


def test_gate_matrices_are_views():
    layer = LSTMLayer(4, 7)
    for name in "ifgo":
        for view, whole in zip(
            layer.gate(name), (layer.weight_ih, layer.weight_hh, layer.bias), strict=True
        ):
            assert view.data_ptr() >= whole.data_ptr()
            assert view.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()
    with torch.no_grad():
        layer.gate("f")[1].fill_(7.0)
    assert (layer.weight_hh[7:14] == 7).all()
    assert (layer.weight_hh[:7] != 7).all()


def test_state_is_carried_across_chunks():
    torch.manual_seed(0)
    layer = LSTMLayer(4, 7).double().train()
    x = torch.randn(10, 2, 4, dtype=torch.float64)
    whole, _ = layer(x, layer.initial_state(2))
    first, state = layer(x[:6], layer.initial_state(2))
    second, _ = layer(x[6:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=1e-12, atol=1e-12)


def test_weight_drop_gradient_is_masked():
    torch.manual_seed(0)
    layer = LSTMLayer(5, 6, weight_drop=0.5).double().train()
    x = torch.randn(4, 2, 5, dtype=torch.float64)
    torch.manual_seed(3)
    layer(x, layer.initial_state(2))[0].sum().backward()
    torch.manual_seed(3)
    dropped = WeightDrop(24, 6, 0.5).factor(torch.float64) == 0
    assert dropped.any()
    assert (layer.weight_hh.grad[dropped] == 0).all()
    assert (layer.weight_hh.grad[~dropped] != 0).all()


def test_weight_drop_is_off_in_test_mode():
    torch.manual_seed(0)
    layer = LSTMLayer(6, 9, weight_drop=0.5).double().eval()
    x = torch.randn(8, 3, 6, dtype=torch.float64)
    y, _ = layer(x, layer.initial_state(3))
    torch.testing.assert_close(y, torch_lstm(layer, x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("eps", [0.05, 0.1, 0.25])
@pytest.mark.parametrize("tau", [0.3, 0.9])
def test_proposition_3_1_by_monte_carlo(eps, tau):
    """0 <= P(D = 1) - P(G >= 1 - eps) <= tau/4 · log(1/eps), and the same for D = 0."""
    torch.manual_seed(11)
    n = 400_000
    policy = GatePolicy("gumbel", tau=tau, p=1.0, eps=1e-12)
    noise = GumbelNoise(n, 1, 1, policy).values(torch.float64)[:, 0, 0]
    slack = 4 * 0.5 / math.sqrt(n)
    bound = tau / 4 * math.log(1 / eps)
    for alpha in torch.linspace(-5, 5, 11, dtype=torch.float64):
        gate = torch.sigmoid((alpha + noise) / tau)
        at_one, at_zero = (gate >= 1 - eps).double().mean(), (gate <= eps).double().mean()
        open_probability = torch.sigmoid(alpha)
        closed_form = torch.sigmoid(alpha - tau * math.log(1 / eps - 1))
        assert abs(at_one - closed_form) < slack
        assert -slack <= open_probability - at_one <= bound + slack
        assert -slack <= (1 - open_probability) - at_zero <= bound + slack


@pytest.mark.parametrize(
    ("kwargs", "word"),
    [
        ({"kind": "hard"}, "hard"),
        ({"kind": "gumbel", "p": -0.1}, "p = -0.1"),
        ({"kind": "gumbel", "p": 1e-6}, "16 bits"),
        ({"kind": "sharpened", "tau": 0.0}, "tau = 0.0"),
        ({"eps": 0.0}, "eps = 0.0"),
    ],
)
def test_impossible_policies_are_refused(kwargs, word):
    with pytest.raises(UserError, match=word):
        GatePolicy(**kwargs)
