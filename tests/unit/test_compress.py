import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from g2lstm.arrays import load_arrays, save_arrays
from g2lstm.compress import bitpack, methods, model_file
from g2lstm.config import ROOT
from g2lstm.errors import UserError

SETTINGS = {
    "round": {"method": "round", "r": 0.1},
    "round-clip": {"method": "round-clip", "r": 0.2, "c": 0.4},
    "one-level": {"method": "round-clip", "r": 0.2, "c": 0},
    "svd": {"method": "svd", "k": 3},
}
META = {"job": {"seed": 1, "variant": "g2"}}


def matrix(rows, cols, seed=0, scale=0.3):
    return scale * np.random.default_rng(seed).standard_normal((rows, cols), dtype=np.float32)


def model_arrays(sizes=(24, 40, 24), vocabulary=50):
    arrays = {
        "embedding.weight": matrix(vocabulary, sizes[0]),
        "decoder.bias": matrix(1, vocabulary)[0],
    }
    for layer, (inputs, hidden) in enumerate(pairwise(sizes)):
        arrays[f"lstm.{layer}.weight_ih"] = matrix(4 * hidden, inputs, seed=3 * layer)
        arrays[f"lstm.{layer}.weight_hh"] = matrix(4 * hidden, hidden, seed=3 * layer + 1)
        arrays[f"lstm.{layer}.bias"] = matrix(1, 4 * hidden, seed=3 * layer + 2)[0]
    return arrays


def assert_equal(actual, expected):
    np.testing.assert_array_equal(actual, expected, strict=True)


def assert_equal_models(actual, expected):
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        assert_equal(actual[name], array)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    save_arrays(path, model_arrays(), META)
    return path


@pytest.fixture
def output(tmp_path):
    return tmp_path / "compressed.safetensors"


@given(st.integers(0, 16), st.integers(0, 300), st.integers(0, 2**32 - 1))
def test_unpack_inverts_pack_in_the_fewest_bytes(bits, count, seed):
    codes = np.random.default_rng(seed).integers(0, 2**bits, count)
    packed = bitpack.pack(codes, bits)
    assert packed.dtype == np.uint8
    assert packed.size == -(-count * bits // 8)
    np.testing.assert_array_equal(bitpack.unpack(packed, bits, count), codes)


def test_pack_writes_the_lowest_bit_first():
    assert bitpack.pack([1, 2, 3, 0, 1], 2).tolist() == [0b00111001, 0b01]


@pytest.mark.parametrize("codes", [[0, 4], [-1, 0]])
def test_pack_refuses_codes_that_do_not_fit(codes):
    with pytest.raises(ValueError, match="do not fit in 2 bits"):
        bitpack.pack(codes, 2)


def test_unpack_refuses_a_wrong_length():
    with pytest.raises(ValueError, match="take 3 bytes, not 2"):
        bitpack.unpack(np.zeros(2, dtype=np.uint8), 2, 9)


@pytest.mark.parametrize(("levels", "bits"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (257, 9)])
def test_code_bits_are_the_fewest_that_tell_the_levels_apart(levels, bits):
    assert methods.code_bits(levels) == bits


def test_rounding_stores_only_the_levels_in_use():
    weights = np.array([[-1.02, 0.51, 0.04], [0.52, -0.97, 3.6]], dtype=np.float32)
    packed = methods.Round(r=0.5).fit(weights)
    assert packed["levels"].tolist() == [-2, 0, 1, 7]
    assert packed["levels"].dtype == np.int32
    assert packed["codes"].size == 2  # six codes of two bits


@pytest.mark.parametrize("r", [0.01, 0.2, 0.5])
def test_rounding_equals_the_formula(r):
    weights = matrix(37, 23)
    method = methods.Round(r=r)
    expected = (np.rint(weights.astype(np.float64) / r) * r).astype(np.float32)
    assert_equal(method.restore(method.fit(weights)), expected)


@pytest.mark.parametrize(("r", "c"), [(0.2, 0.4), (0.1, 0.3), (0.3, 0.6), (0.5, 1.0)])
def test_rounding_first_equals_clipping_first(r, c):
    weights = matrix(37, 23, scale=2 * c)
    method = methods.RoundClip(r=r, c=c)
    clipped_first = np.rint(weights.astype(np.float64).clip(-c, c) / r) * r
    restored = method.restore(method.fit(weights))
    assert np.unique(restored).size == 2 * round(c / r) + 1
    assert restored.dtype == np.float32
    np.testing.assert_allclose(restored, clipped_first.astype(np.float32), rtol=0, atol=1e-7)


def test_low_rank_is_the_best_approximation():
    weights = matrix(30, 20)
    method = methods.LowRank(k=6)
    packed = method.fit(weights)
    singular = np.linalg.svdvals(weights.astype(np.float64))
    restored = method.restore(packed)
    error = np.linalg.norm(weights.astype(np.float64) - restored)
    assert error == pytest.approx(np.linalg.norm(singular[6:]), rel=1e-6)
    assert np.linalg.matrix_rank(restored) == 6
    assert sum(part.size for part in packed.values()) == 6 * (30 + 20)


def test_full_rank_restores_the_matrix():
    weights = matrix(30, 20)
    method = methods.LowRank(k=20)
    restored = method.restore(method.fit(weights))
    assert restored.dtype == np.float32
    np.testing.assert_allclose(restored, weights, rtol=0, atol=1e-5)


def test_rank_above_the_matrix_is_refused():
    with pytest.raises(UserError, match=r"k = 21 is above .* 30 x 20 .* from 1 to 20"):
        methods.LowRank(k=21).fit(matrix(30, 20))


def test_step_too_fine_for_int32_is_refused():
    with pytest.raises(UserError, match="r = 1e-12 is too fine"):
        methods.Round(r=1e-12).fit(matrix(3, 2))


def test_clipping_keeps_a_very_fine_step_in_the_range_of_int32():
    method = methods.RoundClip(r=1e-12, c=2e-12)
    assert method.fit(matrix(3, 2))["levels"].tolist() == [-2, 2]


def test_a_clip_beyond_every_weight_changes_nothing():
    weights = matrix(9, 7)
    clipped, rounded = methods.RoundClip(r=0.01, c=1e9), methods.Round(r=0.01)
    assert_equal(clipped.restore(clipped.fit(weights)), rounded.restore(rounded.fit(weights)))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"method": "prune", "r": 1}, "method = 'prune' is unknown; choose from round, round-clip"),
        ({"r": 0.2}, "method = None is unknown"),
        ({"method": "round"}, "round: r is missing"),
        ({"method": "round", "r": 0.2, "c": 0.4}, "round: c = 0.4 is unknown; it takes r"),
        ({"method": "round", "r": 0}, "r = 0 is not allowed"),
        ({"method": "round", "r": float("nan")}, "r = nan is not allowed"),
        ({"method": "round", "r": "0.2"}, "r = '0.2' is not allowed"),
        ({"method": "round-clip", "r": -0.2, "c": 0.4}, "r = -0.2 is not allowed"),
        ({"method": "round-clip", "r": 0.2, "c": -0.4}, "c = -0.4 is not allowed"),
        ({"method": "round-clip", "r": 0.2, "c": 0.5}, "c = 0.5 is not a multiple of r = 0.2"),
        ({"method": "svd", "k": 0}, "k = 0 is not allowed"),
        ({"method": "svd", "k": 2.5}, "k = 2.5 is not allowed"),
        ({"method": "svd", "k": True}, "k = True is not allowed"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(setting, message):
    with pytest.raises(UserError) as refusal:
        methods.create(setting)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", SETTINGS)
def test_compressed_file_reads_back_as_the_reconstruction(name, model, output):
    model_file.compress_model(model, name, SETTINGS[name], output)
    arrays, meta = model_file.load_model(output)
    assert_equal_models(arrays, model_file.reconstruct(model_arrays(), SETTINGS[name]))
    assert meta == {**META, "compression": {"setting": name, **SETTINGS[name]}}


@pytest.mark.parametrize("name", SETTINGS)
def test_only_the_input_and_forget_gates_change(name):
    original = model_arrays()
    for key, array in model_file.reconstruct(original, SETTINGS[name]).items():
        if ".weight_" not in key:
            assert_equal(array, original[key])
            continue
        hidden = array.shape[0] // 4
        assert_equal(array[2 * hidden :], original[key][2 * hidden :])
        for block in (slice(0, hidden), slice(hidden, 2 * hidden)):
            method = methods.create(SETTINGS[name])
            expected = method.restore(method.fit(original[key][block]))
            assert_equal(array[block], expected)
            assert not np.array_equal(array[block], original[key][block])


def test_original_file_is_read_unchanged(model):
    arrays, meta = model_file.load_model(model)
    assert_equal_models(arrays, model_arrays())
    assert meta == META


@pytest.mark.parametrize("name", SETTINGS)
def test_sizes_add_up_and_the_file_is_smaller(name, model, output):
    sizes = model_file.compress_model(model, name, SETTINGS[name], output)
    stored, _ = load_arrays(output)
    packed = [part for key, part in stored.items() if ".i." in key or ".f." in key]
    original = model_file.measure(model)
    assert sizes == model_file.measure(output)
    assert sizes["gate_bytes"] == sum(part.nbytes for part in packed)
    assert sizes["gate_bytes_dense"] == 4 * 2 * (40 * (24 + 40) + 24 * (40 + 24))
    assert sizes["gate_factor"] == sizes["gate_bytes_dense"] / sizes["gate_bytes"]
    assert sizes["parameters"] == sum(array.size for array in model_arrays().values())
    assert sizes["file_bytes"] == output.stat().st_size < original["file_bytes"]


def test_an_original_file_has_factors_of_one(model):
    sizes = model_file.measure(model)
    assert sizes["gate_bytes"] == sizes["gate_bytes_dense"] == 4 * 2 * (40 * 64 + 24 * 64)
    assert sizes["gate_factor"] == sizes["paper_factor"] == 1.0
    assert sizes["parameters"] == sum(array.size for array in model_arrays().values())


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("round-clip", 32 / 3),  # five levels
        ("one-level", 32),
        ("svd", (40 + 24) * 24 / (3 * (40 + 24 + 24))),
    ],
)
def test_paper_factor_of_a_file(name, factor, model, output):
    sizes = model_file.compress_model(model, name, SETTINGS[name], output)
    assert sizes["paper_factor"] == pytest.approx(factor)


def test_paper_factor_of_a_single_layer_uses_that_layer(tmp_path, output):
    path = tmp_path / "single.safetensors"
    save_arrays(path, model_arrays(sizes=(24, 40)), META)
    sizes = model_file.compress_model(path, "svd", SETTINGS["svd"], output)
    assert sizes["paper_factor"] == pytest.approx((24 + 40) * 40 / (3 * (24 + 40 + 40)))


def test_paper_factor_counts_the_widest_code():
    wide = methods.Round(r=0.1).fit(np.array([[0.0, 0.1, 0.2, 0.3, 0.4]], dtype=np.float32))
    narrow = methods.Round(r=0.1).fit(np.array([[0.0, 0.1]], dtype=np.float32))
    assert methods.Round(r=0.1).paper_factor([narrow, wide], 1, 1) == 32 / 3


def test_paper_factor_of_rank_64_is_about_twelve():
    assert methods.LowRank(k=64).paper_factor([], 1150, 1150) == pytest.approx(11.98, abs=0.005)


def test_equal_runs_give_equal_bytes(model, output):
    contents = set()
    for _ in range(2):
        model_file.compress_model(model, "svd", SETTINGS["svd"], output)
        contents.add(output.read_bytes())
    assert len(contents) == 1


def test_truncated_file_is_refused(model, output):
    model_file.compress_model(model, "round", SETTINGS["round"], output)
    output.write_bytes(output.read_bytes()[:-100])
    for read in (model_file.load_model, model_file.measure):
        with pytest.raises(UserError, match=r"compressed\.safetensors"):
            read(output)


def test_compressing_twice_is_refused(model, output, tmp_path):
    model_file.compress_model(model, "round", SETTINGS["round"], output)
    with pytest.raises(UserError, match="compressed already"):
        model_file.compress_model(output, "svd", SETTINGS["svd"], tmp_path / "again.safetensors")


def test_a_file_without_lstm_is_refused(tmp_path, output):
    path = tmp_path / "other.safetensors"
    save_arrays(path, {"embedding.weight": matrix(4, 3)}, META)
    with pytest.raises(UserError, match="has no gate matrix"):
        model_file.compress_model(path, "svd", SETTINGS["svd"], output)
    assert not output.exists()


def test_weights_that_are_not_finite_are_refused():
    arrays = model_arrays()
    arrays["lstm.1.weight_hh"][5, 3] = float("nan")
    with pytest.raises(UserError, match=r"lstm\.1\.weight_hh: holds NaN"):
        model_file.reconstruct(arrays, SETTINGS["round"])


def test_compression_does_not_load_pytorch():
    code = "import sys, g2lstm.compress.model_file; assert 'torch' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=True,
    )
