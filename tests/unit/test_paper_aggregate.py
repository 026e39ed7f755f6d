import numpy as np
import pytest
from paper_gate_records import forget_test, gates
from paper_records import evaluation, oracle, training, translation, write_records

from g2lstm.errors import UserError
from g2lstm.paper.aggregate import (
    aggregate,
    corpus_of,
    read_summaries,
    read_summary,
    write_summary,
)
from g2lstm.paper.cells import values_by_run

RUN = ("g2", "finetune", "original", "cache")


def test_every_metric_and_size_is_one_row(tmp_path):
    record = evaluation(*RUN, {"valid": 52.9, "test": 52.1})
    frame = aggregate(write_records(tmp_path, [record]))
    assert len(frame) == 2 * 4 + 6
    found, run = values_by_run(frame), ("lm", "g2", "finetune", "original", "cache")
    assert found[*run, "test", "perplexity"].to_dict() == {1: 52.1}
    assert found[*run, "-", "gate_bytes"].to_list() == [40000000.0]


def test_order_of_paths_does_not_matter(tmp_path):
    records = [evaluation(*RUN, {"test": 50.0 + seed}, seed) for seed in (3, 1, 2)] + [oracle()]
    paths = write_records(tmp_path, records)
    write_summary(aggregate(paths), tmp_path / "forward.csv")
    write_summary(aggregate(paths[::-1]), tmp_path / "backward.csv")
    forward = (tmp_path / "forward.csv").read_bytes()
    assert forward == (tmp_path / "backward.csv").read_bytes()


def test_summary_is_read_back_to_the_last_bit(tmp_path):
    values = np.exp(np.random.default_rng(0).normal(size=50))
    records = [evaluation(*RUN, {"test": float(v)}, seed) for seed, v in enumerate(values)]
    frame = aggregate(write_records(tmp_path, [*records, oracle()]))
    write_summary(frame, tmp_path / "summary.csv")
    again = read_summary(tmp_path / "summary.csv")
    assert again["value"].tolist() == frame["value"].tolist()
    assert again["seed"].isna().sum() == 3
    assert corpus_of(again, "lm") == "synthetic"
    assert corpus_of(again, "de-en") is None


def test_every_number_of_a_translation_is_one_row(tmp_path):
    record = translation("de-en", "g2", "svd-k8", 31.62)
    frame = aggregate(write_records(tmp_path, [record]))
    found, run = values_by_run(frame), ("de-en", "g2", "train", "svd-k8", "beam5")
    assert len(frame) == 7 + 6
    assert found[*run, "test", "bleu"].to_list() == [31.62]
    assert found[*run, "test", "bleu_low"].to_list() == [31.62 - 0.71]
    assert found[*run, "-", "paper_factor"].to_list() == [8.0]


def test_gates_are_rows_by_layer_with_the_histogram_as_shares(tmp_path):
    record = gates("de-en", "g2")
    found = values_by_run(aggregate(write_records(tmp_path, [record])))
    run = ("de-en", "g2", "train", "original", "gates", "decoder.0.second")
    for gate, statistics in record["layers"]["decoder.0.second"].items():
        shares = [found[*run, f"{gate}.share_{n:02d}"][1] for n in range(1, 21)]
        assert shares == [count / 20000 for count in statistics["histogram"]]
        for name in ("below_0.1", "above_0.9", "mean", "entropy", "elements"):
            assert found[*run, f"{gate}.{name}"][1] == statistics[name]
    first = (*run[:-1], "decoder.0.first")
    assert found[*first, "lowest_input"][1] == 0.83
    assert found[*first, "forget_auc.clause boundary"][1] == 0.71
    assert found[*first, "forget_lowest_decile_share.clause boundary"][1] == 0.22
    assert (*run, "lowest_input") not in found


def test_the_language_model_has_gates_but_no_words(tmp_path):
    frame = aggregate(write_records(tmp_path, [gates("lm", "baseline")]))
    assert len(frame) == 2 * 2 * 25
    assert set(frame["stage"]) == {"finetune"}


def test_a_test_without_an_area_gives_its_counts_only(tmp_path):
    nothing = {**forget_test(None, 0.0, 0.0), "lowest_decile_share": None}
    frame = aggregate(write_records(tmp_path, [gates("de-en", "g2", tests={"clause": nothing})]))
    metrics = {metric for metric in frame["metric"] if metric.endswith(".clause")}
    assert metrics == {f"forget_{x}.clause" for x in ("positives", "negatives", "overall_share")}


def test_histograms_of_other_bins_are_refused(tmp_path):
    with pytest.raises(UserError, match="histograms of 10 bins"):
        aggregate(write_records(tmp_path, [{**gates("lm", "g2"), "bins": 10}]))


def test_same_run_twice_is_refused(tmp_path):
    record = evaluation(*RUN, {"test": 52.1})
    with pytest.raises(UserError, match=r"two records of the same run.*g2"):
        aggregate(write_records(tmp_path, [record, record]))


def test_same_run_in_two_summaries_is_refused(tmp_path):
    records = [evaluation(*RUN, {"test": 52.1}), translation("de-en", "g2", "original", 31.6)]
    paths = [tmp_path / f"summary-{number}.csv" for number in range(2)]
    for path, record in zip(paths, records, strict=True):
        write_summary(aggregate(write_records(tmp_path, [record])), path)
    assert set(read_summaries(paths)["task"]) == {"lm", "de-en"}
    with pytest.raises(UserError, match=r"two summaries of the same run \(task de-en, variant g2"):
        read_summaries([*paths, paths[1]])


def test_two_presets_are_refused(tmp_path):
    one = evaluation(*RUN, {"test": 52.1})
    other = evaluation(*RUN, {"test": 52.1}, seed=2, preset="small")
    with pytest.raises(UserError, match="demo, small"):
        aggregate(write_records(tmp_path, [one, other]))


def test_other_kinds_are_refused(tmp_path):
    with pytest.raises(UserError, match="'training'"):
        aggregate(write_records(tmp_path, [training()]))


def test_nothing_to_aggregate_is_refused():
    with pytest.raises(UserError, match="no evaluation records"):
        aggregate([])


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_a_file_that_is_no_summary_is_refused(tmp_path, text):
    path = tmp_path / "summary.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=r"summary\.csv"):
        read_summary(path)
