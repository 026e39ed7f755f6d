"""A tiny parallel corpus for tests: the target is the source in reverse, words renamed."""

import numpy as np

from g2lstm.data.parallel import ParallelCorpus, ParallelSplit

WORDS = 12


def make_split(rng, sentences, shortest=2, longest=7):
    """Return a split of random sentences of word ids 2 and above."""
    lengths = rng.integers(shortest, longest + 1, sentences)
    source, target = [], []
    for length in lengths:
        words = rng.integers(2, WORDS, length)
        source += [*words, 0]
        target += [*words[::-1], 0]
    offsets = np.concatenate([[0], np.cumsum(lengths + 1)])
    return ParallelSplit(np.array(source), offsets, np.array(target), offsets)


def make_corpus(train=300, valid=20, test=30, synthetic=True):
    """Return the corpus; its vocabulary has a sub-word that ends in the joiner."""
    rng = np.random.default_rng(7)
    splits = {
        name: make_split(rng, size)
        for name, size in (("train", train), ("valid", valid), ("test", test))
    }
    words = ["</s>", "<unk>", "half@@", *(f"w{k}" for k in range(3, WORDS))]
    return ParallelCorpus(words, "de", "en", splits, synthetic)
