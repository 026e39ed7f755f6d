from collections import Counter
from math import exp, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2lstm.data.derivation import ADVERB, NOUN_PHRASE, SWITCH, VERB_PHRASE
from g2lstm.data.synthetic import Grammar, synthetic_lines

GRAMMAR = Grammar.create(1)


@pytest.fixture(scope="module")
def corpus():
    return synthetic_lines(1, {"train": 100_000, "valid": 2_000, "test": 10_000})


@given(st.integers(0, 2**32), st.integers(1, 500))
@settings(max_examples=40, deadline=None)
def test_parser_finds_the_probability_with_which_the_text_was_drawn(seed, n_tokens):
    sentences, log_probability = GRAMMAR.sample(n_tokens, np.random.default_rng(seed))
    assert GRAMMAR.log_probability(sentences) == pytest.approx(log_probability, rel=1e-9)


def test_sample_ends_with_the_sentence_that_reaches_the_size():
    sentences, _ = GRAMMAR.sample(1000, np.random.default_rng(0))
    lengths = [len(sentence) + 1 for sentence in sentences]
    assert sum(lengths) >= 1000 > sum(lengths[:-1])


def test_probability_of_a_shortest_sentence_by_hand():
    words = GRAMMAR.lexicon.topics[2]
    name, verb = words["name"], words["intransitive"]
    expected = (
        log(1 / 4)
        + log(name.probabilities[1])
        + log(1 - ADVERB)
        + log(VERB_PHRASE["intransitive"])
        + log(verb.probabilities[3])
    )
    sentence = [name.forms[1][0], verb.forms[3][2]]
    assert GRAMMAR.log_probability([sentence]) == pytest.approx(expected)
    again = log(1 - SWITCH) + log(NOUN_PHRASE["name"]) + expected
    again -= log(1 / 4) + log(name.probabilities[1])
    assert GRAMMAR.log_probability([sentence] * 2) == pytest.approx(expected + again)


def test_one_sentence_texts_that_end_at_once_have_the_probability_of_that_choice():
    # Sums over all names with one verb, so a missing or doubled factor shows.
    total = 0.0
    for words in GRAMMAR.lexicon.topics:
        verb = words["intransitive"].forms[0]
        for place, forms in enumerate(words["name"].forms):
            total += exp(GRAMMAR.log_probability([[forms[0], verb[2 * (place % 2)]]]))
    verb_probability = GRAMMAR.lexicon.topics[0]["intransitive"].probabilities[0]
    expected = (1 - ADVERB) * VERB_PHRASE["intransitive"] * verb_probability
    assert total == pytest.approx(expected)


def test_every_word_belongs_to_one_class():
    topics = GRAMMAR.lexicon.topics
    classes = {id(words): words for classes in topics for words in classes.values()}
    words = [w for c in classes.values() for forms in c.forms for w in forms]
    assert len(words) == len(set(words)) == 1999


def test_verb_must_agree_across_the_embedded_clause():
    words = GRAMMAR.lexicon.topics[0]
    start = [words["name"].forms[0][0], words["transitive"].forms[0][0]]
    singular = [words["determiner"].forms[0][0], words["noun"].forms[0][0]]
    plural = [words["determiner"].forms[0][1], words["noun"].forms[2][1]]
    inner = [words["whom"].forms[0][0], *plural, words["transitive"].forms[1][1]]
    main = {feature: words["intransitive"].forms[0][feature] for feature in range(4)}
    opening = [*start, *singular]
    assert GRAMMAR.log_probability([opening, [*singular, *inner, main[0]]]) < 0
    for feature in (1, 2, 3):
        with pytest.raises(ValueError, match="does not agree"):
            GRAMMAR.log_probability([opening, [*singular, *inner, main[feature]]])


def test_pronoun_has_the_gender_of_the_protagonist_and_names_mean_only_it():
    words = GRAMMAR.lexicon.topics[0]
    verb = words["intransitive"].forms[0]
    opening = [words["name"].forms[0][0], verb[0]]
    masculine, feminine = words["pronoun"].forms[0]
    assert GRAMMAR.log_probability([opening, [masculine, verb[0]]]) < 0
    for other in ([feminine, verb[2]], [words["name"].forms[2][0], verb[0]]):
        with pytest.raises(ValueError, match="does not mean the protagonist"):
            GRAMMAR.log_probability([opening, other])


@pytest.mark.parametrize("change", ["unknown", "cut", "longer", "other topic", "empty"])
def test_text_outside_the_language_is_refused(change):
    words, other = GRAMMAR.lexicon.topics[:2]
    sentence = [words["name"].forms[0][0], words["intransitive"].forms[0][0]]
    changed = {
        "unknown": [sentence[0], "?"],
        "cut": sentence[:1],
        "longer": [*sentence, words["adverb"].forms[0][0]],
        "other topic": [sentence[0], other["intransitive"].forms[0][0]],
        "empty": [],
    }[change]
    with pytest.raises(ValueError, match="is not"):
        GRAMMAR.log_probability([sentence, changed])


def test_entropy_rate_is_that_of_a_long_sample(corpus):
    # The standard deviation of such a mean is 0.004 nats for 100,000 tokens.
    nats = corpus[1]["train"]["nats_per_token"]
    assert nats == pytest.approx(GRAMMAR.entropy_rate(), abs=0.012)
    assert 15 < exp(GRAMMAR.entropy_rate()) < 40


def test_entropy_rate_follows_the_grammar():
    assert Grammar.create(2).entropy_rate() == pytest.approx(GRAMMAR.entropy_rate(), rel=1e-12)
    assert Grammar.create(1, 4000).entropy_rate() > GRAMMAR.entropy_rate()


def test_same_seed_same_text_and_another_seed_another_text():
    sizes = {"train": 300, "valid": 100, "test": 100}
    assert synthetic_lines(7, sizes) == synthetic_lines(7, sizes)
    assert synthetic_lines(7, sizes)[0] != synthetic_lines(8, sizes)[0]


def test_a_split_does_not_depend_on_the_size_of_another():
    small = synthetic_lines(7, {"train": 10, "valid": 100, "test": 100})
    large = synthetic_lines(7, {"train": 500, "valid": 100, "test": 100})
    assert small[0]["test"] == large[0]["test"]
    assert small[0]["valid"] != small[0]["test"]


def test_oracle_counts_the_tokens_and_its_numbers_agree(corpus):
    lines, oracle = corpus
    for split, numbers in oracle.items():
        assert numbers["tokens"] == sum(len(line) + 1 for line in lines[split])
        nats = -GRAMMAR.log_probability(lines[split]) / numbers["tokens"]
        assert numbers["nats_per_token"] == pytest.approx(nats, rel=1e-9)
        assert numbers["perplexity"] == pytest.approx(exp(nats), rel=1e-9)


def test_unigram_perplexity_lies_far_above_the_oracle(corpus):
    lines, oracle = corpus
    train, test = ([w for s in lines[k] for w in [*s, "<eos>"]] for k in ("train", "test"))
    counts = Counter(train)
    assert 1900 <= len(counts) <= 2000
    nats = [-log((counts[word] + 1) / (len(train) + 2000)) for word in test]
    assert exp(np.mean(nats)) > 5 * oracle["test"]["perplexity"]


@pytest.mark.parametrize(("vocabulary_size", "topics"), [(499, 4), (2000, 1)])
def test_language_without_room_for_its_topics_is_refused(vocabulary_size, topics):
    with pytest.raises(ValueError, match="no language of"):
        Grammar.create(1, vocabulary_size, topics)
