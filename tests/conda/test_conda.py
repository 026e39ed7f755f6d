"""Every rule with ``--use-conda``: in its own environment, called by a bare Snakemake.

The environments are made by a stand-in for conda (conda_stand_in.py), the Snakemake that calls
them by ``make test-conda``.
"""

import hashlib
import json
import os
import shutil
import subprocess

import conda_stand_in
import pytest
import yaml
from project import ROOT, copy_project
from test_dag import job_counts

from g2lstm.paper.document import ENGINES

CALLER = ROOT / ".venv-snakemake" / "bin"
SYSTEM = "/usr/local/bin:/usr/bin:/bin"
TOY = b"a file to fetch\n"
PAPER = "paper_tables/demo/paper.pdf"
# Every rule, but not every table and figure.
TARGETS = [
    "results/datasets/toy/files.json",
    *(
        f"paper_tables/demo/{name}"
        for name in (
            "table1.tex", "table4.tex", "learning-curve-lm-g2-s1.png", "rank-curve.png",
            "figure1.png", "figure2.png", "figure3.png", "figure4.png", "figure6.png",
            "gates-lm.png", "gates-decoder.png", "sparse-gates-bayes-wgn.png",
            "gradient-lags.png", "iss_comparison.html", "iss_claims.html",
        )
    ),
]  # fmt: skip
TRANSLATION = {
    "synthetic": {"pairs": {"train": 600, "valid": 20, "test": 20}},
    "bpe": {"merges": 300, "vocabulary": 400},
    "train": {"updates": 20, "validate_every": 10},
    "evaluation": {"bootstrap": 100},
    "gates": {"pairs": 20},
}
WORDS = {"tokens": {"train": 12_000, "valid": 2_000, "test": 2_000}}
# The demo with little to do.
SETTINGS = {
    "kernel": "pytorch",  # a compiler is conda's affair
    "lm": {"synthetic": WORDS, "train": {"epochs": 2, "average_after": 1}},
    "de-en": TRANSLATION,
    "en-de": TRANSLATION,
    "word-ptb-small": {"synthetic": WORDS},
    "word-ptb-rhn": {"synthetic": WORDS},
    "char-ptb": {"synthetic": {"tokens": {"train": 2_000, "valid": 1_000, "test": 1_000}}},
    "imdb": {"synthetic": {"texts": {"train": 400, "test": 200}}},
}
VERBS = {
    "data": {"fetch", "prepare", "prepare-translation"},
    "torch": {"train", "evaluate", "export", "speed", "lags", "translate", "significance", "gates"},
    "paper": {
        "aggregate", "table", "learning-curve", "curve", "gate-histograms", "layer-histograms",
        "heat-maps", "gate-maps", "gradient-lags", "saturation", "comparison", "claims", "page",
    },
}  # fmt: skip


class Project:
    """A copy of the project, and the bare Snakemake that runs it with the stand-in for conda."""

    def __init__(self, folder, environment):
        self.folder = folder / "project"
        self.folder.mkdir()
        copy_project(self.folder)
        stand_in = conda_stand_in.install(folder / "conda")
        path = f"{CALLER}:{stand_in}:{SYSTEM}"
        self.environment = {**environment, "PATH": path, "CONDA_PREFIX": "/active/outside"}
        (self.folder / "config.yaml").write_text(yaml.safe_dump(SETTINGS | self._toy(folder)))

    def _toy(self, folder):
        """Register a data set that lies in a mirror; return the setting that names the mirror."""
        (folder / "toy.txt").write_bytes(TOY)
        facts = {"bytes": len(TOY), "sha256": hashlib.sha256(TOY).hexdigest(), "urls": []}
        file = {"name": "toy.txt", "mirror": "toy.txt", **facts}
        with open(self.folder / "resources/datasets.yaml", "a") as registry:
            registry.write(yaml.safe_dump({"toy": {"files": [file]}}))
        return {"data_mirror": str(folder)}

    def snakemake(self, *arguments):
        return subprocess.run(
            [CALLER / "snakemake", "--cores", str(os.cpu_count()), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )

    def processes(self):
        """Yield ``(environment, its folder, process)`` of all that ran in an environment."""
        names = {path.read_text(): path.stem for path in self.folder.glob("envs/*.yaml")}
        for copy in self.folder.glob(".snakemake/conda/*.yaml"):
            folder = copy.with_suffix("")
            for line in (folder / "processes.jsonl").read_text().splitlines():
                yield names[copy.read_text()], folder, json.loads(line)


@pytest.fixture(scope="module")
def project(tmp_path_factory, environment):
    assert (CALLER / "snakemake").exists(), "make test-conda sets up the Snakemake that calls"
    return Project(tmp_path_factory.mktemp("conda"), environment)


@pytest.fixture(scope="module")
def run(project):
    """The finished run of all rules but the PDF."""
    run = project.snakemake("--use-conda", *TARGETS)
    assert run.returncode == 0, run.stderr[-5000:]
    return run


def test_the_caller_has_snakemake_and_nothing_of_the_package():
    listed = subprocess.run(
        [CALLER / "python", "-m", "pip", "list", "--format", "json"], capture_output=True
    )
    installed = {package["name"].lower() for package in json.loads(listed.stdout)}
    assert "snakemake" in installed
    pins = [conda_stand_in.packages(path)[0] for path in ROOT.glob("envs/*.yaml")]
    shared = {name.lower() for pinned in pins for name in pinned} & installed
    # What the Snakefile needs, and others that Snakemake brings for itself.
    assert shared == {"jinja2", "jsonschema", "pyyaml", "requests"}


def test_without_conda_it_is_told_in_one_line_what_the_caller_lacks(project):
    run = project.snakemake("paper_tables/demo/figure2.png")
    assert run.returncode != 0
    assert "error: No module named 'numpy'; install requirements.txt" in run.stderr
    assert "Traceback" not in run.stderr


def test_every_job_ran_in_the_environment_of_its_rule(project, run):
    ran = list(project.processes())
    jobs = job_counts(run.stderr)
    assert len(ran) == jobs["total"]
    left = job_counts(project.snakemake("--use-conda", "--dry-run", "all").stdout)
    assert set(left) - set(jobs) == {"all", "translate_compressed_demo_en-de"}
    verbs = {name: set() for name in VERBS}
    for environment, _, process in ran:
        python, *options = process["command"]
        assert python == "python"
        assert options[:2] == ["-m", "g2lstm"]
        verbs[environment].add(options[2])
    assert verbs == VERBS


def test_nothing_is_imported_from_another_environment(project, run):
    for _, folder, process in project.processes():
        installed = [path for path in process["path"] if path.endswith("-packages")]
        assert installed == [str(folder / "lib/python3.11/site-packages")]
        assert str(project.folder / "src") in process["path"]


def test_the_pdf_is_compiled_where_there_is_a_tex_engine(project, run):
    if not any(shutil.which(name, path=project.environment["PATH"]) for name in ENGINES):
        pytest.skip("no TeX engine is installed: the PDF, and all that goes into it, was not made")
    pdf = project.snakemake("--use-conda", PAPER)
    assert pdf.returncode == 0, pdf.stderr[-5000:]
    assert (project.folder / PAPER).read_bytes().startswith(b"%PDF")
    commands = [(name, p["command"][3]) for name, _, p in project.processes()]
    assert ("paper", "paper") in commands
