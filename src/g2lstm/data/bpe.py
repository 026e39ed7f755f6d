"""Byte-pair encoding (Sennrich, Haddow and Birch 2016), learnt on both languages together.

Text is a stream of word numbers, so that each distinct word is split once; all else is array work.
A sub-word that does not end its word carries the joiner ``@@``.
"""

import io
from collections import Counter
from contextlib import redirect_stderr
from itertools import chain

import numpy as np
from subword_nmt.apply_bpe import BPE
from subword_nmt.learn_bpe import learn_bpe

from g2lstm.data.parallel import JOINER
from g2lstm.errors import UserError

END, UNKNOWN = "</s>", "<unk>"
END_ID, UNKNOWN_ID = 0, 1
RESERVED = (END, UNKNOWN)
LINE_END = "\n"  # as a word: no word of a line can look like it


def new_numbers():
    """Return the numbering of words ``{word: number}`` that holds just the end of a line, as 0."""
    return {LINE_END: 0}


def word_stream(lines, numbers):
    """Return ``lines`` as one int32 array of word numbers, 0 after each line.

    Words are what stands between white space; those not yet in ``numbers`` are added to it.
    """
    words = chain.from_iterable((*line.split(), LINE_END) for line in lines)
    return np.fromiter((numbers.setdefault(word, len(numbers)) for word in words), dtype=np.int32)


def learn_merges(counts, merges):
    """Learn at most ``merges`` merges on ``{word: count}``; return the text of a codes file.

    Learning ends early when no pair of symbols occurs twice. Raises UserError when there is
    nothing to merge at all.
    """
    words = io.StringIO("".join(f"{word} {count}\n" for word, count in counts.items()))
    codes = io.StringIO()
    if any(len(word) > 1 for word in counts):
        # The library draws its own bar.
        with redirect_stderr(io.StringIO()):
            learn_bpe(words, codes, merges, is_dict=True)
    if codes.getvalue().count("\n") < 2:
        raise UserError("the training text is too small to learn sub-words; use a larger corpus")
    return codes.getvalue()


def segment(words, codes):
    """Return the sub-words of each of ``words``, as tuples of strings with joiners."""
    encoder = BPE(io.StringIO(codes), separator=JOINER)
    return [tuple(encoder.segment_tokens([word])) for word in words]


def build_vocabulary(subwords, counts, size):
    """Return the ``size`` entries of the vocabulary, in the order of their ids.

    ``subwords``: tuples of sub-words, one per word; ``counts``: how often each word occurs.
    First ``</s>`` and ``<unk>``, then sub-words by falling frequency, ties by text.
    """
    frequency = Counter()
    for pieces, count in zip(subwords, counts, strict=True):
        for piece in pieces:
            frequency[piece] += count
    ranked = sorted(
        (piece for piece, count in frequency.items() if count and piece not in RESERVED),
        key=lambda piece: (-frequency[piece], piece),
    )
    return [*RESERVED, *ranked][:size]


class SubwordTable:
    """The sub-word ids of each word, to turn word numbers into sub-word ids."""

    def __init__(self, subwords, vocabulary):
        """Take the tuples of sub-words of words 1, 2, ... and the vocabulary; word 0 is the end
        of a line and becomes ``</s>``.
        """
        ids = {piece: i for i, piece in enumerate(vocabulary) if piece not in RESERVED}
        rows = [[END_ID]] + [[ids.get(piece, UNKNOWN_ID) for piece in row] for row in subwords]
        self.lengths = np.array([len(row) for row in rows], dtype=np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.ids = np.fromiter(chain.from_iterable(rows), dtype=np.int32)

    def expand(self, stream):
        """Turn word numbers, shape (words,), into sub-words.

        Returns the int32 ids, shape (sub-words,), the int64 ``offsets``, shape (lines + 1,),
        between which the sub-words of each line stand, ``</s>`` included, and the number of
        sub-words of each word, shape (words,).
        """
        lengths = self.lengths[stream]
        ends = np.cumsum(lengths)
        places = np.repeat(self.starts[stream] - (ends - lengths), lengths)
        places += np.arange(len(places))
        offsets = np.concatenate([[0], ends[stream == 0]]).astype(np.int64)
        return self.ids[places], offsets, lengths
