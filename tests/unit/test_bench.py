"""The benchmarks' statistics and the page made from their files; nothing is timed."""

import itertools
import json

import pytest

import comparison
import report
from comparison import Ratio, holds, in_turns, record, row, summarise, tables, timed

MACHINE = {
    "processor": "made up", "cores": 4, "threads": 2, "flags": {"avx512f": True, "amx_bf16": False},
    "torch": "0", "date": "2000-01-01", "commit": None,
}  # fmt: skip


def test_ratios_are_taken_within_a_round():
    seconds = {"a": [1.0, 20.0, 3.0], "b": [2.0, 10.0, 1.0]}
    rows = summarise("title", "step", seconds, [Ratio("a", "b", ">= 2")])["rows"]
    assert rows == [{"name": "a / b", "value": 2.0, "bar": ">= 2", "held": True}]


def test_medians_are_in_milliseconds():
    result = summarise("title", "step", {"a": [1.0, 20.0, 3.0]}, [])
    assert result["medians_ms"] == {"a": 3000.0}


def test_a_ratio_without_its_contender_is_left_out():
    ratios = [Ratio("a", "absent", "<= 1"), Ratio("absent", "a")]
    assert summarise("title", "step", {"a": [1.0]}, ratios)["rows"] == []


@pytest.mark.parametrize(
    ("value", "bar", "held"),
    [(0.85, "<= 0.85", True), (0.86, "<= 0.85", False), (5, ">= 5", True), (4.9, ">= 5", False)],
)
def test_bars(value, bar, held):
    assert holds(value, bar) is held
    assert row("x", value, bar)["held"] is held
    assert row("x", value)["held"] is None


def test_contenders_take_turns_after_an_unmeasured_one():
    order, clock = [], itertools.count()

    def contender(name):
        def run():
            order.append(name)
            return float(next(clock))

        return run

    seconds = in_turns({name: contender(name) for name in "ab"}, rounds=2)
    assert order == ["a", "b"] * 3
    assert seconds == {"a": [2.0, 4.0], "b": [3.0, 5.0]}


def test_times_are_for_one_of_the_amount(monkeypatch):
    monkeypatch.setattr(comparison.time, "perf_counter", iter([1.0, 7.0]).__next__)
    assert timed(lambda: None, amount=3)() == 2.0


def test_tables_show_medians_ratios_and_bars():
    seconds = {"naive": [2.0], "ours": [0.5]}
    text = tables(summarise("A step", "step", seconds, [Ratio("naive", "ours", ">= 5")]))
    lines = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    assert ["", "naive", "2000", ""] in lines
    assert ["", "naive / ours", "4", ">= 5", "not held", ""] in lines


def test_blocks_are_filled_and_the_rest_stays(tmp_path, capsys):
    value = record("Memory", [row("peak, GB", 1.5, "<= 2.5")])
    comparison.write_results(tmp_path / "lm_step.json", MACHINE, 7, [value])
    results = report.read_results(tmp_path)
    page = "before\n<!-- begin lm_step -->\nold\n<!-- end lm_step -->\nafter\n"
    new = report.filled(page, results)
    assert new.startswith("before\n<!-- begin lm_step -->\n\n**Memory**\n")
    assert new.endswith("<!-- end lm_step -->\nafter\n")
    assert "old" not in new
    assert "held" in new
    assert report.filled(new, results) == new


def test_machine_table_has_a_row_for_what_ran():
    ran = {"machine": MACHINE, "rounds": 7, "comparisons": []}
    table = report.machine_table({"cache": ran, "nmt": None})
    assert "| cache | made up   | 2 of 4  | avx512f" in table
    assert "nmt" not in table
    assert report.machine_table({"nmt": None}) == report.PENDING


def test_an_unknown_block_is_refused():
    with pytest.raises(KeyError):
        report.filled("<!-- begin gpu -->\n<!-- end gpu -->", report.read_results("nowhere"))


def test_performance_page_is_the_one_of_the_result_files():
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.filled(page, report.read_results(report.HERE / "results")) == page
    for name in ("machine", *report.BENCHMARKS):
        assert f"<!-- begin {name} -->" in page


def test_result_files_have_at_least_seven_rounds():
    for path in (report.HERE / "results").glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["rounds"] >= 7
