"""Preparing corpora: from raw text, or from the synthetic language, to a corpus and its record."""

from pathlib import Path

from g2lstm.data.corpus import SPLITS, build_corpus, read_word_level
from g2lstm.data.synthetic import synthetic_lines
from g2lstm.errors import UserError
from g2lstm.records import file_sha256, write_record

PTB_TOKENS = {"train": 929_589, "valid": 73_760, "test": 82_430}
PTB_TYPES = 10_000


def prepare_language_model(source, output, record, raw_dir=None, synthetic=None):
    """Write the corpus file ``output`` of a language model and its deterministic ``record``.

    ``source`` is 'synthetic', with the settings ``synthetic`` {"seed", "tokens": {split: n},
    "vocabulary"}, or 'ptb', which reads ``raw_dir``/ptb.{train,valid,test}.txt. Only the synthetic
    source has an 'oracle' in its record: the exact perplexity and nats per token of each split.
    Raises UserError for an unknown source, unreadable text, or a Penn Treebank whose counts are
    not those of Mikolov's version.
    """
    facts = {}
    if source == "synthetic":
        corpus, facts["oracle"] = _synthetic_corpus(**synthetic)
    elif source == "ptb":
        corpus = _ptb_corpus(Path(raw_dir))
    else:
        raise UserError(f"unknown corpus {source!r}; choose 'synthetic' or 'ptb'")
    corpus.save(output)
    write_record(
        record,
        {
            "kind": "corpus",
            "task": "lm",
            "corpus": source,
            "tokens": {split: len(corpus.splits[split]) for split in SPLITS},
            "vocabulary": corpus.vocabulary_size,
            "sha256": file_sha256(output),
            **facts,
        },
    )


def _synthetic_corpus(seed, tokens, vocabulary):
    try:
        lines, oracle = synthetic_lines(seed, tokens, vocabulary)
    except ValueError as error:
        raise UserError(f"synthetic corpus: {error}; raise the vocabulary") from error
    exact = ("perplexity", "nats_per_token")
    return build_corpus(lines), {
        split: {key: numbers[key] for key in exact} for split, numbers in oracle.items()
    }


def _ptb_corpus(raw_dir):
    paths = {split: raw_dir / f"ptb.{split}.txt" for split in SPLITS}
    corpus = build_corpus(read_word_level(paths))
    for split, expected in PTB_TOKENS.items():
        if len(corpus.splits[split]) != expected:
            raise _other_text(paths[split], f"{len(corpus.splits[split])} tokens", expected)
    if corpus.vocabulary_size != PTB_TYPES:
        raise _other_text(raw_dir, f"{corpus.vocabulary_size} types", PTB_TYPES)
    return corpus


def _other_text(path, found, expected):
    return UserError(
        f"{path}: {found} instead of {expected}; this is not Mikolov's Penn Treebank, "
        "fetch it again"
    )
