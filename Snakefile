# Map of the whole: data -> models -> compressed models -> evaluations -> tables and figures.
import os
import sys
from pathlib import Path
from shlex import quote

from snakemake.utils import min_version

min_version("9.20")

ROOT = Path(str(workflow.current_basedir))
if not (ROOT / "src").is_dir():
    sys.exit(f"{ROOT}: rules without the package beside them; use the files of a clone")
sys.path.insert(0, str(ROOT / "src"))


# The prefix replaces Snakemake's own, so it repeats the strict mode. It runs after the activation of
# an environment: it makes the package importable, and the Python of the rule the first on PATH. That
# is the environment's or, without one, Snakemake's; conda puts it where the one active outside stood.
OUTSIDE = quote(os.environ.get("CONDA_PREFIX", ""))
shell.prefix(
    f'[ "$CONDA_PREFIX" != {OUTSIDE} ] && PROGRAMS=$CONDA_PREFIX/bin ||'
    f" PROGRAMS={quote(str(Path(sys.executable).parent))}; set -euo pipefail; export PYTHONHASHSEED=0"
    f' PATH="$PROGRAMS:$PATH" PYTHONPATH={quote(str(ROOT))}/src PYTHONNOUSERSITE=1; '
)


include: "workflow/rules/common.smk"
include: "workflow/rules/published.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/sparse.smk"
include: "workflow/rules/gates.smk"
include: "workflow/rules/paper.smk"


rule all:
    default_target: True
    input:
        published((*TASKS, *SPARSE)),
    localrule: True


# The halves of the paper, each without the other, and the papers on structured sparsity.
for target in TARGETS:

    rule:
        name:
            target
        input:
            target_files(target),
        localrule: True
