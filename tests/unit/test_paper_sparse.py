"""Tables of sparse language models, with print below ours, and the claims about them."""

import pytest
from paper_records import CLAIMS, PUBLISHED, write_records

from g2lstm.paper.aggregate import aggregate, write_summary
from g2lstm.paper.cells import MISSING
from g2lstm.paper.claims import our_tables, write_claims
from g2lstm.paper.comparison import write_comparison
from g2lstm.paper.predicates import Missing
from g2lstm.paper.published import read_tables
from g2lstm.paper.sparse import BAYES_ROWS, PRUNING_ROWS
from g2lstm.paper.tables import build_table

PAPER, TASK = "lobacheva2020", "word-ptb-small"
PRINTED = read_tables(PUBLISHED, PAPER)
LAYOUT = {
    "preset": "paper",
    "label": "paper",
    "reduced": False,
    "convention": "exact",
    "beam": {},
    "corpora": {TASK: "Penn Treebank"},
    "settings": {},
    "tables": {},
}
LEFT = ("compression", "neurons1", "neurons2", "gates1", "gates2")


def records(table, rows):
    """Evaluations with the printed numbers of some rows; ``rows``: id in print -> method."""
    found = []
    for row_id, method in rows.items():
        printed = PRINTED[table]["rows"][row_id]
        found.append(
            {
                "kind": "evaluation", "preset": "paper", "task": TASK, "variant": method,
                "seed": 1, "stage": "train", "setting": "original", "mode": "plain",
                "metrics": {
                    split: {"perplexity": printed[split]} for split in ("valid", "test")
                },
                "size": {name: printed[name] for name in LEFT},
            }
        )  # fmt: skip
    return found


def both():
    bayes = {row_id: method for row_id, method in BAYES_ROWS.items() if method != "original"}
    return [*records("table1", PRUNING_ROWS), *records("table2", bayes)]


@pytest.mark.parametrize(
    ("table_id", "printed", "rows", "others"),
    [("sparse_pruning", "table1", PRUNING_ROWS, 3), ("sparse_bayes", "table2", BAYES_ROWS, 0)],
)
def test_a_table_of_printed_numbers_reads_as_print(tmp_path, table_id, printed, rows, others):
    summary = aggregate(write_records(tmp_path, both()))
    table = build_table(table_id, summary, PRINTED[printed], LAYOUT)
    ours, print_ = table.groups
    assert len(ours.rows) == len(rows)
    assert len(print_.rows) == len(rows) + others  # the large models; of Table 2 words alone
    for row, quoted in zip(ours.rows, print_.rows, strict=False):
        assert [cell.text for cell in row[1:]] == [cell.text for cell in quoted[1:]]
        assert quoted[0].text == f"{row[0].text}, 2 x 200"
    if table_id == "sparse_bayes":
        assert [cell.text for cell in ours.rows[1]] == [
            *("Bayes W", "114.80", "109.85", "10.52\N{MULTIPLICATION SIGN}"),
            *("55", "124", "218", "415"),
        ]


def test_a_method_that_was_not_run_is_a_row_without_numbers(tmp_path):
    summary = aggregate(write_records(tmp_path, both()[:3]))
    table = build_table("sparse_bayes", summary, PRINTED["table2"], LAYOUT)
    assert {cell.text for cell in table.groups[0].rows[1][1:]} == {MISSING}


def test_claims_about_other_texts_are_undecided_and_those_about_words_judged(tmp_path):
    summary = aggregate(write_records(tmp_path / "runs", both()))
    tables = our_tables(PRINTED, summary, LAYOUT, PAPER)
    assert tables["table2"]["word_wgn"]["gates2"] == 349
    assert tables["table2"]["word_wgn"]["task"] == "word_ptb"
    assert isinstance(tables["table2"]["imdb_w"]["test"], Missing)
    path = tmp_path / "summary.csv"
    write_summary(summary, path)
    write_claims([path], PUBLISHED, CLAIMS, LAYOUT, tmp_path / "claims.md", PAPER)
    lines = (tmp_path / "claims.md").read_text().splitlines()
    verdicts = {line.split("|")[1].strip(): line for line in lines if line.startswith("| L")}
    assert "**holds**" in verdicts["L01"]
    assert "**undecided**" in verdicts["L04"]
    write_comparison([path], PUBLISHED, LAYOUT, tmp_path / "comparison.md", PAPER)
    text = (tmp_path / "comparison.md").read_text()
    assert "| Bayes W+G+N | test" in text
    assert "IMDb" not in text
