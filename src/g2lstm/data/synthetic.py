"""The synthetic language of the demo, whose exact perplexity and entropy rate are known."""

from dataclasses import dataclass
from math import exp, log

import numpy as np

from g2lstm.data.corpus import SPLITS
from g2lstm.data.derivation import (
    ADJECTIVE,
    ADVERB,
    NOUN_PHRASE,
    PLURAL,
    RELATIVE,
    SWITCH,
    VERB_PHRASE,
    Parser,
    Sampler,
)
from g2lstm.data.lexicon import Lexicon


@dataclass(frozen=True)
class Grammar:
    """The probabilistic grammar of :mod:`g2lstm.data.derivation` with a lexicon."""

    lexicon: Lexicon

    @classmethod
    def create(cls, seed, vocabulary_size=2000, topics=4):
        """Make the grammar of ``seed``; ``vocabulary_size`` counts the types with ``<eos>``.

        Raises ValueError when there are fewer than 2 topics or too few types for them.
        """
        return cls(Lexicon.create(seed, vocabulary_size, topics))

    def sample(self, n_tokens, rng):
        """Draw a text up to the first end of a sentence at or after ``n_tokens`` tokens.

        Returns (sentences, log-probability): the sentences as lists of words without ``<eos>``,
        which the token count includes; the natural logarithm of the text's probability.
        """
        sampler = Sampler(self.lexicon, rng)
        sentences, tokens = [], 0
        while tokens < n_tokens:
            sentences.append(sampler.sentence())
            tokens += len(sentences[-1]) + 1
        return sentences, sampler.log_probability

    def log_probability(self, sentences):
        """Return the natural logarithm of the probability of a text, found by parsing its words.

        Raises ValueError when the text is not in the language.
        """
        parser = Parser(self.lexicon)
        return sum(parser.sentence(sentence) for sentence in sentences)

    def entropy_rate(self):
        """Return the exact entropy rate in nats per token, ``<eos>`` counted.

        It is the expected nats of a sentence over its expected tokens, in the long run, where the
        share SWITCH of the sentences opens a segment. One topic stands for all: their classes have
        equal sizes and frequencies.
        """
        tokens, nats = self._expectations()
        opening_tokens = 1 + tokens["verb_phrase"]
        opening_nats = self.lexicon.topics[0]["name"].entropy + nats["verb_phrase"]
        switch_nats = _entropy(SWITCH, 1 - SWITCH) + SWITCH * log(len(self.lexicon.topics) - 1)
        sentence_tokens = 1 + SWITCH * opening_tokens + (1 - SWITCH) * tokens["clause"]
        sentence_nats = switch_nats + SWITCH * opening_nats + (1 - SWITCH) * nats["clause"]
        return sentence_nats / sentence_tokens

    def _expectations(self):
        """Return the expected tokens and the expected nats of each nonterminal, as two dicts.

        With C[a, b] the expected number of b right below a, and own[a] what a itself adds, the
        expectations x solve x = own + C x.
        """
        _, _, noun = NOUN_PHRASE.values()
        _, who, whom = RELATIVE.values()
        transitive, _, speech = VERB_PHRASE.values()
        below = np.array([[0, 1, 1], [0, noun * whom, noun * who], [speech, transitive, 0]])
        own = np.array([(0, 0), self._own_noun_phrase(), self._own_verb_phrase()])
        expected = np.linalg.solve(np.eye(3) - below, own)
        names = ("clause", "noun_phrase", "verb_phrase")
        return tuple(dict(zip(names, column, strict=True)) for column in expected.T.tolist())

    def _own_noun_phrase(self):
        """Return the expected (tokens, nats) of a noun phrase without the phrases in it.

        The adverb and the verb of a 'whom' clause count here, as they stand in no verb phrase.
        """
        entropy = self._class_entropies()
        _, who, whom = RELATIVE.values()
        noun = NOUN_PHRASE["determiner"]
        adjectives = ADJECTIVE / (1 - ADJECTIVE)
        tokens = 2 + adjectives + who + whom * (2 + ADVERB)
        nats = (
            entropy["noun"]
            + _entropy(PLURAL, 1 - PLURAL)
            + entropy["determiner"]
            + (1 + adjectives) * _entropy(ADJECTIVE, 1 - ADJECTIVE)
            + adjectives * entropy["adjective"]
            + _entropy(*RELATIVE.values())
            + whom * (self._adverb_nats() + entropy["transitive"])
        )
        return 1 - noun + noun * tokens, _entropy(*NOUN_PHRASE.values()) + noun * nats

    def _own_verb_phrase(self):
        """Return the expected (tokens, nats) of a verb phrase without the phrases in it."""
        entropy = self._class_entropies()
        verb_nats = sum(share * entropy[kind] for kind, share in VERB_PHRASE.items())
        nats = self._adverb_nats() + _entropy(*VERB_PHRASE.values()) + verb_nats
        return ADVERB + 1 + VERB_PHRASE["speech"], nats

    def _adverb_nats(self):
        return _entropy(ADVERB, 1 - ADVERB) + ADVERB * self._class_entropies()["adverb"]

    def _class_entropies(self):
        return {kind: words.entropy for kind, words in self.lexicon.topics[0].items()}


def _entropy(*probabilities):
    return -sum(p * log(p) for p in probabilities)


def synthetic_lines(seed, tokens, vocabulary_size=2000):
    """Draw the splits of the synthetic corpus, each an independent text of the same grammar.

    ``tokens``: least number of tokens per split ('train', 'valid', 'test'), ``<eos>`` counted.
    Returns (lines_by_split, oracle). ``oracle[split]`` holds the exact numbers of the drawn text
    under the grammar: 'perplexity' = exp(nats_per_token), 'nats_per_token' = -log P(split) / tokens
    and 'tokens'. A split depends on the seed and its own size only.
    """
    grammar = Grammar.create(seed, vocabulary_size)
    lines_by_split, oracle = {}, {}
    for place, split in enumerate(SPLITS):
        rng = np.random.default_rng([seed, place + 1])
        lines, log_probability = grammar.sample(tokens[split], rng)
        count = sum(map(len, lines)) + len(lines)
        nats = -log_probability / count
        lines_by_split[split] = lines
        oracle[split] = {"perplexity": exp(nats), "nats_per_token": nats, "tokens": count}
    return lines_by_split, oracle
