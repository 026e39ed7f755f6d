"""BLEU of a translation model on splits of a corpus."""

from pathlib import Path

from g2lstm.errors import UserError
from g2lstm.nmt.bleu import paired_bootstrap, score, score_detokenised
from g2lstm.nmt.translate import to_lines, translate
from g2lstm.tasks import PAIRS


def evaluate_translation(model, corpus, references, splits, settings):
    """Translate ``splits`` of ``corpus`` with ``model`` in test mode and score them.

    ``references`` is the folder with ``{split}.tokenised.txt`` and ``{split}.raw.txt``,
    ``settings`` the section ``evaluation`` of the task. Returns ``(metrics, signatures, lines)``:
    numbers by split, sacrebleu's signatures, and the translations of all splits in their order.
    """
    names = ("beam", "length_exponent", "max_steps", "batch")
    metrics, signatures, all_lines = {}, {}, []
    for name in splits:
        split = corpus.splits[name]
        ids = translate(model, split, *(settings[key] for key in names))
        lines = to_lines(ids, corpus.vocabulary)
        tokenised, raw = (
            _read_lines(Path(references) / f"{name}.{kind}.txt") for kind in ("tokenised", "raw")
        )
        scores = score(lines, tokenised, bootstrap=settings["bootstrap"])
        signatures["bleu"] = scores.pop("signature")
        task = f"{corpus.source_language}-{corpus.target_language}"
        scores["bleu_detokenised"], signatures["bleu_detokenised"] = score_detokenised(
            lines, raw, corpus.target_language, lowercase=PAIRS[task].lowercase
        )
        metrics[name] = scores
        all_lines += lines
    return metrics, signatures, all_lines


def compare_variants(records, texts, references, samples):
    """Return the paired bootstrap of several models on the test split, each against the baseline.

    ``records`` (variant -> evaluation record) tell which lines of ``texts`` (variant -> file of
    translations) belong to the split; ``references`` is the folder of the corpus.
    """
    wanted = _read_lines(Path(references) / "test.tokenised.txt")
    systems = {}
    for variant, record in records.items():
        splits = record["translations"]["splits"]
        before = splits[: splits.index("test")]
        start = sum(record["metrics"][split]["sentences"] for split in before)
        systems[variant] = _read_lines(Path(texts[variant]))[start : start + len(wanted)]
    return paired_bootstrap(systems, wanted, "baseline", samples)


def _read_lines(path):
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except FileNotFoundError:
        raise UserError(f"{path}: no such references; prepare the corpus again") from None
