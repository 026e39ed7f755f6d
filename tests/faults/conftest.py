"""What the tests of faults share: runs to compare with, a disk that fills up, a server."""

import os
import subprocess
from contextlib import suppress

import pytest
from download_server import serving
from project import environment, project
from trainer import Trainer, corpus, parallel_corpus

__all__ = ["corpus", "environment", "parallel_corpus", "project"]


@pytest.fixture(scope="session")
def corpora(corpus, parallel_corpus):
    return {"lm": corpus, "de-en": parallel_corpus}


@pytest.fixture(scope="session")
def whole(tmp_path_factory, corpora, environment):
    """Task -> its finished run, never disturbed."""
    runs = {}
    for task, text in corpora.items():
        folder = tmp_path_factory.mktemp(f"whole-{task}")
        runs[task] = Trainer(folder, "train", text, environment, task=task)
        runs[task].finish()
    return runs


class Disk:
    """A small disk of its own, in memory."""

    def __init__(self, path):
        self.path = path

    def fill(self):
        """Leave not a byte."""
        with open(self.path / "filler", "wb", buffering=0) as stream:
            for size in (1 << 16, 1 << 8, 1):
                with suppress(OSError):
                    while True:
                        stream.write(bytes(size))

    def empty(self):
        (self.path / "filler").unlink()

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", path]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a disk of its own can be mounted by root only, where mounts are allowed")
    yield Disk(path)
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running
