import numpy as np
import pytest
from paper_figure_records import (
    DECODER,
    LAYOUT,
    SHAPES,
    SUFFIXES,
    gate_record,
    is_complete,
    rows_of,
)

from g2lstm.errors import UserError
from g2lstm.paper.gate_figures import layer_title, write_histograms, write_layer_histograms
from g2lstm.records import read_record, write_record


def test_histograms_repeat_their_bytes_whatever_the_order_of_the_records(tmp_path, paths):
    for name, order in (("a", paths), ("b", paths[::-1])):
        (tmp_path / name).mkdir()
        write_histograms(order, LAYOUT, tmp_path / name / "figure1", DECODER[0], "baseline")
    assert is_complete(tmp_path / "a" / "figure1")
    for suffix in SUFFIXES:
        first, second = (tmp_path / name / f"figure1{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()


def test_histogram_numbers_are_those_of_the_record(tmp_path, paths, drawn):
    write_histograms(paths, LAYOUT, tmp_path / "figure3", DECODER[1], "g2")
    stored = read_record(paths[2])["layers"][DECODER[1]]
    rows = rows_of(tmp_path / "figure3")
    assert len(rows) == 40
    assert next(iter(rows[0])) == "Preset"
    assert {row["Preset"] for row in rows} == {f"{LAYOUT['label']}; not comparable with print"}
    for gate in ("input", "forget"):
        mine = [row for row in rows if row["gate"] == gate]
        shares = [float(row["share"]) for row in mine]
        assert shares == pytest.approx([count / 1000 for count in stored[gate]["histogram"]])
        assert [float(row["density"]) for row in mine] == pytest.approx(np.multiply(shares, 20))
        assert {row["mean"] for row in mine} == {repr(stored[gate]["mean"])}
        assert {(row["variant"], row["elements"]) for row in mine} == {("g2", "1000")}
    bars = drawn[0].axes[0].patches[0].get_data()
    assert list(bars.values) == [float(row["density"]) for row in rows[:20]]
    assert list(bars.edges[[0, 1, -1]]) == [0, 0.05, 1]


def test_histograms_of_all_variants_share_the_vertical_axis(tmp_path, paths, drawn):
    for variant in ("baseline", "g2"):
        write_histograms(paths, LAYOUT, tmp_path / "figure", DECODER[0], variant)
    limits = {axes.get_ylim() for figure in drawn for axes in figure.axes}
    highest = max(
        max(statistics["histogram"])
        for path in paths
        for statistics in read_record(path)["layers"][DECODER[0]].values()
    )
    assert len(limits) == 1
    assert limits.pop() == pytest.approx((0, 1.05 * 20 * highest / 1000))


def test_seeds_are_averaged_with_equal_weight(tmp_path, drawn):
    paths = [gate_record(tmp_path, "g2", seed) for seed in (1, 2)]
    write_histograms(paths, LAYOUT, tmp_path / "figure3", DECODER[0], "g2")
    first, second = (read_record(path)["layers"][DECODER[0]]["input"] for path in paths)
    row = rows_of(tmp_path / "figure3")[19]
    expected = (first["histogram"][19] / 1000 + second["histogram"][19] / 2000) / 2
    assert float(row["share"]) == pytest.approx(expected)
    assert float(row["mean"]) == pytest.approx((first["mean"] + second["mean"]) / 2)
    assert (row["seeds"], row["elements"]) == ("2", "3000")
    assert "Mean over 2 seeds." in (tmp_path / "figure3.tex").read_text()


def test_tex_escapes_and_says_what_is_shown(tmp_path, paths, drawn):
    write_histograms(paths, LAYOUT, tmp_path / "figure1", DECODER[0], "baseline")
    text = (tmp_path / "figure1.tex").read_text()
    assert r"\includegraphics[width=\columnwidth]{figure1.pdf}" in text
    assert r"\label{fig:demo-figure1}" in text
    assert r"Data: Made-up German-English, 100 \%; gates read on 500 sampled training pairs" in text
    assert r"synthetic sentences \& reduced\_models; not comparable with print." in text
    assert "Decoder layer 1, first transition; Baseline. Density of 1,000 gate values" in text
    assert "One seed." in text


def test_unreduced_preset_is_not_called_incomparable(tmp_path, paths, drawn):
    layout = {**LAYOUT, "label": "paper: IWSLT14", "reduced": ["lm"]}
    write_histograms(paths, layout, tmp_path / "figure1", DECODER[0], "baseline")
    text = (tmp_path / "figure1.tex").read_text()
    assert "Preset paper: IWSLT14." in text
    assert "comparable" not in text


def test_layer_histograms_hold_every_variant_and_layer(tmp_path, drawn):
    layers = ["lstm.0", "lstm.1", "lstm.2"]
    paths = [gate_record(tmp_path, variant, 1, "lm", layers) for variant in SHAPES]
    write_layer_histograms(paths, LAYOUT, tmp_path / "gates-lm", "lstm")
    panels = drawn[0].axes
    assert [axes.get_title() for axes in panels[:3]] == [f"LSTM layer {i}" for i in (1, 2, 3)]
    assert len(panels) == 6
    stored = read_record(paths[1])["layers"]["lstm.2"]["forget"]["histogram"]
    sharpened = panels[5].patches[1]
    assert sharpened.get_label() == "Sharpened sigmoid"
    assert sharpened.get_data().values == pytest.approx(np.multiply(stored, 20 / 1000))
    assert len(rows_of(tmp_path / "gates-lm")) == 3 * 3 * 2 * 20
    text = (tmp_path / "gates-lm.tex").read_text()
    assert r"\begin{figure*}" in text
    assert "Data: Penn Treebank; gates read on the validation text, without noise." in text


def test_layer_histograms_are_written(tmp_path):
    paths = [gate_record(tmp_path, variant, 1, "de-en", ["decoder.0.first"]) for variant in SHAPES]
    write_layer_histograms(paths, LAYOUT, tmp_path / "gates", "decoder")
    assert is_complete(tmp_path / "gates")
    with pytest.raises(UserError, match=r"no layer encoder\.\*"):
        write_layer_histograms(paths, LAYOUT, tmp_path / "none", "encoder")


def test_a_missing_variant_is_named(tmp_path, paths):
    with pytest.raises(UserError, match="no gate record of variant g2"):
        write_histograms(paths[:2], LAYOUT, tmp_path / "figure3", DECODER[0], "g2")
    assert not list(tmp_path.glob("figure*"))


def test_a_missing_layer_is_named(tmp_path, paths):
    with pytest.raises(UserError, match=r"has no layer decoder\.7"):
        write_histograms(paths, LAYOUT, tmp_path / "figure3", "decoder.7", "g2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "evaluation"}, "gate records only"),
        ({"task": "en-de"}, "of one task"),
        ({"bins": 10}, "of one task"),
        ({"variant": "baseline"}, "one for each run"),
    ],
)
def test_records_that_do_not_belong_together_are_refused(tmp_path, paths, changes, message):
    odd = tmp_path / "odd.json"
    write_record(odd, read_record(paths[2]) | changes)
    with pytest.raises(UserError, match=message):
        write_histograms([*paths[:2], odd], LAYOUT, tmp_path / "f", DECODER[0], "baseline")
    with pytest.raises(UserError, match="one task"):
        write_histograms([], LAYOUT, tmp_path / "f", DECODER[0], "baseline")


def test_layer_titles():
    assert layer_title("lstm.0") == "LSTM layer 1"
    assert layer_title("encoder.0r") == "Encoder layer 1, backward"
    assert layer_title("decoder.0.second") == "Decoder layer 1, second transition"
    with pytest.raises(UserError, match="no layer of ours is called middle"):
        layer_title("middle")
