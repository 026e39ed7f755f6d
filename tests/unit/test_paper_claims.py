import copy
import re

import pytest
from paper_records import (
    CLAIMS,
    DEMO,
    PUBLISHED,
    oracle,
    paper_layout,
    printed_evaluations,
    write_records,
)

from g2lstm.errors import UserError
from g2lstm.paper.aggregate import aggregate, write_summary
from g2lstm.paper.claims import judge, our_tables, write_claims
from g2lstm.paper.predicates import (
    FAILS,
    HOLDS,
    UNDECIDED,
    Missing,
    conjunction,
    evaluate,
    split_parts,
)
from g2lstm.paper.published import read_claims, read_tables

PAPERS = ("g2lstm", "see2016", "lobacheva2020", "iss2018")
PRINTED = read_tables(PUBLISHED)
ALL_PRINTED = {paper: read_tables(PUBLISHED, paper) for paper in PAPERS}
TABLE_CLAIMS = [
    pytest.param(paper, claim, id=claim["id"])
    for paper in PAPERS
    for claim in read_claims(CLAIMS, paper)
    if claim["kind"] == "table"
]


def claim_of(expression):
    return {"id": "X", "kind": "table", "expr": expression, "printed": True, "text": ""}


def with_value(table, row, column, value):
    tables = copy.deepcopy(PRINTED)
    tables[table]["rows"][row][column] = value
    return {name: content["rows"] for name, content in tables.items()}


@pytest.mark.parametrize(("paper", "claim"), TABLE_CLAIMS)
def test_on_the_printed_numbers_every_claim_gives_its_printed_value(paper, claim):
    tables = {name: table["rows"] for name, table in ALL_PRINTED[paper].items()}
    result = judge(claim, tables, [])
    assert result.outcome == (HOLDS if claim["printed"] else FAILS)


def test_parts_tell_the_ordering_from_the_exact_difference():
    claim = claim_of("t.table1.g2.test < t.table1.awd.test and t.table1.awd.test == 57.2")
    result = judge(claim, with_value("table1", "g2", "test", 57.0), [])
    assert result.outcome == FAILS
    assert [verdict.outcome for _, verdict in result.parts] == [HOLDS, FAILS]
    assert result.parts[0][1].numbers == {"table1.g2.test": 57.0, "table1.awd.test": 57.3}


def test_a_missing_number_leaves_the_claim_undecided_and_is_named():
    claim = claim_of("t.table1.awd.test > 0 and t.table1.g2.test > 0")
    result = judge(claim, with_value("table1", "g2", "test", Missing()), [])
    assert result.outcome == UNDECIDED
    assert "table1.g2.test" in result.reason


def test_a_failing_part_decides_in_spite_of_a_missing_number():
    claim = claim_of("t.table1.g2.test > 0 and t.table1.awd.test < 0")
    assert judge(claim, with_value("table1", "g2", "test", Missing()), []).outcome == FAILS


def test_iterating_over_columns_does_not_skip_missing_numbers():
    tables = with_value("table3", "g2", "svd64", Missing())
    verdict = evaluate("all(t.table3.g2[c] > 0 for c in t.table3.g2)", tables)
    assert (verdict.outcome, verdict.missing) == (UNDECIDED, "table3.g2.svd64")


def test_seeds_that_disagree_leave_claim_and_part_undecided():
    claim = claim_of("t.table1.g2.test < t.table1.awd.test and t.table1.awd.test > 0")
    mean = with_value("table1", "g2", "test", 57.0)
    seeds = [with_value("table1", "g2", "test", value) for value in (56.0, 58.0)]
    result = judge(claim, mean, seeds)
    assert result.outcome == UNDECIDED
    assert result.reason == "the verdict changes between seeds"
    assert [verdict.outcome for _, verdict in result.parts] == [UNDECIDED, HOLDS]


def test_figures_and_texts_are_undecided_with_what_to_measure():
    claim = {"id": "X", "kind": "figure", "measure": "look", "expr": None}
    assert judge(claim, {}, []).reason.endswith("look")


@pytest.mark.parametrize(
    "outcomes",
    [(HOLDS, HOLDS, HOLDS), (FAILS, HOLDS, FAILS), (FAILS, UNDECIDED, FAILS)],
)
def test_conjunction_is_kleenes(outcomes):
    assert conjunction(outcomes[1:]) == outcomes[0]


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "t.__class__",
        "open('x')",
        "t.table1.get('g2')",
        "'{0.__class__}'.format(t)",
        "[x for x in t]",
        "(lambda: 1)()",
        "9 ** 9",
        "max(t, key=len)",
        "(y := 1)",
        "f'{t}'",
        "t.table1.",
    ],
)
def test_anything_but_the_needed_syntax_is_refused(expression):
    with pytest.raises(UserError, match="claim"):
        split_parts(expression)


def test_an_unknown_cell_is_an_error_and_not_undecided():
    with pytest.raises(UserError, match=r"table1\.g3"):
        evaluate("t.table1.g3.test > 1", with_value("table1", "g2", "test", 1.0))


def our_claims(tmp_path, records, layout):
    write_summary(aggregate(write_records(tmp_path, records)), tmp_path / "summary.csv")
    output = tmp_path / "claims.md"
    write_claims(tmp_path / "summary.csv", PUBLISHED, CLAIMS, layout, output)
    text = output.read_text()
    return text, dict(re.findall(r"^\| (\w+) \|.*?\*\*(\w+)\*\*", text, re.MULTILINE))


def test_runs_that_give_the_printed_numbers_give_the_printed_verdicts(tmp_path):
    text, outcomes = our_claims(tmp_path, printed_evaluations(PRINTED), paper_layout())
    language_model_only = ["G01", "G02", "G03", "G04", "G05", "G08", "G12", "G13", "G14", "G20"]
    assert {outcomes[name] for name in [*language_model_only, "G21"]} == {HOLDS}
    assert outcomes["G19"] == outcomes["G18x"] == FAILS
    assert outcomes["G09"] == outcomes["G22"] == outcomes["G23"] == UNDECIDED
    assert set(outcomes) == {claim["id"] for claim in read_claims(CLAIMS)}
    assert "reduced" not in text


def test_a_synthetic_corpus_is_not_compared_with_the_literature(tmp_path):
    text, outcomes = our_claims(tmp_path, [*printed_evaluations(PRINTED), oracle()], DEMO)
    assert outcomes["G08"] == UNDECIDED
    assert outcomes["G01"] == HOLDS
    assert "not comparable with print" in text


def test_seeds_are_judged_apart(tmp_path):
    records = [*printed_evaluations(PRINTED), *printed_evaluations(PRINTED, shift=0.2, seed=2)]
    for record in records:
        if (record["seed"], record["variant"], record["mode"]) == (2, "g2", "cache"):
            for numbers in record["metrics"].values():
                numbers["perplexity"] += 5.0
    _, outcomes = our_claims(tmp_path, records, paper_layout())
    assert outcomes["G05"] == UNDECIDED
    assert outcomes["G04"] == HOLDS


def test_our_tables_hold_rounded_means_under_the_printed_ids(tmp_path):
    records = [
        record
        for seed, shift in ((1, 0.0), (2, 0.33))
        for record in printed_evaluations(PRINTED, shift=shift, seed=seed)
    ]
    tables = our_tables(PRINTED, aggregate(write_records(tmp_path, records)), DEMO)
    assert tables["table1"]["g2_cache"]["test"] == 52.3
    assert tables["table1"]["g2_cache"]["group"] == "cache"
    assert tables["table1"]["zoneout"]["valid"] is None
    assert isinstance(tables["table4"]["g2"]["svd16"], Missing)
