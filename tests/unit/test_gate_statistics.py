import math

import numpy as np
import pytest
import torch

from g2lstm.errors import UserError
from g2lstm.gates.statistics import GateHistogram, area_under_roc, forget_test
from g2lstm.gates.words import (
    FUNCTION_WORDS,
    function_words,
    merge_subwords,
    pick_sentences,
    punctuation,
)


def summary_of(values, mask=None, bins=20):
    histogram = GateHistogram(bins)
    histogram.add(values, mask)
    return histogram.summary()


def test_histogram_equals_a_direct_count():
    values = np.random.default_rng(1).beta(0.3, 0.2, size=(7, 5, 40))
    found = summary_of(values)
    assert found["histogram"] == np.histogram(values, 20, (0, 1))[0].tolist()
    assert found["elements"] == values.size
    assert found["mean"] == pytest.approx(values.mean(), abs=1e-12)
    assert found["below_0.1"] == (values < 0.1).mean()
    assert found["above_0.9"] == (values > 0.9).mean()
    shares = np.array(found["histogram"]) / values.size
    assert found["entropy"] == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-12)


def test_batches_add_up_to_the_whole_and_tensors_count_like_arrays():
    values = torch.rand(64, 3, 10, generator=torch.Generator().manual_seed(2))
    parts = GateHistogram()
    for part in values.split(13):
        parts.add(part)
    found, whole = parts.summary(), summary_of(values.numpy())
    assert found.pop("mean") == pytest.approx(whole.pop("mean"), abs=1e-12)
    assert found == whole


def test_edges_belong_to_the_bin_above_and_the_shares_are_strict():
    found = summary_of(np.array([0.0, 0.1, 0.5, 0.9, 1.0]), bins=10)
    assert found["histogram"] == [1, 1, 0, 0, 0, 1, 0, 0, 0, 2]
    assert found["below_0.1"] == found["above_0.9"] == 0.2


def test_a_value_just_below_an_edge_stays_below_it_in_single_precision():
    edges = torch.arange(1, 20) / 20
    below = torch.nextafter(edges, torch.zeros(()))
    expected = np.histogram(below.numpy().astype(np.float64), 20, (0, 1))[0]
    assert summary_of(below)["histogram"] == expected.tolist()


def test_mask_over_leading_dimensions_leaves_padding_out():
    values = torch.full((3, 2, 4), 0.95)
    values[2, 1] = 0.05
    mask = torch.tensor([[True, True], [True, True], [True, False]])
    for padding in (mask, mask.numpy(), mask[..., None].expand_as(values)):
        found = summary_of(values, padding)
        assert (found["elements"], found["above_0.9"], found["below_0.1"]) == (20, 1.0, 0.0)


def test_entropy_runs_from_nothing_to_the_logarithm_of_the_bins():
    assert summary_of(np.full(9, 0.3))["entropy"] == 0.0
    assert summary_of((np.arange(20) + 0.5) / 20)["entropy"] == pytest.approx(math.log(20))


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan, math.inf])
def test_values_that_no_gate_can_have_are_refused(value):
    with pytest.raises(UserError, match="not a number in"):
        summary_of(np.array([0.5, value]))


def test_nothing_added_is_refused():
    with pytest.raises(UserError, match="no gate values"):
        GateHistogram().summary()


def test_area_under_roc_equals_the_count_of_pairs_with_ties():
    generator = np.random.default_rng(3)
    for _ in range(20):
        scores = generator.integers(0, 6, 40) / 7
        labels = generator.random(40) < 0.3
        labels[:2] = True, False
        high, low = scores[labels][:, None], scores[~labels][None]
        expected = ((high > low) + 0.5 * (high == low)).mean()
        assert area_under_roc(torch.tensor(scores), labels) == pytest.approx(expected, abs=1e-15)


def test_area_under_roc_of_perfect_reversed_and_constant_scores():
    labels = [False, False, True, True]
    assert area_under_roc([0.1, 0.2, 0.3, 0.4], labels) == 1.0
    assert area_under_roc([0.4, 0.3, 0.2, 0.1], labels) == 0.0
    assert area_under_roc([0.5] * 4, labels) == 0.5
    assert area_under_roc([0.1, 0.2], [True, True]) is None
    assert area_under_roc([], []) is None


def test_a_low_forget_gate_predicts_the_positive():
    means = np.linspace(0.2, 0.9, 30)
    labels = np.arange(30) < 6
    assert forget_test(means, labels) == {
        "auc": 1.0,
        "positives": 6,
        "negatives": 24,
        "lowest_decile_share": 1.0,
        "overall_share": 0.2,
    }
    assert forget_test(means[::-1], labels)["auc"] == 0.0
    assert forget_test(means[::-1], labels)["lowest_decile_share"] == 0.0


def test_lowest_decile_has_a_tenth_of_the_tokens_and_those_that_tie():
    labels = np.array([True, False, False] + [False] * 17)
    assert forget_test(np.arange(20) / 20, labels)["lowest_decile_share"] == 0.5
    assert forget_test(np.maximum(np.arange(20), 2) / 20, labels)["lowest_decile_share"] == 1 / 3
    assert forget_test(np.array([0.4, 0.5]), [True, False])["lowest_decile_share"] == 1.0


def test_forget_test_without_positives_or_tokens_keeps_the_counts():
    found = forget_test(np.array([0.4, 0.5]), [False, False])
    assert (found["auc"], found["positives"], found["negatives"]) == (None, 0, 2)
    assert (found["lowest_decile_share"], found["overall_share"]) == (0.0, 0.0)
    empty = forget_test(np.array([]), np.array([], dtype=bool))
    assert (empty["auc"], empty["lowest_decile_share"], empty["overall_share"]) == (None,) * 3


def test_forget_test_wants_one_label_for_each_token():
    with pytest.raises(ValueError, match="one label for each token"):
        forget_test(np.array([0.4, 0.5]), [True])


def test_subwords_become_words_with_mean_values():
    words, means = merge_subwords(
        ["un@@", "break@@", "able", "glass", ".", "</s>"], [0.1, 0.2, 0.6, 0.5, 0.25, 1.0]
    )
    assert words == ["unbreakable", "glass", ".", "</s>"]
    assert means == pytest.approx([0.3, 0.5, 0.25, 1.0])


def test_columns_of_values_are_averaged_apart():
    words, means = merge_subwords(["a@@", "b", "c"], [[0.0, 1.0], [1.0, 1.0], [0.5, 0.25]])
    assert words == ["ab", "c"]
    assert means.tolist() == [[0.5, 1.0], [0.5, 0.25]]


def test_odd_subwords():
    assert merge_subwords([], [])[0] == []
    assert merge_subwords(["a", "b@@"], [0.1, 0.2])[0] == ["a", "b"]  # cut off inside a word
    assert merge_subwords(["x@@@", "y", "@-@", "z"], [0] * 4)[0] == ["x@y", "@-@", "z"]
    with pytest.raises(ValueError, match="2 sub-words, but values for 3"):
        merge_subwords(["a", "b"], [1, 2, 3])


def test_punctuation_by_unicode_category():
    words = [",", "...", "„", "&quot;", "@-@", "a.", "$", "3", "</s>", ""]
    assert punctuation(words).tolist() == [True] * 5 + [False] * 5


def test_function_words_by_language():
    words = ["The", "house", "of", "die", "Die", "&apos;s"]
    assert function_words(words, "en").tolist() == [True, False, True, False, False, True]
    assert function_words(words, "de").tolist() == [False, False, False, True, True, False]
    assert all(60 <= len(words) <= 200 for words in FUNCTION_WORDS.values())
    with pytest.raises(UserError, match="no list of function words for fr"):
        function_words(words, "fr")


def test_sentences_are_of_middle_length_evenly_spaced_and_in_order():
    lengths = [7, *range(8, 17), 17] * 4
    picked = pick_sentences(lengths, 6)
    assert picked == [1, 7, 15, 23, 29, 37]
    assert all(8 <= lengths[i] <= 16 for i in picked)
    assert pick_sentences([3, 9, 40, 12], 6) == [1, 3]
    assert pick_sentences([3, 40], 6) == []
