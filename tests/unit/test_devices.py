"""Choice of the device, and claims of CUDA devices, on a machine that needs none."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from g2lstm import cli
from g2lstm.errors import UserError
from g2lstm.training import device, gpus

ROOT = Path(__file__).parents[2]
DEVICES = ["GPU-a", "GPU-b"]
# Claims a device, notes when, works, and notes when it is done; the last argument is how long.
WORKER = """
import sys, time
from g2lstm.training import gpus

def note(what):
    with open(sys.argv[1], "a") as log:
        log.write(f"{time.monotonic()} {what} {sys.argv[2]} {place}\\n")

gpus.WAIT = 0.01
place = gpus.claim(["GPU-a", "GPU-b"])
note("begins")
time.sleep(float(sys.argv[3]))
note("ends")
"""


@pytest.fixture
def cuda(monkeypatch, tmp_path):
    """Two CUDA devices that nothing can be computed on, and no claims."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "_claims", {})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(DEVICES))
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=DEVICES[number])
    )
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    yield chosen
    for handle in gpus._claims.values():
        handle.close()


@pytest.fixture
def start(tmp_path):
    """Start a worker and return its process; those that a test leaves behind are killed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "XDG_CACHE_HOME": str(tmp_path),
    }
    workers = []

    def call(name, seconds):
        command = [sys.executable, "-c", WORKER, str(tmp_path / "log"), str(name), str(seconds)]
        workers.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
        return workers[-1]

    yield call
    for worker in workers:
        worker.kill()
        worker.wait()
        worker.stderr.close()


def events(tmp_path):
    log = tmp_path / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [(float(at), what, name, int(place)) for at, what, name, place in map(str.split, lines)]


def first(tmp_path, wanted):
    """Wait for the first event of a kind and return it."""
    while not (found := [event for event in events(tmp_path) if event[1] == wanted]):
        time.sleep(0.01)
    return found[0]


def test_six_processes_share_two_devices_though_one_is_killed(start, tmp_path):
    doomed = start("doomed", 60)
    *_, lost = first(tmp_path, "begins")
    others = [start(name, 0.2) for name in range(5)]
    first(tmp_path, "ends")
    killed = time.monotonic()
    doomed.send_signal(signal.SIGKILL)
    for worker in others:
        assert worker.wait() == 0, worker.stderr.read()
    log = sorted([*events(tmp_path), (killed, "ends", "doomed", lost)])
    assert len(log) == 2 * 6
    for number in range(2):
        on_device = [(what, name) for _, what, name, place in log if place == number]
        for begin, end in zip(on_device[::2], on_device[1::2], strict=True):
            assert begin == ("begins", end[1])
            assert end[0] == "ends"
    taken_again = [at for at, what, _, place in log if what == "begins" and place == lost][1:]
    assert min(taken_again) > killed


def test_a_process_keeps_its_device(cuda, start, tmp_path):
    assert str(device.choose("cuda")) == str(device.choose("auto")) == "cuda:0"
    start("other", 60)
    *_, place = first(tmp_path, "begins")
    assert place == 1


def test_a_device_can_be_asked_for_by_its_number(cuda, start, tmp_path):
    assert device.choose("cuda:1") == torch.device("cuda:1") == cuda[-1]
    start("other", 60)
    *_, place = first(tmp_path, "begins")
    assert place == 0


def test_a_process_that_finds_no_free_device_says_so_and_waits(cuda, start):
    device.choose("cuda:0")
    gpus.claim(["GPU-b"])
    assert b"waiting for one of 2 CUDA devices" in start("third", 0).stderr.readline()


def test_cublas_has_buffers_of_one_size_unless_the_user_says_which(cuda, monkeypatch):
    name = "CUBLAS_WORKSPACE_CONFIG"
    monkeypatch.setenv(name, ":16:8")
    device.choose("cuda:0")
    assert os.environ[name] == ":16:8"
    monkeypatch.delenv(name)
    device.choose("cuda:0")
    assert os.environ[name] == ":4096:2"


@pytest.mark.parametrize("visible", ["1", "GPU-b", "1,"])
def test_a_single_device_given_by_a_scheduler_is_not_claimed(cuda, monkeypatch, tmp_path, visible):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device.choose("auto") == torch.device("cuda:0")
    assert not list(tmp_path.iterdir())


def test_several_devices_given_by_a_scheduler_are_claimed(cuda, monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert device.choose("auto") == torch.device("cuda:0")
    assert [path.name for path in tmp_path.glob("g2lstm/devices/*")] == ["GPU-a.lock"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cuda:2", "device = cuda:2 does not exist here (2 CUDA devices found)"),
        ("cuda1", "device = cuda1 is unknown; set device to auto, cpu, cuda or cuda:N"),
    ],
)
def test_a_device_that_does_not_exist_is_told_in_one_line(cuda, name, words):
    with pytest.raises(UserError) as caught:
        device.choose(name)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_of_claims_that_cannot_be_written_is_told(cuda, monkeypatch, tmp_path):
    (tmp_path / "g2lstm").write_text("")
    with pytest.raises(UserError, match="XDG_CACHE_HOME"):
        device.choose("cuda")


def test_the_command_line_tells_it_too(capsys):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    command = ["gates", "--model", "x", "--corpus", "x", "--labels", "{}", "--settings", "{}"]
    assert cli.main([*command, "--record", "x", "--device", "cuda"]) == 2
    assert "0 CUDA devices found" in capsys.readouterr().err


def test_provenance_names_the_device_and_its_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 3 * 2**20 + 1)
    assert device.facts(torch.device("cpu")) == {"device": "cpu"}
    assert device.facts(torch.device("cuda:1")) == {
        "device": "cuda:1",
        "device_name": "NVIDIA H100",
        "peak_device_memory_mb": 3,
    }
