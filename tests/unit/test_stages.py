"""From files to files: train, compress, evaluate."""

import json

import numpy as np
import pytest
import torch

from g2lstm import cli, config, stages
from g2lstm.arrays import load_arrays, save_arrays
from g2lstm.compress.model_file import compress_model, reconstruct
from g2lstm.data.corpus import Corpus
from g2lstm.records import file_sha256, read_record
from g2lstm.tasks import STAGE_VERSION
from g2lstm.training import device

SETTINGS = {
    "round-r0.2": {"method": "round", "r": 0.2},
    "round-clip-r0.2-c0.4": {"method": "round-clip", "r": 0.2, "c": 0.4},
    "svd-k2": {"method": "svd", "k": 2},
}
EVALUATION = {
    "valid_batch": 5,
    "test_batch": 1,
    "cache": {"window": 20, "theta": 1.0, "lambda": 0.1, "grid": None},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a corpus and a sharpened model trained for one epoch."""
    folder = tmp_path_factory.mktemp("stages")
    rng = np.random.default_rng(0)
    splits = {
        name: (rng.zipf(1.5, size=n) % 30).astype(np.int32)
        for name, n in (("train", 900), ("valid", 200), ("test", 200))
    }
    Corpus([f"w{k}" for k in range(30)], splits).save(folder / "corpus.safetensors")
    settings = config.resolve(
        {
            "lm": {
                "model": {"embedding": 8, "hidden": 12},
                "optimisation": {"batch": 5},
                "train": {"epochs": 1},
                "settings": {"svd-k16": {"k": 4}},
            },
        }
    )
    job = config.training_job(settings, "lm", "sharpened", 1, "train")
    train(folder, job)
    return folder, job


def train(folder, job):
    stages.train(
        job,
        {"preset": "demo", "variant": "sharpened"},
        folder / "corpus.safetensors",
        folder / "model.safetensors",
        folder / "training.json",
        device_name="cpu",
        threads=1,
    )


def evaluate(folder, model, name):
    records = {mode: folder / f"{name}.{mode}.json" for mode in ("plain", "cache")}
    stages.evaluate(
        model,
        folder / "corpus.safetensors",
        {"setting": name},
        EVALUATION,
        ["valid", "test"],
        records,
        device_name="cpu",
        threads=1,
    )
    return {mode: read_record(path) for mode, path in records.items()}


def test_the_record_says_what_was_trained(trained):
    folder, job = trained
    record = read_record(folder / "training.json")
    assert record["job"] == job
    assert record["epochs"] == len(record["history"]) == 1
    assert record["data"] == {"corpus": file_sha256(folder / "corpus.safetensors")}
    assert record["sha256"] == file_sha256(folder / "model.safetensors")
    assert record["version"] == STAGE_VERSION["lm"]
    assert (folder / "training.prov.json").exists()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_packed_file_evaluates_exactly_like_its_dense_reconstruction(trained, name):
    folder, _ = trained
    packed, dense = folder / f"{name}.safetensors", folder / f"{name}.dense.safetensors"
    compress_model(folder / "model.safetensors", name, SETTINGS[name], packed)
    arrays, meta = load_arrays(folder / "model.safetensors")
    save_arrays(dense, reconstruct(arrays, SETTINGS[name]), meta)
    of_packed, of_dense = evaluate(folder, packed, name), evaluate(folder, dense, "dense")
    for mode in ("plain", "cache"):
        assert of_packed[mode]["metrics"] == of_dense[mode]["metrics"]
        assert of_packed[mode]["size"]["gate_bytes"] < of_dense[mode]["size"]["gate_bytes"]
        assert of_packed[mode]["compression"] == {"setting": name, **SETTINGS[name]}


def test_one_command_compresses_at_every_setting_and_evaluates_what_it_wrote(trained):
    folder, _ = trained
    names = sorted(SETTINGS)
    outputs = {
        option: [str(folder / f"{name}.all.{option}") for name in names]
        for option in ("plain", "cache", "compressed")
    }
    arguments = {
        "model": folder / "model.safetensors",
        "corpus": folder / "corpus.safetensors",
        "labels": "{}",
        "settings": json.dumps(EVALUATION),
        "compressions": json.dumps({name: SETTINGS[name] for name in names}),
        "splits": "test",
        "device": "cpu",
    }
    command = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
    for option, paths in outputs.items():
        command += [f"--{option}", *paths]
    assert cli.main(["evaluate", *command]) == 0
    for name, plain, packed in zip(names, outputs["plain"], outputs["compressed"], strict=True):
        record = read_record(plain)
        assert record["setting"] == name
        assert record["compression"] == {"setting": name, **SETTINGS[name]}
        assert record["data"]["model"] == file_sha256(packed)
        assert record["data"]["original"] == file_sha256(folder / "model.safetensors")


def test_an_equal_evaluation_gives_an_equal_record(trained):
    folder, _ = trained
    evaluate(folder, folder / "model.safetensors", "original")
    first = (folder / "original.cache.json").read_bytes()
    evaluate(folder, folder / "model.safetensors", "original")
    assert (folder / "original.cache.json").read_bytes() == first


def test_another_setting_trains_in_another_folder_and_the_first_comes_back(trained):
    folder, job = trained
    before = file_sha256(folder / "model.safetensors")
    train(folder, {**job, "seed": 2})
    assert file_sha256(folder / "model.safetensors") != before
    assert len(list((folder / "ckpt").iterdir())) == 2
    train(folder, job)
    assert file_sha256(folder / "model.safetensors") == before


def test_numbers_too_small_to_be_normal_count_as_zero():
    """They come up in saturated gates and would halve the speed of training."""
    device.choose("cpu")
    assert (torch.tensor([1e-39]) * 1.0).item() == 0.0
