"""What is left of sparse models' gates: maps, gradients over time, speed, and their figures."""

import numpy as np
import pytest
import torch
from paper_figure_records import LAYOUT, is_complete, rows_of

from g2lstm.errors import UserError
from g2lstm.lm.stacked import StackedLanguageModel, last_layer
from g2lstm.paper.sparse_figures import SHOWN, write_gate_maps, write_gradient_lags
from g2lstm.records import write_record
from g2lstm.sparsify import lags, speed
from g2lstm.sparsify.gate_map import gate_map

HIDDEN = 3


def model(seed=1):
    torch.manual_seed(seed)
    return StackedLanguageModel(11, [4, HIDDEN, HIDDEN], init=0.8).double().eval()


def test_a_gate_map_tells_live_gates_and_the_value_of_constant_ones():
    arrays = {name: value.numpy() for name, value in model().state_dict().items()}
    arrays["lstm.1.bias"] = np.linspace(-1, 1, 4 * HIDDEN)
    for row in (0 * HIDDEN + 1, 2 * HIDDEN + 1, 1 * HIDDEN + 2):  # i and g of one, f of another
        arrays["lstm.1.weight_ih"][row] = arrays["lstm.1.weight_hh"][row] = 0.0
    first, second = gate_map(arrays)
    assert first["live"] == ["ifgo"] * HIDDEN
    assert second["live"] == ["ifgo", "fo", "igo"]
    bias = arrays["lstm.1.bias"].reshape(4, HIDDEN)
    assert second["constants"][1][2] == pytest.approx(np.tanh(bias[2, 1]), abs=1e-4)
    assert second["constants"][2][1] == pytest.approx(1 / (1 + np.exp(-bias[1, 2])), abs=1e-4)


def test_gradient_norms_equal_finite_differences():
    network, steps = model(2), 6
    torch.manual_seed(3)
    x = torch.randn(steps, 2, HIDDEN, dtype=torch.float64)
    run = lambda values: network.lstm[-1](values, network.lstm[-1].initial_state(2))[0]  # noqa: E731
    found = lags.gradient_norms(run, x)
    wanted = torch.zeros(HIDDEN, steps, dtype=torch.float64)
    step = 1e-6
    for lag in range(steps):
        for window in range(2):
            slopes = []
            for unit in range(HIDDEN):
                moved = [x.clone() for _ in range(2)]
                moved[0][-1 - lag, window, unit] += step
                moved[1][-1 - lag, window, unit] -= step
                up, down = (run(each)[-1, window].detach() for each in moved)
                slopes.append((up - down) / (2 * step))
            wanted[:, lag] += torch.stack(slopes).norm(dim=0) / 2
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-9)


def test_the_inputs_of_the_last_layer_give_the_models_outputs():
    network = model()
    corpus = type("Text", (), {"splits": {"valid": np.arange(40) % 11}})
    with torch.no_grad():
        run, x = last_layer(network, corpus, 8, 5)
        starts = lags.even_starts(40, 8, 5)
        assert (starts[0], starts[-1], len(starts)) == (0, 32, 5)
        tokens = torch.stack([torch.arange(s, s + 8) % 11 for s in starts], 1)
        raw, _, _ = network(tokens, network.initial_state(5))
        torch.testing.assert_close(run(x), raw)


def test_far_shares_are_means_over_neurons_of_a_kind():
    norms = torch.ones(4, 101)
    norms[0, lags.FAR :] = 0.5
    norms[1, 0], norms[1, lags.FAR :] = 2.0, 0.5
    found = lags.far_shares(norms, ["o", "o", "ifgo", "io"])
    assert found == {"far_o": pytest.approx(0.375), "far_ifgo": pytest.approx(1.0)}
    assert lags.far_shares(norms[2:3], ["io"]) == {}
    norms[3, 0] = 0.0
    assert lags.far_shares(norms, ["ifgo", "o", "ifgo", "ifgo"])["far_ifgo"] == pytest.approx(0.75)
    assert lags.far_shares(norms[3:], ["ifgo"]) == {}


def test_of_two_functions_the_one_that_does_more_takes_longer():
    a = torch.randn(300, 300)
    found = speed.measure(lambda: [a @ a for _ in range(8)], lambda: a @ a, rounds=3)
    assert found["speedup"] > 2
    assert found["speedup"] == pytest.approx(found["dense_milliseconds"] / found["milliseconds"])


def record(path, **facts):
    labels = {"kind": "evaluation", "preset": "demo", "task": "word-ptb-small", "seed": 1}
    write_record(path, {**labels, "variant": "bayes-wgn", **facts})
    return path


def test_a_figure_of_maps_draws_at_most_some_neurons_and_writes_all(tmp_path):
    layer = {"live": ["ifgo", "o"] * 20, "constants": [[0.1, 0.2, -0.3, 0.4]] * 40}
    gone = {"live": [], "constants": []}
    path = record(tmp_path / "r.json", gates=[layer, gone])
    write_gate_maps([path], LAYOUT, tmp_path / "maps")
    assert is_complete(tmp_path / "maps")
    rows = rows_of(tmp_path / "maps")
    assert len(rows) == 40 * 4
    assert rows[4] == {
        "task": "word-ptb-small", "layer": "1", "neuron": "1", "gate": "i", "live": "0",
        "constant": "0.1",
    }  # fmt: skip
    assert f"At most {SHOWN} neurons" in (tmp_path / "maps.tex").read_text()
    with pytest.raises(UserError, match="export the models again"):
        write_gate_maps([record(tmp_path / "old.json", gates=[])], LAYOUT, tmp_path / "maps")


def test_a_figure_of_lags_has_a_line_for_each_neuron(tmp_path):
    norms = [[1.0, 0.5, 0.25], [2.0, 0.1, 0.0], [0.0, 0.0, 0.0]]
    path = record(tmp_path / "r.json", live=["ifgo", "o", ""], norms=norms, windows=5)
    write_gradient_lags([path], LAYOUT, tmp_path / "lags")
    assert is_complete(tmp_path / "lags")
    rows = rows_of(tmp_path / "lags")
    assert [float(row["norm"]) for row in rows[3:6]] == norms[1]
    assert [row["live"] for row in rows[::3]] == ["ifgo", "o", "none"]
