"""Made-up records of runs, for the tests of g2lstm.paper."""

import copy
from pathlib import Path

import numpy as np

from g2lstm.records import write_record

RESOURCES = Path(__file__).parents[2] / "resources"
PUBLISHED, CLAIMS = RESOURCES / "published.yaml", RESOURCES / "claims.yaml"
ROW_VARIANT = {"baseline": "baseline", "sharp": "sharpened", "g2": "g2"}

SETTINGS = {
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
DEMO = {
    "preset": "demo",
    "label": "demo: synthetic language, reduced model and schedule",
    "reduced": True,
    "convention": "exact",
    "settings": SETTINGS,
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
    },
}


def paper_layout():
    layout = copy.deepcopy(DEMO)
    layout |= {"preset": "paper", "label": "paper: Penn Treebank", "reduced": False}
    for slug, rank in (("svd-k16", 128), ("svd-k8", 64), ("svd-k4", 32), ("svd-k2", 16)):
        layout["settings"][slug] = {"method": "svd", "k": rank}
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
        "parameters": 24210800,
    }


def write_records(folder, records):
    paths = [Path(folder) / f"record{number:03d}.json" for number in range(len(records))]
    for path, record in zip(paths, records, strict=True):
        write_record(path, record)
    return paths
