import numpy as np
import pytest
from paper_records import evaluation, oracle, training, write_records

from g2lstm.errors import UserError
from g2lstm.paper.aggregate import aggregate, is_synthetic, read_summary, write_summary
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
    assert again["seed"].isna().sum() == 2
    assert is_synthetic(again, "lm")
    assert not is_synthetic(again, "de-en")


def test_same_run_twice_is_refused(tmp_path):
    record = evaluation(*RUN, {"test": 52.1})
    with pytest.raises(UserError, match=r"two records of the same run.*g2"):
        aggregate(write_records(tmp_path, [record, record]))


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
