"""Groups of a recurrent highway network and the smaller model, against brute force on tiny ones."""

import numpy as np
import pytest
import torch
from highway_models import CPU, DEPTH, HIDDEN, WORDS, tiny

from g2lstm.arrays import save_arrays
from g2lstm.errors import UserError
from g2lstm.lm.highway import empty_model
from g2lstm.sparsify.highway import Structures, WeightDecay, export_model
from g2lstm.sparsify.models import read_exported, read_model
from g2lstm.sparsify.pruning import INSIDE_ROOT


def group_of(model, unit):
    """Weights of a unit's group as a list, in the notation of Wen et al.: matrices (in, out)."""
    layer, found = model.highway, [w[unit] for w in model.embedding.weight]
    recurrent = layer.weight_hh.view(DEPTH, 2, HIDDEN, HIDDEN)
    for gate in range(2):
        inputs = layer.weight_ih.view(2, HIDDEN, HIDDEN)[gate].T
        first = torch.cat([inputs, recurrent[0, gate].T])
        found += [*first[unit], *first[HIDDEN + unit], *first[:, unit]]
        for depth in range(1, DEPTH):
            matrix = recurrent[depth, gate].T
            found += [*matrix[unit], *matrix[:, unit]]
    return found


def test_penalty_and_gradient_equal_enumeration():
    model = tiny()
    found = Structures(model, 0.1, 0.3, 4e-4)
    assert len(group_of(model, 0)) == WORDS + 2 * 4 * HIDDEN + (DEPTH - 1) * 2 * 2 * HIDDEN
    norms = [(sum(w**2 for w in group_of(model, j)) + INSIDE_ROOT) ** 0.5 for j in range(HIDDEN)]
    wanted = 0.3 * sum(norms) + 0.05 * sum(p.square().sum() for p in model.parameters())
    assert found.penalty().item() == pytest.approx(wanted.item(), rel=1e-12)
    wanted.backward()
    expected = [parameter.grad for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    found.add_gradient()
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, 1 + gradient, rtol=1e-12, atol=1e-12)


def test_weight_decay_of_the_dense_model_equals_enumeration():
    model = tiny()
    found = WeightDecay(model, 0.2)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    found.add_gradient()
    total = sum(w**2 for p in model.parameters() for w in p.flatten().tolist())
    assert found.penalty().item() == pytest.approx(0.1 * total)
    for parameter in model.parameters():
        torch.testing.assert_close(parameter.grad, 0.2 * parameter)


def test_only_weights_of_groups_are_set_to_zero_and_zero_groups_have_no_gradient():
    model = tiny()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(3e-4)
        model.embedding.weight[0, 0] = 5e-4
    found = Structures(model, 0.0, 1.0, 4e-4)
    found.after_step()
    zero = {name for name, p in model.named_parameters() if not p.any()}
    assert zero == {"highway.weight_ih", "highway.weight_hh"}
    assert model.embedding.weight.count_nonzero() == 1
    assert model.highway.bias.all()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    found.add_gradient()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert not model.highway.weight_hh.grad.any()


def sparse(gone, dtype=np.float64):
    """Arrays of a model where the groups of the units ``gone`` are zero, their biases not."""
    model = tiny(seed=2)
    with torch.no_grad():
        model.highway.bias.uniform_(-1, 1)
        for unit in gone:
            model.embedding.weight[:, unit] = 0
            for matrix in (model.highway.weight_ih, model.highway.weight_hh):
                blocks = matrix.view(-1, HIDDEN, HIDDEN)
                blocks[:, unit] = 0
                blocks[:, :, unit] = 0
        model.highway.weight_hh[0, :3] = 0  # single weights that are zero
    return {name: value.numpy().astype(dtype) for name, value in model.state_dict().items()}


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_the_smaller_model_computes_what_the_sparse_one_does(tmp_path, dtype, tolerance):
    save_arrays(tmp_path / "model", sparse([0, 3], dtype), {"job": {}})
    facts = export_model(tmp_path / "model", tmp_path / "small")
    whole, _ = read_model(empty_model, tmp_path / "model", CPU)
    small, meta = read_exported(empty_model, tmp_path / "small", CPU)
    assert meta["job"] == {}
    assert (small.highway.hidden, small.highway.depth) == (HIDDEN - 2, DEPTH)
    assert facts["neurons1"] == 3
    assert facts["dense_weights"] == sum(p.numel() for p in small.parameters())
    assert facts["file_bytes"] == (tmp_path / "small").stat().st_size
    tokens = torch.randint(WORDS, (11, 4))
    with torch.no_grad():
        states = [model(tokens, model.initial_state(4))[0] for model in (whole, small)]
        outputs = [m.logits(s) for m, s in zip((whole, small), states, strict=True)]
    assert states[0][:, :, [0, 3]].abs().min() > 1e-3  # what is gone had a state
    assert (outputs[0] - outputs[1]).abs().max() <= tolerance
    assert outputs[0].std() > 0.01


def test_facts_of_an_export(tmp_path):
    arrays = sparse([1])
    save_arrays(tmp_path / "model", arrays, {})
    facts = export_model(tmp_path / "model", tmp_path / "small")
    matrices = [array for array in arrays.values() if array.ndim == 2]
    assert facts["weights"] == sum(matrix.size for matrix in matrices)
    assert facts["weights_left"] == sum(np.count_nonzero(matrix) for matrix in matrices)
    assert facts["compression"] == facts["weights"] / facts["weights_left"]

    def products(n):
        return 2 * n * n * (1 + DEPTH) + WORDS * n

    assert facts["multadd"] == products(HIDDEN) / products(HIDDEN - 1)
    with pytest.raises(UserError, match="exported already"):
        export_model(tmp_path / "small", tmp_path / "again")


@pytest.mark.parametrize("name", ["embedding.weight", *("highway.weight_ih", "highway.weight_hh")])
@pytest.mark.parametrize(("row", "column"), [(1, 0), (0, 1), (HIDDEN + 1, 0), (1, 1)])
def test_a_unit_with_any_weight_left_is_not_gone(tmp_path, name, row, column):
    arrays = sparse([1])
    row = row if column == 0 and name != "embedding.weight" else 0
    column = 1 if name == "embedding.weight" else column
    arrays[name][row, column] = 1e-3
    save_arrays(tmp_path / "model", arrays, {})
    assert export_model(tmp_path / "model", tmp_path / "small")["neurons1"] == HIDDEN


def test_a_model_of_which_nothing_is_left_can_be_exported_too(tmp_path):
    save_arrays(tmp_path / "model", sparse(range(HIDDEN)), {})
    facts = export_model(tmp_path / "model", tmp_path / "small")
    assert (facts["neurons1"], facts["weights_left"]) == (0, 0)
    small, _ = read_exported(empty_model, tmp_path / "small", CPU)
    whole, _ = read_model(empty_model, tmp_path / "model", CPU)
    tokens = torch.randint(WORDS, (7, 4))
    with torch.no_grad():
        a, b = (m.logits(m(tokens, m.initial_state(4))[0]) for m in (whole, small))
    assert (a - b).abs().max() <= 1e-15
