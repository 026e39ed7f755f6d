"""The state of all runs, from records, histories and locks."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from status_tree import Tree

from g2lstm import cli, config, hashes, plan
from g2lstm.locks import held
from g2lstm.records import read_record, write_record
from g2lstm.status.course import duration
from g2lstm.status.report import report
from g2lstm.status.survey import Survey
from g2lstm.training.folder import LOCK, locked

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from g2lstm.training.folder import locked

with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def tree(tmp_path):
    """A finished demo."""
    tree = Tree(tmp_path / "work", config.resolve({}, "demo"))
    for run in tree.runs:
        tree.finish(run)
    return tree


@pytest.fixture
def hold():
    """Hold the lock of a folder in another process; return that process."""
    processes = []

    def call(folder):
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-c", HOLD, str(folder)]
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE))
        assert processes[-1].stdout.readline() == b"held\n"
        return processes[-1]

    yield call
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def look(tree, settings=None):
    """Return run -> its status."""
    survey = Survey(settings or tree.settings, tree.root)
    return {status.run: status for status in survey.runs}


def of(tree, task, variant="g2", stage="train", seed=1):
    return plan.Run(tree.settings["preset"], task, variant, seed, stage)


def test_a_finished_preset_is_done(tree):
    found = look(tree).values()
    assert {status.state for status in found} == {"done"}
    assert not [note for status in found for note in status.notes]
    counts = sum((status.evaluations for status in found), Counter())
    expected = sum(len(plan.model_records(tree.settings, run)) for run in tree.runs)
    assert counts == {"done": expected}


def test_records_alone_are_enough(tree):
    for run in tree.runs:
        (tree.root / run.model).unlink()
    for task in ("lm", "de-en", "en-de"):
        sha256 = tree.hash(tree.corpus(task))
        (tree.root / tree.corpus(task)).unlink()
        about = plan.corpus("demo", task, "json")
        write_record(tree.root / about, {"kind": "corpus", "sha256": sha256})
    assert {status.state for status in look(tree).values()} == {"done"}
    write_record(tree.root / about, {"kind": "corpus", "sha256": "0" * 64})
    assert look(tree)[of(tree, "en-de")].notes == ["the corpus has changed"]


def test_a_corpus_of_another_source_is_named(tree):
    about = plan.corpus("demo", "en-de", "json")
    sha256 = tree.hash(tree.corpus("en-de"))
    record = {"kind": "corpus", "sha256": sha256, "corpus": "multi30k", "merges": 5000}
    write_record(tree.root / about, record)
    notes = look(tree)[of(tree, "en-de")].notes
    assert notes == ["corpus was multi30k, is synthetic", "merges was 5000, is 2000"]
    assert look(tree)[of(tree, "de-en")].state == "done"


def test_paper_scale_is_told_right_in_little_time(tmp_path, monkeypatch):
    settings = config.resolve({}, "paper")
    tree = Tree(tmp_path, settings)
    expected = {}
    for number, run in enumerate(tree.runs):
        before = expected.get(run.before, "done")
        state = ("done", "done", "stale", "resumable", "missing")[number % 5]
        if before != "done":
            state = "missing"
        if state in ("done", "stale"):
            tree.finish(run, epochs=500)
        if state == "stale":
            record = read_record(tree.root / run.record)
            record["job"]["optimisation"] = {"lr": 123.0}
            write_record(tree.root / run.record, record)
        if state == "resumable":
            tree.begin(run, 4)
        expected[run] = state
    assert len(expected) == len(tree.runs) > 50
    assert set(expected.values()) == {"done", "stale", "resumable", "missing"}
    started = time.process_time()
    survey = Survey(settings, tmp_path)
    lines = report(survey)
    assert time.process_time() - started < 2
    assert {status.run: status.state for status in survey.runs} == expected
    for status in survey.runs:
        planned = len(plan.model_records(settings, status.run))
        word = status.state if status.state in ("done", "stale") else "missing"
        assert status.evaluations == {word: planned}
    assert len(lines) == 2 + 1 + len(expected) + 1 + 4
    assert f"training runs: {Counter(expected.values())['done']} done" in lines[-4]


def test_a_changed_setting_is_named_with_both_values(tree):
    changed = config.resolve({"lm": {"optimisation": {"lr": 10.0}}}, "demo")
    found = look(tree, changed)
    assert found[of(tree, "lm")].state == "stale"
    assert found[of(tree, "lm")].notes == ["optimisation.lr was 20.0, is 10.0"]
    assert found[of(tree, "lm", stage="finetune")].notes[-1] == "stage train is stale"
    assert found[of(tree, "lm")].evaluations == {"stale": 1}
    assert found[of(tree, "de-en")].state == "done"


def test_a_setting_at_its_default_is_named_by_the_default(tree):
    assert "clip" not in tree.job(of(tree, "de-en"))["optimisation"]
    changed = config.resolve({"de-en": {"optimisation": {"clip": 1.0}}}, "demo")
    assert look(tree, changed)[of(tree, "de-en")].notes == ["optimisation.clip was 2.0, is 1.0"]


def test_a_raised_version_of_the_training_code_is_named(tree):
    record = read_record(tree.root / of(tree, "lm").record)
    write_record(tree.root / of(tree, "lm").record, {**record, "version": 1})
    assert look(tree)[of(tree, "lm")].notes[0].startswith("the training code was version 1, is ")


def test_a_touched_corpus_is_the_same_and_a_changed_one_is_not(tree):
    path = tree.root / tree.corpus("lm")
    look(tree)
    os.utime(path, (1, 1))
    assert look(tree)[of(tree, "lm")].state == "done"
    before = path.stat()
    path.write_text(path.read_text().swapcase())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    found = look(tree)
    assert found[of(tree, "lm")].notes == ["the corpus has changed"]
    assert found[of(tree, "de-en")].state == "done"


def test_a_hash_is_remembered_only_for_the_same_file(tree, monkeypatch):
    monkeypatch.setattr(hashes, "SETTLED", -1.0)  # files of this moment count as settled
    look(tree)
    hashed = []
    monkeypatch.setattr(hashes, "file_sha256", lambda path: hashed.append(path) or "0" * 64)
    assert {status.state for status in look(tree).values()} == {"done"}
    assert hashed == []
    path = tree.root / tree.corpus("lm")
    other = tree.root / "other"
    shutil.copy2(path, other)
    os.replace(other, path)
    assert look(tree)[of(tree, "lm")].state == "stale"
    assert hashed == [str(path)]


def test_a_cache_that_cannot_be_written_costs_only_time(tree, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(hashes, "SETTLED", -1.0)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert look(tree)[of(tree, "lm")].state == "done"
    assert "hashes are not remembered" in capsys.readouterr().err


def test_another_model_file_is_named(tree):
    tree.write(of(tree, "de-en").model, "another model")
    assert look(tree)[of(tree, "de-en")].notes == ["the model file has changed"]


def test_a_model_trained_anew_makes_what_came_from_it_stale(tree):
    run = of(tree, "lm")
    tree.write(run.model, "another model")
    record = read_record(tree.root / run.record)
    write_record(tree.root / run.record, {**record, "sha256": tree.hash(run.model)})
    found = look(tree)
    assert found[run].state == "done"
    assert found[run].evaluations == {"stale": 1}
    assert found[run].notes == ["evaluated with another model"]
    later = found[of(tree, "lm", stage="finetune")]
    assert (later.state, later.notes) == ("stale", ["the model of the stage before has changed"])


def test_only_what_depends_on_a_setting_of_evaluation_is_stale(tree):
    change = {"lm": {"settings": {"svd-k8": {"k": 9}}}, "de-en": {"evaluation": {"max_steps": 9}}}
    found = look(tree, config.resolve(change, "demo"))
    finetuned = found[of(tree, "lm", stage="finetune")]
    assert finetuned.state == "done"
    assert finetuned.evaluations == {"stale": 2, "done": 19}
    assert finetuned.notes == ["svd-k8.k was 8, is 9"]
    translated = found[of(tree, "de-en")]
    assert translated.evaluations == {"stale": 9, "done": 1}
    assert translated.notes == ["max_steps was 50, is 9"]


def test_a_missing_evaluation_is_counted(tree):
    run = of(tree, "lm", stage="finetune")
    (tree.root / run.folder / "gates.json").unlink()
    assert look(tree)[run].evaluations == {"done": 20, "missing": 1}


def test_a_run_under_way_and_one_that_was_killed(tree, hold):
    run = of(tree, "lm")
    (tree.root / run.record).unlink()
    process = hold(tree.begin(run, 1))
    found = look(tree)[run]
    assert found.state == "running"
    assert found.notes == ["epoch 1 of 3 done, valid ppl 99.00, at most 3 min left"]
    process.kill()
    process.wait()
    found = look(tree)[run]
    assert (found.state, found.notes) == ("resumable", ["epoch 1 of 3 done, valid ppl 99.00"])


def test_a_translation_under_way(tmp_path, hold):
    tree = Tree(tmp_path, config.resolve({}, "paper"))
    run = of(tree, "en-de")
    hold(tree.begin(run, 20))
    (note,) = look(tree)[run].notes
    assert note == "100000 of 700000 updates done, valid ppl 80.00, at most 3 h 00 min left"


def test_a_run_before_its_first_validation(tree, hold):
    hold(tree.begin(of(tree, "de-en"), 0))
    assert look(tree)[of(tree, "de-en")].notes == ["before its first validation"]


def test_another_job_in_the_place_of_a_run_is_named(tree, hold):
    run = of(tree, "de-en")
    folder = tree.begin(run, 2)
    hold(folder)
    changed = config.resolve({"de-en": {"optimisation": {"lr": 0.5}}}, "demo")
    found = look(tree, changed)[run]
    assert found.state == "stale"
    assert found.notes[-1] == f"another job of this run is running, in ckpt/{folder.name}"


def test_looking_does_not_disturb_a_run_that_starts(tmp_path):
    """A look takes a shared lock for an instant; here it is one of a fifth of a second."""
    look = open(tmp_path / LOCK, "w")  # noqa: SIM115
    fcntl.flock(look, fcntl.LOCK_SH)
    assert not held(tmp_path / LOCK)
    threading.Timer(0.2, look.close).start()
    with locked(tmp_path):
        assert held(tmp_path / LOCK)
    assert not held(tmp_path / LOCK)


def status(tree, capsys, *options):
    code = cli.main(["status", "--directory", str(tree), *options])
    out = capsys.readouterr()
    return code, out.out.splitlines(), out.err.splitlines()


def test_damaged_files_are_one_line_each(tree, capsys):
    lost, torn, begun = of(tree, "lm"), of(tree, "de-en"), of(tree, "en-de")
    (tree.root / lost.record).write_text('{"schema": ')
    (tree.root / torn.folder / "eval/original.beam5.json").write_text("[]")
    (tree.root / begun.record).unlink()
    with open(tree.begin(begun, 2) / "history.jsonl", "a") as stream:
        stream.write('{"epoch": 3, "upda')
    code, lines, errors = status(tree.root, capsys, "--config", str(ROOT / "config.yaml"))
    assert (code, errors) == (0, [])
    for words in (
        ["lm", "g2", "1", "train", "stale", "training.json: unreadable record"],
        ["de-en", "g2", "done", "9 done, 1 stale", "original.beam5.json: not a record"],
        ["en-de", "g2", "resumable", "history.jsonl: line 3 is half-written or damaged"],
    ):
        assert [line for line in lines if all(word in line for word in words)], words


def test_nothing_yet_is_one_line(tmp_path, capsys):
    code, lines, _ = status(tmp_path, capsys, "--config", str(ROOT / "config.yaml"))
    assert code == 0
    demo = config.resolve({}, "demo")
    count = sum(len(plan.runs(demo, task)) for task in config.tasks_of(demo))
    folder = f"{tmp_path}/results/demo"
    assert lines == [f"{folder}: nothing yet of {count} training runs (preset demo)"]


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    command = [sys.executable, "-m", "g2lstm", "status", "--directory", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) as run:
        run.stdout.close()  # as head does
        assert run.stderr.read() == b""
    assert run.returncode == 141


@pytest.mark.parametrize("text", [None, "a: [", "- 1\n", "preset: huge\n"])
def test_a_configuration_that_cannot_be_used_is_one_line(tmp_path, capsys, text):
    path = tmp_path / "own.yaml"
    if text is not None:
        path.write_text(text)
    code, lines, errors = status(tmp_path, capsys, "--config", str(path))
    assert (code, lines, len(errors)) == (2, [], 1)
    assert errors[0].startswith("g2lstm status: error: ")


def test_neither_torch_nor_pandas_is_loaded(tree):
    script = (
        "import json, sys; from g2lstm import cli; cli.main(sys.argv[1:]);"
        "print(json.dumps(sorted({'torch', 'pandas', 'numpy', 'matplotlib'} & {*sys.modules})))"
    )
    command = [sys.executable, "-c", script, "status", "--directory", str(tree.root)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert json.loads(run.stdout.splitlines()[-1]) == [], run.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8, "8 s"), (200, "3 min"), (7500, "2 h 05 min"), (270_000, "3 d 3 h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
