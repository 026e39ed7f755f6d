import math

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from g2lstm.errors import UserError
from g2lstm.nmt.bleu import paired_bootstrap, score, score_detokenised
from g2lstm.nmt.evaluate import compare_variants


def made_up_lines(seed, sentences=40, longest=14):
    rng = np.random.default_rng(seed)
    return [
        " ".join(f"w{word}" for word in rng.integers(0, 30, length))
        for length in rng.integers(1, longest, sentences)
    ]


def garbled(lines, seed, rate):
    rng = np.random.default_rng(seed)
    return [" ".join("x" if rng.random() < rate else w for w in line.split()) for line in lines]


def one_by_one(hypotheses, references, sample):
    lines = [hypotheses[i] for i in sample], [[references[i] for i in sample]]
    return BLEU(tokenize="none", force=True).corpus_score(*lines).score


def test_clipped_counts_and_four_precisions_by_hand():
    # right of all: 5 of 6 words ("the" counts once), 3 of 5, 2 of 4 and 1 of 3 n-grams
    found = score(["the cat sat on the mat"], ["the cat sat on a mat"])
    assert found["bleu"] == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    assert (found["sentences"], found["tokens_hypothesis"], found["tokens_reference"]) == (1, 6, 6)


def test_brevity_penalty_by_hand():
    found = score(["a b c d"], ["a b c d e f"])
    assert found["bleu"] == pytest.approx(100 * math.exp(1 - 6 / 4))
    assert score(["a b c d e f"], ["a b c d"])["bleu"] == pytest.approx(
        100 * (4 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    )


def test_counts_are_summed_over_the_corpus():
    found = score(["a b c d e", "f g h"], ["a b c d e", "f g i"])
    assert found["bleu"] == pytest.approx(100 * (7 / 8 * 5 / 6 * 3 / 4 * 2 / 2) ** 0.25)
    assert found["tokens_hypothesis"] == 8


def test_a_precision_of_zero_is_smoothed():
    # 4 of 5 words, 2 of 4 and 1 of 3 n-grams, none of two 4-grams: counted as a half
    found = score(["a b c x e"], ["a b c d e"])
    assert found["bleu"] == pytest.approx(100 * (4 / 5 * 2 / 4 * 1 / 3 * 0.5 / 2) ** 0.25)
    assert found["bleu_low"] == pytest.approx(found["bleu"])
    assert score(["x y"], ["a b c d e"])["bleu"] == 0


def test_tokens_are_taken_as_they_are():
    assert score(["It 's 5,000 - odd @-@ s ."], ["It 's 5,000 - odd @-@ s ."])["bleu"] > 99.99
    assert score(["a b c d."], ["a b c d ."])["tokens_hypothesis"] == 4


def test_case_counts_unless_told_otherwise():
    hypothesis, reference = ["The cat sat on The mat"], ["the cat sat on the mat"]
    assert score(hypothesis, reference)["bleu"] < 60
    assert score(hypothesis, reference, lowercase=True)["bleu"] == pytest.approx(100)
    assert "case:lc" in score(hypothesis, reference, lowercase=True)["signature"]


def test_signature_names_every_choice():
    signature = score(["a b"], ["a b"], bootstrap=50, seed=7)["signature"]
    assert signature.startswith("nrefs:1|bs:50|seed:7|case:mixed|eff:no|tok:none|smooth:exp|")


def test_interval_equals_scoring_the_same_samples_one_by_one():
    references = made_up_lines(1)
    for rate in (0.3, 0.75):  # at 0.75 most samples lack a right 4-gram
        hypotheses = garbled(references, 2, rate)
        found = score(hypotheses, references, bootstrap=60, seed=5)
        drawn = np.random.default_rng(5).choice(40, size=(60, 40))
        slow = [one_by_one(hypotheses, references, sample) for sample in drawn]
        expected = np.percentile(slow, [2.5, 97.5])
        assert [found["bleu_low"], found["bleu_high"]] == pytest.approx(list(expected))
        assert found["bleu_low"] < found["bleu"] < found["bleu_high"]


def test_interval_is_the_same_for_a_seed():
    references = made_up_lines(3)
    hypotheses = garbled(references, 4, 0.3)
    assert score(hypotheses, references) == score(hypotheses, references)
    other = score(hypotheses, references, seed=1)
    assert other["bleu"] == score(hypotheses, references)["bleu"]
    assert other["bleu_low"] != score(hypotheses, references)["bleu_low"]


def test_without_samples_there_is_no_interval():
    found = score(["a b c d e"], ["a b c d x"], bootstrap=0)
    assert found["bleu"] == score(["a b c d e"], ["a b c d x"])["bleu"]
    assert not {"bleu_low", "bleu_high"} & set(found)
    assert "bs:" not in found["signature"]


def test_interval_of_a_perfect_translation_is_a_point():
    lines = made_up_lines(5)
    found = score(lines, lines)
    assert found["bleu"] == pytest.approx(100)
    assert found["bleu_low"] == found["bleu_high"] == pytest.approx(100)


def test_empty_translations_are_scored():
    found = score(["", "a b c d e"], ["x y", "a b c d e"])
    assert found["bleu"] == pytest.approx(100 * math.exp(1 - 7 / 5))
    nothing = score(["", ""], ["x y", "a b"])
    assert (nothing["bleu"], nothing["bleu_low"], nothing["bleu_high"]) == (0, 0, 0)


@pytest.mark.parametrize(
    "call",
    [
        score,
        lambda hypotheses, references: score_detokenised(hypotheses, references, "en", True),
        lambda hypotheses, references: paired_bootstrap({"a": hypotheses}, references, "a"),
    ],
)
def test_lines_that_do_not_match_are_an_error(call):
    with pytest.raises(UserError, match="1 translations for 2 references"):
        call(["a"], ["a", "b"])
    with pytest.raises(UserError, match="no sentences"):
        call([], [])


def test_detokenised_translations_are_scored_against_raw_text():
    raw = ["It's 5 o'clock, isn't it?", 'He said "no" & left (early).']
    tokenised = [
        "It &apos;s 5 o &apos;clock , isn &apos;t it ?",
        "He said &quot; no &quot; &amp; left ( early ) .",
    ]
    bleu, signature = score_detokenised(tokenised, raw, "en", lowercase=False)
    assert bleu == pytest.approx(100)
    assert "case:mixed" in signature
    assert "tok:13a" in signature
    lower = [line.lower() for line in tokenised]
    assert score_detokenised(lower, raw, "en", lowercase=False)[0] < 99
    assert score_detokenised(lower, raw, "en", lowercase=True)[0] == pytest.approx(100)


def test_paired_bootstrap_equals_scoring_the_same_samples_one_by_one():
    references = made_up_lines(6)
    systems = {f"rate {rate}": garbled(references, 7, rate) for rate in (0.3, 0.32, 0.36, 0.5)}
    found = paired_bootstrap(systems, references, "rate 0.3", samples=60, seed=31)
    drawn = np.random.default_rng(31).choice(40, size=(60, 40))
    slow = {
        name: [one_by_one(lines, references, s) for s in drawn] for name, lines in systems.items()
    }
    for name, lines in systems.items():
        assert found[name]["bleu"] == pytest.approx(one_by_one(lines, references, range(40)))
        difference = found[name]["bleu"] - found["rate 0.3"]["bleu"]
        assert found[name]["difference"] == difference
        shift = np.abs(np.subtract(slow[name], slow["rate 0.3"]) - difference)
        if name != "rate 0.3":
            assert found[name]["p"] == (sum(shift >= abs(difference)) + 1) / 61
    assert 1 > found["rate 0.32"]["p"] > found["rate 0.5"]["p"] == 1 / 61


def test_differences_are_to_the_baseline_and_equal_systems_do_not_differ():
    references = made_up_lines(8)
    better, worse = garbled(references, 9, 0.1), garbled(references, 9, 0.4)
    found = paired_bootstrap({"g2": better, "lstm": worse, "copy": worse}, references, "lstm")
    bleu = score(worse, references)["bleu"]
    assert found["lstm"] == {"bleu": pytest.approx(bleu), "difference": 0.0, "p": None}
    assert found["copy"] == {"bleu": pytest.approx(bleu), "difference": 0.0, "p": 1.0}
    assert found["g2"]["difference"] > 0
    assert found["g2"]["p"] < 0.01


def test_an_unknown_baseline_is_an_error():
    with pytest.raises(UserError, match="baseline 'plain'"):
        paired_bootstrap({"g2": ["a"]}, ["a"], "plain")


def test_variants_are_compared_on_the_lines_of_the_test_split(tmp_path):
    reference = ["a b c d e f", "g h i j k l", "m n o p q r"]
    (tmp_path / "test.tokenised.txt").write_text("\n".join(reference) + "\n")
    records, texts = {}, {}
    for variant, test in (
        ("baseline", ["a b c d x x", "g h i j x x", "m n o p x x"]),
        ("g2", reference),
    ):
        records[variant] = {
            "translations": {"splits": ["valid", "test"]},
            "metrics": {"valid": {"sentences": 2}, "test": {"sentences": 3}},
        }
        texts[variant] = tmp_path / f"{variant}.txt"
        texts[variant].write_text("\n".join(["of", "valid", *test]) + "\n")
    found = compare_variants(records, texts, tmp_path, samples=50)
    assert found["g2"]["bleu"] == pytest.approx(100)
    assert found["g2"]["difference"] == pytest.approx(100 - found["baseline"]["bleu"])
    assert found["baseline"]["p"] is None
