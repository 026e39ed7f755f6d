"""The parallel corpora: one reader per data set, from the fetched files to tokenised splits.

Readers know nothing of translation direction or casing: each language is read and tokenised as it
is. Tokenised text keeps its case.
"""

import hashlib
import html
import re
from pathlib import Path

import numpy as np

from g2lstm.data.archives import (
    read_file,
    read_gzip,
    read_tar_members,
    read_zip_member,
    text_lines,
)
from g2lstm.data.bitext import Bitext
from g2lstm.data.tokenise import split_compounds, tokenise
from g2lstm.errors import UserError

LANGUAGES = ("de", "en")


def read_parallel(corpus, raw_dir):
    """Read a data set of the registry from the folder of its files.

    Returns ``({split: Bitext}, {reason: training pairs left out})``. Raises UserError for an
    unknown corpus, and with file and line for damaged files, broken UTF-8, empty lines and sides
    of unequal length.
    """
    if corpus not in READERS:
        raise UserError(
            f"unknown parallel corpus {corpus!r}; choose one of {', '.join(sorted(READERS))}"
        )
    return READERS[corpus](Path(raw_dir))


def _read_columns(paths, read=read_file):
    """Return the lines of one text file per language, as many on both sides."""
    columns = {name: text_lines(read(path), path) for name, path in paths.items()}
    return _even(columns, paths)


def _even(columns, names):
    """Return ``columns`` stripped of surrounding blanks; both must have as many lines."""
    if len(columns["de"]) != len(columns["en"]):
        raise UserError(
            f"{names['de']}: {len(columns['de'])} sentences, but {names['en']}: "
            f"{len(columns['en'])}; the sides do not belong together, fetch both again"
        )
    return {name: [line.strip() for line in lines] for name, lines in columns.items()}


def _full(columns, names):
    """Return ``columns`` when no line is empty."""
    for language, lines in columns.items():
        if "" in lines:
            place = lines.index("") + 1
            raise UserError(f"{names[language]}, line {place}: an empty sentence; fetch it again")
    return columns


def _from_raw(columns, names=None):
    """Tokenise untokenised ``columns``; no line may be empty when their ``names`` are given."""
    return Bitext(_tokenised(columns, names), raw=columns)


def _tokenised(columns, names=None):
    if names:
        _full(columns, names)
    tokenised = {name: tokenise(lines, name) for name, lines in columns.items()}
    # Of a line of control characters, tokenising leaves nothing.
    return _full(tokenised, names) if names else tokenised


def clean(bitext, longest, ratio):
    """Keep what Moses' clean-corpus-n keeps: 1 to ``longest`` tokens, length ratio <= ``ratio``.

    Returns the cleaned :class:`Bitext` and the number of pairs left out.
    """
    de, en = (
        np.array([len(line.split()) for line in bitext.tokenised[name]]) for name in LANGUAGES
    )
    shorter, longer = np.minimum(de, en), np.maximum(de, en)
    places = np.flatnonzero((shorter >= 1) & (longer <= longest) & (longer <= ratio * shorter))
    return bitext.select(places.tolist()), len(bitext) - len(places)


TATOEBA_HELD_OUT = 2000  # pairs of valid, and of test


def read_tatoeba(raw_dir, held_out=TATOEBA_HELD_OUT):
    """Read the German-English pairs of Tatoeba: test, valid and the rest as training text.

    Valid and test have ``held_out`` pairs each, with distinct English and distinct German
    sentences. A training pair shares neither side with them, whatever its case and punctuation.
    """
    archive = raw_dir / "deu-eng.zip"
    name = f"{archive}: deu.txt"
    columns = {"en": [], "de": []}
    for place, line in enumerate(text_lines(read_zip_member(archive, "deu.txt"), name), 1):
        # Later editions have a third column, the attribution.
        sides = line.split("\t")
        if len(sides) < 2:
            raise UserError(f"{name}, line {place}: no tab between two sentences; fetch it again")
        for language, sentence in zip(columns, sides, strict=False):
            columns[language].append(sentence.strip())
    bitext = _from_raw(columns, dict.fromkeys(LANGUAGES, name))
    places = _split_by_sentence(bitext.raw, held_out)
    if len(places["valid"]) < held_out or not places["train"]:
        raise UserError(f"{name}: too few distinct sentences for three splits; fetch it again")
    shared = len(bitext) - sum(map(len, places.values()))
    return {split: bitext.select(part) for split, part in places.items()}, {"shared side": shared}


def _split_by_sentence(raw, held_out):
    """Return ``{split: places}``; the pairs in none share a side with valid or test.

    Sentences are compared by their lower-cased letters and digits. English ones come in the order
    of their SHA-256, as good as random and the same everywhere; of several German sentences of one,
    the first in that order is taken.
    """
    sides = {
        name: [re.sub(r"[\W_]+", "", line.lower()) for line in raw[name]] for name in LANGUAGES
    }
    keys = list(zip(sides["en"], sides["de"], strict=True))
    ranks = {key: tuple(hashlib.sha256(side.encode()).digest() for side in key) for key in keys}
    seen_en, seen_de = set(), set()
    chosen = []
    for place in sorted(range(len(keys)), key=lambda i: (ranks[keys[i]], i)):
        en, de = keys[place]
        if en not in seen_en and de not in seen_de:
            chosen.append(place)
            seen_en.add(en)
            seen_de.add(de)
        if len(chosen) == 2 * held_out:
            break
    train = [
        place for place, (en, de) in enumerate(keys) if en not in seen_en and de not in seen_de
    ]
    return {"train": train, "valid": chosen[held_out:], "test": chosen[:held_out]}


MULTI30K = {"train": "train", "valid": "val", "test": "test_2016_flickr"}


def read_multi30k(raw_dir):
    """Read the image captions of Multi30k; the test set is that of 2016 (Flickr)."""
    splits = {}
    for split, stem in MULTI30K.items():
        paths = {name: raw_dir / f"{stem}.{name}.gz" for name in LANGUAGES}
        splits[split] = _from_raw(_read_columns(paths, read_gzip), paths)
    return splits, {}


IWSLT_TESTS = ("TED.dev2010", "TEDX.dev2012", "TED.tst2010", "TED.tst2011", "TED.tst2012")
IWSLT_LEFT_OUT = ("<url>", "<talkid>", "<keywords>")
IWSLT_VALID = slice(22, None, 23)  # each line whose number, from 1, is divisible by 23


def read_iwslt14(raw_dir):
    """Read IWSLT14 German-English as Ranzato et al. (2016) split it, from the WIT3 archive.

    Training talks without the lines of three tags, tokenised, cleaned to 1-50 tokens and a length
    ratio of at most 1.5; every 23rd pair is for validation. The test set is the concatenation of
    five development and test sets.
    """
    archive = raw_dir / "de-en.tgz"
    train = {name: f"de-en/train.tags.de-en.{name}" for name in LANGUAGES}
    tests = {
        name: [f"de-en/IWSLT14.{part}.de-en.{name}.xml" for part in IWSLT_TESTS]
        for name in LANGUAGES
    }
    contents = read_tar_members(archive, [*train.values(), *tests["de"], *tests["en"]])

    def lines(member):
        return text_lines(contents[member], f"{archive}: {member}")

    talks = _even({name: _talk_lines(lines(member)) for name, member in train.items()}, train)
    cleaned, left_out = clean(_from_raw(talks), longest=50, ratio=1.5)
    in_valid = np.zeros(len(cleaned), dtype=bool)
    in_valid[IWSLT_VALID] = True
    segments = {
        name: [segment for member in tests[name] for segment in _segments(lines(member))]
        for name in LANGUAGES
    }
    names = {name: f"{archive}: IWSLT14.*.{name}.xml" for name in LANGUAGES}
    return {
        "train": cleaned.select(np.flatnonzero(~in_valid).tolist()),
        "valid": cleaned.select(np.flatnonzero(in_valid).tolist()),
        "test": _iwslt_test(_even(segments, names), names),
    }, {"cleaning": left_out}


def _talk_lines(lines):
    kept = (line for line in lines if not any(tag in line for tag in IWSLT_LEFT_OUT))
    return [re.sub(r"</?(?:title|description)>", "", line) for line in kept]


def _segments(lines):
    """Return the text of the ``<seg id=...>`` elements of an XML or SGML file, one per line."""
    return [
        re.sub(r'<seg id="[^"]*">\s*|\s*</seg>\s*', "", line).strip()
        for line in lines
        if "<seg id" in line
    ]


def _iwslt_test(segments, names):
    # The published test set has its entities tokenised as text, and straight apostrophes.
    straight = {name: [s.replace("\u2019", "'") for s in lines] for name, lines in segments.items()}
    tokenised = _tokenised(straight, names)
    raw = {name: [html.unescape(s) for s in lines] for name, lines in straight.items()}
    return Bitext(tokenised, raw)


WMT_LONGEST, WMT_RATIO = 80, 9  # tokens; the ratio is Moses' default
WMT_SAMPLE_TEST = 50  # pairs
WMT_TESTS = {"test": ("test-full.tgz", "test-full"), "test-2737": ("test-filtered.tgz", "test")}


def read_wmt14(raw_dir):
    """Read WMT14 English-German: Stanford's tokenised text, and newstest2014 in both sizes.

    Training pairs have 1-80 tokens; validation is newstest2012 and newstest2013; the test sets of
    3,003 and 2,737 pairs are tokenised here and their compounds split as Stanford's are.
    """
    train, left_out = _wmt_training({name: raw_dir / f"train.{name}" for name in LANGUAGES})
    valid = {name: [] for name in LANGUAGES}
    for year in (2012, 2013):
        paths = {name: raw_dir / f"newstest{year}.{name}" for name in LANGUAGES}
        for name, lines in _full(_read_columns(paths), paths).items():
            valid[name] += lines
    tests = {split: _newstest2014(raw_dir / path, top) for split, (path, top) in WMT_TESTS.items()}
    return {"train": train, "valid": Bitext(valid), **tests}, {"cleaning": left_out}


def read_wmt_sample(raw_dir):
    """Read 10,000 tokenised pairs of WMT: enough to run the WMT14 path, too few to learn from.

    The last 50 of the cleaned training pairs are the test set, as the sample has none with
    translations.
    """
    cleaned, left_out = _wmt_training(
        {"de": raw_dir / "tgt-train.txt", "en": raw_dir / "src-train.txt"}
    )
    places = range(len(cleaned))
    train = cleaned.select(places[:-WMT_SAMPLE_TEST])
    test = cleaned.select(places[-WMT_SAMPLE_TEST:])
    paths = {"de": raw_dir / "tgt-val.txt", "en": raw_dir / "src-val.txt"}
    valid = Bitext(_full(_read_columns(paths), paths))
    return {"train": train, "valid": valid, "test": test}, {"cleaning": left_out}


def _wmt_training(paths):
    return clean(Bitext(_read_columns(paths)), WMT_LONGEST, WMT_RATIO)


def _newstest2014(archive, top):
    members = {
        "de": f"{top}/newstest2014-deen-ref.de.sgm",
        "en": f"{top}/newstest2014-deen-src.en.sgm",
    }
    contents = read_tar_members(archive, list(members.values()))
    columns, names = {}, {}
    for name, member in members.items():
        names[name] = f"{archive}: {member}"
        segments = _segments(text_lines(contents[member], names[name]))
        columns[name] = [html.unescape(segment) for segment in segments]
    raw = _even(columns, names)
    tokenised = _tokenised(raw, names)
    return Bitext({name: split_compounds(lines) for name, lines in tokenised.items()}, raw)


READERS = {
    "tatoeba": read_tatoeba,
    "multi30k": read_multi30k,
    "iwslt14": read_iwslt14,
    "wmt14": read_wmt14,
    "wmt-sample": read_wmt_sample,
}
