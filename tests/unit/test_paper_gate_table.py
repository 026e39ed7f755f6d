import csv
import io

import pytest
from paper_gate_records import REAL_TESTS, all_gates, gates
from paper_records import (
    DEMO,
    PUBLISHED,
    printed_translations,
    synthetic_corpora,
    write_records,
)

from g2lstm.config import read_schema
from g2lstm.errors import UserError
from g2lstm.paper.aggregate import aggregate
from g2lstm.paper.cells import MISSING
from g2lstm.paper.gate_table import LM_LAYERS
from g2lstm.paper.published import read_tables
from g2lstm.paper.render import to_csv, to_latex, to_markdown
from g2lstm.paper.tables import build_table

PRINTED = read_tables(PUBLISHED)


def build(tmp_path, records):
    return build_table("tableS3", aggregate(write_records(tmp_path, records)), None, DEMO)


def texts(table, group):
    """Row name -> texts of its cells in one group."""
    rows = next(entry.rows for entry in table.groups if entry.title == group)
    return {row[0].text: [cell.text for cell in row[1:]] for row in rows}


def test_table_s3_has_a_group_for_each_recorded_layer(tmp_path):
    records = [*all_gates(), *synthetic_corpora()]
    table = build(tmp_path, records)
    assert [group.title for group in table.groups] == [
        "German-English, decoder: first transition of the attention layer",
        "German-English, decoder: second transition of the attention layer",
        "English-German, decoder: first transition of the attention layer",
        "English-German, decoder: second transition of the attention layer",
        "Language model: layer 1",
        "Language model: layer 2",
    ]
    assert table.spans == (("", 1), ("Input gate", 4), ("Forget gate", 4), ("AUC", 1))
    statistics = records[2]["layers"]["decoder.0.first"]
    row = texts(table, table.groups[0].title)["G²-LSTM"]
    assert row[1] == f"{100 * statistics['input']['above_0.9']:.1f}%"
    assert row[7] == f"{statistics['forget']['entropy']:.2f}"
    assert row[8] == "0.71"
    assert texts(table, "Language model: layer 1")["G²-LSTM"][8] == MISSING
    assert not any(cell.bold for group in table.groups for line in group.rows for cell in line)
    assert "Bold" not in table.caption


def test_table_s3_has_room_for_every_layer_that_the_configuration_allows():
    model = read_schema()["properties"]["lm"]["properties"]["model"]
    assert model["properties"]["layers"]["maximum"] == LM_LAYERS


def test_table_s3_says_which_text_the_gates_read(tmp_path):
    caption = build(tmp_path, all_gates()).caption
    assert "language model are read on its validation text" in caption
    assert "on sampled training pairs. AUC, on the test split" in caption


def test_table_s3_of_real_text_has_its_own_tests_and_means_over_seeds(tmp_path):
    records = [gates("de-en", "g2", seed, REAL_TESTS) for seed in (1, 2)]
    table = build(tmp_path, records)
    assert [title for title, _ in table.header[-2:]] == ["Punctuation", "Function word"]
    assert "Mean over 2 seeds." in table.caption
    assert texts(table, table.groups[0].title)["Baseline"] == [MISSING] * 10


def test_table_s3_without_gate_records_is_refused(tmp_path):
    with pytest.raises(UserError, match="tableS3: the summary has no run for it"):
        build(tmp_path, printed_translations(PRINTED))


def test_titles_over_columns_reach_every_format(tmp_path):
    table = build(tmp_path, [gates("de-en", "g2")])
    latex = to_latex(table)
    assert r"\multicolumn{4}{c}{Forget gate} & \multicolumn{1}{c}{AUC} \\" in latex
    assert r"\cmidrule(lr){2-5}\cmidrule(lr){6-9}\cmidrule(lr){10-10}" in latex
    head = next(csv.reader(io.StringIO(to_csv(table))))
    assert head[2:4] == ["Model", "Input gate: Below 0.1"]
    assert "| Forget gate: Entropy | AUC: Clause boundary |" in to_markdown(table)
