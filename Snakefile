# Map of the whole: data -> models -> compressed models -> evaluations -> tables and figures.
import sys
from pathlib import Path

from snakemake.settings.types import DeploymentMethod
from snakemake.utils import min_version

min_version("9.20")

ROOT = Path(str(workflow.current_basedir))
if not (ROOT / "src").is_dir():
    sys.exit(f"{ROOT}: rules without the package beside them; use the files of a clone")
sys.path.insert(0, str(ROOT / "src"))


configfile: ROOT / "config.yaml"


# The Python of a rule is that of its environment or, without conda, the one that runs Snakemake:
# first on PATH, whatever the user has activated, and conda need not put it first.
CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PROGRAMS = "$CONDA_PREFIX/bin" if CONDA else Path(sys.executable).parent

# The prefix replaces Snakemake's own, so it must repeat the strict mode. It runs after the
# activation of an environment: that is what makes the package importable in every rule.
shell.prefix(
    f"set -euo pipefail; export PATH=\"{PROGRAMS}:$PATH\" PYTHONPATH='{ROOT}/src'"
    " PYTHONNOUSERSITE=1 PYTHONHASHSEED=0; "
)


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/gates.smk"
include: "workflow/rules/paper.smk"


rule all:
    default_target: True
    input:
        published_files(settings()["preset"], TASKS),
    localrule: True


# The halves of the paper, each without the other.
rule language_model:
    input:
        published_files(settings()["preset"], ["lm"]),
    localrule: True


rule translation:
    input:
        published_files(settings()["preset"], TRANSLATION),
    localrule: True
