"""The demo preset end to end: every rule, then a second call, then the tables from records."""

import csv
import json
import re
import shutil
import subprocess
import sys
import time
from itertools import product

import pytest
from browser import visit
from html_report import GATES, embedded, expected, expected_of_sparse_models, make_report, shown
from PIL import Image
from project import copy_project, run_snakemake

from g2lstm import config
from g2lstm.tasks import SPARSE

SETTINGS = config.resolve({}, "demo")
NUMBERS = (*range(1, 8), "S1", "S2", "S3")
TABLES = [f"table{n}.{suffix}" for n in NUMBERS for suffix in ("tex", "csv", "md", "png")]
CURVES = [
    f"{name}.{suffix}"
    for name in (
        "rank-curve",
        "rounding-curve",
        "learning-curve-lm-g2-s1",
        "learning-curve-de-en-baseline-s1",
    )
    for suffix in ("png", "pdf")
]
FIGURES = [f"{name}.{suffix}" for name in GATES for suffix in ("png", "pdf", "tex", "csv")]
PAGES = [f"{name}.{suffix}" for name in ("comparison", "claims") for suffix in ("md", "html")]
PUBLISHED = [*TABLES, *CURVES, *FIGURES, *PAGES]


def snakemake(demo, environment, *arguments):
    run = run_snakemake(demo, environment, *arguments)
    assert run.returncode == 0, run.stderr[-5000:]
    return run.stdout + run.stderr


@pytest.mark.slow
def test_everything_is_there(demo):
    for name in PUBLISHED:
        assert (demo / "paper_tables/demo" / name).stat().st_size > 0, name
    for png in (demo / "paper_tables/demo").glob("*.png"):
        with Image.open(png) as image:
            assert min(image.size) > 300


@pytest.mark.slow
def test_second_call_has_nothing_to_do(demo, environment):
    started = time.monotonic()
    output = snakemake(demo, environment, "--cores", "2", "all")
    assert "Nothing to be done" in output
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_status_finds_all_of_it_done(demo, environment):
    run = subprocess.run(
        [sys.executable, "-m", "g2lstm", "status"],
        cwd=demo,
        env={**environment, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    sparse = sum(len(SETTINGS[task]["methods"]) for task in SPARSE if task in SETTINGS)
    assert f"training runs: {12 + sparse} done" in run.stdout
    assert not re.search("running|resumable|stale|missing", run.stdout), run.stdout


@pytest.mark.slow
def test_other_limits_on_a_cluster_run_nothing_again(demo, environment):
    limits = "resources={train: {runtime: 99, mem_mb: 999}, evaluate: {runtime: 9}}"
    output = snakemake(demo, environment, "--cores", "2", "all", "--config", limits)
    assert "Nothing to be done" in output


def evaluation_records(demo):
    return [
        json.loads(path.read_text())
        for path in demo.glob("results/demo/lm/**/eval/*.json")
        if not path.name.endswith(".prov.json")
    ]


@pytest.mark.slow
def test_no_model_is_below_the_exact_entropy_of_the_source(demo):
    oracle = json.loads((demo / "results/demo/data/lm/corpus.json").read_text())["oracle"]
    records = evaluation_records(demo)
    assert len(records) == 2 * 3 * (len(SETTINGS["lm"]["settings"]) + 2)
    for record in records:
        for split, metrics in record["metrics"].items():
            for found in (metrics, metrics.get("tuned", metrics)):
                assert found["perplexity"] > oracle[split]["perplexity"]
    trained = [r for r in records if r["setting"] == "original" and r["mode"] == "plain"]
    assert all(r["metrics"]["test"]["perplexity"] < 150 for r in trained)


@pytest.mark.slow
def test_compressed_files_are_smaller_and_have_provenance(demo):
    original = {
        (r["variant"], r["stage"]): r["size"]["file_bytes"]
        for r in evaluation_records(demo)
        if r["setting"] == "original"
    }
    for record in evaluation_records(demo):
        if record["setting"] != "original":
            size = record["size"]
            assert size["gate_bytes"] < size["gate_bytes_dense"]
            assert size["file_bytes"] < original[record["variant"], "finetune"]
    provenance = list(demo.glob("results/demo/*/**/*.prov.json"))
    assert provenance
    for path in provenance:
        facts = json.loads(path.read_text())
        assert facts["seconds"] > 0
        assert facts["device"] == "cpu"


@pytest.mark.slow
def test_numbers_in_the_tables_are_those_of_the_records(demo):
    runs = demo / "results/demo/lm/g2/s1/finetune/eval"
    settings = ["original", "svd-k16", "svd-k8", "svd-k4", "svd-k2"]
    expected = [
        json.loads((runs / f"{name}.cache.json").read_text())["metrics"]["test"]["perplexity"]
        for name in settings
    ]
    with open(demo / "paper_tables/demo/table7.csv", newline="") as stream:
        rows = [row[2:] for row in csv.reader(stream) if "G²-LSTM" in row]
    shown = [cell.split(" ")[0] for cell in rows[0] if cell[:1].isdigit()]
    assert shown == [f"{value:.1f}" for value in expected]


@pytest.mark.slow
def test_tables_come_back_from_the_records_alone(demo, environment, tmp_path):
    """With nothing but the JSON records, as after a fresh clone: the same bytes, in seconds."""
    clone = copy_project(tmp_path)
    for path in demo.glob("results/demo/**/*.json"):
        if "ckpt" not in path.parts:
            target = clone / path.relative_to(demo)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    output = snakemake(clone, environment, "--cores", "2", "all")
    assert "rule train" not in output
    assert not list(clone.glob("results/**/*.safetensors"))
    for name in PUBLISHED:
        again, first = (folder / "paper_tables/demo" / name for folder in (clone, demo))
        assert again.read_bytes() == first.read_bytes(), name
    assert "Nothing to be done" in snakemake(clone, environment, "--cores", "2", "all")


@pytest.mark.slow
def test_translations_stand_beside_their_scores(demo):
    found = list(demo.glob("results/demo/*-*/**/eval/*.beam5.json"))
    assert len(found) == 2 * 3 * (len(SETTINGS["de-en"]["settings"]) + 1)
    for path in found:
        record = json.loads(path.read_text())
        lines = path.with_suffix(".txt").read_text().splitlines()
        assert len(lines) == sum(split["sentences"] for split in record["metrics"].values())
        test = record["metrics"]["test"]
        assert 0 <= test["bleu_low"] <= test["bleu"] <= test["bleu_high"] <= 100
        words = sum(len(line.split()) for line in lines[-test["sentences"] :])
        assert words == test["tokens_hypothesis"]


@pytest.mark.slow
def test_the_scope_of_a_setting_decides_how_much_is_compressed(demo):
    folder = demo / "results/demo/de-en/g2/s1/train/eval"
    sizes = {
        name: json.loads((folder / f"{name}.beam5.json").read_text())["size"]
        for name in ("original", "svd-k4", "code-svd-k4")
    }
    assert sizes["svd-k4"]["gate_bytes_dense"] == sizes["original"]["gate_bytes"]
    assert sizes["code-svd-k4"]["gate_bytes_dense"] < sizes["svd-k4"]["gate_bytes_dense"]
    assert sizes["svd-k4"]["file_bytes"] < sizes["code-svd-k4"]["file_bytes"]


@pytest.mark.slow
def test_one_table_comes_back_from_the_records_of_its_task(demo, environment, tmp_path):
    clone = copy_project(tmp_path)
    for pattern in ("results/demo/de-en/**/*.json", "results/demo/data/de-en/*.json"):
        for path in demo.glob(pattern):
            if "ckpt" not in path.parts:
                target = clone / path.relative_to(demo)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
    snakemake(clone, environment, "--cores", "1", "paper_tables/demo/table4.tex")
    made = [path.name for path in (clone / "paper_tables/demo").iterdir()]
    assert sorted(made) == [f"table4.{suffix}" for suffix in ("csv", "md", "png", "tex")]
    for name in made:
        again, first = (folder / "paper_tables/demo" / name for folder in (clone, demo))
        assert again.read_bytes() == first.read_bytes(), name


@pytest.mark.slow
def test_the_report_of_the_demo_holds_everything(demo, environment):
    report = make_report(demo, environment)
    results = embedded(report, "results")
    tables = (*range(1, 8), "S1", "S2", "S3")
    pages = {
        f"paper_tables/demo/{paper}{name}.html"
        for paper, name in product(("", "sparse_", "iss_"), ("comparison", "claims"))
    }
    wanted = pages | expected("demo", tables, GATES, ("lm", "de-en", "en-de"))
    assert set(results) == wanted | expected_of_sparse_models()
    for path, result in results.items():
        assert result["labels"], path
        assert result["caption"].strip(), path
    folders = {name: sorted(found) for name, found in embedded(report, "categories").items()}
    pairs = ["English-German", "German-English"]
    assert folders == {
        "Checked against print": ["Other"],
        "Compression": ["Language model"],
        "Gates": ["German-English", "Language model", "Sketch", "Structured sparsity"],
        "Learning curves": [*pairs, "Language model", "Structured sparsity"],
        "Tables": [
            *("All tasks", "Both directions of translation", *pairs, "Language model"),
            "Structured sparsity",
        ],
    }


@pytest.mark.slow
def test_a_browser_shows_the_comparison_with_print(demo, environment, tmp_path):
    report = make_report(demo, environment)
    steps = ["Checked against print", ["comparison", 0]]
    page = visit(report, tmp_path, steps, tmp_path / "comparison.png")
    comparison = (demo / "paper_tables/demo/comparison.html").read_bytes()
    assert shown(page, "iframe") == [comparison]
