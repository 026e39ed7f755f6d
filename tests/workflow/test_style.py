"""Lint and format of rules and code, and documents made from their source."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from g2lstm.manual import configuration_page

ROOT = Path(__file__).parents[2]


def run(*command):
    process = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    return process.returncode, process.stdout + process.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--no-cache", "src", "tests", "bench"),
        ("ruff", "format", "--check", "src", "tests", "bench"),
        ("snakefmt", "--check", "Snakefile", "workflow"),
        ("snakemake", "--lint", "--workflow-profile", "none"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_clean(command):
    code, output = run(*command)
    assert code == 0, output


def test_snakefile_is_short():
    assert len((ROOT / "Snakefile").read_text().splitlines()) < 60


def test_files_of_the_package_stay_readable():
    long = {
        path.name: lines
        for path in ROOT.glob("src/**/*.py")
        if (lines := len(path.read_text().splitlines())) > 300
    }
    assert not long


def test_environments_pin_the_versions_of_the_requirements():
    pinned = dict(
        line.split("==")
        for line in (ROOT / "requirements.txt").read_text().lower().splitlines()
        if "==" in line
    )
    conda_names = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
    for path in (ROOT / "envs").glob("*.yaml"):
        for line in path.read_text().splitlines():
            if "=" in line and "python=3" not in line:
                name, version = line.strip("- ").split("=")
                assert pinned[conda_names.get(name, name)] == version, f"{path.name}: {name}"


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert not missing


def test_the_public_host_runs_nothing_but_make():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    jobs = [
        job
        for path in (ROOT / ".github/workflows").glob("*.yml")
        for job in yaml.safe_load(path.read_text())["jobs"].values()
    ]
    assert jobs
    for step in (step for job in jobs for step in job["steps"]):
        if "run" in step:
            make, target, *_ = step["run"].split()
            assert make == "make"
            assert target in targets
        else:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])


def test_picture_of_the_rules_is_the_one_of_the_rules():
    code, output = run("snakemake", "--rulegraph", "--config", "preset=paper")
    assert code == 0, output
    rules = set(re.findall(r'label = "([^"]+)"', output))
    picture = (ROOT / "docs/rulegraph.svg").read_text()
    assert rules == {html.unescape(name) for name in re.findall(r"<text [^>]*>([^<]+)<", picture)}


def test_configuration_page_is_the_one_of_the_schema():
    assert (ROOT / "docs/configuration.md").read_text() == configuration_page()
