"""Groups, structure and export of sparse models, against brute force on tiny ones."""

import math

import numpy as np
import pytest
import torch

from g2lstm.arrays import save_arrays
from g2lstm.errors import UserError
from g2lstm.lm.stacked import StackedLanguageModel, empty_model
from g2lstm.lm.stacked_train import learning_rate
from g2lstm.sparsify.export import export_model, load_exported
from g2lstm.sparsify.models import read_exported
from g2lstm.sparsify.pruning import INSIDE_ROOT, Pruning
from g2lstm.sparsify.structure import read_structure

HIDDEN, EMBEDDING, WORDS = 3, 4, 6


def tiny(seed=1, hidden=HIDDEN):
    torch.manual_seed(seed)
    return StackedLanguageModel(WORDS, [EMBEDDING, hidden, hidden], init=0.5).double()


def groups_of(model, layer, neuron):
    """Return the five groups of a neuron as lists of weights, element by element."""
    lstm = model.lstm[layer]
    reader = model.lstm[1].weight_ih if layer == 0 else model.decoder.weight
    gates = []
    for gate in range(4):
        row = gate * HIDDEN + neuron
        inputs = [lstm.weight_ih[row, i] for i in range(lstm.weight_ih.shape[1])]
        gates.append([*inputs, *(lstm.weight_hh[row, j] for j in range(HIDDEN))])
    output = [lstm.weight_hh[row, neuron] for row in range(4 * HIDDEN)]
    return [*gates, [*output, *(reader[row, neuron] for row in range(len(reader)))]]


def brute_force(model, groups, lambda1, lambda2):
    total = 0.0
    for layer in range(2):
        for neuron in range(HIDDEN):
            parts = groups_of(model, layer, neuron)
            if groups == "neurons":
                parts = [[weight for part in parts for weight in part]]
            for part in parts:
                total += lambda1 * (sum(w**2 for w in part) + INSIDE_ROOT) ** 0.5
    under_lasso = [p for name, p in model.named_parameters() if name != "embedding.weight"]
    return total + lambda2 * sum(p.abs().sum() for p in under_lasso)


def test_a_neuron_has_the_weights_of_the_recipe():
    """4 (in + H) of its gates, 4 H and the consumer's of its output; 4 of them are in both."""
    model = tiny()
    for layer, inputs, consumer in ((0, EMBEDDING, 4 * HIDDEN), (1, HIDDEN, WORDS)):
        sizes = [len(part) for part in groups_of(model, layer, 1)]
        assert sizes == [inputs + HIDDEN] * 4 + [4 * HIDDEN + consumer]


@pytest.mark.parametrize("groups", ["neurons", "gates"])
def test_penalty_and_gradient_equal_enumeration(groups):
    model = tiny()
    found = Pruning(model, groups, 0.3, 0.02, 1e-4)
    wanted = brute_force(model, groups, 0.3, 0.02)
    assert found.penalty().item() == pytest.approx(wanted.item(), rel=1e-12)
    wanted.backward()
    expected = [parameter.grad for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    found.add_gradient()
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        gradient = 0 if gradient is None else gradient
        torch.testing.assert_close(parameter.grad, 1 + gradient + torch.zeros_like(parameter))


def test_a_group_of_zeros_has_no_gradient_and_the_threshold_only_small_weights():
    model = tiny()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.decoder.weight[0, 0], model.decoder.weight[0, 1] = 2e-4, -0.5e-4
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    pruning = Pruning(model, "gates", 1.0, 1.0, 1e-4)
    pruning.after_step()
    assert model.decoder.weight[0, :2].tolist() == [2e-4, 0.0]
    pruning.add_gradient()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert not model.lstm[0].weight_hh.grad.any()


def sparse_arrays(dtype=np.float64):
    """A model with a gone neuron in each layer, one that only a gone one reads, constant gates."""
    model = tiny(2, hidden=5)
    with torch.no_grad():
        first, second = model.lstm
        for layer in model.lstm:
            layer.bias.uniform_(-1, 1)
        second.weight_hh[:, 3] = 0  # neuron 3 of layer 2: nothing reads it
        model.decoder.weight[:, 3] = 0
        first.weight_hh[:, 1] = 0  # neuron 1 of layer 1: only neuron 3 of layer 2 does
        rows = [gate * 5 + unit for gate in range(4) for unit in range(5) if unit != 3]
        second.weight_ih[rows, 1] = 0
        first.weight_ih[2], first.weight_hh[2] = 0, 0  # input gate of neuron 2: constant
        first.weight_ih[:, 0] = 0  # an input that no gate reads
        second.weight_ih[torch.rand(second.weight_ih.shape) < 0.9] = 0
        second.weight_ih[:, 0] = 0.25
    return {name: value.numpy().astype(dtype) for name, value in model.state_dict().items()}


def test_structure_of_a_sparse_model():
    arrays = sparse_arrays()
    found = read_structure(arrays)
    assert [list(kept) for kept in found.neurons] == [
        [True, False, True, True, True],
        [True, True, True, False, True],
    ]
    gates = found.gates[0]
    assert not gates[:, 1].any()
    assert not gates[0, 2]
    assert gates.sum() == 4 * 4 - 1
    facts = found.facts()
    assert facts["neurons1"] == facts["neurons2"] == 4
    assert facts["gates1"] == 15
    assert facts["gates1_i"] == 3
    left = sum(int(mask.sum()) for mask in found.weights.values())
    assert facts["compression"] == facts["weights"] / left
    assert facts["weights"] == sum(a.size for a in arrays.values() if a.ndim == 2)
    dense = read_structure({name: np.ones_like(array) for name, array in arrays.items()}).facts()
    assert (dense["compression"], dense["gates2"]) == (1.0, 20)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-15), (np.float32, 1e-5)])
def test_an_exported_model_computes_what_the_sparse_one_does(tmp_path, dtype, tolerance):
    arrays = sparse_arrays(dtype)
    save_arrays(tmp_path / "model", arrays, {"job": {}})
    sizes = export_model(tmp_path / "model", tmp_path / "small")
    small, _ = read_exported(empty_model, tmp_path / "small", torch.device("cpu"))
    assert [layer.hidden for layer in small.lstm] == [4, 4]
    assert small.embedding.embedding_dim == EMBEDDING - 1
    assert sizes["file_bytes"] == (tmp_path / "small").stat().st_size
    kind = torch.float64 if dtype == np.float64 else torch.float32
    whole = tiny(3, hidden=5).to(kind).eval()
    whole.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    tokens = torch.randint(WORDS, (7, 4))
    outputs = [model.logits(model(tokens, model.initial_state(4))[0]) for model in (whole, small)]
    assert (outputs[0] - outputs[1]).abs().max() <= tolerance
    assert outputs[0].std() > 0.01


@pytest.mark.parametrize("zero", ["", "lstm.0.weight_ih", "lstm.1", "decoder"])
def test_a_model_of_which_nothing_is_left_can_be_exported_too(tmp_path, zero):
    whole = tiny().eval()
    with torch.no_grad():
        for name, parameter in whole.named_parameters():
            if name.startswith(zero) and parameter.dim() == 2:
                parameter.zero_()
    arrays = {name: value.numpy() for name, value in whole.state_dict().items()}
    save_arrays(tmp_path / "model", arrays, {})
    export_model(tmp_path / "model", tmp_path / "small")
    small, _ = read_exported(empty_model, tmp_path / "small", torch.device("cpu"))
    tokens = torch.randint(WORDS, (7, 4))
    outputs = [model.logits(model(tokens, model.initial_state(4))[0]) for model in (whole, small)]
    assert (outputs[0] - outputs[1]).abs().max() <= 1e-15


def test_export_refuses_an_exported_model_and_reading_another_file(tmp_path):
    save_arrays(tmp_path / "model", sparse_arrays(), {})
    export_model(tmp_path / "model", tmp_path / "small")
    with pytest.raises(UserError, match="exported already"):
        export_model(tmp_path / "small", tmp_path / "again")
    with pytest.raises(UserError, match="not an exported model"):
        load_exported(tmp_path / "model")


def test_rates_of_the_papers():
    small = [learning_rate(1.0, 0.6, 4, 1, epoch) for epoch in range(1, 8)]
    assert small == pytest.approx([1, 1, 1, 1, 0.6, 0.36, 0.216])
    iss = {epoch: learning_rate(1.0, 0.1, 18, 18, epoch) for epoch in (1, 18, 19, 36, 37, 54, 55)}
    assert [round(-math.log10(rate)) for rate in iss.values()] == [0, 0, 1, 1, 2, 2, 3]
