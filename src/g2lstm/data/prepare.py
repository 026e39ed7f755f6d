"""Preparing corpora: from raw text, or from a synthetic language, to a corpus and its record."""

import sys
from itertools import chain
from math import log
from pathlib import Path

import numpy as np

from g2lstm.data import bpe, treebank
from g2lstm.data.bitext import Bitext
from g2lstm.data.corpus import SPLITS, build_characters, build_corpus
from g2lstm.data.fetch import fetched_hashes
from g2lstm.data.parallel import ParallelCorpus, ParallelSplit
from g2lstm.data.parallel_sources import read_parallel
from g2lstm.data.registry import read_dataset
from g2lstm.data.synchronous import generate
from g2lstm.data.synthetic import synthetic_lines
from g2lstm.data.tokenise import detokenise
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, write_record, write_text
from g2lstm.tasks import PAIRS, SPARSE

TOLERANCE = 0.01  # of published numbers of pairs, for versions of the tokeniser


SIDES = ("source", "target")


def prepare_language_model(source, output, record, raw_dir=None, task="lm"):
    """Write the corpus file ``output`` of a language model and its deterministic ``record``.

    ``source``: {"corpus": 'synthetic', "synthetic": {"seed", "tokens": {split: n},
    "vocabulary"}}, or {"corpus": 'ptb'}, which reads ``raw_dir``/ptb.{train,valid,test}.txt, as the
    record files.json there has them. Tokens are words, or for a task about characters their
    symbols. Only the synthetic corpus has an 'oracle' in its record: the exact perplexity and nats
    per token of each split, or bits per character. Raises UserError for an unknown corpus, text
    that is unreadable or has changed since it was fetched, or a Penn Treebank whose counts are not
    those of Mikolov's version.
    """
    name = source["corpus"]
    kind, facts = "characters" if SPARSE.get(task) == "characters" else "words", {}
    build = {"words": build_corpus, "characters": build_characters}[kind]
    if name == "synthetic":
        lines, oracle = _synthetic_lines(**source["synthetic"])
        corpus = build(lines)
        facts["oracle"] = {
            split: _exact(numbers, len(corpus.splits[split]), kind)
            for split, numbers in oracle.items()
        }
    elif name == "ptb":
        corpus = build(treebank.read_lines(raw_dir))
        treebank.check(corpus, raw_dir, kind)
    else:
        raise UserError(f"unknown corpus {name!r}; choose 'synthetic' or 'ptb'")
    corpus.save(output)
    write_record(
        record,
        {
            "kind": "corpus",
            "task": task,
            "corpus": name,
            "source": source,
            "tokens": {split: len(corpus.splits[split]) for split in SPLITS},
            "vocabulary": corpus.vocabulary_size,
            "sha256": file_sha256(output),
            **facts,
        },
    )


def _synthetic_lines(seed, tokens, vocabulary):
    try:
        return synthetic_lines(seed, tokens, vocabulary)
    except ValueError as error:
        raise UserError(f"synthetic corpus: {error}; raise the vocabulary") from error


def _exact(numbers, symbols, kind):
    """Return the metrics of a split that the grammar itself would have.

    ``numbers`` are its own, of words; a text has one spelling, of so many ``symbols``.
    """
    if kind == "characters":
        nats = numbers["nats_per_token"] * numbers["tokens"]
        return {"bpc": nats / symbols / log(2)}
    return {key: numbers[key] for key in ("perplexity", "nats_per_token")}


def prepare_translation(source, output_dir, registry_path, raw_dir=None):
    """Write the parallel corpus of a translation task and its record into ``output_dir``.

    ``source``: {"task": 'de-en' or 'en-de', "corpus": 'synthetic' or a data set of the registry
    whose files and their record files.json are in ``raw_dir``, "synthetic": {"seed", "vocabulary",
    "pairs": {split: n}} for the former, "bpe": {"merges", "vocabulary", "longest"}}. Training pairs
    of which a side has more than ``longest`` sub-words are left out.

    Files: corpus.safetensors (:class:`ParallelCorpus`), its deterministic record corpus.json,
    bpe.codes, vocabulary.txt, and for each split but train the target side, a sentence a line, as
    {split}.tokenised.txt in the casing of the task and as {split}.raw.txt untokenised.

    Raises UserError for an unknown task or corpus, text that is unreadable or has changed since it
    was fetched, and for numbers of sentence pairs other than the registered ones or further than
    TOLERANCE from published ones.
    """
    task, name, output_dir = source["task"], source["corpus"], Path(output_dir)
    if task not in PAIRS:
        raise UserError(f"unknown translation task {task!r}; choose one of {', '.join(PAIRS)}")
    if name == "synthetic":
        texts, facts = _synthetic_pairs(**source["synthetic"]), {"left_out": {}}
    else:
        texts, facts = _fetched_pairs(name, Path(raw_dir), registry_path)
    corpus, codes, types = _build(texts, task, source["bpe"])
    corpus.synthetic = name == "synthetic"
    facts["merges"], facts["types"] = codes.count("\n") - 1, types
    facts["left_out"]["too long"] = _leave_out_long(corpus, source["bpe"]["longest"])
    corpus.save(output_dir / "corpus.safetensors")
    write_text(output_dir / "bpe.codes", codes)
    write_text(output_dir / "vocabulary.txt", "\n".join(corpus.vocabulary) + "\n")
    facts["raw_reference"] = {
        split: _write_references(output_dir, split, text, task)
        for split, text in texts.items()
        if split != "train"
    }
    _record(output_dir, source, corpus, facts)


def _record(output_dir, source, corpus, facts):
    """Write corpus.json about the written ``corpus``."""
    task = source["task"]
    write_record(
        output_dir / "corpus.json",
        {
            "kind": "corpus",
            "task": task,
            "corpus": source["corpus"],
            "source": source,
            "lowercase": PAIRS[task].lowercase,
            "sha256": file_sha256(output_dir / "corpus.safetensors"),
            **_counts(corpus),
            **facts,
        },
    )


def _synthetic_pairs(seed, vocabulary, pairs):
    return {
        split: Bitext(
            {
                "de": [" ".join(pair.source) for pair in generated],
                "en": [" ".join(pair.target) for pair in generated],
            },
            boundaries={
                "de": [pair.source_boundaries for pair in generated],
                "en": [pair.target_boundaries for pair in generated],
            },
        )
        for split, generated in generate(seed, vocabulary, pairs).items()
    }


def _fetched_pairs(name, raw_dir, registry_path):
    """Return ``{split: Bitext}`` of a registered data set, and facts for the record."""
    dataset = read_dataset(name, registry_path)
    inputs = fetched_hashes(raw_dir, [file.name for file in dataset.files])
    texts, left_out = read_parallel(name, raw_dir)
    _check_lines(texts, name, raw_dir, dataset)
    return texts, {"left_out": left_out, "published_lines": dataset.lines_about, "inputs": inputs}


def _check_lines(texts, name, raw_dir, dataset):
    """Hold the sentence pairs of each split against what the registry says of them."""
    for split, expected in dataset.lines.items():
        if len(texts[split]) != expected:
            raise UserError(
                f"{raw_dir}: the {split} split of {name} has {len(texts[split])} sentence pairs "
                f"instead of {expected}; fetch the data set again"
            )
    for split, published in dataset.lines_about.items():
        found = len(texts[split])
        told = f"{name}: {found} {split} pairs, published are {published}"
        if abs(found - published) > TOLERANCE * published:
            raise UserError(
                f"{told}, more than {TOLERANCE:.0%} off: not the published preparation; check the "
                f"files in {raw_dir}, and install sacremoses as in constraints.txt"
            )
        if found != published:
            print(f"{told}; versions of the tokeniser differ", file=sys.stderr)


def _build(texts, task, settings):
    """Learn sub-words on the training text and turn all of ``texts`` into a corpus.

    Returns the :class:`ParallelCorpus`, the text of the codes file, and the distinct words of
    each side of the training text.
    """
    languages = dict(zip(SIDES, PAIRS[task][:2], strict=True))
    numbers = bpe.new_numbers()
    streams = {
        (split, side): bpe.word_stream(_cased(text.tokenised[language], task), numbers)
        for split, text in texts.items()
        for side, language in languages.items()
    }
    words = list(numbers)[1:]
    counts = {
        side: np.bincount(streams["train", side], minlength=len(numbers))[1:] for side in SIDES
    }
    total = (counts["source"] + counts["target"]).tolist()
    in_train = {word: count for word, count in zip(words, total, strict=True) if count}
    codes = bpe.learn_merges(in_train, settings["merges"])
    subwords = bpe.segment(words, codes)
    vocabulary = bpe.build_vocabulary(subwords, total, settings["vocabulary"])
    table = bpe.SubwordTable(subwords, vocabulary)
    splits = {}
    for split, text in texts.items():
        source, source_offsets, _ = table.expand(streams[split, "source"])
        target, target_offsets, lengths = table.expand(streams[split, "target"])
        flags = text.boundaries and _spread(text.boundaries[languages["target"]], lengths)
        splits[split] = ParallelSplit(source, source_offsets, target, target_offsets, flags)
    types = {side: int(np.count_nonzero(counts[side])) for side in SIDES}
    return ParallelCorpus(vocabulary, *languages.values(), splits), codes, types


def _cased(lines, task):
    return [line.lower() for line in lines] if PAIRS[task].lowercase else lines


def _spread(boundaries, lengths):
    """Give each sub-word the flag of its token; ``lengths``: sub-words of each token."""
    tokens = chain.from_iterable((*flags, 0) for flags in boundaries)
    return np.repeat(np.fromiter(tokens, dtype=np.uint8), lengths)


def _leave_out_long(corpus, longest):
    """Drop training pairs with more than ``longest`` sub-words on a side; return how many."""
    train = corpus.splits["train"]
    keep = np.maximum(train.lengths("source"), train.lengths("target")) <= longest
    corpus.splits["train"] = train.select(keep)
    return int((~keep).sum())


def _write_references(output_dir, split, text, task):
    """Write the target side tokenised and untokenised; return where the latter is from."""
    language = PAIRS[task].target
    tokenised = text.tokenised[language]
    raw = text.raw[language] if text.raw else detokenise(tokenised, language)
    for kind, lines in (("tokenised", _cased(tokenised, task)), ("raw", raw)):
        # Whatever else may count as the end of a line is white space here.
        lines = (" ".join(line.split()) for line in lines)
        write_text(output_dir / f"{split}.{kind}.txt", "\n".join(lines) + "\n")
    return "original" if text.raw else "detokenised"


def _counts(corpus):
    """Return sizes for the record: lines, sub-words (with ``</s>``), shares of ``<unk>``."""
    tokens, unknown = {}, {}
    for name, split in corpus.splits.items():
        ids = {side: getattr(split, side) for side in SIDES}
        tokens[name] = {side: len(ids[side]) for side in SIDES}
        unknown[name] = {
            side: float(np.mean(ids[side][ids[side] != bpe.END_ID] == bpe.UNKNOWN_ID))
            for side in SIDES
        }
    lines = {name: len(split) for name, split in corpus.splits.items()}
    vocabulary = len(corpus.vocabulary)
    return {"vocabulary": vocabulary, "lines": lines, "tokens": tokens, "unknown": unknown}
