import re

import numpy as np
import pytest

from g2lstm.data import synchronous
from g2lstm.data.bilingual_lexicon import BilingualLexicon
from g2lstm.data.synchronous import MAX_TOKENS, generate
from g2lstm.errors import UserError

PAIRS = {"train": 3000, "valid": 300, "test": 300}
LEXICON = BilingualLexicon.create(1, 600)


@pytest.fixture(scope="module")
def splits():
    return generate(1, 600, PAIRS)


@pytest.fixture(scope="module")
def pairs(splits):
    return [pair for split in splits.values() for pair in split]


def test_no_sentence_comes_twice_in_any_split(splits, pairs):
    assert {split: len(found) for split, found in splits.items()} == PAIRS
    assert len({tuple(pair.source) for pair in pairs}) == len(pairs)
    assert len({tuple(pair.target) for pair in pairs}) == len(pairs)


def test_same_seed_same_pairs_and_another_seed_others(splits):
    assert generate(1, 600, PAIRS) == splits
    assert generate(2, 600, PAIRS)["test"] != splits["test"]


def test_test_split_does_not_depend_on_the_size_of_the_others(splits):
    assert generate(1, 600, {"train": 5, "valid": 7, "test": 300})["test"] == splits["test"]


@pytest.mark.parametrize("side", ["source", "target"])
def test_lengths_and_flags(pairs, side):
    lengths = [len(getattr(pair, side)) for pair in pairs]
    assert min(lengths) == 4
    assert 25 < max(lengths) <= MAX_TOKENS
    assert 10 < np.mean(lengths) < 12.5
    for pair in pairs:
        words, flags = getattr(pair, side), getattr(pair, f"{side}_boundaries")
        assert len(flags) == len(words)
        assert flags[0] == 0
        assert words.index(".") == len(words) - 1


def test_corpus_keeps_to_the_lexicon_and_uses_nearly_all_of_it(pairs):
    for side, words in (("source", LEXICON.german), ("target", LEXICON.english)):
        used = {word for pair in pairs for word in getattr(pair, side)}
        assert used <= words
        assert len(used) > 0.97 * len(words)


def test_too_small_a_vocabulary_is_refused():
    with pytest.raises(UserError, match="no room in 199 types"):
        generate(1, 199, PAIRS)


def test_examples_of_the_module_are_pairs_of_the_language(splits):
    def marked(words, flags):
        return " ".join("*" * flag + word for word, flag in zip(words, flags, strict=True))

    known = {
        marked(pair.source, pair.source_boundaries): marked(pair.target, pair.target_boundaries)
        for pair in splits["test"]
    }
    found = re.findall(r"^    (de|en): ((?:.|\n)*? \.)$", synchronous.__doc__, re.MULTILINE)
    texts = [" ".join(text.split()) for _, text in found]
    assert [language for language, _ in found] == ["de", "en"] * 3
    assert [known.get(source) for source in texts[::2]] == texts[1::2]
