import pytest

from g2lstm.data.bilingual_lexicon import GERMAN_PARTICLES, BilingualLexicon
from g2lstm.errors import UserError

LEXICON = BilingualLexicon.create(1, 600)
PAIRED = {"nouns": LEXICON.nouns, "tr": LEXICON.transitive, "intr": LEXICON.intransitive}
VERBS = (*LEXICON.transitive, *LEXICON.intransitive, LEXICON.speech)


@pytest.mark.parametrize("vocabulary", [200, 333, 600, 1000])
def test_vocabulary_has_the_size_asked_for(vocabulary):
    lexicon = BilingualLexicon.create(3, vocabulary)
    assert len(lexicon.german) == vocabulary
    assert 0.7 * vocabulary < len(lexicon.english) < vocabulary
    assert lexicon.german & lexicon.english == {",", "."}
    assert len(lexicon.adverbs.forms) > 1


@pytest.mark.parametrize("vocabulary", [-1, 0, 199])
def test_too_small_a_vocabulary_is_refused(vocabulary):
    with pytest.raises(UserError, match=f"{vocabulary} types; give it 200"):
        BilingualLexicon.create(1, vocabulary)


def test_same_seed_same_words_and_another_seed_others():
    assert BilingualLexicon.create(1, 600) == LEXICON
    assert len(BilingualLexicon.create(2, 600).german & LEXICON.german) < 60


@pytest.mark.parametrize("kind", PAIRED)
def test_homonyms_share_their_word_in_one_language_only(kind):
    shared = {"german": 0, "english": 0}
    for thing, being in zip(*(word_class.forms for word_class in PAIRED[kind]), strict=True):
        same = [name for name in shared if getattr(thing, name) == getattr(being, name)]
        assert len(same) == thing.homonym == being.homonym
        for name in same:
            shared[name] += 1
    assert min(shared.values()) > 1


def test_german_homonyms_have_one_gender_and_all_genders_occur():
    for thing, being in zip(*(word_class.forms for word_class in LEXICON.nouns), strict=True):
        assert thing.german != being.german or thing.gender == being.gender
    assert {noun.gender for noun in LEXICON.nouns[0].forms} == {0, 1, 2}


@pytest.mark.parametrize("verbs", VERBS)
def test_particle_alone_tells_a_separable_verb_from_the_simple_one(verbs):
    simple, separable, phrasal = verbs.forms[0], verbs.forms[2], verbs.forms[3]
    assert simple.german == simple.joined == separable.german
    assert simple.german_particle == ""
    assert separable.german_particle in GERMAN_PARTICLES
    assert separable.joined == tuple(separable.german_particle + form for form in simple.german)
    assert simple.english == phrasal.english != separable.english
    assert phrasal.english_particle


@pytest.mark.parametrize("verbs", VERBS)
@pytest.mark.parametrize("language", ["german", "english"])
def test_no_two_verbs_of_a_class_have_the_same_stem_and_particle(verbs, language):
    keys = {(getattr(v, language), getattr(v, f"{language}_particle")) for v in verbs.forms}
    assert len(keys) == len(verbs.forms)


def test_joined_verbs_are_words_of_their_own():
    joined = [form for c in VERBS for v in c.forms if v.german_particle for form in v.joined]
    plain = {form for c in (*VERBS, *LEXICON.nouns) for entry in c.forms for form in entry.german}
    assert len(set(joined)) == len(joined) > 20
    assert plain.isdisjoint(joined)
