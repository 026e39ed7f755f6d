import pytest
from paper_figure_records import (
    LAYOUT,
    SUFFIXES,
    gate_record,
    is_complete,
    rows_of,
)

from g2lstm.errors import UserError
from g2lstm.paper.heat_maps import write_heat_maps
from g2lstm.records import read_record, write_record


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
    assert next(iter(rows[0])) == "Preset"
    assert {row["Preset"] for row in rows} == {f"{LAYOUT['label']}; not comparable with print"}
    text = (tmp_path / "a" / "figure4.tex").read_text()
    assert r"Data: Made-up German-English, 100 \%; gates read on the test split" in text
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
    with pytest.raises(UserError, match="no gate record of variant baseline"):
        write_heat_maps(paths[1:], LAYOUT, tmp_path / "figure4", slice(0, 3))
    assert not list(tmp_path.glob("figure*"))


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
