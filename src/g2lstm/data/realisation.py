"""Writing the derivations of :mod:`g2lstm.data.synchronous` in the two languages.

Both writers go through the tree once, from left to right, and note where clauses open and end; the
next word then gets the boundary flag and, in the German-like language, a comma before it.
"""

from g2lstm.data.bilingual_lexicon import (
    COMPLEMENTISER,
    MASCULINE_OBJECT,
    OBJECT_RELATIVE,
    PLURAL,
    RELATIVE,
    SUBJECT_RELATIVE,
)


class Realiser:
    """The tokens of one sentence with their boundary flags, written from left to right."""

    comma_at_boundary = False

    def __init__(self):
        """Start an empty sentence."""
        self.words = []
        self.flags = []
        self.at_boundary = False

    def say(self, word):
        """Add a word; it gets the flag of a boundary right before it, if there is one."""
        flag = int(self.at_boundary and bool(self.words))
        if flag and self.comma_at_boundary:
            self.punctuation(",")
        self.words.append(word)
        self.flags.append(flag)
        self.at_boundary = False

    def punctuation(self, mark):
        """Add a punctuation mark."""
        self.words.append(mark)
        self.flags.append(0)

    def boundary(self):
        """Note that a clause opens or ends here."""
        self.at_boundary = True


class German(Realiser):
    """Writes a derivation in the German-like language."""

    comma_at_boundary = True

    def sentence(self, sentence):
        """Write a Sentence with its full stop."""
        if sentence.fronted:
            self._subordinate(sentence.subordinator, sentence.adverbial)
        self._main(sentence.main[0], inverted=sentence.fronted)
        if sentence.adverbial and not sentence.fronted:
            self._subordinate(sentence.subordinator, sentence.adverbial)
        if sentence.conjunction:
            self.boundary()
            self.say(sentence.conjunction.german[0])
            self._main(sentence.main[1])
        self.punctuation(".")

    def _main(self, clause, inverted=False):
        if clause.fronted:
            self.say(clause.adverb.german[0])
        elif not inverted:
            self._noun_phrase(clause.subject)
        self.say(clause.verb.german[clause.plural])
        if clause.fronted or inverted:
            self._noun_phrase(clause.subject)
        if not clause.fronted:
            self._adverb(clause)
        self._object(clause)
        if clause.verb.german_particle:
            self.say(clause.verb.german_particle)
        self._complement(clause)

    def _subordinate(self, marker, clause):
        self.boundary()
        self.say(marker.german[0])
        self._noun_phrase(clause.subject)
        self._embedded(clause)
        self.boundary()

    def _embedded(self, clause):
        self._adverb(clause)
        self._object(clause)
        self.say(clause.verb.joined[clause.plural])
        self._complement(clause)

    def _noun_phrase(self, phrase, masculine=0):
        """Write a noun phrase; ``masculine`` is the agreement of a masculine singular."""
        noun, plural = phrase.noun, phrase.plural
        form = PLURAL if plural else noun.gender or masculine
        self.say(phrase.determiner.german[form])
        for adjective in phrase.adjectives:
            self.say(adjective.german[form])
        self.say(noun.german[plural])
        if phrase.relative:
            self._relative(phrase.relative, PLURAL if plural else noun.gender)

    def _relative(self, clause, form):
        self.boundary()
        if clause.subject:
            self.say(OBJECT_RELATIVE[form])
            self._noun_phrase(clause.subject)
        else:
            self.say(SUBJECT_RELATIVE[form])
        self._embedded(clause)
        self.boundary()

    def _adverb(self, clause):
        if clause.adverb:
            self.say(clause.adverb.german[0])

    def _object(self, clause):
        if clause.object:
            self._noun_phrase(clause.object, MASCULINE_OBJECT)

    def _complement(self, clause):
        if clause.complement:
            self._subordinate(COMPLEMENTISER, clause.complement)


class English(Realiser):
    """Writes a derivation in the English-like language."""

    def sentence(self, sentence):
        """Write a Sentence with its full stop."""
        if sentence.fronted:
            self._subordinate(sentence.subordinator, sentence.adverbial)
        self._clause(sentence.main[0])
        if sentence.adverbial and not sentence.fronted:
            self._subordinate(sentence.subordinator, sentence.adverbial)
        if sentence.conjunction:
            self.punctuation(",")
            self.boundary()
            self.say(sentence.conjunction.english[0])
            self._clause(sentence.main[1])
        self.punctuation(".")

    def _clause(self, clause):
        if clause.fronted:
            self.say(clause.adverb.english[0])
        self._noun_phrase(clause.subject)
        self._predicate(clause)

    def _predicate(self, clause):
        verb = clause.verb
        if clause.adverb and not clause.fronted:
            self.say(clause.adverb.english[0])
        self.say(verb.english[clause.plural])
        if verb.english_particle:
            self.say(verb.english_particle)
        if clause.object:
            self._noun_phrase(clause.object)
        if clause.complement:
            self._subordinate(None if verb.bare else COMPLEMENTISER, clause.complement)

    def _subordinate(self, marker, clause):
        self.boundary()
        if marker:
            self.say(marker.english[0])
        self._clause(clause)
        self.boundary()

    def _noun_phrase(self, phrase):
        noun, plural = phrase.noun, phrase.plural
        self.say(phrase.determiner.english[plural])
        for adjective in phrase.adjectives:
            self.say(adjective.english[0])
        self.say(noun.english[plural])
        if phrase.relative:
            self.boundary()
            self.say(RELATIVE[noun.living])
            if phrase.relative.subject:
                self._noun_phrase(phrase.relative.subject)
            self._predicate(phrase.relative)
            self.boundary()
