"""Stands in for conda: answers what Snakemake asks of it, with virtual environments and PyPI.

It takes each package of an environment from PyPI in the version that the environment pins. Of what
is behind them ``constraints.txt`` decides the versions, where conda would solve.
"""

import json
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PYPI_NAMES = {"matplotlib-base": "matplotlib", "pytorch": "torch", "tensorboardx": "tensorboardX"}
ONLY_CONDA = ("cxx-compiler", "pip", "python")  # not taken from PyPI
# Runs at the start of every Python of an environment.
PROBE = """\
import json, sys
with open(sys.prefix + "/processes.jsonl", "a") as log:
    log.write(json.dumps({"command": sys.orig_argv, "path": sys.path}) + "\\n")
"""


def packages(environment):
    """Return what an environment file pins, as ``{PyPI name: version}``, and its Python."""
    items = yaml.safe_load(Path(environment).read_text())["dependencies"]
    by_pip = [line for item in items if isinstance(item, dict) for line in item["pip"]]
    by_conda = dict(item.split("=") for item in items if isinstance(item, str))
    pinned = dict(line.split("==") for line in by_pip)
    pinned |= {PYPI_NAMES.get(n, n): v for n, v in by_conda.items() if n not in ONLY_CONDA}
    return pinned, by_conda["python"]


def create(environment, prefix):
    """Make the environment, without pip in it, and put the probe into it."""
    pinned, python = packages(environment)
    if python != f"{sys.version_info.major}.{sys.version_info.minor}":
        sys.exit(f"PackagesNotFoundError: python={python}; run the tests with this Python")
    pins = [f"{name}=={version}" for name, version in pinned.items()]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    pip = [sys.executable, "-m", "pip", "--python", prefix, "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", *pins], check=True)
    (folder,) = Path(prefix).glob("lib/python*/site-packages")
    # Not as sitecustomize: a distribution's own, such as Debian's, would come before it.
    (folder / "probe.py").write_text(PROBE)
    (folder / "probe.pth").write_text("import probe\n")


def install(base):
    """Put the stand-in into the folder ``base``/bin and return it."""
    folder = Path(base, "bin")
    folder.mkdir(parents=True)
    conda = folder / "conda"
    conda.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{base}" "$@"\n')
    conda.chmod(0o755)
    # Last on PATH: conda puts an environment into the place of the one that was active, which
    # others may stand before.
    (folder / "activate").write_text('export CONDA_PREFIX="$1" PATH="$PATH:$1/bin"\n')
    return folder


def main(base, *arguments):
    """Answer one call of ``conda``."""
    match arguments:
        case ("--version",):
            print("conda 24.7.1")
        case ("info", "--json"):
            print(json.dumps({"conda_prefix": base, "platform": "linux-64"}))
        case ("config", "--get", *_):
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ("clean", *_):
            pass
        case ("env", "create", *options):
            create(*(options[options.index(name) + 1] for name in ("--file", "--prefix")))
        case _:
            sys.exit(f"the stand-in for conda does not know: {' '.join(arguments)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
