"""The HTML report: what it holds, and what a browser shows of it (of the demo: test_demo.py)."""

import shutil

import pytest
from browser import visit
from html_report import embedded, expected, make_report, shown
from PIL import Image
from project import ROOT, copy_project, run_snakemake


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


def test_a_browser_shows_a_table_and_its_caption(small, tmp_path):
    row = "Word-level language modelling"
    page = visit(small, tmp_path, ["Tables", [row, 0], [row, 1]], tmp_path / "table.png")
    assert "<em>small</em>, laid out as in print" in page
    table = (small.parent / "paper_tables/small/table1.png").read_bytes()
    assert table in shown(page, "img")
    with Image.open(tmp_path / "table.png") as image:
        assert image.size == (1600, 1100)
