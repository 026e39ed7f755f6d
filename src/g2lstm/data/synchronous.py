"""Sentence pairs of two synthetic languages, by a synchronous grammar.

A derivation is drawn once and realised twice, in a German-like ('de') and an English-like ('en')
language. In EBNF, with f for agreement (gender and number in 'de', number in 'en'):

    sentence   = main "." | subordinate main "." | main subordinate "." | main conjunction main "."
    de main    = subject[f] verb[f] middle | ( adverb | subordinate ) verb[f] subject[f] middle
    de middle  = [ adverb ] [ object ] [ particle ] [ complement ]
    de embedded[f]   = [ adverb ] [ object ] [ particle ]+verb[f] [ complement ]
    en main    = [ adverb ] subject[f] predicate[f]
    en predicate[f]  = [ adverb ] verb[f] [ particle ] [ object ] [ complement ]
    subordinate      = subordinator clause
    complement = [ complementiser ] clause    left out in 'en' only, after every other speech verb
    clause     = subject[f] ( embedded[f] in 'de' | predicate[f] in 'en' )
    subject, object  = determiner[f] { adjective[f] } noun[f] [ relative[f] ]
    relative[f]      = subject pronoun[f] ( embedded[f] | predicate[f] )
                     | object pronoun[f] clause, without its object

So 'de' has its finite verb second in main clauses and last in subordinate ones (before a complement
clause only), where a separable verb is joined with its particle; 'en' has subject, verb and object
in this order everywhere. 'de' has commas around all embedded clauses and before conjunctions, 'en'
only before conjunctions. Three genders agree in 'de', where masculine objects have forms of their
own. Clauses nest to a depth of 2. Only main clauses have adverbial clauses and are coordinated.

Ambiguous words (see :mod:`g2lstm.data.bilingual_lexicon`) are told by whether the verb takes a
thing or a living being, separable verbs from simple ones by the particle: each sentence has exactly
one translation, in both directions. Examples of seed 1 with 600 types, where an asterisk stands for
a boundary flag ('robumt' is a homonym, 'burpleen ... nach' the plural of a separable verb):

    de: dieser lusku robumt lirshai die kremdeoen rorstaen .
    en: this neonkral breobis fensheos the fannil dailris .

    de: die algaien robumen die kressunen shilasen krakemen , *wenn mein keostoner tasgin die
        krakemen zigot .
    en: the senpums plulbril the vonur reoskal stainmans *when my pufa seostis glustuls the
        stainmans .

    de: kaivain burpleen die leokrinen , *welche meine kressunen krensaien wegtrogaien , *nach ,
        *dass die panteolen kasainen .
    en: zalteo the esvims *who my vonur famtirs konga *braisgleo out *that the okrans trazai .

A boundary flag is 1 at a token that opens a clause (complementiser, subordinator, relative pronoun
or conjunction, or the first word of a clause without any) or resumes the outer clause after an
embedded one (never punctuation), 0 elsewhere and at the first token of a sentence.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from g2lstm.data.bilingual_lexicon import BilingualLexicon, Noun, Verb, Word
from g2lstm.data.corpus import SPLITS
from g2lstm.data.realisation import English, German

MAX_TOKENS = 30
MAX_DEPTH = 2
# Probabilities of the choices.
ADVERBIAL_CLAUSE = 0.22
COORDINATION = 0.13
FRONTED = 0.5  # of an adverbial clause, or of an adverb in a main clause
ADVERB = 0.3
PLURAL_NUMBER = 0.4
ADJECTIVE = 0.25  # of one more adjective: their number is geometric
RELATIVE_CLAUSE = 0.13
OBJECT_GAP = 0.5
LIVING = 0.5
TRANSITIVE = 0.6
SPEECH = 0.15


@dataclass(frozen=True)
class Pair:
    """A sentence and its translation, tokens with their final full stop.

    The boundary flags, 0 or 1, are parallel to the tokens.
    """

    source: list[str]
    target: list[str]
    source_boundaries: tuple[int, ...]
    target_boundaries: tuple[int, ...]


class NounPhrase(NamedTuple):
    """A noun phrase of the abstract derivation."""

    determiner: Word
    adjectives: list[Word]
    noun: Noun
    plural: bool
    relative: "Clause | None"


class Clause(NamedTuple):
    """A clause of the abstract derivation; a relative clause lacks its subject or its object.

    ``plural`` is the number of the subject; ``fronted`` says that the adverb comes first.
    """

    verb: Verb
    plural: bool
    subject: NounPhrase | None
    object: NounPhrase | None
    adverb: Word | None
    complement: "Clause | None"
    fronted: bool


class Sentence(NamedTuple):
    """An abstract derivation: main clauses (two with a conjunction) and an adverbial clause."""

    main: list[Clause]
    conjunction: Word | None
    subordinator: Word | None
    adverbial: Clause | None
    fronted: bool


class Sampler:
    """Draws abstract derivations."""

    def __init__(self, lexicon, rng):
        """Draw entries of the BilingualLexicon ``lexicon`` with the numpy generator ``rng``."""
        self.lexicon = lexicon
        self.random = rng.random
        self.rng = rng

    def sentence(self):
        """Return a Sentence."""
        point = self.random()
        if point < ADVERBIAL_CLAUSE:
            fronted = self.random() < FRONTED
            main = self._clause(0, speech=fronted, adverb_first=not fronted)
            subordinator = self._draw(self.lexicon.subordinators)
            return Sentence([main], None, subordinator, self._clause(1), fronted)
        main = [self._clause(0, adverb_first=True)]
        if point > 1 - COORDINATION:
            main.append(self._clause(0, adverb_first=True))
            return Sentence(main, self._draw(self.lexicon.conjunctions), None, None, False)
        return Sentence(main, None, None, None, False)

    def _clause(self, depth, head=None, speech=True, adverb_first=False):
        """Draw a clause; with a ``head`` (noun, plural) a relative clause without its subject."""
        speech = speech and depth < MAX_DEPTH
        point = 1.0 if head and not head[0].living else self.random()
        subject = object_ = complement = None
        if point < TRANSITIVE:
            living = self.random() < LIVING
            verb = self._draw(self.lexicon.transitive[living])
            object_ = self._noun_phrase(depth, living, verb.homonym)
        elif speech and point < TRANSITIVE + SPEECH:
            verb = self._draw(self.lexicon.speech)
            complement = self._clause(depth + 1)
        elif head:
            verb = self._draw(self.lexicon.intransitive[head[0].living], head[0].homonym)
        else:
            living = self.random() < LIVING
            verb = self._draw(self.lexicon.intransitive[living])
            subject = self._noun_phrase(depth, living, verb.homonym)
        if not head and subject is None:
            subject = self._noun_phrase(depth, True)
        plural = head[1] if head else subject.plural
        adverb = self._adverb()
        fronted = adverb is not None and adverb_first and self.random() < FRONTED
        return Clause(verb, plural, subject, object_, adverb, complement, fronted)

    def _noun_phrase(self, depth, living, unambiguous=False):
        noun = self._draw(self.lexicon.nouns[living], unambiguous)
        plural = self.random() < PLURAL_NUMBER
        determiner = self._draw(self.lexicon.determiners)
        adjectives = []
        while self.random() < ADJECTIVE:
            adjective = self._draw(self.lexicon.adjectives)
            if adjective not in adjectives:
                adjectives.append(adjective)
        relative = None
        if depth < MAX_DEPTH and self.random() < RELATIVE_CLAUSE:
            relative = self._relative(depth + 1, noun, plural)
        return NounPhrase(determiner, adjectives, noun, plural, relative)

    def _relative(self, depth, noun, plural):
        if self.random() >= OBJECT_GAP:
            return self._clause(depth, head=(noun, plural))
        verb = self._draw(self.lexicon.transitive[noun.living], noun.homonym)
        subject = self._noun_phrase(depth, True)
        return Clause(verb, subject.plural, subject, None, self._adverb(), None, False)

    def _adverb(self):
        return self._draw(self.lexicon.adverbs) if self.random() < ADVERB else None

    def _draw(self, word_class, unambiguous=False):
        """Draw an entry; an ``unambiguous`` one is a homonym in neither language."""
        while True:
            entry = word_class.forms[word_class.draw(self.rng)]
            if not (unambiguous and entry.homonym):
                return entry


def realise(sentence):
    """Return the Pair of an abstract derivation."""
    source, target = German(), English()
    source.sentence(sentence)
    target.sentence(sentence)
    return Pair(source.words, target.words, tuple(source.flags), tuple(target.flags))


def generate(seed, vocabulary, pairs):
    """Draw sentence pairs: a dict from split to a list of Pair.

    ``vocabulary``: types of the German-like language; the English-like one has about three quarters
    of them. ``pairs``: number of pairs per split ('train', 'valid', 'test'). No sentence comes
    twice, in neither language, neither in a split nor in two; none is longer than MAX_TOKENS. The
    test split depends on the seed, the vocabulary and its own size only, the others also on those
    drawn before them (test, then valid). Raises UserError when the vocabulary is too small.
    """
    lexicon = BilingualLexicon.create(seed, vocabulary)
    splits = {split: [] for split in SPLITS}
    seen = set()
    for place, split in reversed(list(enumerate(SPLITS))):
        sampler = Sampler(lexicon, np.random.default_rng([seed, place + 1]))
        while len(splits[split]) < pairs[split]:
            pair = realise(sampler.sentence())
            sentences = {tuple(pair.source), tuple(pair.target)}
            if max(map(len, sentences)) <= MAX_TOKENS and seen.isdisjoint(sentences):
                seen |= sentences
                splits[split].append(pair)
    return splits
