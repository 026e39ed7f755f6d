"""Where the numbers of a table come from, as it stands under it."""

import json

import pytest
from paper_records import (
    DEMO,
    evaluation,
    oracle,
    significance,
    training,
    translation,
    write_records,
)

from g2lstm import cli
from g2lstm.errors import UserError
from g2lstm.paper.provenance import read_provenance_tables, write_provenance_table

FACTS = {
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "device": "cpu",
    "finished": "2018-06-08T11:00:00Z",
    "g2lstm": "0.1.0",
    "numpy": "2.4.6",
    "python": "3.11.7",
    "seconds": 3.2,
    "torch": "2.13.0",
}
CORPUS = {"data": {"corpus": "cab75968bd3829cc" * 4, "model": "0" * 64}}
TRAINED = {**FACTS, "kernel": "native"}


def of_model(stage="finetune", seed=1, setting="svd-k16"):
    return evaluation("g2", stage, setting, "cache", {"test": 50.0}, seed) | CORPUS


def table(tmp_path, records, trainings, number=7):
    """Aggregate records, each with its provenance (None: without), and return the .md and .tex."""
    paths = {}
    for name, pairs in (("records", records), ("trainings", trainings)):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        paths[name] = write_records(folder, [record for record, _ in pairs])
        for path, (_, facts) in zip(paths[name], pairs, strict=True):
            if facts is not None:
                path.with_suffix(".prov.json").write_text(json.dumps(facts))
    summary, provenance = tmp_path / "summary.csv", tmp_path / "provenance.csv"
    expected = json.dumps({"jobs": [record["job"] for record, _ in trainings], "tasks": {}})
    run("aggregate", **paths, expected=[expected], summary=[summary], provenance=[provenance])
    run(
        "table", table=[f"table{number}"], summary=[summary], provenance=[provenance],
        layout=[json.dumps(DEMO)], stem=[tmp_path / "table"],
    )  # fmt: skip
    return (tmp_path / "table.md").read_text(), (tmp_path / "table.tex").read_text()


def run(verb, **options):
    words = [word for name, values in options.items() for word in (f"--{name}", *values)]
    assert cli.main([verb, *map(str, words)]) == 0


def footer(markdown):
    return markdown.splitlines()[-1]


def test_a_table_says_where_its_numbers_come_from(tmp_path):
    markdown, latex = table(
        tmp_path,
        [(of_model(), FACTS), (of_model(seed=2), FACTS), (oracle(), None)],
        [(training("train"), TRAINED), (training("finetune"), TRAINED)],
    )
    sentences = [
        "Training: commit 0123456789ab, device cpu, kernel native.",
        "Evaluation: commit 0123456789ab, device cpu.",
        "Data (SHA-256): lm cab75968bd38.",
        "Seeds: 1, 2.",
        "Versions: g2lstm 0.1.0, Python 3.11.7, PyTorch 2.13.0, NumPy 2.4.6.",
    ]
    assert footer(markdown) == "**Provenance.** " + " ".join(sentences)
    assert latex.splitlines()[1:6] == [f"% {sentence}" for sentence in sentences]


def test_what_differs_between_runs_is_listed_and_times_are_not(tmp_path):
    other = {**FACTS, "commit": "f" * 40 + "+dirty", "finished": "2018-07-01T00:00:00Z"}
    other |= {"device": "cuda:1", "device_name": "NVIDIA H100", "torch": "2.12.0"}
    markdown, _ = table(
        tmp_path,
        [(of_model(), FACTS), (of_model(seed=2), other)],
        [(training("train"), TRAINED), (training("train", seed=2), {**other, "kernel": "cudnn"})],
    )
    assert "commit 0123456789ab / ffffffffffff+dirty" in footer(markdown)
    assert "device NVIDIA H100 / cpu, kernel cudnn / native." in footer(markdown)
    assert "PyTorch 2.12.0 / 2.13.0" in footer(markdown)
    assert "2018" not in footer(markdown)
    assert "cuda:1" not in footer(markdown)


def test_only_the_runs_that_a_table_shows_count(tmp_path):
    elsewhere = {**FACTS, "commit": "e" * 40}
    markdown, _ = table(
        tmp_path,
        [(of_model(), FACTS), (of_model(setting="round-r0.2"), elsewhere)],
        [(training("train"), TRAINED), ({**training("train"), "variant": "baseline"}, elsewhere)],
    )
    assert "eeeeeeeeeeee" not in footer(markdown)


def test_records_without_provenance_are_counted(tmp_path):
    markdown, _ = table(
        tmp_path, [(of_model(), FACTS), (of_model(seed=2), None)], [(training(), None)]
    )
    assert "device cpu, no provenance recorded for 1 of 2 records." in footer(markdown)
    assert "Training: no provenance recorded. " in footer(markdown)


def test_without_any_provenance_the_table_says_so(tmp_path):
    markdown, latex = table(tmp_path, [(of_model(), None)], [(training(), None)])
    assert footer(markdown) == "**Provenance.** No provenance recorded."
    assert latex.splitlines()[1] == "% No provenance recorded."


def test_the_paired_test_belongs_to_each_variant(tmp_path):
    records = [
        (translation("de-en", "g2", "original", 31.0), FACTS),
        (significance({"g2": (-0.9, 0.03)}), {**FACTS, "commit": "d" * 40}),
    ]
    markdown, _ = table(tmp_path, records, [(training(), FACTS)], number="S2")
    assert "Evaluation: commit 0123456789ab / dddddddddddd" in footer(markdown)


def test_equal_records_in_another_order_give_equal_bytes(tmp_path):
    paths = write_records(tmp_path, [of_model(), of_model(seed=2), training()])
    write_provenance_table(paths, tmp_path / "forward.csv")
    write_provenance_table(paths[::-1], tmp_path / "backward.csv")
    forward = (tmp_path / "forward.csv").read_bytes()
    assert forward == (tmp_path / "backward.csv").read_bytes()


def test_damaged_files_are_told_in_one_line(tmp_path):
    (path,) = write_records(tmp_path, [of_model()])
    path.with_suffix(".prov.json").write_text("{")
    with pytest.raises(UserError, match=r"record000\.prov\.json: unreadable provenance"):
        write_provenance_table([path], tmp_path / "provenance.csv")
    with pytest.raises(UserError, match=r"provenance\.csv: no such file"):
        read_provenance_tables([tmp_path / "provenance.csv"])
    (tmp_path / "provenance.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="aggregate again"):
        read_provenance_tables([tmp_path / "provenance.csv"])
