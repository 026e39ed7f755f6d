"""Words of the synthetic language pair: function words of German and English, made-up others.

Nouns are things or living beings, and every intransitive verb (by its subject) and transitive verb
(by its object) takes only one of the two. At the same place of the two classes stand homonyms:

- place % 6 == 1: one German-like word, which means one English-like word in the class of things and
  another in that of living beings;
- place % 6 == 4: one English-like word with two German-like translations, likewise.

A homonymous noun is told by its verb, a homonymous verb by its noun; the two never meet. The
other verbs are simple, except

- place % 6 == 2: separable verb with the stem of the simple verb two places before, so that the
  particle tells the two apart; English-like phrasal verb;
- place % 6 == 3: English-like phrasal verb with the stem of the simple verb three places before;
- place % 6 == 5: separable verb with a stem of its own.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from g2lstm.data.lexicon import WordClass, WordMaker
from g2lstm.errors import UserError

CYCLE = 6
GERMAN_HOMONYM, PHRASAL_SEPARABLE, PHRASAL, ENGLISH_HOMONYM, SEPARABLE = 1, 2, 3, 4, 5
SPEECH_VERBS = 6
MINIMUM_VOCABULARY = 200

# Agreement of German-like words: masculine, feminine, neuter, plural, masculine object.
PLURAL, MASCULINE_OBJECT = 3, 4
SUBJECT_RELATIVE = ("der", "die", "das", "die")
OBJECT_RELATIVE = ("welchen", "welche", "welches", "welche")
RELATIVE = ("which", "who")  # of a thing, of a living being
# No made-up word begins with h or w or has a c: a particle joined to its verb is a new word.
GERMAN_PARTICLES = ("hin", "weg", "nach", "durch")
ENGLISH_PARTICLES = ("up", "off", "out", "down")


class Word(NamedTuple):
    """A word without class: German-like forms by agreement and English-like ones by number.

    A word that is not inflected has one form in each.
    """

    german: tuple[str, ...]
    english: tuple[str, ...]


class Noun(NamedTuple):
    """A noun, forms by number; ``gender`` 0 masculine, 1 feminine, 2 neuter."""

    german: tuple[str, str]
    english: tuple[str, str]
    gender: int
    living: bool
    homonym: bool


class Verb(NamedTuple):
    """A verb, forms by number.

    ``joined`` are the German-like forms in subordinate clauses, with the particle in front; a
    particle is '' where there is none. After a ``bare`` speech verb the English-like complement
    clause opens without 'that'.
    """

    german: tuple[str, str]
    joined: tuple[str, str]
    german_particle: str
    english: tuple[str, str]
    english_particle: str
    homonym: bool
    bare: bool


DETERMINERS = (
    Word(("der", "die", "das", "die", "den"), ("the", "the")),
    Word(("dieser", "diese", "dieses", "diese", "diesen"), ("this", "these")),
    Word(("mein", "meine", "mein", "meine", "meinen"), ("my", "my")),
)
COMPLEMENTISER = Word(("dass",), ("that",))
SUBORDINATORS = (
    Word(("wenn",), ("when",)),
    Word(("weil",), ("because",)),
    Word(("bevor",), ("before",)),
)
CONJUNCTIONS = (Word(("und",), ("and",)), Word(("aber",), ("but",)))
FUNCTION_WORDS = (*DETERMINERS, COMPLEMENTISER, *SUBORDINATORS, *CONJUNCTIONS)
GERMAN_REST = {",", ".", *SUBJECT_RELATIVE, *OBJECT_RELATIVE, *GERMAN_PARTICLES}
ENGLISH_REST = {",", ".", *RELATIVE, *ENGLISH_PARTICLES}


@dataclass(frozen=True)
class BilingualLexicon:
    """The word classes of both languages; the ``forms`` of a class are Word, Noun or Verb entries.

    ``nouns``, ``intransitive`` and ``transitive`` are pairs: the class of things, then that of
    living beings. No word belongs to both languages.
    """

    determiners: WordClass
    subordinators: WordClass
    conjunctions: WordClass
    nouns: tuple[WordClass, WordClass]
    intransitive: tuple[WordClass, WordClass]
    transitive: tuple[WordClass, WordClass]
    speech: WordClass
    adjectives: WordClass
    adverbs: WordClass
    german: frozenset[str]
    english: frozenset[str]

    @classmethod
    def create(cls, seed, vocabulary):
        """Make the lexicon of ``seed`` with exactly ``vocabulary`` German-like types.

        Punctuation and particles count; adverbs fill up what the shares of the other classes leave.
        The English-like language, with fewer forms a word, has about three quarters of the types.
        Raises UserError when there are fewer types than MINIMUM_VOCABULARY.
        """
        if vocabulary < MINIMUM_VOCABULARY:
            raise UserError(
                f"vocabulary: the synthetic language pair has no room in {vocabulary} types; "
                f"give it {MINIMUM_VOCABULARY} or more"
            )
        maker = WordMaker(np.random.default_rng(seed))
        maker.made |= {form for word in FUNCTION_WORDS for form in (*word.german, *word.english)}
        maker.made |= GERMAN_REST | ENGLISH_REST
        classes = {
            "nouns": _nouns(maker, vocabulary * 11 // 100),
            "intransitive": _verbs(maker, vocabulary // 50),
            "transitive": _verbs(maker, vocabulary // 25),
            "speech": _speech_verbs(maker),
            "adjectives": _adjectives(maker, vocabulary // 25),
        }
        entries = [*FUNCTION_WORDS, *_entries(classes)]
        room = vocabulary - len(_german_types(entries))
        classes["adverbs"] = WordClass.create(_words(maker, room, ("",)))
        entries += classes["adverbs"].forms
        return cls(
            WordClass.create(DETERMINERS),
            WordClass.create(SUBORDINATORS),
            WordClass.create(CONJUNCTIONS),
            **classes,
            german=_german_types(entries),
            english=ENGLISH_REST | frozenset(form for entry in entries for form in entry.english),
        )


def _entries(classes):
    for value in classes.values():
        for word_class in value if isinstance(value, tuple) else (value,):
            yield from word_class.forms


def _german_types(entries):
    plain = (form for entry in entries for form in entry.german)
    joined = (form for entry in entries if isinstance(entry, Verb) for form in entry.joined)
    return frozenset(GERMAN_REST).union(plain, joined)


def _words(maker, count, suffixes):
    german = maker.word_class(count, suffixes).forms
    english = maker.word_class(count).forms
    return [Word(*forms) for forms in zip(german, english, strict=True)]


def _adjectives(maker, count):
    words = _words(maker, count, ("er", "e", "es", "en"))
    return WordClass.create([Word((*german, german[PLURAL]), english) for german, english in words])


def _form_pair(maker, count, suffixes, shared):
    """Return the forms of two classes, which share those at the places of the ``shared`` kind."""
    first, second = (maker.word_class(count, suffixes).forms for _ in range(2))
    return first, tuple(
        (first if place % CYCLE == shared else second)[place] for place in range(count)
    )


def _is_homonym(place):
    return place % CYCLE in (GERMAN_HOMONYM, ENGLISH_HOMONYM)


def _nouns(maker, count):
    german = _form_pair(maker, count, ("", "en"), GERMAN_HOMONYM)
    english = _form_pair(maker, count, ("", "s"), ENGLISH_HOMONYM)
    # Homonyms need one gender, so the two classes have the same genders.
    genders = maker.rng.integers(3, size=count).tolist()
    return tuple(
        WordClass.create(
            [
                Noun(german[kind][i], english[kind][i], genders[i], bool(kind), _is_homonym(i))
                for i in range(count)
            ]
        )
        for kind in range(2)
    )


def _verbs(maker, count):
    german = _form_pair(maker, count, ("t", "en"), GERMAN_HOMONYM)
    english = _form_pair(maker, count, ("s", ""), ENGLISH_HOMONYM)
    return tuple(
        WordClass.create([_verb(*forms, i, _is_homonym(i)) for i in range(count)])
        for forms in zip(german, english, strict=True)
    )


def _speech_verbs(maker):
    german = maker.word_class(SPEECH_VERBS, ("t", "en")).forms
    english = maker.word_class(SPEECH_VERBS, ("s", "")).forms
    return WordClass.create([_verb(german, english, i, False) for i in range(SPEECH_VERBS)])


def _verb(german, english, place, homonym):
    """Return the verb at ``place`` of a class whose words have these forms."""
    kind = place % CYCLE
    first = place - kind  # the simple verb that lends its stem
    stem = german[first if kind == PHRASAL_SEPARABLE else place]
    separable = kind in (PHRASAL_SEPARABLE, SEPARABLE)
    phrasal = kind in (PHRASAL_SEPARABLE, PHRASAL)
    particle = GERMAN_PARTICLES[place % len(GERMAN_PARTICLES)] if separable else ""
    return Verb(
        german=stem,
        joined=tuple(particle + form for form in stem),
        german_particle=particle,
        english=english[first if kind == PHRASAL else place],
        english_particle=ENGLISH_PARTICLES[place % len(ENGLISH_PARTICLES)] if phrasal else "",
        homonym=homonym,
        bare=place % 2 == 1,
    )
