"""Tokenising as the Moses scripts do it, and back; the compound splitting of the WMT14 corpus.

The G2-LSTM paper's corpora are tokenised by Moses, with quotation marks and the like escaped
(``&quot;``), and BLEU is computed on that text.
"""

import re

from sacremoses import MosesDetokenizer, MosesTokenizer

SPLIT_COMPOUND = " ##AT##-##AT## "
HYPHEN = r"(?<=[^\W_])-(?=[^\W_])"  # between letters or digits


def tokenise(lines, language):
    """Return ``lines`` of 'de' or 'en' text tokenised: words separated by single blanks.

    Each distinct line is tokenised once.
    """
    tokeniser = MosesTokenizer(lang=language)
    done = {
        line: " ".join(tokeniser.tokenize(line, return_str=True).split())
        for line in dict.fromkeys(lines)
    }
    return [done[line] for line in lines]


def detokenise(lines, language):
    """Return tokenised ``lines`` as plain text: compounds joined, escapes resolved."""
    detokeniser = MosesDetokenizer(lang=language)
    joined = (re.sub(SPLIT_COMPOUND, "-", line, flags=re.IGNORECASE) for line in lines)
    return [detokeniser.detokenize(line.split(), return_str=True) for line in joined]


def split_compounds(lines):
    """Return tokenised ``lines`` with ``a-b`` as ``a ##AT##-##AT## b``, as in Stanford's WMT14."""
    return [re.sub(HYPHEN, SPLIT_COMPOUND, line) for line in lines]
