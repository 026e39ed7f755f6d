import csv

import numpy as np
import pytest
from matplotlib import pyplot as plt

from g2lstm.errors import UserError
from g2lstm.gates.statistics import GateHistogram
from g2lstm.paper import gate_figures
from g2lstm.paper.gate_figures import (
    layer_title,
    write_histograms,
    write_layer_histograms,
    write_saturation_sketch,
)
from g2lstm.paper.heat_maps import write_heat_maps
from g2lstm.records import read_record, write_record

LAYOUT = {
    "preset": "demo",
    "label": "demo: synthetic sentences & reduced_models",
    "reduced": True,
    "corpora": {"de-en": "Made-up German-English, 100 %", "lm": "Penn Treebank"},
}
SHAPES = {"baseline": (2.0, 2.0), "sharpened": (1.0, 1.0), "g2": (0.3, 0.1)}
DECODER = ["decoder.0.first", "decoder.0.second", "decoder.1"]
SENTENCES = [["the", "word", "&quot;", "$x$", "100%", "."], ["a", "b_c", "."], ["d", "e", "."]]
SUFFIXES = (".png", ".pdf", ".tex", ".csv")


def gate_record(folder, variant, seed=1, task="de-en", layers=DECODER, **changes):
    generator = np.random.default_rng([seed, len(variant)])

    def statistics():
        histogram = GateHistogram()
        histogram.add(generator.beta(*SHAPES[variant], size=1000 * seed))
        return histogram.summary()

    words = [
        {"tokens": words}
        | {gate: generator.random(len(words)).tolist() for gate in ("input", "forget")}
        for words in SENTENCES
    ]
    record = {"kind": "gates", "preset": "demo", "task": task, "variant": variant, "seed": seed}
    record |= {"stage": "train", "bins": 20}
    record["layers"] = {
        layer: {gate: statistics() for gate in ("input", "forget")} for layer in layers
    }
    record["words"] = {"layer": "decoder.0.first", "sentences": words}
    path = folder / f"{task}-{variant}-{seed}.json"
    write_record(path, record | changes)
    return path


@pytest.fixture
def paths(tmp_path):
    return [gate_record(tmp_path, variant) for variant in SHAPES]


def rows_of(stem):
    with open(stem.with_suffix(".csv"), encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def is_complete(stem):
    png, pdf = stem.with_suffix(".png"), stem.with_suffix(".pdf")
    pictures = png.read_bytes().startswith(b"\x89PNG") and pdf.read_bytes().startswith(b"%PDF")
    return pictures and all(stem.with_suffix(suffix).exists() for suffix in SUFFIXES)


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    monkeypatch.setattr(gate_figures, "save", lambda figure, path: figures.append(figure))
    yield figures
    for figure in figures:
        plt.close(figure)


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
    assert r"Made-up German-English, 100 \%;" in text
    assert r"synthetic sentences \& reduced\_models; not comparable with print." in text
    assert "Decoder layer 1, first transition; Baseline. Density of 1,000 gate values" in text
    assert "One seed." in text


def test_unreduced_preset_is_not_called_incomparable(tmp_path, paths, drawn):
    layout = {**LAYOUT, "label": "paper: IWSLT14", "reduced": False}
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
    assert "Penn Treebank" in text


def test_layer_histograms_are_written(tmp_path):
    paths = [gate_record(tmp_path, variant, 1, "de-en", ["decoder.0.first"]) for variant in SHAPES]
    write_layer_histograms(paths, LAYOUT, tmp_path / "gates", "decoder")
    assert is_complete(tmp_path / "gates")
    with pytest.raises(UserError, match=r"no layer encoder\.\*"):
        write_layer_histograms(paths, LAYOUT, tmp_path / "none", "encoder")


def test_sketch_has_two_intervals_of_one_width_and_the_exact_changes(tmp_path):
    write_saturation_sketch(LAYOUT, tmp_path / "figure2")
    assert is_complete(tmp_path / "figure2")
    rows = rows_of(tmp_path / "figure2")
    widths = {float(row["x_high"]) - float(row["x_low"]) for row in rows}
    assert len(widths) == 1
    for row in rows:
        low, high = (1 / (1 + np.exp(-float(row[name]))) for name in ("x_low", "x_high"))
        assert float(row["change"]) == pytest.approx(high - low)
    assert float(rows[0]["change"]) > 10 * float(rows[1]["change"])


def test_heat_maps_repeat_their_bytes_and_hold_the_numbers_of_the_records(tmp_path, paths):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_heat_maps(paths, LAYOUT, tmp_path / name / "figure4", slice(0, 2))
    assert is_complete(tmp_path / "a" / "figure4")
    for suffix in SUFFIXES:
        first, second = (tmp_path / name / f"figure4{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()
    rows = rows_of(tmp_path / "a" / "figure4")
    assert len(rows) == 4 * (6 + 3)
    for variant, path in (("baseline", paths[0]), ("g2", paths[2])):
        sentence = read_record(path)["words"]["sentences"][1]
        for gate in ("input", "forget"):
            mine = [
                (row["word"], float(row["value"]))
                for row in rows
                if (row["sentence"], row["variant"], row["gate"]) == ("1", variant, gate)
            ]
            assert mine == list(zip(sentence["tokens"], sentence[gate], strict=True))


def test_heat_map_shows_words_literally_and_rows_in_the_order_of_print(tmp_path, paths, drawn):
    write_heat_maps(paths, LAYOUT, tmp_path / "figure4", slice(0, 1))
    axes = drawn[0].axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts[-6:] == ["the", "word", '"', "$x$", "100%", "."]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        *("G²-LSTM, input", "G²-LSTM, forget", "Baseline, input", "Baseline, forget")
    ]
    g2 = read_record(paths[2])["words"]["sentences"][0]
    assert list(axes.images[0].get_array()[1]) == g2["forget"]
    assert axes.images[0].get_clim() == (0, 1)


def test_heat_maps_average_the_seeds_and_take_the_rest_of_the_sentences(tmp_path, drawn):
    paths = [
        gate_record(tmp_path, variant, seed) for variant in ("g2", "baseline") for seed in (1, 2)
    ]
    write_heat_maps(paths, LAYOUT, tmp_path / "figure6", slice(1, None))
    rows = rows_of(tmp_path / "figure6")
    assert {row["sentence"] for row in rows} == {"1", "2"}
    seeds = [read_record(path)["words"]["sentences"][1]["input"][0] for path in paths[:2]]
    assert float(rows[0]["value"]) == pytest.approx(sum(seeds) / 2)


@pytest.mark.parametrize("last", ["telecommunications", "."])
def test_words_and_cells_stay_on_the_page(tmp_path, drawn, last):
    words = ["wordy"] * 15 + [last]
    sentence = {"tokens": words, "input": [0.5] * 16, "forget": [0.5] * 16}
    shown = {"layer": "decoder.0.first", "sentences": [sentence]}
    paths = [gate_record(tmp_path, variant, words=shown) for variant in ("g2", "baseline")]
    write_heat_maps(paths, LAYOUT, tmp_path / "figure4", slice(0, 3))
    figure = drawn[0]
    page, renderer = figure.bbox, figure.canvas.get_renderer()
    for text in figure.axes[0].texts:
        box = text.get_window_extent(renderer)
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert box.y1 <= page.y1
    assert figure.axes[0].get_window_extent(renderer).x1 <= page.x1


def test_a_missing_variant_is_named(tmp_path, paths):
    with pytest.raises(UserError, match="no gate record of variant g2"):
        write_histograms(paths[:2], LAYOUT, tmp_path / "figure3", DECODER[0], "g2")
    with pytest.raises(UserError, match="no gate record of variant baseline"):
        write_heat_maps(paths[1:], LAYOUT, tmp_path / "figure4", slice(0, 3))
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


def test_heat_maps_want_the_same_words_in_all_records(tmp_path, paths):
    words = read_record(paths[2])["words"]
    other = gate_record(tmp_path, "g2", words={**words, "sentences": words["sentences"][:2]})
    with pytest.raises(UserError, match="different sentences"):
        write_heat_maps([paths[0], other], LAYOUT, tmp_path / "f", slice(0, 3))
    bare = tmp_path / "bare.json"
    write_record(bare, {k: v for k, v in read_record(paths[0]).items() if k != "words"})
    with pytest.raises(UserError, match="has no words"):
        write_heat_maps([bare, other], LAYOUT, tmp_path / "f", slice(0, 3))


def test_no_sentence_left_to_draw_is_refused(tmp_path, paths):
    with pytest.raises(UserError, match="3 sentences; none is left"):
        write_heat_maps(paths, LAYOUT, tmp_path / "figure6", slice(3, None))


def test_file_names_that_latex_cannot_find_are_refused(tmp_path, paths):
    with pytest.raises(UserError, match="letters, digits, dots and hyphens only"):
        write_saturation_sketch(LAYOUT, tmp_path / "figure_2")


def test_layer_titles():
    assert layer_title("lstm.0") == "LSTM layer 1"
    assert layer_title("encoder.0r") == "Encoder layer 1, backward"
    assert layer_title("decoder.0.second") == "Decoder layer 1, second transition"
    with pytest.raises(UserError, match="no layer of ours is called middle"):
        layer_title("middle")
