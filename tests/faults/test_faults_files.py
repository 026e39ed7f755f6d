"""Faults of downloads and tables: full and read-only disks, servers that lie, stall and die."""

import json
import signal
import subprocess
import sys

import pytest
import yaml
from download_server import CONTENT, HALF, SHA256, SIZE, serving
from paper_records import DEMO, PUBLISHED, oracle, printed_evaluations, training, write_records
from strikes import assert_one_line, wait_until

from g2lstm.cli import main
from g2lstm.paper.published import read_tables
from g2lstm.records import file_sha256


class Fetch:
    """The command that fetches one file, in a copy of the project that knows our server."""

    def __init__(self, project, environment, server, folder):
        self.project, self.server = project, server
        self.environment = {
            **environment, "PYTHONPATH": str(project / "src"), "NO_PROXY": "127.0.0.1"
        }  # fmt: skip
        self.file, self.record = folder / "toy.txt", folder / "files.json"
        self.part = folder / ".toy.txt.part"

    def start(self, page):
        url = f"http://127.0.0.1:{self.server.server_port}/{page}"
        entry = {"name": "toy.txt", "bytes": SIZE, "sha256": SHA256, "mirror": "toy/toy.txt"}
        registry = {"toy": {"files": [{**entry, "urls": [url]}]}}
        (self.project / "resources/datasets.yaml").write_text(yaml.safe_dump(registry))
        command = ["-m", "g2lstm", "fetch", "--dataset", "toy", "--record", str(self.record)]
        return subprocess.Popen(
            [sys.executable, *command], env=self.environment, stderr=subprocess.PIPE, text=True
        )

    def finish(self, page):
        process = self.start(page)
        _, messages = process.communicate()
        return process.returncode, messages

    def assert_done(self):
        assert self.file.read_bytes() == CONTENT
        assert json.loads(self.record.read_text())["files"] == {"toy.txt": SHA256}
        assert not self.part.exists()


@pytest.fixture
def fetch(project, environment, server):
    def make(folder=project / "results/datasets/toy"):
        return Fetch(project, environment, server, folder)

    return make


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("short", f"1000 bytes instead of {SIZE}"),
        ("wrong", "right size, but another SHA-256"),
        ("html", "an HTML page instead of data"),
        ("broken", f"truncated: {HALF} of {SIZE} bytes (3 attempts)"),
        ("missing", "HTTP 404"),
    ],
)
def test_a_bad_download_is_told_in_one_line_and_leaves_no_file(fetch, page, words):
    command = fetch()
    code, messages = command.finish(page)
    assert code == 2
    assert_one_line(messages, words, "no source delivers toy.txt", "set data_mirror to a folder")
    assert not command.file.exists()
    assert not command.record.exists()
    assert command.finish("good") == (0, "")
    command.assert_done()


def test_a_slow_download_arrives(fetch):
    command = fetch()
    assert command.finish("slow") == (0, "")
    command.assert_done()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_download_goes_on_where_it_was(fetch, server, number):
    command = fetch()
    process = command.start("stalling")
    wait_until(lambda: command.part.exists() and command.part.stat().st_size == HALF, process)
    process.send_signal(number)
    _, messages = process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert "Traceback" not in messages
    assert command.finish("stalling") == (0, "")
    assert server.requests == [("/stalling", None), ("/stalling", f"bytes={HALF}-")]
    command.assert_done()


def test_a_download_whose_server_dies_goes_on_elsewhere(fetch, server):
    command = fetch()
    process = command.start("stalling")
    wait_until(lambda: command.part.exists() and command.part.stat().st_size == HALF, process)
    server.shutdown()
    server.socket.close()
    server.released.set()
    _, messages = process.communicate()
    assert process.returncode == 2
    assert_one_line(messages, "no connection (3 attempts)")
    assert command.part.stat().st_size == HALF
    with serving() as command.server:
        assert command.finish("good") == (0, "")
    assert command.server.requests == [("/good", f"bytes={HALF}-")]
    command.assert_done()


def test_a_full_disk_stops_a_download_that_goes_on_when_there_is_room(fetch, server, disk):
    command = fetch(disk.path)
    process = command.start("stalling")
    wait_until(lambda: command.part.exists() and command.part.stat().st_size == HALF, process)
    disk.fill()
    server.released.set()
    _, messages = process.communicate()
    assert process.returncode == 2
    assert_one_line(messages, str(command.file), "No space left on device", "make room")
    disk.empty()
    assert command.finish("good") == (0, "")
    assert server.requests[-1][1].startswith("bytes=")
    command.assert_done()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("full", "No space left on device; make room and run again"),
        ("ro", "Read-only file system; make the folder writable and run again"),
    ],
)
def test_a_table_is_the_old_one_or_the_new_one(tmp_path, disk, capsys, fault, words):
    def write(shift):
        records = [*printed_evaluations(read_tables(PUBLISHED), shift=shift), training(), oracle()]
        *evaluations, trained, corpus = write_records(tmp_path, records)
        found = ["--summary", tmp_path / "summary.csv", "--provenance", tmp_path / "provenance.csv"]
        expected = json.dumps({"jobs": [training()["job"]], "tasks": {}})
        made = ["--records", *evaluations, corpus, "--trainings", trained, *found]
        made += ["--expected", expected]
        assert main(list(map(str, ["aggregate", *made]))) == 0
        wanted = ["--table", "table3", "--layout", json.dumps(DEMO), "--stem", disk.path / "table3"]
        return main(list(map(str, ["table", *wanted, *found])))

    assert write(0.0) == 0
    old = {path: file_sha256(path) for path in disk.path.glob("table3.*")}
    assert len(old) == 4
    disk.fill() if fault == "full" else disk.remount("ro")
    assert write(1.0) == 2
    assert_one_line(capsys.readouterr().err, str(disk.path / "table3.tex"), words)
    assert {path: file_sha256(path) for path in disk.path.glob("table3.*")} == old
    disk.empty() if fault == "full" else disk.remount("rw")
    assert write(1.0) == 0
    assert not set(old.values()) & {file_sha256(path) for path in old}
