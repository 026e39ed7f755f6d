"""What all benchmarks share around the measuring: options, threads, and facts of the machine."""

import argparse
import os
import subprocess
import time
from pathlib import Path

import torch

from g2lstm.cells import build, native
from g2lstm.training import device

HERE = Path(__file__).parent
FLAGS = ("avx512f", "avx512_bf16", "amx_bf16")


def prepare(documentation):
    """Read the command line and set PyTorch up as training does; return the options."""
    parser = argparse.ArgumentParser(description=documentation.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="at least 7 for a published figure")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--results", type=Path, default=HERE / "results", help="output folder")
    options = parser.parse_args()
    device.choose("cpu", options.threads)
    torch.manual_seed(0)
    return options


def precisions():
    """Return the precisions in which our kernels run here: bfloat16 where the C++ one has it."""
    try:
        native.library(torch.bfloat16)
    except build.Unavailable as reason:
        print(f"ours bfloat16: left out, {reason}", flush=True)
        return ["float32"]
    return ["float32", "bfloat16"]


def facts():
    """Return processor, cores, threads, capabilities, versions, commit and time as a mapping."""
    processor = cpu_info()
    flags = processor.get("flags", "").split()
    return {
        "processor": processor.get("model name", "unknown"),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "flags": {name: name in flags for name in FLAGS},
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit(),
    }


def cpu_info():
    """Return what Linux says of the first processor, name -> text; nothing on other systems."""
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def commit():
    """Return the git commit, with ``+dirty`` when package or benchmarks differ; None without."""

    def git(*arguments):
        command = ["git", "-C", HERE, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "../src", "*.py")
        return git("rev-parse", "--short=12", "HEAD") + ("+dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
