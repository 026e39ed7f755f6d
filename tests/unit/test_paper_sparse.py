"""Tables of sparse language models, with print below ours, and the claims about them."""

import pytest
from paper_records import CLAIMS, PUBLISHED, write_records

from g2lstm.paper import sparse_claims
from g2lstm.paper.aggregate import aggregate, write_summary
from g2lstm.paper.cells import MISSING
from g2lstm.paper.claims import our_numbers, our_tables, write_claims
from g2lstm.paper.comparison import write_comparison
from g2lstm.paper.predicates import Missing, conjunction, evaluate, split_parts
from g2lstm.paper.published import read_tables
from g2lstm.paper.sparse import SPARSE_TABLES
from g2lstm.paper.tables import build_table

PAPER, TASK = "lobacheva2020", "word-ptb-small"
PRINTED, PRINTED_BY_WEN = (read_tables(PUBLISHED, paper) for paper in (PAPER, "iss2018"))
FIGURES = ("L11", "L12", "L14")
TABLES = ("sparse_pruning", "sparse_bayes")
BEST = {  # model of the best test value in print
    "Small model": "Pruning W+G+N",
    "Large model": "Pruning W+N",
    "IMDb, accuracy (%)": "Original",
    "AGNews, accuracy (%)": "Original",
    "Characters, bits per character": "Bayes W+G+N",
    "Words, perplexity": "Bayes W+G+N",
}
LAYOUT = {
    "preset": "paper",
    "label": "paper",
    "reduced": [],
    "convention": "exact",
    "beam": {},
    "corpora": {TASK: "Penn Treebank"},
    "settings": {},
    "tables": {},
}
LEFT = ("compression", "neurons1", "neurons2", "gates1", "gates2")


def records(table_id, group):
    """Evaluations with the printed numbers of a group of rows."""
    spec, found = SPARSE_TABLES[table_id], []
    for row_id in spec.groups[group]:
        printed, row = PRINTED[spec.printed]["rows"][row_id], spec.rows[row_id]
        found.append(
            {
                "kind": "evaluation", "preset": "paper", "task": row["task"],
                "variant": row["variant"], "seed": 1, "stage": "train", "setting": "original",
                "mode": "plain",
                "metrics": {
                    split: {row["metric"]: printed[split]}
                    for split in ("valid", "test")
                    if printed[split] is not None
                },
                "size": {name: printed[name] for name in LEFT if printed[name] is not None},
            }
        )  # fmt: skip
    return found


def highway_records():
    """Evaluations with the printed numbers of recurrent highway networks."""
    printed = PRINTED_BY_WEN["table2"]["rows"]
    return [
        {
            "kind": "evaluation", "preset": "paper", "task": "word-ptb-rhn",
            "variant": row["variant"], "seed": 1, "stage": "train", "setting": "original",
            "mode": "plain",
            "metrics": {
                split: {"perplexity": printed[row_id][split]} for split in ("valid", "test")
            },
            "size": {
                "lambda1": printed[row_id]["lambda_"],
                "neurons1": printed[row_id]["width"],
                "dense_weights": 1e6 * printed[row_id]["params_m"],
            },
        }
        for row_id, row in SPARSE_TABLES["iss_rhn"].rows.items()
    ]  # fmt: skip


def stacked_records():
    """Evaluations with the printed numbers of Wen et al.'s stacked LSTM layers."""
    printed, found = PRINTED_BY_WEN["table1"]["rows"], []
    for row_id, row in SPARSE_TABLES["iss_lstm"].rows.items():
        numbers = printed[row_id]
        key = {
            "kind": "evaluation", "preset": "paper", "task": "word-ptb-large",
            "variant": row["variant"], "seed": 1, "stage": "train", "setting": "original",
        }  # fmt: skip
        size = {"keep": numbers["keep"], "multadd": numbers["multadd"]}
        size |= {"neurons1": numbers["iss1"], "neurons2": numbers["iss2"]}
        size["dense_weights"] = 1e6 * numbers["weights_m"]
        quality = {split: {"perplexity": numbers[split]} for split in ("valid", "test")}
        speed = {"milliseconds": numbers["time_ms"], "speedup": numbers["speedup"]}
        found.append({**key, "mode": "plain", "metrics": quality, "size": size})
        found.append({**key, "mode": "speed", "metrics": {"-": speed}})
    return found


def both():
    return [
        *records("sparse_pruning", "Small model"), *records("sparse_bayes", "Words, perplexity")[1:]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table_id", "group"),
    [(table_id, group) for table_id in TABLES for group in SPARSE_TABLES[table_id].groups],
)
def test_a_table_of_printed_numbers_reads_as_print(tmp_path, table_id, group):
    spec = SPARSE_TABLES[table_id]
    summary = aggregate(write_records(tmp_path, records(table_id, group)))
    table = build_table(table_id, summary, PRINTED[spec.printed], LAYOUT)
    by_title = {each.title: each.rows for each in table.groups}
    assert len(by_title) == 2 * len(spec.groups)
    for ours, printed in zip(by_title[group], by_title[f"{group}: in print"], strict=True):
        # Print says which of its own numbers are in doubt.
        assert [cell.text for cell in ours] == [cell.text.rstrip("‡") for cell in printed]
    best = {row[0].text for row in by_title[group] if row[2].bold}
    assert best == {BEST[group]}


def test_the_table_of_highway_networks_reads_as_print_of_printed_numbers(tmp_path):
    spec = SPARSE_TABLES["iss_rhn"]
    summary = aggregate(write_records(tmp_path, highway_records()))
    table = build_table("iss_rhn", summary, PRINTED_BY_WEN[spec.printed], LAYOUT)
    ours, printed = (group.rows for group in table.groups)
    texts = [[cell.text for cell in row] for row in ours]
    assert texts == [[cell.text.rstrip("‡") for cell in row] for row in printed]
    assert texts[2][1:] == ["0.005", "68.10", "65.40", "517", "11.1M"]
    assert [row[0].text for row in ours if row[3].bold] == [texts[1][0]]


def test_the_table_of_stacked_layers_reads_as_print_and_the_claims_hold_in_it(tmp_path):
    summary = aggregate(write_records(tmp_path / "runs", stacked_records() + highway_records()))
    table = build_table("iss_lstm", summary, PRINTED_BY_WEN["table1"], LAYOUT)
    ours, printed = (group.rows for group in table.groups)
    assert [[c.text for c in row] for row in ours] == [[c.text for c in row] for row in printed]
    path, page = tmp_path / "summary.csv", tmp_path / "claims.md"
    write_summary(summary, path)
    write_claims([path], PUBLISHED, CLAIMS, LAYOUT, page, "iss2018")
    verdicts = {
        line.split("|")[1].strip(): line
        for line in page.read_text().splitlines()
        if line.startswith("| I")
    }
    for number in range(1, 9):
        assert "**holds**" in verdicts[f"I0{number}"], verdicts[f"I0{number}"]
    assert "**undecided**" in verdicts["I09"]  # on question answering


def test_a_demo_of_two_highway_networks_has_rows_of_those_not_run(tmp_path):
    summary = aggregate(write_records(tmp_path, highway_records()[::2][:2]))
    table = build_table("iss_rhn", summary, PRINTED_BY_WEN["table2"], LAYOUT)
    missing = [row[2].text == MISSING for row in table.groups[0].rows]
    assert missing == [False, True, False, True, True]


def test_bytes_and_speed_have_columns_where_they_were_measured(tmp_path):
    measured = both()
    measured[1]["size"]["file_bytes"] = 1.234e6
    measured.append(
        {**measured[1], "mode": "speed", "metrics": {"-": {"speedup": 1.5}}, "size": {}}
    )
    summary = aggregate(write_records(tmp_path, measured))
    table = build_table("sparse_pruning", summary, PRINTED["table1"], LAYOUT)
    assert [cell.text for cell in table.groups[0].rows[1][-2:]] == [
        "1.2 MB",
        "1.50\N{MULTIPLICATION SIGN}",
    ]
    assert {cell.text for cell in table.groups[1].rows[1][-2:]} == {MISSING}


def test_a_method_that_was_not_run_is_a_row_without_numbers(tmp_path):
    summary = aggregate(write_records(tmp_path, both()[:3]))
    table = build_table("sparse_bayes", summary, PRINTED["table2"], LAYOUT)
    (words,) = (group for group in table.groups if group.title == "Words, perplexity")
    assert [row[0].text for row in words.rows] == [
        "Original", *(f"Bayes {levels} (not run)" for levels in ("W", "W+N", "W+G+N"))
    ]  # fmt: skip
    assert {cell.text for cell in words.rows[1][1:]} == {MISSING}


def test_a_table_names_the_one_task_that_is_not_comparable_with_print(tmp_path):
    summary = aggregate(write_records(tmp_path, both()[:3]))
    layout = LAYOUT | {"corpora": {TASK: "Penn Treebank", "imdb": "IMDb, 20 of 800 epochs"}}
    expected = {(): "paper", ("imdb",): "paper; not comparable with print: imdb"}
    expected["imdb", TASK] = "paper; not comparable with print"
    for reduced, scale in expected.items():
        table = build_table(
            "sparse_bayes", summary, PRINTED["table2"], layout | {"reduced": reduced}
        )
        assert table.scale == scale
        assert f"Preset {scale}." in table.caption
    layout |= {"reduced": ["imdb"]}
    assert build_table("sparse_pruning", summary, PRINTED["table1"], layout).scale == "paper"


def left(**facts):
    """Numbers of two layers of which most gates that are constant are no output gates."""
    layers = {f"gates{n}_{gate}": 40 for n in (1, 2) for gate in "ifg"}
    layers |= {f"gates{n}_o": 100 for n in (1, 2)}
    return layers | {"neurons1": 100, "neurons2": 100, "gates1": 220, "gates2": 220} | facts


@pytest.mark.parametrize(
    ("facts", "outcomes"),
    [
        ({"only_o2": 50}, ("holds", "holds", "holds", "holds")),
        ({"only_o2": 20, "gates1_f": 101}, ("fails", "fails", "holds", "fails")),
    ],
)
def test_claims_about_figures_are_judged_on_what_is_left(tmp_path, facts, outcomes):
    runs = records("sparse_bayes", "Words, perplexity")[1:] + records(
        "sparse_pruning", "Small model"
    )
    for run in runs:
        run["size"] = left(**facts)
    lags = {"mode": "lags", "metrics": {"valid": {"far_o": 0.01, "far_ifgo": 0.2}}, "size": {}}
    summary = aggregate(write_records(tmp_path, [*runs, {**runs[2], **lags}]))
    numbers = our_numbers(PRINTED, summary, LAYOUT, PAPER)
    found = []
    for expression in (sparse_claims.KEEPS_OUTPUTS, *map(sparse_claims.PREDICATES.get, FIGURES)):
        found.append(conjunction([evaluate(p, numbers).outcome for p in split_parts(expression)]))
    assert tuple(found) == outcomes


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
    for claim in ("L01", "L03", "L04", "L05", "L07", "L08", "L09"):
        assert claim == "L01" or "**holds**" in verdicts[f"{claim}, small word models"]
    for claim in ("L10", "L11", "L12", "L13", "L14"):
        assert "**undecided**" in verdicts[claim]
    write_comparison([path], PUBLISHED, LAYOUT, tmp_path / "comparison.md", PAPER)
    text = (tmp_path / "comparison.md").read_text()
    assert "| Bayes W+G+N | test" in text
    assert "Not run" in text
