import csv
import io

import numpy as np
import pytest
from matplotlib import image
from paper_records import (
    DEMO,
    PUBLISHED,
    evaluation,
    oracle,
    paper_layout,
    printed_corpora,
    printed_evaluations,
    write_records,
)

from g2lstm.errors import UserError
from g2lstm.paper.aggregate import aggregate, write_summary
from g2lstm.paper.cells import MISSING
from g2lstm.paper.drawing import column_widths, text_width, wrap
from g2lstm.paper.elements import Cell, Group, Table
from g2lstm.paper.published import read_tables
from g2lstm.paper.render import latex_escape, to_csv, to_latex, to_markdown
from g2lstm.paper.tables import build_table, bytes_text, write_table

PRINTED = read_tables(PUBLISHED)


def build(tmp_path, records, layout, number):
    summary = aggregate(write_records(tmp_path, records))
    return build_table(f"table{number}", summary, PRINTED[f"table{number}"], layout)


def write_summary_of(tmp_path, records):
    path = tmp_path / "summary.csv"
    write_summary(aggregate(write_records(tmp_path, records)), path)
    return path


def rows_of(table):
    """Cells by (group, model)."""
    return {
        (group.title, row[0].text): list(row[1:]) for group in table.groups for row in group.rows
    }


def row(table, model, group=0):
    return rows_of(table)[table.groups[group].title, model]


def test_table3_has_the_printed_layout(tmp_path):
    table = build(tmp_path, printed_evaluations(PRINTED), DEMO, 3)
    assert [cell.text for cell in row(table, "Baseline")] == [
        *("52.8", "53.2 (+0.4)", "53.6 (+0.8)", "56.6 (+3.8)", "65.5 (+12.7)")
    ]
    assert all(cell.bold for cell in row(table, "G²-LSTM"))
    assert not any(cell.bold for cell in row(table, "Sharpened sigmoid"))


def test_headers_show_our_parameters_and_the_caption_the_scale(tmp_path):
    table = build(tmp_path, printed_evaluations(PRINTED), DEMO, 3)
    assert table.header[4] == ("SVD", "(rank = 16)")
    assert table.header[3] == ("Round & clip", "(r = 0.2, c = 0.4)")
    assert "demo: synthetic language" in table.caption
    assert "; not comparable with print." in table.caption


def test_sizes_stand_in_a_group_of_their_own(tmp_path):
    table = build(tmp_path, printed_evaluations(PRINTED), DEMO, 7)
    texts = [cell.text for cell in row(table, "G²-LSTM", group=1)]
    assert texts == ["40.0 MB", *["3.3 MB (12.0\N{MULTIPLICATION SIGN})"] * 4]


def test_table1_of_a_synthetic_corpus_has_the_oracle_and_no_literature(tmp_path):
    table = build(tmp_path, [*printed_evaluations(PRINTED), oracle()], DEMO, 1)
    assert [group.title for group in table.groups][-1] == "Reference"
    assert [cell.text for cell in table.groups[-1].rows[0][1:]] == [MISSING, "41.2", "41.7"]
    assert "Zaremba" not in to_latex(table)
    assert "Existing results are on Penn Treebank, thus left out." in table.caption
    assert "‡" not in table.caption


def test_the_oracle_stands_beside_the_original_models_only(tmp_path):
    table = build(tmp_path, [*printed_evaluations(PRINTED), oracle()], DEMO, 7)
    reference = next(group for group in table.groups if group.title == "Reference")
    assert [cell.text for cell in reference.rows[0][1:]] == ["41.7"] + 4 * [MISSING]


def test_table1_of_a_real_corpus_quotes_the_literature(tmp_path):
    records = [*printed_evaluations(PRINTED), *printed_corpora()]
    table = build(tmp_path, records, paper_layout(), 1)
    quoted = rows_of(table)["Existing results", "Variational RHN (Zilly et al., 2016)†"]
    assert [cell.text for cell in quoted] == ["23M", "67.9", "65.4"]
    assert "ot comparable" not in table.caption
    assert "†\N{NO-BREAK SPACE}Quoted" in table.caption
    doubtful = rows_of(table)["Existing results", "CharCNN (Kim et al., 2016)†"]
    assert [cell.text for cell in doubtful] == ["21M‡", "72.4‡", "78.9"]
    doubtful = rows_of(table)["Existing results", "Pointer Sentinel-LSTM (Merity et al., 2016)†"]
    assert [cell.text for cell in doubtful] == ["51M‡", MISSING, "70.9"]
    assert "‡\N{NO-BREAK SPACE}Doubtful as printed; resources/published.yaml" in table.caption
    assert r"21M\textsuperscript{\textdaggerdbl}" in to_latex(table)
    ours = rows_of(table)["Our system", "AWD-LSTM, without finetuning"]
    assert [cell.text for cell in ours] == ["24.2M", "60.7", "58.8"]


def test_several_seeds_give_mean_and_sample_deviation(tmp_path):
    shifts = (-0.3, 0.0, 0.3)
    records = [
        record
        for seed, shift in enumerate(shifts)
        for record in printed_evaluations(PRINTED, shift=shift, seed=seed)
    ]
    table = build(tmp_path, records, DEMO, 3)
    assert row(table, "Baseline")[1].text == "53.2 ± 0.3 (+0.4)"
    assert "over 3 seeds" in table.caption


def test_missing_runs_are_dashes_and_one_value_alone_is_not_bold(tmp_path):
    record = evaluation("g2", "finetune", "svd-k8", "cache", {"test": 56.0})
    table = build(tmp_path, [record], DEMO, 3)
    assert row(table, "G²-LSTM")[3:] == [Cell(MISSING), Cell("56.0")]
    assert row(table, "Baseline") == [Cell(MISSING)] * 5


def test_equal_best_values_are_both_bold(tmp_path):
    same = [
        evaluation(variant, "finetune", "original", "cache", {"test": value})
        for variant, value in (("baseline", 52.14), ("g2", 52.11), ("sharpened", 53.0))
    ]
    table = build(tmp_path, same, DEMO, 3)
    assert [r[1].bold for r in table.groups[0].rows] == [True, False, True]


def test_the_published_convention_takes_the_other_perplexity(tmp_path):
    layout = {**DEMO, "convention": "as_published"}
    record = evaluation("g2", "finetune", "original", "cache", {"test": 52.06})
    assert row(build(tmp_path, [record], layout, 3), "G²-LSTM")[0].text == "52.0"


def test_unknown_setting_or_table_is_named(tmp_path):
    layout = {**DEMO, "tables": {"table3": {"svd64": "svd-k999"}}}
    record = evaluation("g2", "finetune", "original", "cache", {"test": 52.1})
    with pytest.raises(UserError, match="svd-k999"):
        build(tmp_path, [record], layout, 3)
    layout = {**DEMO, "tables": {"table3": {"svd63": "svd-k8"}}}
    with pytest.raises(UserError, match="no column svd63"):
        build(tmp_path, [record], layout, 3)
    with pytest.raises(UserError, match="no table8"):
        write_table(
            "table8", [write_summary_of(tmp_path, [record])], [], PUBLISHED, DEMO, tmp_path / "t"
        )


AWKWARD = "50% of A_B & C#1 {x} $y$ ~ ^ \\ [z] <t> | *s*"


def awkward_table():
    group = Group(AWKWARD, ((Cell(AWKWARD), Cell("1.0 ± 0.1", bold=True)),))
    return Table(
        AWKWARD, AWKWARD, "my_preset-table1", (("Model", ""), ("A & B", "(r = 1)")), (group,)
    )


def test_latex_specials_are_escaped_everywhere():
    text = to_latex(awkward_table())
    escaped = latex_escape(AWKWARD)
    assert text.count(escaped) == 3
    assert AWKWARD not in text
    assert r"50\% of A\_B \& C\#1 \{x\} \$y\$" in escaped
    assert r"\label{tab:my-preset-table1}" in text
    assert r"\textbf{1.0 $\pm$ 0.1}" in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_latex_rows_all_have_the_same_number_of_cells(tmp_path):
    text = to_latex(build(tmp_path, printed_evaluations(PRINTED), DEMO, 3))
    rows = [line.replace(r"\&", "") for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count(" & ") for line in rows if "multicolumn" not in line} == {5}
    assert r"\begin{tabular}{lccccc}" in text
    assert text.startswith("%")
    assert r"\begin{table*}[t]" in text


def test_markdown_rows_all_have_the_same_number_of_cells():
    lines = [line for line in to_markdown(awkward_table()).splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert {line.replace(r"\|", "").count("|") for line in lines} == {3}


def test_csv_holds_the_plain_text():
    parsed = list(csv.reader(io.StringIO(to_csv(awkward_table()))))
    assert parsed == [
        ["Preset", "Group", "Model", "A & B (r = 1)"],
        [AWKWARD, AWKWARD, AWKWARD, "1.0 ± 0.1"],
    ]


def test_columns_are_as_wide_as_their_widest_cell():
    widths = column_widths(awkward_table())
    assert widths[0] >= text_width(AWKWARD)
    assert widths[1] >= text_width("1.0 ± 0.1", bold=True) > text_width("1.0 ± 0.1") * 0.9


def test_wrapped_lines_fit_and_lose_no_word():
    text = "one two three four five six seven eight nine ten " * 4
    lines = wrap(text.strip(), 120.0)
    assert " ".join(lines) == text.strip()
    assert all(text_width(line) <= 120.0 for line in lines)


def test_write_table_writes_four_files_and_the_same_bytes_again(tmp_path):
    summary = write_summary_of(tmp_path, printed_evaluations(PRINTED))
    for name in ("a", "b"):
        write_table("table3", [summary], [], PUBLISHED, DEMO, tmp_path / name)
    for suffix in (".tex", ".csv", ".md", ".png"):
        one, other = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
        assert one.read_bytes() == other.read_bytes()


def test_nothing_touches_the_edge_of_the_picture(tmp_path):
    summary = write_summary_of(tmp_path, printed_evaluations(PRINTED))
    write_table("table3", [summary], [], PUBLISHED, DEMO, tmp_path / "t")
    pixels = image.imread(tmp_path / "t.png")[:, :, :3]
    edges = [pixels[:9], pixels[-9:], pixels[:, :9], pixels[:, -9:]]
    assert all(np.all(edge == 1.0) for edge in edges)
    assert (pixels < 0.5).any()


@pytest.mark.parametrize(
    ("count", "text"), [(999, "999 B"), (41500, "41.5 kB"), (1.2e6, "1.2 MB"), (3e9, "3.0 GB")]
)
def test_bytes_are_shown_in_decimal_units(count, text):
    assert bytes_text(count) == text
