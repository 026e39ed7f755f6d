"""Parser of the English-like synthetic language, written apart from the package's generator."""

from g2lstm.data.bilingual_lexicon import ENGLISH_PARTICLES, RELATIVE


def word_kinds(lexicon):
    """Return a dict from each English-like word of a BilingualLexicon to its kind."""
    classes = {
        "noun": lexicon.nouns,
        "transitive": lexicon.transitive,
        "intransitive": lexicon.intransitive,
        "speech": [lexicon.speech],
        "adjective": [lexicon.adjectives],
        "adverb": [lexicon.adverbs],
        "determiner": [lexicon.determiners],
        "subordinator": [lexicon.subordinators],
        "conjunction": [lexicon.conjunctions],
    }
    kinds = {
        form: kind
        for kind, group in classes.items()
        for word_class in group
        for entry in word_class.forms
        for form in entry.english
    }
    kinds |= dict.fromkeys(RELATIVE, "relative") | dict.fromkeys(ENGLISH_PARTICLES, "particle")
    return kinds | {word: word for word in ("that", ",", ".")}


class EnglishParser:
    """Finds the boundary flags of a sentence from nothing but its words, looking one ahead."""

    def __init__(self, words, kinds):
        """``kinds``: what word_kinds returned."""
        self.kinds = [kinds[word] for word in words]
        self.place = 0
        self.flags = [0] * len(words)

    def sentence(self):
        """Return the flags, a tuple; AssertionError when the sentence is not in the language."""
        if self.next_is("subordinator"):
            self.adverbial()
        self.main()
        if self.next_is("subordinator"):
            self.adverbial()
        elif self.skip(","):
            self.mark()
            self.take("conjunction")
            self.main()
        self.take(".")
        assert self.place == len(self.kinds)
        return tuple(self.flags)

    def adverbial(self):
        """Parse an adverbial clause."""
        self.mark()
        self.take("subordinator")
        self.clause()
        self.mark()

    def main(self):
        """Parse a main clause."""
        self.skip("adverb")
        self.clause()

    def clause(self):
        """Parse a clause after its marker."""
        self.noun_phrase()
        self.predicate()

    def noun_phrase(self):
        """Parse a noun phrase with its relative clause."""
        self.take("determiner")
        while self.skip("adjective"):
            pass
        self.take("noun")
        if self.next_is("relative"):
            self.mark()
            self.take("relative")
            lacks_object = self.next_is("determiner")
            if lacks_object:
                self.noun_phrase()
            self.predicate(lacks_object)
            self.mark()

    def predicate(self, lacks_object=False):
        """Parse what follows the subject."""
        self.skip("adverb")
        kind = self.kinds[self.place]
        self.take(*(["transitive"] if lacks_object else ["transitive", "intransitive", "speech"]))
        self.skip("particle")
        if kind == "transitive" and not lacks_object:
            self.noun_phrase()
        elif kind == "speech":
            self.mark()
            self.skip("that")
            self.clause()
            self.mark()

    def next_is(self, kind):
        """Say whether the next word is of a kind."""
        return self.kinds[self.place] == kind

    def skip(self, kind):
        """Move over the next word if it is of a kind, and say whether it was."""
        found = self.next_is(kind)
        self.place += found
        return found

    def take(self, *kinds):
        """Move over the next word, which must be of one of the kinds."""
        assert self.kinds[self.place] in kinds, (self.kinds, self.place, kinds)
        self.place += 1

    def mark(self):
        """Flag the next word unless it is the first or punctuation."""
        self.flags[self.place] = int(self.place > 0 and self.kinds[self.place] not in (",", "."))
