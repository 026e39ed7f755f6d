"""BLEU by sacrebleu, with bootstrap intervals and a paired bootstrap test.

The paper scores tokenised text with Moses' ``multi-bleu.perl``. sacrebleu without tokenisation
gives the same figure as long as every n-gram precision (n = 1 to 4) of the corpus is above 0. When
one is 0, multi-bleu gives 0, and sacrebleu's smoothing "exp" a small positive number, or 0 too when
no word at all is right or no sentence has four words.

A bootstrap sample draws as many sentences as there are, with replacement, with the same numbers as
sacrebleu draws for the same seed (Koehn 2004, "Statistical significance tests for machine
translation evaluation"). All scores are between 0 and 100.
"""

import numpy as np
from sacrebleu.metrics import BLEU

from g2lstm.data.tokenise import detokenise
from g2lstm.errors import UserError

ORDERS = BLEU().max_ngram_order
INTERVAL = (2.5, 97.5)  # percentiles


def score(hypotheses, references, lowercase=False, bootstrap=1000, seed=12345):
    """Score tokenised lines against one tokenised reference each.

    Returns ``bleu``, ``sentences``, ``tokens_hypothesis``, ``tokens_reference``, sacrebleu's
    ``signature`` and, unless ``bootstrap`` is 0, ``bleu_low`` and ``bleu_high``: the 95 % interval,
    percentiles over so many samples. Raises UserError when there are no lines or not equally many.
    """
    _check_lines(hypotheses, references)
    metric = BLEU(tokenize="none", lowercase=lowercase, force=True)
    result = metric.corpus_score(hypotheses, [references])
    signature, interval = metric.get_signature(), {}
    if bootstrap:
        signature.update("bs", bootstrap)
        signature.update("seed", seed)
        statistics = _sentence_statistics(hypotheses, references, lowercase)
        samples = _bleu(_draw(len(hypotheses), bootstrap, seed) @ statistics)
        low, high = np.percentile(samples, INTERVAL)
        interval = {"bleu_low": float(low), "bleu_high": float(high)}
    return {
        "bleu": result.score,
        **interval,
        "sentences": len(hypotheses),
        "tokens_hypothesis": result.sys_len,
        "tokens_reference": result.ref_len,
        "signature": str(signature),
    }


def score_detokenised(hypotheses_tokenised, raw_references, language, lowercase):
    """Detokenise with Moses' rules for ``language`` ("en", "de") and score against raw text.

    sacrebleu's own tokeniser (13a) is applied to both sides; ``lowercase`` for the lower-cased
    task. Returns (BLEU, signature). Raises UserError as :func:`score` does.
    """
    _check_lines(hypotheses_tokenised, raw_references)
    hypotheses = detokenise(hypotheses_tokenised, language)
    metric = BLEU(lowercase=lowercase)
    result = metric.corpus_score(hypotheses, [raw_references])
    return result.score, str(metric.get_signature())


def paired_bootstrap(systems, references, baseline, samples=1000, seed=12345):
    """Test whether each system of ``systems`` (name -> tokenised lines) differs from ``baseline``.

    All systems are scored on the same bootstrap samples. Returns name -> ``bleu``, ``difference``
    d (to the baseline) and ``p``, two-sided: (c + 1) / (samples + 1), where c samples have a
    difference at least abs(d) away from d (the shift method; Riezler and Maxwell 2005, "On some
    pitfalls in automatic evaluation and significance testing for MT"). Equal systems thus have
    p = 1; by sacrebleu's own PairedTest, which asks for "more than", they would differ
    significantly. The baseline itself has difference 0 and p None. Raises UserError for an unknown
    ``baseline`` and as :func:`score` does.
    """
    if baseline not in systems:
        raise UserError(f"no translations of the baseline {baseline!r}; give one of {[*systems]}")
    for lines in systems.values():
        _check_lines(lines, references)
    drawn = _draw(len(references), samples, seed)
    statistics = {name: _sentence_statistics(lines, references) for name, lines in systems.items()}
    bleu = {name: float(_bleu(values.sum(0))) for name, values in statistics.items()}
    resampled = {name: _bleu(drawn @ values) for name, values in statistics.items()}

    def compare(name):
        difference = bleu[name] - bleu[baseline]
        if name == baseline:
            return {"bleu": bleu[name], "difference": 0.0, "p": None}
        shift = np.abs(resampled[name] - resampled[baseline] - difference)
        beyond = int(np.count_nonzero(shift >= abs(difference)))
        return {"bleu": bleu[name], "difference": difference, "p": (beyond + 1) / (samples + 1)}

    return {name: compare(name) for name in systems}


def _check_lines(hypotheses, references):
    if len(hypotheses) != len(references):
        raise UserError(
            f"{len(hypotheses)} translations for {len(references)} references; "
            "give one line of each per sentence"
        )
    if not references:
        raise UserError("no sentences to score; give at least one line")


def _sentence_statistics(hypotheses, references, lowercase=False):
    """Return (sentences, 2 + 2 * ORDERS): both lengths, then right and all n-grams by order."""
    # effective_order changes only the sentence's own score, which is not used here
    metric = BLEU(tokenize="none", lowercase=lowercase, force=True, effective_order=True)
    scored = (
        metric.sentence_score(hypothesis, [reference])
        for hypothesis, reference in zip(hypotheses, references, strict=True)
    )
    return np.array(
        [[each.sys_len, each.ref_len, *each.counts, *each.totals] for each in scored], dtype=float
    )


def _draw(sentences, samples, seed):
    """Return how often each sentence stands in each bootstrap sample, (samples, sentences)."""
    drawn = np.random.default_rng(seed).choice(sentences, size=(samples, sentences))
    drawn += sentences * np.arange(samples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=samples * sentences)
    return counts.reshape(samples, sentences).astype(float)


def _bleu(statistics):
    """Return BLEU of summed statistics (..., 2 + 2 * ORDERS) with smoothing "exp": (...)."""
    length, reference_length = statistics[..., 0], statistics[..., 1]
    right, total = statistics[..., 2 : 2 + ORDERS], statistics[..., 2 + ORDERS :]
    smoothed = 0.5 ** np.cumsum(right == 0, axis=-1)
    precision = np.where(right == 0, smoothed, right) / np.maximum(total, 1)
    brevity = np.minimum(0, 1 - reference_length / np.maximum(length, 1))
    bleu = 100 * np.exp(brevity + np.log(precision).mean(-1))
    return np.where((total > 0).all(-1) & (right > 0).any(-1), bleu, 0.0)
