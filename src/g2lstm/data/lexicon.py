"""Words of the synthetic language: pronounceable forms in classes with Zipf-like frequencies."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

ONSETS = ("", *"bdfgklmnprstvz", "br", "dr", "gl", "kr", "pl", "sh", "st", "tr")
VOWELS = (*"aeiou", "ai", "eo")
CODAS = ("", "", "", *"lmnrs")

# Agreement: a form is picked by number (0 singular, 1 plural), by gender, or by the feature
# 2 * gender + number. The gender of a noun or name is its place in its class modulo 2.
NUMBERS = ("", "en")
FEATURES = ("ta", "tan", "to", "ton")
ZIPF_EXPONENT = 0.8
SPEECH_VERBS = 6
DETERMINERS = 2


@dataclass(frozen=True)
class WordClass:
    """Lemmas that stand at the same choice point, each with its inflected forms.

    ``forms[lemma][feature]`` is a word. Lemma ``i`` has the probability ``probabilities[i]``;
    ``entropy`` is that of the lemma, in nats.
    """

    forms: tuple[tuple[str, ...], ...]
    probabilities: tuple[float, ...]
    cumulative: tuple[float, ...]
    entropy: float

    @classmethod
    def create(cls, forms):
        """Give ``forms`` Zipf-like frequencies: lemma ``i`` weighs (i + 1) ** -ZIPF_EXPONENT."""
        weights = np.arange(1, len(forms) + 1, dtype=np.float64) ** -ZIPF_EXPONENT
        probabilities = weights / weights.sum()
        return cls(
            tuple(forms),
            tuple(probabilities.tolist()),
            tuple(accumulate(probabilities.tolist())),
            float(-(probabilities * np.log(probabilities)).sum()),
        )

    def draw(self, rng):
        """Return a random lemma (its place in the class)."""
        return min(bisect_right(self.cumulative, rng.random()), len(self.forms) - 1)


@dataclass(frozen=True)
class Lexicon:
    """The word classes of the language, disjoint from each other.

    ``topics[t][kind]`` is the class of that kind in topic ``t``. Of their own in each topic are
    'name', 'adjective', 'noun' (forms by number), 'transitive' and 'intransitive' (verbs, forms by
    feature); shared by all are 'determiner' and 'speech' (verbs; both with forms by feature),
    'pronoun' (one lemma, forms by gender), 'adverb' and the markers 'who', 'whom' and 'that'.
    Classes of one kind have equal sizes and frequencies in all topics.
    """

    topics: tuple[dict[str, WordClass], ...]

    @classmethod
    def create(cls, seed, vocabulary_size, topics):
        """Make the lexicon of ``seed`` with exactly ``vocabulary_size`` types, ``<eos>`` counted.

        A twentieth of the types, and what the even shares of the topics leave over, are adverbs.
        Raises ValueError when there are fewer than 2 topics or under 100 types for each.
        """
        if topics < 2 or vocabulary_size < 100 * (topics + 1):
            raise ValueError(f"no language of {topics} topics with {vocabulary_size} types")
        maker = WordMaker(np.random.default_rng(seed))
        shared = {marker: maker.word_class(1, syllables=1) for marker in ("who", "whom", "that")}
        shared["pronoun"] = maker.word_class(1, ("", "o"), syllables=1)
        shared["determiner"] = maker.word_class(DETERMINERS, ("", "en", "o", "on"), syllables=1)
        shared["speech"] = maker.word_class(SPEECH_VERBS, FEATURES)
        share = (vocabulary_size * 19 // 20 - len(maker.made)) // topics
        own = [_topic_classes(maker, share) for _ in range(topics)]
        shared["adverb"] = maker.word_class(vocabulary_size - 1 - len(maker.made))
        return cls(tuple({**shared, **classes} for classes in own))


def _topic_classes(maker, types):
    """Make the classes of one topic out of at most ``types`` word forms."""
    return {
        "name": maker.word_class(types // 20),
        "adjective": maker.word_class(types * 3 // 20),
        "noun": maker.word_class(types * 9 // 40, NUMBERS),
        "transitive": maker.word_class(types * 9 // 160, FEATURES),
        "intransitive": maker.word_class(types * 5 // 160, FEATURES),
    }


class WordMaker:
    """Makes classes of pseudo-words; no word form is made twice."""

    def __init__(self, rng):
        """Start without any word made; ``rng`` is a numpy generator."""
        self.rng = rng
        self.made = set()

    def word_class(self, count, suffixes=("",), syllables=2):
        """Return a class of ``count`` lemmas, each with one form for each of ``suffixes``."""
        return WordClass.create([self._lemma(suffixes, syllables) for _ in range(count)])

    def _lemma(self, suffixes, syllables):
        failures = 0
        while True:
            # Short stems run out; a longer one after some failures keeps this loop finite.
            stem = "".join(self._syllable() for _ in range(syllables + failures // 20))
            forms = tuple(stem + suffix for suffix in suffixes)
            if len(stem) > 1 and self.made.isdisjoint(forms):
                self.made.update(forms)
                return forms
            failures += 1

    def _syllable(self):
        return "".join(part[self.rng.integers(len(part))] for part in (ONSETS, VOWELS, CODAS))
