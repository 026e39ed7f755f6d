"""Made-up records of runs, for the tests of g2lstm.paper."""

import copy
from pathlib import Path

import numpy as np

from g2lstm.paper.spec import PRINTED_CORPORA
from g2lstm.records import write_record

RESOURCES = Path(__file__).parents[2] / "resources"
PUBLISHED, CLAIMS = RESOURCES / "published.yaml", RESOURCES / "claims.yaml"
ROW_VARIANT = {"baseline": "baseline", "sharp": "sharpened", "g2": "g2"}

LM_SETTINGS = {
    "round-r0.2": {"method": "round", "r": 0.2},
    "round-clip-r0.1-c0.2": {"method": "round-clip", "r": 0.1, "c": 0.2},
    "round-clip-r0.2-c0.4": {"method": "round-clip", "r": 0.2, "c": 0.4},
    "round-clip-r0.3-c0.6": {"method": "round-clip", "r": 0.3, "c": 0.6},
    "round-clip-r0.4-c0.8": {"method": "round-clip", "r": 0.4, "c": 0.8},
    "svd-k16": {"method": "svd", "k": 16},
    "svd-k8": {"method": "svd", "k": 8},
    "svd-k4": {"method": "svd", "k": 4},
    "svd-k2": {"method": "svd", "k": 2},
}
NMT_SETTINGS = {
    slug + ending: {**setting, "scope": scope}
    for ending, scope in (("", "paper"), ("-code", "code"))
    for slug, setting in {
        "round-r0.5": {"method": "round", "r": 0.5},
        "round-clip-r0.5-c1.0": {"method": "round-clip", "r": 0.5, "c": 1.0},
        "svd-k8": {"method": "svd", "k": 8},
        "svd-k4": {"method": "svd", "k": 4},
    }.items()
}
TABLE4 = {
    "round": "round-r0.5",
    "round_clip": "round-clip-r0.5-c1.0",
    "svd32": "svd-k8",
    "svd16": "svd-k4",
}
TABLE_S1 = {column_id: f"{slug}-code" for column_id, slug in TABLE4.items()}
DEMO = {
    "preset": "demo",
    "label": "demo: synthetic language, reduced model and schedule",
    "reduced": ["lm", "de-en", "en-de"],
    "convention": "exact",
    "beam": {"de-en": 5, "en-de": 5},
    "corpora": {
        "lm": "synthetic language",
        "de-en": "synthetic German-English",
        "en-de": "synthetic English-German",
    },
    "settings": {"lm": LM_SETTINGS, "de-en": NMT_SETTINGS, "en-de": NMT_SETTINGS},
    "tables": {
        "table3": {
            "round": "round-r0.2",
            "round_clip": "round-clip-r0.2-c0.4",
            "svd128": "svd-k16",
            "svd64": "svd-k8",
        },
        "table6": {
            "c020_r010": "round-clip-r0.1-c0.2",
            "c040_r020": "round-clip-r0.2-c0.4",
            "c060_r030": "round-clip-r0.3-c0.6",
            "c080_r040": "round-clip-r0.4-c0.8",
        },
        "table7": {
            "rank128": "svd-k16",
            "rank64": "svd-k8",
            "rank32": "svd-k4",
            "rank16": "svd-k2",
        },
        "table4": TABLE4,
        "table5": TABLE4,
        "tableS1": {"de-en": TABLE_S1, "en-de": TABLE_S1},
    },
}


def paper_layout():
    layout = copy.deepcopy(DEMO)
    layout |= {"preset": "paper", "label": "paper: the paper's own scale", "reduced": []}
    layout["corpora"] = {task: name for task, (_, name) in PRINTED_CORPORA.items()}
    for slug, rank in (("svd-k16", 128), ("svd-k8", 64), ("svd-k4", 32), ("svd-k2", 16)):
        layout["settings"]["lm"][slug] = {"method": "svd", "k": rank}
    return layout


def evaluation(variant, stage, setting, mode, perplexities, seed=1, preset="demo"):
    factor = {"svd": 12.0, "rou": 16.0}.get(setting[:3], 1.0)
    return {
        "kind": "evaluation",
        "preset": preset,
        "task": "lm",
        "variant": variant,
        "seed": seed,
        "stage": stage,
        "setting": setting,
        "mode": mode,
        "metrics": {
            split: {
                "perplexity": value,
                "perplexity_as_published": value - 0.03,
                "nats_per_token": float(np.log(value)),
                "tokens": 82429,
            }
            for split, value in perplexities.items()
        },
        "size": {
            "parameters": 24210800,
            "file_bytes": 96843200,
            "gate_bytes": round(40e6 / factor),
            "gate_bytes_dense": 40000000,
            "gate_factor": factor,
            "paper_factor": factor,
        },
    }


def printed_evaluations(tables, layout=DEMO, shift=0.0, seed=1):
    """Evaluation records that hold the printed numbers of Tables 1, 3, 6, 7, plus ``shift``."""
    records = {}
    stages = {"_nofinetune": ("train", "plain"), "_cache": ("finetune", "cache")}
    prefixes = {"awd": "baseline", "sharp": "sharpened", "g2": "g2"}
    for row_id, row in tables["table1"]["rows"].items():
        prefix, _, rest = row_id.partition("_")
        if prefix in prefixes:
            stage, mode = stages.get(f"_{rest}", ("finetune", "plain"))
            values = {split: row[split] + shift for split in ("valid", "test")}
            key = (prefixes[prefix], stage, "original", mode)
            records[key] = evaluation(*key, values, seed)
    for table_id in ("table3", "table6", "table7"):
        for row_id, variant in ROW_VARIANT.items():
            for column_id, slug in layout["tables"][table_id].items():
                key = (variant, "finetune", slug, "cache")
                value = tables[table_id]["rows"][row_id][column_id] + shift
                records[key] = evaluation(*key, {"test": value}, seed)
    return list(records.values())


def translation(task, variant, setting, bleu, seed=1, preset="demo"):
    factor = {"svd": 8.0, "rou": 10.7}.get(setting[:3], 1.0)
    return {
        "kind": "evaluation",
        "preset": preset,
        "task": task,
        "variant": variant,
        "seed": seed,
        "stage": "train",
        "setting": setting,
        "mode": "beam5",
        "metrics": {
            "test": {
                "bleu": bleu,
                "bleu_low": bleu - 0.71,
                "bleu_high": bleu + 0.69,
                "bleu_detokenised": bleu - 1.25,
                "sentences": 2000,
                "tokens_hypothesis": 24000,
                "tokens_reference": 24500,
            }
        },
        "signatures": {"bleu": "BLEU|tok:none", "bleu_detokenised": "BLEU|tok:13a"},
        "size": {
            "parameters": 25500000,
            "file_bytes": 102000000,
            "gate_bytes": round(12e6 / factor),
            "gate_bytes_dense": 12000000,
            "gate_factor": factor,
            "paper_factor": factor,
        },
    }


def printed_translations(tables, layout=DEMO, shift=0.0, seed=1):
    """Evaluation records that hold the printed BLEU of Tables 4, 5, and 0.3 more for Table S1."""
    records = []
    for task, table_id in (("de-en", "table4"), ("en-de", "table5")):
        rows = tables[table_id]["rows"]
        for row_id, variant in ROW_VARIANT.items():
            bleu = rows[row_id]["original"] + shift
            records.append(translation(task, variant, "original", bleu, seed))
            for column_id, slug in layout["tables"][table_id].items():
                bleu = rows[row_id][column_id] + shift
                records.append(translation(task, variant, slug, bleu, seed))
                code = layout["tables"]["tableS1"][task][column_id]
                records.append(translation(task, variant, code, bleu + 0.3, seed))
    return records


def printed_corpora():
    """Corpus records of the data sets of print."""
    return [
        {"kind": "corpus", "task": task, "corpus": name}
        for task, (name, _) in PRINTED_CORPORA.items()
    ]


def synthetic_corpora():
    """Corpus records of synthetic data; the source's own perplexity is known for ``lm`` only."""
    pairs = [{"kind": "corpus", "task": task, "corpus": "synthetic"} for task in ("de-en", "en-de")]
    return [oracle(), *pairs]


def oracle():
    return {
        "kind": "corpus",
        "task": "lm",
        "corpus": "synthetic",
        "tokens": {"train": 100000},
        "vocabulary": 200,
        "oracle": {"valid": {"perplexity": 41.2}, "test": {"perplexity": 41.7}},
    }


def training(stage="train", epochs=12, seed=1):
    start = 5.6 if stage == "train" else 4.4
    history = [
        {
            "epoch": epoch,
            "train_loss": 4.3 + (start - 4.3) * 0.7 ** (epoch - 1),
            "valid_perplexity": 72.0 + 190.0 * 0.6**epoch if stage == "train" else 71.0 - epoch / 9,
            "averaged": stage == "finetune" or epoch > 8,
            "steps": 400,
        }
        for epoch in range(1, epochs + 1)
    ]
    return {
        "kind": "training",
        "preset": "demo",
        "task": "lm",
        "variant": "g2",
        "seed": seed,
        "stage": stage,
        "epochs": epochs,
        "best_epoch": epochs,
        "stopped": "schedule",
        "history": history,
        "job": {"task": "lm", "stage": stage, "seed": seed, "model": {}},  # all at its default
        "parameters": 24210800,
    }


def translation_training(task="de-en", **model):
    """A training record of translation; ``model``: keys of the job that differ from the default."""
    rows = [(1.33, 3.7, 12.1), (2.66, 1.94, 3.08)]
    history = [
        {"epoch": epoch, "updates": round(188 * epoch), "train_loss": loss, "rate": 0.008}
        | {"valid_perplexity": perplexity, "valid_bleu": None, "averaged": False, "best": True}
        for epoch, loss, perplexity in rows
    ]
    job = {"task": task, "stage": "train", "seed": 1, "model": model}
    numbers = {"task": task, "epochs": 2, "best_epoch": 2.66, "history": history, "job": job}
    return training() | numbers


def significance(differences, seed=1, task="de-en"):
    """A record of the paired bootstrap; ``differences``: variant -> difference in BLEU, p."""
    tests = {"baseline": {"bleu": 31.0, "difference": 0.0, "p": None}}
    for variant, (difference, p) in differences.items():
        tests[variant] = {"bleu": 31.0 + difference, "difference": difference, "p": p}
    run = {"kind": "significance", "preset": "demo", "task": task, "seed": seed, "stage": "train"}
    return {**run, "mode": "beam5", "samples": 1000, "tests": tests}


def write_records(folder, records):
    paths = [Path(folder) / f"record{number:03d}.json" for number in range(len(records))]
    for path, record in zip(paths, records, strict=True):
        write_record(path, record)
    return paths
