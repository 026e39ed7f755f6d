from itertools import pairwise, product

import numpy as np
import pytest
from english_parser import EnglishParser, word_kinds

from g2lstm.data.bilingual_lexicon import (
    DETERMINERS,
    ENGLISH_PARTICLES,
    GERMAN_PARTICLES,
    MASCULINE_OBJECT,
    OBJECT_RELATIVE,
    PLURAL,
    SUBJECT_RELATIVE,
    BilingualLexicon,
)
from g2lstm.data.synchronous import Sampler, generate, realise

PAIRS = {"train": 3000, "valid": 300, "test": 300}
LEXICON = BilingualLexicon.create(1, 600)
# (takes living beings, entry), as both classes of a pair have the same order.
NOUNS = [(living, noun) for living in (0, 1) for noun in LEXICON.nouns[living].forms]
TRANSITIVE = [(living, verb) for living in (0, 1) for verb in LEXICON.transitive[living].forms]
INTRANSITIVE = [(living, verb) for living in (0, 1) for verb in LEXICON.intransitive[living].forms]
VERBS = [verb for _, verb in TRANSITIVE + INTRANSITIVE] + list(LEXICON.speech.forms)
FINITE = {form for verb in VERBS for form in verb.german}
JOINED = {form for verb in VERBS if verb.german_particle for form in verb.joined}
NOUN = {form: noun for _, noun in NOUNS for form in noun.german}
PARTICLES = {"german": GERMAN_PARTICLES, "english": ENGLISH_PARTICLES}
ADVERBS = {word.german[0] for word in LEXICON.adverbs.forms}
SUBORDINATORS = {"dass", "wenn", "weil", "bevor"}
RELATIVES = {*SUBJECT_RELATIVE, *OBJECT_RELATIVE}


@pytest.fixture(scope="module")
def pairs():
    return [pair for split in generate(1, 600, PAIRS).values() for pair in split]


@pytest.fixture(scope="module")
def simple(pairs):
    """Pairs of one clause."""
    chosen = [pair for pair in pairs if "," not in pair.source]
    assert len(chosen) > 500
    return chosen


def segments(pair):
    """Split the German-like sentence at its commas."""
    return [segment.split() for segment in " ".join(pair.source[:-1]).split(" , ")]


def opens_embedded(before, segment):
    return segment[0] in SUBORDINATORS or (before[-1] in NOUN and segment[0] in RELATIVES)


def embedded_segments(pair):
    parts = segments(pair)
    return [part for before, part in pairwise([["."], *parts]) if opens_embedded(before, part)]


def features(forms, word):
    return {feature for feature, form in enumerate(forms) if form == word}


def noun_features(form):
    noun = NOUN[form]
    if form == noun.german[1]:
        return {PLURAL}
    return {noun.gender} if noun.gender else {0, MASCULINE_OBJECT}


def noun_phrases(words):
    """Return (determiner, adjectives, noun) of the German-like noun phrases."""
    determiners = {form for word in DETERMINERS for form in word.german}
    found = []
    for place in (place for place, word in enumerate(words) if word in NOUN):
        start = max(i for i in range(place) if words[i] in determiners)
        found.append((words[start], words[start + 1 : place], words[place]))
    return found


def test_embedded_clause_has_at_most_one_verb_which_is_its_last_word(pairs):
    seen = 0
    for segment in (segment for pair in pairs for segment in embedded_segments(pair)):
        verbs = [place for place, word in enumerate(segment) if word in FINITE | JOINED]
        assert verbs in ([], [len(segment) - 1])
        seen += len(verbs)
    assert seen > 500


def test_main_clause_has_its_verb_second_also_after_an_adverb(simple):
    for words in (pair.source for pair in simple):
        nouns = [place for place, word in enumerate(words) if word in NOUN]
        second = 1 if words[0] in ADVERBS else nouns[0] + 1
        assert [place for place, word in enumerate(words) if word in FINITE | JOINED] == [second]
    assert sum(pair.source[0] in ADVERBS for pair in simple) > 50


def test_clause_in_front_is_followed_by_the_verb_of_the_main_clause(pairs):
    fronted = [pair for pair in pairs if pair.source[0] in SUBORDINATORS]
    mains = [segments(pair)[1] for pair in fronted if pair.source.count(",") == 1]
    assert len(mains) > 50
    for main in mains:
        assert main[0] in FINITE
        assert main[1] in {form for word in DETERMINERS for form in word.german}


def test_particle_ends_the_main_clause_and_is_joined_in_embedded_ones(pairs):
    alone = joined = 0
    for pair in pairs:
        for segment in segments(pair):
            assert not set(segment[:-1]) & set(GERMAN_PARTICLES)
            alone += segment[-1] in GERMAN_PARTICLES
        for segment in embedded_segments(pair):
            assert segment[-1] not in GERMAN_PARTICLES
            joined += segment[-1] in JOINED
    assert alone > 200
    assert joined > 50


def test_particle_behind_an_embedded_clause_resumes_the_outer_one(pairs):
    flags = [
        flag
        for pair in pairs
        for word, flag, before in zip(
            pair.source[1:], pair.source_boundaries[1:], pair.source, strict=False
        )
        if word in GERMAN_PARTICLES and before == ","
    ]
    assert len(flags) > 20
    assert all(flags)


def test_phrasal_particle_stands_right_after_its_verb(pairs):
    phrasal = {form for verb in VERBS if verb.english_particle for form in verb.english}
    followers = [
        before
        for pair in pairs
        for before, word in pairwise(pair.target)
        if word in ENGLISH_PARTICLES
    ]
    assert len(followers) > 200
    assert phrasal.issuperset(followers)


def test_noun_phrase_agrees_in_gender_number_and_case(pairs):
    adjectives = {form: word.german for word in LEXICON.adjectives.forms for form in word.german}
    determiners = {form: word.german for word in DETERMINERS for form in word.german}
    for pair in pairs:
        for determiner, described, noun in noun_phrases(pair.source):
            common = noun_features(noun) & features(determiners[determiner], determiner)
            for adjective in described:
                common &= features(adjectives[adjective], adjective)
            assert common


def test_verb_has_the_number_of_its_subject_and_masculine_objects_their_own_forms(simple):
    accusative = {word.german[MASCULINE_OBJECT] for word in DETERMINERS}
    objects = 0
    for pair in simple:
        phrases = noun_phrases(pair.source)
        plural = noun_features(phrases[0][2]) == {PLURAL}
        verb = next(word for word in pair.source if word in FINITE)
        assert verb in {verb.german[plural] for verb in VERBS}
        for place, (determiner, _, noun) in enumerate(phrases):
            if 0 in noun_features(noun):
                assert (determiner in accusative) == (place == 1)
                objects += place
    assert objects > 50


def test_relative_pronoun_agrees_with_the_noun_before_it(pairs):
    seen = 0
    for before, segment in (two for pair in pairs for two in pairwise(segments(pair))):
        if before[-1] in NOUN and segment[0] in RELATIVES:
            feature = min(noun_features(before[-1]))
            assert segment[0] in (SUBJECT_RELATIVE[feature], OBJECT_RELATIVE[feature])
            seen += 1
    assert seen > 300


def test_german_commas_open_or_resume_a_clause_and_only_they_give_a_flag(pairs):
    for pair in pairs:
        assert list(pair.source_boundaries) == [word == "," for word in ["", *pair.source[:-1]]]
        for before, segment in pairwise(segments(pair)):
            opening = opens_embedded(before, segment) or segment[0] in {"und", "aber"}
            # Every embedded clause ends in its verb, and what follows resumes the outer one.
            assert opening or before[-1] in FINITE | JOINED


def test_english_flags_are_those_of_a_parser_that_sees_the_words_only(pairs):
    kinds = word_kinds(LEXICON)
    for pair in pairs:
        assert EnglishParser(pair.target, kinds).sentence() == pair.target_boundaries


def test_some_english_complement_clauses_have_no_marker(pairs):
    german = sum(pair.source.count("dass") for pair in pairs)
    english = sum(pair.target.count("that") for pair in pairs)
    assert 0.2 * german < english < 0.8 * german


def clauses(clause, depth=0, head=None):
    """Yield (clause, depth, head noun of a relative clause) of a clause and of all in it."""
    yield clause, depth, head
    for phrase in filter(None, (clause.subject, clause.object)):
        if phrase.relative:
            yield from clauses(phrase.relative, depth + 1, phrase.noun)
    if clause.complement:
        yield from clauses(clause.complement, depth + 1)


def test_derivations_keep_the_limits_of_the_grammar():
    sampler = Sampler(LEXICON, np.random.default_rng(3))
    depths = set()
    for sentence in (sampler.sentence() for _ in range(3000)):
        trees = [*clauses(sentence.main[0]), *clauses(sentence.main[-1])]
        if sentence.adverbial:
            assert len(sentence.main) == 1
            assert sentence.fronted or sentence.main[0].complement is None
            trees += clauses(sentence.adverbial, 1)
        for clause, depth, head in trees:
            depths.add(depth)
            nouns = {phrase.noun for phrase in (clause.subject, clause.object) if phrase} | {head}
            if (0, clause.verb) in TRANSITIVE or (1, clause.verb) in TRANSITIVE:
                nouns -= {clause.subject.noun if clause.subject else head}
            assert not (clause.verb.homonym and any(noun.homonym for noun in nouns - {None}))
    assert depths == {0, 1, 2}


def test_english_relative_pronoun_tells_living_beings_from_things(pairs):
    pronouns = {"which": 0, "who": 1}
    seen = set()
    for before, word in (two for pair in pairs for two in pairwise(pair.target)):
        if word in pronouns:
            assert pronouns[word] in {living for living, noun in NOUNS if before in noun.english}
            seen.add(word)
    assert seen == set(pronouns)


def readings(words, language):
    """Return the (subject, verb, object) of a one-clause sentence that fit together."""

    def nouns(form):
        return [(living, noun) for living, noun in NOUNS if form in getattr(noun, language)]

    def verbs(choice):
        particle = next((word for word in words if word in PARTICLES[language]), "")
        return [
            (living, verb)
            for living, verb in choice
            if set(getattr(verb, language)) & set(words)
            and getattr(verb, f"{language}_particle") == particle
        ]

    subjects, *objects = [found for found in map(nouns, words) if found]
    if not objects:
        tried = product(subjects, verbs(INTRANSITIVE))
        return [(s, v) for (living, s), (takes, v) in tried if living == takes]
    tried = product(subjects, verbs(TRANSITIVE), objects[0])
    return [(s, v, o) for (one, s), (takes, v), (two, o) in tried if one and two == takes]


@pytest.mark.parametrize("language", ["german", "english"])
def test_noun_and_verb_together_tell_the_one_translation(simple, language):
    other = {"german": "english", "english": "german"}[language]
    homonyms = {"Noun": 0, "Verb": 0}
    for pair in simple:
        words = {"german": pair.source, "english": pair.target}
        found = readings(words[language], language)
        assert len(found) == 1
        for entry in found[0]:
            assert set(getattr(entry, other)) & set(words[other])
            homonyms[type(entry).__name__] += entry.homonym
    assert min(homonyms.values()) > 50


def test_translation_is_one_to_one():
    # Few types and no duplicates removed, so that sentences come again.
    sampler = Sampler(BilingualLexicon.create(1, 200), np.random.default_rng(1))
    forth, back, again = {}, {}, 0
    for _ in range(20_000):
        pair = realise(sampler.sentence())
        source, target = " ".join(pair.source), " ".join(pair.target)
        again += source in forth
        assert forth.setdefault(source, target) == target
        assert back.setdefault(target, source) == source
    assert again > 500
