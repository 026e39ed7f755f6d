"""Compilation of the C++ kernels (``cpp/``) on first use, and the library that comes out of it.

The library is kept in the user's cache (``$XDG_CACHE_HOME/g2lstm``, else ``~/.cache/g2lstm``) under
a hash of all that decides it, so every clone and every job of a user shares it.
"""

import contextlib
import ctypes
import hashlib
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from g2lstm.locks import cache_folder, lock

SOURCES = Path(__file__).with_name("cpp")
LIBRARY = SOURCES / "library.cpp"
# -ffast-math is not among them: NaN must stay NaN.
FLAGS = (
    "-std=c++20", "-O3", "-march=native", "-mprefer-vector-width=512", "-fno-math-errno",
    "-fno-trapping-math", "-fopenmp", "-fPIC", "-shared", "-w",
)  # fmt: skip
INSTRUCTIONS = ("AVX512", "AVX2")  # for which PyTorch has vectors


class Unavailable(Exception):  # noqa: N818  not an error: there is another kernel
    """The library cannot be made or used on this machine; the message says why."""


def load():
    """Return the compiled library (ctypes.CDLL), compiled now if it has to be.

    Raises Unavailable.
    """
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++")
    instructions = torch.backends.cpu.get_cpu_capability()
    if compiler is None:
        raise Unavailable("no C++ compiler (g++) is on PATH")
    if instructions not in INSTRUCTIONS or platform.system() != "Linux":
        raise Unavailable(f"no fast kernel for a CPU with {instructions} on {platform.system()}")
    command = _command(compiler, instructions)
    folder = cache_folder()
    path = folder / f"native-{_fingerprint(compiler, command)}.so"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock(path.with_suffix(".lock"), patience=math.inf):  # one compiles, the others wait
            if not path.exists():
                _compile(command, path)
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror or error}") from error


def _command(compiler, instructions):
    torch_folder = Path(torch.__file__).parent
    macros = [f"-DCPU_CAPABILITY={instructions}", f"-DCPU_CAPABILITY_{instructions}"]
    libraries = [f"-L{torch_folder / 'lib'}", "-ltorch_cpu", "-lc10"]
    # Beside Python's headers: there conda-forge puts those of PyTorch.
    headers = [f"-I{folder}" for folder in (torch_folder / "include", Path(sys.prefix, "include"))]
    return [compiler, *FLAGS, *macros, *headers, str(LIBRARY), *libraries]


def _compile(command, path):
    """Compile beside ``path`` and move the result there when it is whole."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".so")
    os.close(descriptor)
    try:
        run = subprocess.run([*command, "-o", temporary], capture_output=True, text=True)
        if run.returncode:
            errors = [line for line in run.stderr.splitlines() if "error" in line]
            raise Unavailable(f"{command[0]} failed: {(errors or ['no message'])[0]}")
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _fingerprint(compiler, command):
    """Return a hash of source, command, versions and the CPU's instructions."""
    version = subprocess.run([compiler, "--version"], capture_output=True).stdout
    instructions = next(
        (line for line in Path("/proc/cpuinfo").read_text().splitlines() if "flags" in line), ""
    )
    sources = [path.read_bytes() for path in sorted(SOURCES.iterdir())]
    parts = [*sources, version, *map(str.encode, [*command, torch.__version__])]
    return hashlib.sha256(b"\0".join([*parts, instructions.encode()])).hexdigest()[:16]
