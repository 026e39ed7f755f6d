"""The HTML report: what it holds, and what a browser shows of it."""

import base64
import json
import re
import shutil
from itertools import product

import pytest
from browser import visit
from PIL import Image
from project import ROOT, copy_project, run_snakemake

from g2lstm import config, plan
from g2lstm.tasks import SPARSE, SPARSE_FIGURES, TABLE_TASKS

FIGURES = [*(f"figure{n}" for n in ("1", "1-second", "2", "3", "3-second", "4", "6"))]
GATES = [*FIGURES, *(f"gates-{part}" for part in ("lm", "encoder", "decoder"))]
VARIANTS = ("baseline", "sharpened", "g2")


def make_report(folder, environment, *arguments):
    run = run_snakemake(folder, environment, "--report", "report.html", *arguments)
    assert run.returncode == 0, run.stderr[-5000:]
    return folder / "report.html"


def embedded(report, name):
    """Return one of the JSON objects that a report is made of."""
    (found,) = re.findall(rf'<script id="{name}">\s+var {name} = (.*);\n', report.read_text())
    return json.loads(found)


def expected(preset, tables, gates, tasks):
    """Return what stands in the report: two files of each table and figure, one of the others."""
    names = [f"table{n}.{suffix}" for n in tables for suffix in ("csv", "png")]
    names += [f"{name}.{suffix}" for name in gates for suffix in ("csv", "png")]
    names += [f"learning-curve-{task}-{v}-s1.png" for task in tasks for v in VARIANTS]
    return {
        f"paper_tables/{preset}/{name}" for name in [*names, "rank-curve.png", "rounding-curve.png"]
    }


def expected_of_sparse_models():
    """Return what stands in the demo's report of the papers on structured sparsity."""
    settings = config.resolve({}, "demo")
    sparse = {task for task in SPARSE if task in settings}
    tables = [name for name, about in TABLE_TASKS.items() if sparse & set(about)]
    figures = [name for name in SPARSE_FIGURES if plan.sparse_figure_records(settings, name)]
    names = [f"{name}.{suffix}" for name, suffix in product(tables + figures, ("csv", "png"))]
    for task in sparse:
        names += [f"learning-curve-{task}-{v}-s1.png" for v in plan.variants(settings, task)]
    return {f"paper_tables/demo/{name}" for name in names}


@pytest.fixture(scope="module")
def small(tmp_path_factory, environment):
    """The report of the language models of preset small, made of nothing but their records."""
    folder = copy_project(tmp_path_factory.mktemp("small"))
    shutil.copytree(ROOT / "results/small", folder / "results/small")
    target = ("language_model", "--config", "preset=small")
    run = run_snakemake(folder, environment, "--cores", 1, *target)
    assert run.returncode == 0, run.stderr[-5000:]
    return make_report(folder, environment, *target)


def test_records_alone_make_a_report(small):
    results = embedded(small, "results")
    assert set(results) == expected("small", "1367", ["gates-lm"], ["lm"])
    for path, result in results.items():
        assert result["labels"], path
        assert "small" in result["caption"], path
        assert "{" not in result["caption"], path
    curve = results["paper_tables/small/learning-curve-lm-g2-s1.png"]
    assert curve["labels"] == {"variant": "g2", "seed": "1"}
    folders = embedded(small, "categories")
    assert set(folders) == {"Compression", "Gates", "Learning curves", "Tables"}
    assert all(list(found) == ["Language model"] for found in folders.values())


def shown(page, tag):
    """Return the contents of the files that a page shows in tags of a kind."""
    sources = re.findall(rf'<{tag} [^>]*src="data:[^"]*;base64,([^"]*)"', page)
    return [base64.b64decode(source) for source in sources]


def test_a_browser_shows_a_table_and_its_caption(small, tmp_path):
    row = "Word-level language modelling"
    page = visit(small, tmp_path, ["Tables", [row, 0], [row, 1]], tmp_path / "table.png")
    assert "<em>small</em>, laid out as in print" in page
    table = (small.parent / "paper_tables/small/table1.png").read_bytes()
    assert table in shown(page, "img")
    with Image.open(tmp_path / "table.png") as image:
        assert image.size == (1600, 1100)


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
