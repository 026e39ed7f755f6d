"""Drawing and parsing texts of the synthetic language, each with its exact log-probability.

A text is a sequence of segments. A segment keeps one topic and one protagonist for a geometric
number of sentences. In EBNF, with f the agreement feature (gender and number) of a noun phrase:

    segment        = opening <eos> { clause <eos> }
    opening        = name verb_phrase[f]              the name becomes the protagonist
    clause         = noun_phrase[f] verb_phrase[f]
    noun_phrase[f] = name | pronoun                   both mean the protagonist
                   | determiner[f] { adjective } noun[f] [ relative[f] ]
    relative[f]    = "who" verb_phrase[f]
                   | "whom" noun_phrase[g] [ adverb ] transitive[g]
    verb_phrase[f] = [ adverb ] ( transitive[f] noun_phrase | intransitive[f]
                                | speech[f] "that" clause )

Every word class is disjoint from the others, also between topics, and the next word always tells
which alternative was taken (the grammar is LL(1)). So each text has exactly one derivation, and its
probability is the product of the probabilities of the choices made. The first topic is uniform;
the next one is uniform over the other topics, so that an opening is never taken for a clause.
"""

from math import log

SWITCH = 0.125  # that a sentence, after the first, opens a new segment
PLURAL = 0.4
ADJECTIVE = 0.3  # of one more adjective: their number is geometric
ADVERB = 0.3
NOUN_PHRASE = {"name": 0.10, "pronoun": 0.12, "determiner": 0.78}
RELATIVE = {"none": 0.76, "who": 0.12, "whom": 0.12}
VERB_PHRASE = {"transitive": 0.58, "intransitive": 0.30, "speech": 0.12}


class Sampler:
    """Draws sentences one after the other; ``log_probability`` (nats) is that of all so far."""

    def __init__(self, lexicon, rng):
        """Start a text of ``lexicon``'s words, drawn by the numpy generator ``rng``."""
        self.topics = lexicon.topics
        self.rng = rng
        self.topic = None
        self.protagonist = None
        self.words = []
        self.log_probability = 0.0

    def sentence(self):
        """Return the next sentence, a list of words without ``<eos>``."""
        self.words = []
        if self.topic is None or self._happens(SWITCH):
            self._opening()
        else:
            self._clause()
        return self.words

    def _opening(self):
        others = [topic for topic in range(len(self.topics)) if topic != self.topic]
        self.topic = others[self.rng.integers(len(others))]
        self.log_probability -= log(len(others))
        self.protagonist = self._draw("name")
        self._say("name", self.protagonist)
        self._verb_phrase(_feature(self.protagonist, 0))

    def _clause(self):
        self._verb_phrase(self._noun_phrase())

    def _noun_phrase(self):
        """Say a noun phrase and return its agreement feature."""
        kind = self._choose(NOUN_PHRASE)
        if kind == "name":
            self._say("name", self.protagonist)
            return _feature(self.protagonist, 0)
        if kind == "pronoun":
            self._say("pronoun", 0, self.protagonist % 2)
            return _feature(self.protagonist, 0)
        noun, number = self._draw("noun"), int(self._happens(PLURAL))
        feature = _feature(noun, number)
        self._say("determiner", self._draw("determiner"), feature)
        while self._happens(ADJECTIVE):
            self._say("adjective", self._draw("adjective"))
        self._say("noun", noun, number)
        self._relative(feature)
        return feature

    def _relative(self, feature):
        kind = self._choose(RELATIVE)
        if kind == "who":
            self._say("who", 0)
            self._verb_phrase(feature)
        elif kind == "whom":
            self._say("whom", 0)
            subject = self._noun_phrase()
            self._adverb()
            self._say("transitive", self._draw("transitive"), subject)

    def _verb_phrase(self, feature):
        self._adverb()
        kind = self._choose(VERB_PHRASE)
        self._say(kind, self._draw(kind), feature)
        if kind == "transitive":
            self._noun_phrase()
        elif kind == "speech":
            self._say("that", 0)
            self._clause()

    def _adverb(self):
        if self._happens(ADVERB):
            self._say("adverb", self._draw("adverb"))

    def _happens(self, probability):
        happens = self.rng.random() < probability
        self.log_probability += log(probability if happens else 1 - probability)
        return happens

    def _choose(self, alternatives):
        point = self.rng.random()
        for kind in alternatives:
            if point < alternatives[kind]:
                break
            point -= alternatives[kind]
        self.log_probability += log(alternatives[kind])
        return kind

    def _draw(self, kind):
        word_class = self.topics[self.topic][kind]
        lemma = word_class.draw(self.rng)
        self.log_probability += log(word_class.probabilities[lemma])
        return lemma

    def _say(self, kind, lemma, form=0):
        self.words.append(self.topics[self.topic][kind].forms[lemma][form])


class Parser:
    """Recursive descent over sentences in their order, from nothing but their words."""

    def __init__(self, lexicon):
        """Start at the beginning of a text of ``lexicon``'s words."""
        self.topics = lexicon.topics
        self.readings = {
            word: (kind, topic, lemma, form)
            for topic, classes in enumerate(lexicon.topics)
            for kind, word_class in classes.items()
            for lemma, forms in enumerate(word_class.forms)
            for form, word in enumerate(forms)
        }
        self.shared = {
            kind
            for kind, word_class in lexicon.topics[0].items()
            if word_class is lexicon.topics[1][kind]
        }
        self.topic = None
        self.protagonist = None
        self.words = []
        self.place = 0

    def sentence(self, words):
        """Return the log-probability (nats) of the next sentence, given those before it.

        Raises ValueError when the text so far is not in the language.
        """
        self.words, self.place = words, 0
        kind, topic = self._reading()[:2]
        if self.topic is None:
            value = self._opening(topic) - log(len(self.topics))
        elif kind == "name" and topic != self.topic:
            value = self._opening(topic) + log(SWITCH) - log(len(self.topics) - 1)
        else:
            value = self._clause() + log(1 - SWITCH)
        if self.place < len(words):
            raise self._error("the end of the sentence")
        return value

    def _opening(self, topic):
        self.topic = topic
        self.protagonist, _, value = self._take("name")
        return value + self._verb_phrase(_feature(self.protagonist, 0))

    def _clause(self):
        feature, value = self._noun_phrase()
        return value + self._verb_phrase(feature)

    def _noun_phrase(self):
        """Return (agreement feature, log-probability)."""
        kind, value = self._alternative(NOUN_PHRASE)
        if kind == "determiner":
            feature, noun_value = self._described_noun()
            return feature, value + noun_value
        lemma, form, _ = self._take(kind)
        if (lemma if kind == "name" else form) != self._reference(kind):
            raise ValueError(f"{' '.join(self.words)!r}: the {kind} does not mean the protagonist")
        return _feature(self.protagonist, 0), value

    def _reference(self, kind):
        return self.protagonist if kind == "name" else self.protagonist % 2

    def _described_noun(self):
        _, feature, value = self._take("determiner")
        while self._kind() == "adjective":
            value += log(ADJECTIVE) + self._take("adjective")[2]
        noun, number, noun_value = self._take("noun")
        self._agree(feature, _feature(noun, number))
        value += log(1 - ADJECTIVE) + noun_value + log(PLURAL if number else 1 - PLURAL)
        return feature, value + self._relative(feature)

    def _relative(self, feature):
        kind = self._kind()
        if kind not in ("who", "whom"):
            return log(RELATIVE["none"])
        self._take(kind)
        value = log(RELATIVE[kind])
        if kind == "who":
            return value + self._verb_phrase(feature)
        subject, subject_value = self._noun_phrase()
        return value + subject_value + self._adverb() + self._verb("transitive", subject)

    def _verb_phrase(self, feature):
        value = self._adverb()
        kind, kind_value = self._alternative(VERB_PHRASE)
        value += kind_value + self._verb(kind, feature)
        if kind == "transitive":
            value += self._noun_phrase()[1]
        elif kind == "speech":
            self._take("that")
            value += self._clause()
        return value

    def _verb(self, kind, feature):
        _, form, value = self._take(kind)
        self._agree(form, feature)
        return value

    def _adverb(self):
        if self._kind() != "adverb":
            return log(1 - ADVERB)
        return log(ADVERB) + self._take("adverb")[2]

    def _alternative(self, alternatives):
        kind = self._kind()
        if kind not in alternatives:
            raise self._error(" or ".join(alternatives))
        return kind, log(alternatives[kind])

    def _take(self, kind):
        """Move over a word of ``kind``; return (lemma, form, log-probability of the lemma)."""
        found, topic, lemma, form = self._reading()
        if found != kind or (kind not in self.shared and topic != self.topic):
            raise self._error(kind)
        self.place += 1
        return lemma, form, log(self.topics[topic][kind].probabilities[lemma])

    def _kind(self):
        return self._reading()[0]

    def _reading(self):
        if self.place == len(self.words):
            return None, None, None, None
        return self.readings.get(self.words[self.place], (None, None, None, None))

    def _agree(self, form, feature):
        if form != feature:
            raise ValueError(f"{' '.join(self.words)!r}: word {self.place} does not agree")

    def _error(self, expected):
        return ValueError(f"{' '.join(self.words)!r}: word {self.place + 1} is not {expected}")


def _feature(lemma, number):
    """Return the agreement feature of a noun or name: 2 * gender + number."""
    return 2 * (lemma % 2) + number
