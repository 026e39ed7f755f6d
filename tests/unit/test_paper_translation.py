import copy
import csv
import io

import pytest
from paper_gate_records import REAL_TESTS, all_gates, gates
from paper_records import (
    DEMO,
    NMT_SETTINGS,
    PUBLISHED,
    paper_layout,
    printed_corpora,
    printed_translations,
    synthetic_corpora,
    translation,
    write_records,
)

from g2lstm.errors import UserError
from g2lstm.paper.aggregate import aggregate
from g2lstm.paper.cells import MISSING, TABLES
from g2lstm.paper.drawing import GAP, column_widths, text_width
from g2lstm.paper.published import read_tables
from g2lstm.paper.render import to_csv, to_latex, to_markdown
from g2lstm.paper.tables import Cell, build_table

PRINTED = read_tables(PUBLISHED)


def build(tmp_path, records, layout, number):
    table_id = f"table{number}"
    summary = aggregate(write_records(tmp_path, records))
    return build_table(table_id, summary, PRINTED.get(table_id), layout)


def texts(table, group):
    """Row name -> texts of its cells in one group, with a plain minus."""
    rows = next(entry.rows for entry in table.groups if entry.title == group)
    return {
        row[0].text: [cell.text.replace("\N{MINUS SIGN}", "-") for cell in row[1:]] for row in rows
    }


def bold(table, group):
    rows = next(entry.rows for entry in table.groups if entry.title == group)
    return {row[0].text: [cell.bold for cell in row[1:]] for row in rows}


def test_better_is_what_print_says():
    for table_id, published in PRINTED.items():
        assert TABLES[table_id].better == published["better"]


def test_table2_has_a_column_for_each_pair_and_bold_is_the_highest(tmp_path):
    table = build(tmp_path, printed_translations(PRINTED), DEMO, 2)
    assert table.header[1:] == (
        ("En-De", "(synthetic English-German)"),
        ("De-En", "(synthetic German-English)"),
    )
    assert texts(table, "Our system") == {
        "Baseline": ["21.89", "31.00"],
        "Sharpened sigmoid": ["21.64", "29.73"],
        "G²-LSTM": ["22.43", "31.95"],
    }
    assert bold(table, "Our system")["G²-LSTM"] == [True, True]
    assert bold(table, "Our system")["Sharpened sigmoid"] == [False, False]


def test_table2_on_the_corpora_of_print_quotes_the_literature(tmp_path):
    records = [*printed_translations(PRINTED), *printed_corpora()]
    table = build(tmp_path, records, paper_layout(), 2)
    quoted = texts(table, "Existing results")
    assert quoted["GNMT (Wu et al., 2016)†"] == ["24.61", MISSING]
    assert quoted["BSO (Wiseman & Rush, 2016)†"] == [MISSING, "26.36"]
    assert len(quoted) == 8
    assert "left out" not in table.caption


def test_literature_stands_only_where_our_corpus_is_that_of_print(tmp_path):
    corpora = [record for record in printed_corpora() if record["task"] != "de-en"]
    corpora.append({"kind": "corpus", "task": "de-en", "corpus": "tatoeba"})
    records = [*printed_translations(PRINTED), *corpora]
    layout = copy.deepcopy(DEMO)
    layout["corpora"]["de-en"] = "Tatoeba German-English"
    table = build(tmp_path, records, layout, 2)
    quoted = texts(table, "Existing results")
    assert len(quoted) == 4
    assert all(cells[1] == MISSING for cells in quoted.values())
    assert "Existing results are on IWSLT14 German-English, thus left out." in table.caption
    assert table.header[2] == ("De-En", "(Tatoeba German-English)")
    assert "Data: synthetic English-German; Tatoeba German-English." in table.caption


def test_table4_has_the_printed_layout_with_two_decimals(tmp_path):
    table = build(tmp_path, printed_translations(PRINTED), DEMO, 4)
    assert texts(table, "Test BLEU")["Baseline"] == [
        *("31.00", "28.65 (-2.35)", "21.97 (-9.03)", "30.52 (-0.48)", "29.56 (-1.44)")
    ]
    assert all(bold(table, "Test BLEU")["G²-LSTM"])
    sizes = texts(table, "Size of the input and forget gates (compression factor)")
    assert sizes["G²-LSTM"][0] == "12.0 MB"
    assert sizes["G²-LSTM"][3] == "1.5 MB (8.0\N{MULTIPLICATION SIGN})"
    assert "demo: synthetic language" in table.caption
    assert "Beam of 5." in table.caption


def test_table5_is_of_the_other_pair(tmp_path):
    records = [record for record in printed_translations(PRINTED) if record["task"] == "en-de"]
    table = build(tmp_path, records, DEMO, 5)
    assert texts(table, "Test BLEU")["G²-LSTM"][1] == "20.15 (-2.28)"
    assert texts(build(tmp_path, records, DEMO, 4), "Test BLEU")["G²-LSTM"] == [MISSING] * 5


def test_the_beam_of_the_layout_chooses_the_records(tmp_path):
    records = printed_translations(PRINTED)
    table = build(tmp_path, records, {**DEMO, "beam": {"de-en": 1, "en-de": 5}}, 2)
    assert texts(table, "Our system")["Baseline"] == ["21.89", MISSING]
    assert "Beam of 5 and 1." in table.caption


def test_table_s1_shows_the_other_scope_for_both_pairs(tmp_path):
    table = build(tmp_path, printed_translations(PRINTED), DEMO, "S1")
    german = texts(table, "German-English, test BLEU")
    assert german["Baseline"][:2] == ["31.00", "28.95 (-2.05)"]
    assert texts(table, "English-German, test BLEU")["G²-LSTM"][1] == "20.45 (-1.98)"
    assert bold(table, "English-German, test BLEU")["G²-LSTM"] == [True] * 5
    title = "English-German, size of the input and forget gates (compression factor)"
    assert list(texts(table, title)) == ["Baseline", "Sharpened sigmoid", "G²-LSTM"]
    assert "of Li et al." not in table.caption
    assert table.header[3] == ("Round & clip", "(r = 0.5, c = 1.0)")


def test_parameters_that_differ_between_pairs_are_both_shown(tmp_path):
    layout = copy.deepcopy(DEMO)
    other = {**NMT_SETTINGS, "svd-k4-code": {"method": "svd", "k": 6, "scope": "code"}}
    layout["settings"]["en-de"] = other
    table = build(tmp_path, printed_translations(PRINTED), layout, "S1")
    assert table.header[5] == ("SVD", "(rank = 4 / rank = 6)")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"lm": {"round": "round-r0.5"}}, "tableS1 has no task lm"),
        ({"de-en": {"svd8": "svd-k8"}}, "no column svd8"),
        ({"de-en": {"svd16": "svd-k2"}}, "svd-k2 is not among the settings of de-en"),
        ({"de-en": {"svd16": "svd-k4"}, "en-de": {"svd16": "round-r0.5"}}, "one method"),
    ],
)
def test_a_wrong_layout_of_table_s1_is_named(tmp_path, columns, message):
    layout = {**DEMO, "tables": {"tableS1": columns}}
    with pytest.raises(UserError, match=message):
        build(tmp_path, [translation("de-en", "g2", "original", 31.0)], layout, "S1")


def test_table_s2_has_intervals_and_the_detokenised_score(tmp_path):
    tests = {
        "baseline": {"bleu": 31.0, "difference": 0.0, "p": None},
        "g2": {"bleu": 31.95, "difference": 0.95, "p": 0.0123},
    }
    compared = {
        **{"kind": "significance", "preset": "demo", "task": "de-en", "seed": 1},
        **{"stage": "train", "mode": "beam5", "tests": tests},
    }
    table = build(tmp_path, [*printed_translations(PRINTED), compared], DEMO, "S2")
    german = texts(table, "German-English, test BLEU")
    assert german["G²-LSTM"] == ["31.95", "31.24", "32.64", "0.95", "0.012", "30.70"]
    assert german["Baseline"][3:5] == [MISSING, MISSING]
    emphasis = bold(table, "German-English, test BLEU")["G²-LSTM"]
    assert emphasis == [True, False, False, False, False, True]
    interval, against = "95\N{NO-BREAK SPACE}% interval", "Against the baseline"
    assert table.spans == (("", 1), ("", 1), (interval, 2), (against, 2), ("", 1))


def test_over_several_seeds_the_bounds_are_means(tmp_path):
    records = [translation("de-en", "g2", "original", 30.0 + seed, seed) for seed in (1, 2)]
    table = build(tmp_path, records, DEMO, "S2")
    german = texts(table, "German-English, test BLEU")["G²-LSTM"]
    dashes = [MISSING, MISSING]
    assert german == ["31.50 ± 0.71", "30.79", "32.19", *dashes, "30.25 ± 0.71"]


def test_table_s3_has_a_group_for_each_recorded_layer(tmp_path):
    records = [*all_gates(), *synthetic_corpora()]
    table = build(tmp_path, records, DEMO, "S3")
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


def test_table_s3_of_real_text_has_its_own_tests_and_means_over_seeds(tmp_path):
    records = [gates("de-en", "g2", seed, REAL_TESTS) for seed in (1, 2)]
    table = build(tmp_path, records, DEMO, "S3")
    assert [title for title, _ in table.header[-2:]] == ["Punctuation", "Function word"]
    assert "Mean over 2 seeds." in table.caption
    assert texts(table, table.groups[0].title)["Baseline"] == [MISSING] * 10


def test_table_s3_without_gate_records_is_refused(tmp_path):
    with pytest.raises(UserError, match="tableS3: the summary has no run for it"):
        build(tmp_path, printed_translations(PRINTED), DEMO, "S3")


def test_titles_over_columns_reach_every_format(tmp_path):
    table = build(tmp_path, [gates("de-en", "g2")], DEMO, "S3")
    latex = to_latex(table)
    assert r"\multicolumn{4}{c}{Forget gate} & \multicolumn{1}{c}{AUC} \\" in latex
    assert r"\cmidrule(lr){2-5}\cmidrule(lr){6-9}\cmidrule(lr){10-10}" in latex
    head = next(csv.reader(io.StringIO(to_csv(table))))
    assert head[2:4] == ["Model", "Input gate: Below 0.1"]
    assert "| Forget gate: Entropy | AUC: Clause boundary |" in to_markdown(table)


def test_a_title_over_columns_widens_them(tmp_path):
    table = build(tmp_path, printed_translations(PRINTED), DEMO, "S2")
    widths = column_widths(table)
    assert widths[2] + GAP + widths[3] >= text_width("95\N{NO-BREAK SPACE}% interval")


def test_wide_tables_are_set_in_smaller_type(tmp_path):
    records = [
        record
        for seed in (1, 2)
        for record in printed_translations(PRINTED, shift=float(seed), seed=seed)
    ]
    wide = to_latex(build(tmp_path, records, DEMO, 4))
    assert "\\begin{table*}" in wide
    assert "\\scriptsize\n\\setlength{\\tabcolsep}{3pt}\n" in wide
    usual = to_latex(build(tmp_path, records, DEMO, "S2"))
    assert "\\small\n\\setlength{\\tabcolsep}{6pt}\n" in usual


def test_a_missing_translation_is_a_dash_and_alone_is_not_bold(tmp_path):
    table = build(tmp_path, [translation("en-de", "g2", "original", 22.0)], DEMO, 2)
    last = table.groups[-1].rows[-1]
    assert last[1:] == (Cell("22.00"), Cell(MISSING))
