import itertools

import pytest
from matplotlib import pyplot as plt
from paper_records import (
    DEMO,
    PUBLISHED,
    oracle,
    printed_evaluations,
    training,
    translation_training,
    write_records,
)

from g2lstm.errors import UserError
from g2lstm.paper import figures
from g2lstm.paper.aggregate import aggregate, write_summary
from g2lstm.paper.cells import measured_cells
from g2lstm.paper.figures import (
    _label_log_axis,
    _learning_curve,
    _setting_curve,
    write_learning_curve,
    write_rank_curve,
    write_rounding_curve,
)
from g2lstm.paper.published import read_tables
from g2lstm.paper.style import SPARSE_LINES
from g2lstm.tasks import METHODS


@pytest.fixture
def summary(tmp_path):
    records = printed_evaluations(read_tables(PUBLISHED))
    frame = aggregate(write_records(tmp_path / "runs", [*records, oracle()]))
    write_summary(frame, tmp_path / "summary.csv")
    return frame


def is_picture(stem):
    png, pdf = stem.with_suffix(".png"), stem.with_suffix(".pdf")
    return png.read_bytes().startswith(b"\x89PNG") and pdf.read_bytes().startswith(b"%PDF")


def test_learning_curve_takes_the_records_in_any_order_and_repeats_its_bytes(tmp_path):
    paths = write_records(tmp_path, [training(), training("finetune", 5)])
    write_learning_curve(paths, DEMO, tmp_path / "a")
    write_learning_curve(paths[::-1], DEMO, tmp_path / "b")
    assert is_picture(tmp_path / "a")
    for suffix in (".png", ".pdf"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_finetuning_follows_the_training_on_the_axis():
    figure = _learning_curve([training(epochs=12), training("finetune", 5)], "a label")
    train, valid, switch = figure.axes[0].get_lines()
    assert list(valid.get_xdata()) == list(range(1, 18))
    assert valid.get_ydata()[12] == pytest.approx(71.0 - 1 / 9)
    assert train.get_ydata()[0] == pytest.approx(270.4, abs=0.1)  # exp(5.6)
    assert switch.get_xdata()[0] == 8.5
    plt.close(figure)


def test_the_curve_of_a_translation_has_fractional_epochs_and_perplexity_of_subwords(tmp_path):
    write_learning_curve(write_records(tmp_path, [translation_training()]), DEMO, tmp_path / "a")
    assert is_picture(tmp_path / "a")
    figure = _learning_curve([translation_training()], "a label")
    axes = figure.axes[0]
    train, valid = axes.get_lines()
    assert list(train.get_xdata()) == list(valid.get_xdata()) == [1.33, 2.66]
    assert list(valid.get_ydata()) == [12.1, 3.08]
    assert axes.get_ylabel() == "Perplexity of sub-words"
    assert axes.get_xlim() == pytest.approx((0.665, 3.325))
    plt.close(figure)


def test_the_curve_of_the_character_model_says_of_what_its_perplexity_is():
    job = {"task": "char-ptb", "stage": "train", "seed": 1, "method": {"method": "dense"}}
    figure = _learning_curve([training() | {"task": "char-ptb", "job": job}], "a label")
    assert figure.axes[0].get_ylabel() == "Perplexity of characters"
    assert figure.axes[0].get_lines()[0].get_label() == "Training"
    plt.close(figure)


NO_LM_DROPOUT = {"dropout": dict.fromkeys(("embedding", "input", "hidden", "output", "weight"), 0)}


@pytest.mark.parametrize(
    ("record", "legend"),
    [
        (training(), "Training (with dropout)"),
        ({**training(), "job": {**training()["job"], "model": NO_LM_DROPOUT}}, "Training"),
        (translation_training(), "Training (with dropout)"),
        (translation_training(dropout=0.0), "Training (with dropout)"),
        (translation_training(dropout=0.0, readout_dropout=0.0), "Training"),
    ],
)
def test_the_legend_tells_dropout_only_where_there_is_any(record, legend):
    figure = _learning_curve([record], "a label")
    assert figure.axes[0].get_lines()[0].get_label() == legend
    assert figure.axes[0].get_ylabel().startswith("Perplexity")
    plt.close(figure)


@pytest.mark.parametrize(
    "records",
    [
        [training(), training("finetune", 5, seed=2)],
        [training("finetune", 5)],
        [training(), training()],
        [],
    ],
)
def test_learning_curve_refuses_anything_but_one_run(tmp_path, records):
    with pytest.raises(UserError, match="learning curve"):
        write_learning_curve(write_records(tmp_path, records), DEMO, tmp_path / "a")


@pytest.mark.parametrize("write", [write_rank_curve, write_rounding_curve])
def test_setting_curves_are_written(tmp_path, summary, write):
    write([tmp_path / "summary.csv"], DEMO, tmp_path / "curve")
    assert is_picture(tmp_path / "curve")


def test_rounding_curve_names_corpus_preset_and_clip(tmp_path, summary, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(figure))
    write_rounding_curve([tmp_path / "summary.csv"], DEMO, tmp_path / "curve")
    for figure in drawn:
        axes = figure.axes[0]
        corpus, label = " ".join(axes.get_title(loc="left").split()).split("; ", 1)
        assert corpus == DEMO["corpora"]["lm"]
        assert label.startswith("demo")
        assert "0.2, 0.4" in [tick.get_text() for tick in axes.get_xticklabels()]
        plt.close(figure)
    assert len(drawn) == 2


def test_epochs_are_ticked_in_round_steps():
    record = translation_training()
    history = [{**record["history"][0], "epoch": 0.234 * n} for n in range(1, 6)]
    figure = _learning_curve([{**record, "history": history}], "a label")
    low, high = figure.axes[0].get_xlim()
    ticks = [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high]
    assert ticks == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.2])
    plt.close(figure)


def test_rank_curve_shows_our_ranks_and_our_numbers(summary):
    cells = measured_cells("table7", summary, DEMO)
    settings = {"rank128": 16, "rank64": 8, "rank32": 4, "rank16": 2}
    labels = {rank: str(rank) for rank in sorted(settings.values())}
    figure = _setting_curve(cells, settings, "Rank", labels, ranks=True)
    axes = figure.axes[0]
    lines = {container.get_label(): container.lines[0] for container in axes.containers}
    assert list(lines) == ["Baseline", "Sharpened sigmoid", "G²-LSTM"]
    assert list(lines["G²-LSTM"].get_xdata()) == [2, 4, 8, 16]
    assert list(lines["G²-LSTM"].get_ydata()) == [75.9, 62.8, 56.0, 53.3]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "4", "8", "16"]
    plt.close(figure)


def test_a_curve_without_runs_is_refused(tmp_path, summary):
    originals = summary[summary["setting"] == "original"]
    write_summary(originals, tmp_path / "summary.csv")
    with pytest.raises(UserError, match="no run has a setting of table7"):
        write_rank_curve([tmp_path / "summary.csv"], DEMO, tmp_path / "curve")


def test_a_setting_of_another_method_is_refused(tmp_path, summary):
    layout = {**DEMO, "tables": {"table7": {"rank16": "round-r0.2"}}}
    with pytest.raises(UserError, match=r"table7.rank16: setting round-r0\.2 has no parameter k"):
        write_rank_curve([tmp_path / "summary.csv"], layout, tmp_path / "curve")


@pytest.mark.parametrize(
    ("low", "high"),
    [(14.0, 97.0), (11.0, 50.0), (40.0, 90.0), (5.0, 900.0), (8.0, 9.0), (1.1, 1.9)],
)
def test_labels_of_a_logarithmic_axis_do_not_overprint(low, high):
    figure, axes = plt.subplots(figsize=(3.4, 2.2))
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    _label_log_axis(axes.yaxis, low, high)
    figure.canvas.draw()
    boxes = [
        label.get_window_extent()
        for tick, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        if low <= tick <= high
    ]
    plt.close(figure)
    boxes.sort(key=lambda box: box.y0)
    assert len(boxes) >= 3
    assert all(below.y1 <= above.y0 for below, above in itertools.pairwise(boxes))


def test_every_method_of_the_sparse_tasks_has_a_line():
    assert set(SPARSE_LINES) == set(METHODS)
