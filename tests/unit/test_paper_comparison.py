import re

import pytest
from paper_records import (
    DEMO,
    PUBLISHED,
    evaluation,
    paper_layout,
    printed_evaluations,
    printed_translations,
    translation,
    write_records,
)

from g2lstm.errors import UserError
from g2lstm.paper.aggregate import aggregate, write_summary
from g2lstm.paper.comparison import write_comparison
from g2lstm.paper.published import doubts_of, read_tables

PRINTED = read_tables(PUBLISHED)


def compare(tmp_path, records, layout=DEMO):
    write_summary(aggregate(write_records(tmp_path, records)), tmp_path / "summary.csv")
    write_comparison([tmp_path / "summary.csv"], PUBLISHED, layout, tmp_path / "comparison.md")
    return (tmp_path / "comparison.md").read_text()


def test_each_cell_has_mean_deviation_n_print_and_difference(tmp_path):
    records = [
        evaluation("baseline", "finetune", "svd-k8", "cache", {"test": value}, seed)
        for seed, value in ((1, 66.0), (2, 67.0))
    ]
    text = compare(tmp_path, records)
    assert (
        "| Baseline | svd64 (rank 64); ours: SVD (rank = 8) | 66.5 ± 0.7 | 2 | 65.5 | +1.0 |"
        in text
    )


def test_a_reduced_preset_says_that_it_is_not_comparable(tmp_path):
    records = printed_evaluations(PRINTED)
    assert "not comparable with print" in compare(tmp_path, records)
    assert "not comparable" not in compare(tmp_path, records, paper_layout())
    assert "Reduced: de-en. " in compare(tmp_path, records, paper_layout() | {"reduced": ["de-en"]})


def test_cells_without_runs_are_listed_as_not_run(tmp_path):
    record = evaluation("g2", "finetune", "original", "cache", {"test": 52.0})
    text = compare(tmp_path, [record])
    assert "| Baseline | svd64 (rank 64) | 65.5 |" in text
    assert "| Baseline | original | 31.00 |" in text
    assert "Not run (14 printed cells without a run)" in text
    assert "Zoneout" not in text


def test_with_all_runs_nothing_is_missing_and_no_quality_differs(tmp_path):
    records = [*printed_evaluations(PRINTED), *printed_translations(PRINTED)]
    text = compare(tmp_path, records, paper_layout())
    assert "Not run" not in text
    lines = [line for line in text.splitlines() if line.startswith("| ") and "size_m" not in line]
    cells = [line for line in lines if not line.startswith("| Model")]
    assert len(cells) == 9 * 2 + 3 * 15 + 3 * 2 + 2 * 15
    assert all(line.endswith(("| +0.0 |", "| +0.00 |")) for line in cells)


def test_translation_is_compared_with_two_decimals_and_names_our_corpus(tmp_path):
    records = [translation("en-de", "g2", setting, 30.5) for setting in ("original", "svd-k8")]
    text = compare(tmp_path, records)
    assert "ours: En-De (synthetic English-German) | 30.50 | 1 | 22.43 | +8.07 |" in text
    assert "| svd32 (rank 32); ours: SVD (rank = 8) | 30.50 | 1 | 22.16 | +8.34 |" in text
    assert "Data of ours: synthetic English-German; synthetic German-English." in text


def test_doubts_are_footnotes_used_and_defined(tmp_path):
    text = compare(tmp_path, printed_evaluations(PRINTED))
    assert "| 57.3[^1] |" in text
    assert "\n[^1]: values quoted from Merity et al. 2017" in text
    assert "| 59.4 |" in text


def test_doubts_stand_beside_cells_without_runs_too(tmp_path):
    text = compare(tmp_path, [evaluation("g2", "finetune", "original", "cache", {"test": 52.0})])
    marks = re.search(r"\| AWD-LSTM \| test \(perplexity\) \| 57\.3(\S+) \|", text)[1]
    assert f"\n{marks}: values quoted from Merity et al. 2017" in text


def test_doubts_name_rows_or_cells():
    assert len(doubts_of(PRINTED["table4"], "sharp", "svd32")) == 1
    assert doubts_of(PRINTED["table4"], "sharp", "svd16") == []
    assert len(doubts_of(PRINTED["table1"], "awd", "test")) == 1


def test_a_damaged_file_of_published_numbers_is_named(tmp_path):
    path = tmp_path / "published.yaml"
    path.write_text("schema: [")
    with pytest.raises(UserError, match=r"published\.yaml: not valid YAML"):
        read_tables(path)
    path.write_text("schema: other/1\n")
    with pytest.raises(UserError, match="schema published-numbers/1"):
        read_tables(path)
