"""Words for the analysis of gates: sub-words merged back, word classes, sentences to show."""

import html
import unicodedata

import numpy as np

from g2lstm.data.parallel import JOINER, join_subwords
from g2lstm.errors import UserError

_LISTS = {  # articles and determiners, pronouns, prepositions, conjunctions, auxiliaries
    "en": """
        a an the this that these those some any no every each all both either neither such
        i you he she it we they me him her us them my your his its our their mine yours hers ours
        theirs myself yourself himself herself itself ourselves themselves who whom whose which what
        of in on at by for from with without to into onto out off over under up down about after
        before between through during against among around behind beside near since until upon
        and or but nor so yet if because although though while when where as than whether that
        am is are was were be been being have has had having do does did will would shall should can
        could may might must not n't there here
        's 're 've 'll 'm 'd 't
    """,
    "de": """
        der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner
        keines dieser diese dieses diesen diesem jeder jede jedes jeden jedem alle allen solche
        ich du er sie es wir ihr mich dich ihn uns euch mir dir ihm ihnen sich man mein meine meinen
        meinem meiner dein deine deinen sein seine seinen seinem seiner ihre ihren ihrem ihrer unser
        unsere unseren euer eure wer wen wem was welcher welche welches
        in im ins an am ans auf aus bei beim mit nach von vom vor zu zum zur durch für gegen ohne um
        über unter zwischen hinter neben seit bis während wegen
        und oder aber denn sondern dass daß weil wenn als ob obwohl damit bevor nachdem wie wo da
        bin bist ist sind seid war waren warst sei wäre habe hast hat haben habt hatte hatten hätte
        werde wirst wird werden wurde wurden würde würden kann kannst können konnte muss muß müssen
        musste soll sollte sollen will wollte wollen darf dürfen mag nicht
    """,
}
FUNCTION_WORDS = {language: frozenset(words.split()) for language, words in _LISTS.items()}


def merge_subwords(subwords, values):
    """Merge the sub-words of a sentence back into words; return the words and their mean values.

    ``subwords`` are strings; a word is a maximal run of them of which all but the last end in the
    joiner ``@@``. ``values`` (sub-words, ...) holds numbers for each sub-word, the second result
    (words, ...) their means in double precision. Many sentences in one go are fine where each ends
    in a sub-word without joiner, such as ``</s>``.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(subwords) != len(values):
        raise ValueError(f"{len(subwords)} sub-words, but values for {len(values)}")
    if not len(subwords):
        return [], values
    inner = np.array([subword.endswith(JOINER) for subword in subwords[:-1]], dtype=bool)
    starts = np.flatnonzero(np.concatenate(([True], ~inner)))
    sums = np.add.reduceat(values, starts, axis=0)
    lengths = np.diff(starts, append=len(subwords))
    words = join_subwords(" ".join(subwords)).split(" ")
    return words, sums / lengths.reshape(-1, *[1] * (values.ndim - 1))


def punctuation(words):
    """Return a boolean array (words): which words consist of punctuation alone.

    Punctuation is Unicode's category P. Character references, with which the Moses tokeniser
    writes quotation marks and brackets, count as what they stand for.
    """
    return np.array([_is_punctuation(html.unescape(word)) for word in words], dtype=bool)


def function_words(words, language):
    """Return a boolean array (words): which words are on the short list of function words.

    Articles, pronouns, prepositions, conjunctions and auxiliaries of ``language`` (``en`` or
    ``de``), in either case. Raises UserError for another language.
    """
    if language not in FUNCTION_WORDS:
        raise UserError(f"no list of function words for {language}; there are en and de")
    listed = FUNCTION_WORDS[language]
    return np.array([html.unescape(word).lower() in listed for word in words], dtype=bool)


def pick_sentences(lengths, count, shortest=8, longest=16):
    """Return the positions of the sentences whose gates are drawn as heat maps (Figures 4 and 6).

    The paper does not list its sentences. The rule here: of the sentences with ``shortest`` to
    ``longest`` words, in the order of the corpus, ``count`` evenly spaced ones, from the first on:
    number floor(i * m / count) of m, for i = 0, 1, ... Returns all of them, in order, when there
    are no more than ``count``. ``lengths`` (sentences) are lengths in words.
    """
    lengths = np.asarray(lengths)
    suited = np.flatnonzero((lengths >= shortest) & (lengths <= longest))
    if len(suited) > count:
        suited = suited[np.arange(count) * len(suited) // count]
    return suited.tolist()


def _is_punctuation(word):
    return bool(word) and all(unicodedata.category(character)[0] == "P" for character in word)
