import copy

import pytest
from paper_records import (
    DEMO,
    NMT_SETTINGS,
    PUBLISHED,
    paper_layout,
    printed_corpora,
    printed_translations,
    significance,
    translation,
    write_records,
)

from g2lstm.errors import UserError
from g2lstm.paper.aggregate import aggregate
from g2lstm.paper.cells import MISSING, TABLES
from g2lstm.paper.drawing import GAP, column_widths, text_width
from g2lstm.paper.elements import Cell
from g2lstm.paper.published import read_tables
from g2lstm.paper.render import to_latex
from g2lstm.paper.tables import build_table

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
    sizes = texts(table, "Size of the compressed matrices (factor by the paper's count)")
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
    records = printed_translations(PRINTED)
    for record in records:
        if "code" in record["setting"]:  # compresses less than all of the original's gates
            record["size"]["gate_bytes_dense"] = 7_000_000
    table = build(tmp_path, records, DEMO, "S1")
    german = texts(table, "German-English, test BLEU")
    assert german["Baseline"][:2] == ["31.00", "28.95 (-2.05)"]
    assert texts(table, "English-German, test BLEU")["G²-LSTM"][1] == "20.45 (-1.98)"
    assert bold(table, "English-German, test BLEU")["G²-LSTM"] == [True] * 5
    title = "English-German, size of the compressed matrices (factor by the paper's count)"
    assert list(texts(table, title)) == ["Baseline", "Sharpened sigmoid", "G²-LSTM"]
    assert texts(table, title)["Baseline"][:2] == ["7.0 MB", "1.1 MB (10.7\N{MULTIPLICATION SIGN})"]
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
        ({"de-en": {"svd16": "svd-k4"}}, "svd-k4 of de-en has the scope paper; .* scope code"),
        ({"de-en": {"svd16": "svd-k4-code"}, "en-de": {"svd16": "round-r0.5-code"}}, "one method"),
    ],
)
def test_a_wrong_layout_of_table_s1_is_named(tmp_path, columns, message):
    layout = {**DEMO, "tables": {"tableS1": columns}}
    with pytest.raises(UserError, match=message):
        build(tmp_path, [translation("de-en", "g2", "original", 31.0)], layout, "S1")


@pytest.mark.parametrize("number", [4, 5])
def test_tables_4_and_5_refuse_settings_of_the_released_code(tmp_path, number):
    layout = copy.deepcopy(DEMO)
    layout["tables"][f"table{number}"] = {"svd16": "svd-k4-code"}
    with pytest.raises(UserError, match=rf"table{number}\.svd16: .* scope code; .* scope paper"):
        build(tmp_path, printed_translations(PRINTED), layout, number)


def test_a_setting_without_a_scope_has_that_of_the_paper(tmp_path):
    layout = copy.deepcopy(DEMO)
    del layout["settings"]["de-en"]["svd-k4"]["scope"]
    build(tmp_path, printed_translations(PRINTED), layout, 4)
    layout["tables"]["tableS1"] = {"de-en": {"svd16": "svd-k4"}}
    with pytest.raises(UserError, match="has the scope paper"):
        build(tmp_path, printed_translations(PRINTED), layout, "S1")


def test_table_s2_has_intervals_and_the_detokenised_score(tmp_path):
    compared = significance({"g2": (0.95, 0.0123)})
    table = build(tmp_path, [*printed_translations(PRINTED), compared], DEMO, "S2")
    german = texts(table, "German-English, test BLEU")
    assert german["G²-LSTM"] == ["31.95", "31.24", "32.64", "+0.95", "0.012", "30.70"]
    assert german["Baseline"][3:5] == [MISSING, MISSING]
    emphasis = bold(table, "German-English, test BLEU")["G²-LSTM"]
    assert emphasis == [True, False, False, False, False, True]
    interval, against = "95\N{NO-BREAK SPACE}% interval", "Against the baseline"
    assert table.spans == (("", 1), ("", 1), (interval, 2), (against, 2), ("", 1))


def test_over_several_seeds_the_interval_is_the_widest_and_p_the_largest(tmp_path):
    records = [translation("de-en", "g2", "original", 30.0 + seed, seed) for seed in (1, 2)]
    records += [significance({"g2": both}, seed) for seed, both in ((1, (0.5, 0.02)), (2, (1, 0)))]
    table = build(tmp_path, records, DEMO, "S2")
    german = texts(table, "German-English, test BLEU")["G²-LSTM"]
    assert german == ["31.50 ± 0.71", "30.29", "32.69", "+0.75", "0.020", "30.25 ± 0.71"]
    assert "from the smallest lower to the largest upper bound, and p is the largest" in (
        table.caption
    )


def test_a_negative_difference_has_a_minus_and_a_tiny_p_is_below_its_precision(tmp_path):
    compared = significance({"sharpened": (-1.27, 1 / 1001), "g2": (0.0, 0.001)})
    table = build(tmp_path, [*printed_translations(PRINTED), compared], DEMO, "S2")
    cells = {row[0].text: [cell.text for cell in row[4:6]] for row in table.groups[0].rows}
    assert cells == {
        "Baseline": [MISSING, MISSING],
        "Sharpened sigmoid": ["\N{MINUS SIGN}1.27", "< 0.001"],
        "G²-LSTM": ["+0.00", "0.001"],
    }


def test_the_second_test_set_of_wmt14_has_a_column_where_it_was_translated(tmp_path):
    records = printed_translations(PRINTED)
    titles = build(tmp_path, records, DEMO, "S2").column_titles
    assert not any("2,737" in title for title in titles)
    for record in records:
        if (record["task"], record["setting"]) == ("en-de", "original"):
            test = record["metrics"]["test"]
            record["metrics"]["test-2737"] = {**test, "bleu": test["bleu"] + 0.4}
    table = build(tmp_path, records, DEMO, "S2")
    assert table.column_titles[-1] == "Tokenised: Test of 2,737"
    assert texts(table, "English-German, test BLEU")["G²-LSTM"][-1] == "22.83"
    assert bold(table, "English-German, test BLEU")["G²-LSTM"][-1]
    assert texts(table, "German-English, test BLEU")["G²-LSTM"][-1] == MISSING


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
