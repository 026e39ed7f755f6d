"""Lint and format of rules and code, and documents made from their source."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conda_stand_in import packages

from g2lstm.manual import configuration_page

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = sorted(ROOT.glob("envs/*.yaml"))
PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]


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


def pins(*files):
    """Return ``{name: version}`` of what requirement files pin, in lower case."""
    lines = [line for file in files for line in (ROOT / file).read_text().lower().splitlines()]
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_pins_the_versions_of_the_requirements(path):
    allowed = pins("requirements.txt", "constraints.txt")
    for name, version in packages(path)[0].items():
        assert allowed[name.lower()] == version, name


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_comes_from_conda_forge_but_for_what_that_lacks(path):
    environment = yaml.safe_load(path.read_text())
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    by_pip = [item["pip"] for item in environment["dependencies"] if isinstance(item, dict)]
    names = {line.split("==")[0] for lines in by_pip for line in lines}
    assert names <= {"subword-nmt"}


def test_the_environments_hold_all_requirements_but_those_of_the_caller():
    held = {name.lower() for path in ENVIRONMENTS for name in packages(path)[0]}
    assert pins("requirements.txt").keys() - held == {"snakemake", "pygments"}


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_run_jobs_say_on_how_many_cores(page):
    commands = re.findall(r"(?:^|`)snakemake ([^`\n]+)", (ROOT / page).read_text(), re.MULTILINE)
    others = ("--workflow-profile", "--report", "--containerize", "--unlock", "-p")
    assert not [command for command in commands if not command.startswith(("--cores", *others))]


@pytest.mark.parametrize("page", PAGES)
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
