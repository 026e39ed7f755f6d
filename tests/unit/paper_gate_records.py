"""Made-up records of gates, for the tests of g2lstm.paper."""

import numpy as np

GATES = {  # variant -> parameters of the beta distribution of the input and the forget gate
    "baseline": ((2.0, 2.2), (2.4, 1.8)),
    "sharpened": ((0.9, 0.8), (1.0, 0.8)),
    "g2": ((4.0, 0.4), (0.35, 0.4)),
}
WORD_LAYER = "decoder.0.first"


def gate_statistics(parameters, seed, elements=20000):
    values = np.random.default_rng(seed).beta(*parameters, size=elements)
    counts = np.histogram(values, bins=20, range=(0, 1))[0]
    shares = counts[counts > 0] / elements
    return {
        "histogram": counts.tolist(),
        "mean": float(values.mean()),
        "below_0.1": float((values < 0.1).mean()),
        "above_0.9": float((values > 0.9).mean()),
        "entropy": float(-(shares * np.log(shares)).sum()),
        "elements": elements,
    }


def forget_test(auc, overall, lowest_decile):
    return {
        "auc": auc,
        "positives": round(5000 * overall),
        "negatives": 5000 - round(5000 * overall),
        "lowest_decile_share": lowest_decile,
        "overall_share": overall,
    }


def gates(task, variant, seed=1, tests=None):
    """A gate record; ``tests``: name -> numbers of a test of the forget gate, of translation."""
    layers = ("decoder.0.first", "decoder.0.second", "decoder.1", "encoder.0")
    record = {
        "kind": "gates",
        "preset": "demo",
        "task": task,
        "variant": variant,
        "seed": seed,
        "stage": "finetune" if task == "lm" else "train",
        "bins": 20,
        "layers": {
            layer: {
                gate: gate_statistics(parameters, seed)
                for gate, parameters in zip(("input", "forget"), GATES[variant], strict=True)
            }
            for layer in (("lstm.0", "lstm.1") if task == "lm" else layers)
        },
    }
    if task != "lm":
        lowest = {"baseline": 0.38, "sharpened": 0.41, "g2": 0.83}[variant]
        words = {"tokens": ["a", "wrong", "word"], "input": [lowest] * 3, "forget": [0.4] * 3}
        record |= {
            "words": {"layer": WORD_LAYER, "sentences": [words]},
            "words_summary": {"lowest_input": lowest, "lowest_input_word": "wrong"},
            "forget_tests": tests or {"clause boundary": forget_test(0.71, 0.08, 0.22)},
        }
    return record


REAL_TESTS = {
    "punctuation": forget_test(0.82, 0.12, 0.31),
    "function word": forget_test(0.63, 0.41, 0.52),
}


def all_gates(seed=1, tests=None):
    tasks = ("de-en", "en-de", "lm")
    return [gates(task, variant, seed, tests) for task in tasks for variant in GATES]
