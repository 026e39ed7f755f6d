"""Makes the HTML report, says what it should hold, and reads what it holds."""

import base64
import json
import re
from itertools import product

from project import run_snakemake

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


def shown(page, tag):
    """Return the contents of the files that a page shows in tags of a kind."""
    sources = re.findall(rf'<{tag} [^>]*src="data:[^"]*;base64,([^"]*)"', page)
    return [base64.b64decode(source) for source in sources]
