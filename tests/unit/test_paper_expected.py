"""Records of other settings than today's do not go into print."""

import pytest
from paper_records import training, write_records

from g2lstm import config, plan
from g2lstm.errors import UserError
from g2lstm.paper.expected import require_expected
from g2lstm.records import write_record


def expected(**changes):
    """What a configuration with ``changes`` expects of the records of lm and de-en."""
    settings = config.resolve(changes, "demo")
    runs = [run for task in ("lm", "de-en") for run in plan.runs(settings, task)]
    return {**plan.expected(settings, runs), "jobs": []}


@pytest.fixture
def records(tmp_path):
    """The path of one record of each kind, of today's settings."""
    lm, pair = (expected()["tasks"][task] for task in ("lm", "de-en"))
    setting = {"setting": "svd-k16", **lm["settings"]["svd-k16"]}
    found = {
        "evaluation": {"task": "lm", "setting": "svd-k16", "compression": setting}
        | {"evaluation": lm["evaluation"]},
        "gates": {"task": "de-en", "evaluation": pair["gates"]},
        "corpus": {"task": "de-en", "corpus": "synthetic", "source": pair["source"]},
    }
    for kind, record in found.items():
        write_record(tmp_path / f"{kind}.json", {"kind": kind, **record})
    return [tmp_path / f"{kind}.json" for kind in found]


def test_records_of_today_pass(records):
    require_expected(records, [], expected())


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"lm": {"settings": {"svd-k16": {"k": 12}}}}, "evaluation", "svd-k16.k was 16, is 12"),
        ({"lm": {"evaluation": {"cache": {"window": 9}}}}, "evaluation", "cache.window was 500"),
        ({"de-en": {"gates": {"pairs": 40}}}, "gates", "pairs was 500, is 40"),
        ({"de-en": {"bpe": {"merges": 900}}}, "corpus", "bpe.merges was 2000, is 900"),
        ({"de-en": {"corpus": "tatoeba"}}, "corpus", "corpus was synthetic, is tatoeba"),
    ],
)
def test_a_record_of_other_settings_is_refused(records, changes, path, words):
    with pytest.raises(UserError, match=rf"{path}\.json: of other settings \(.*{words}"):
        require_expected(records, [], expected(**changes))


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"corpus": "ptb"}, "corpus was ptb, is synthetic"),
        ({"corpus": "synthetic", "merges": 600}, "merges was 600, is 2000"),
    ],
)
def test_of_an_older_corpus_what_its_record_holds_is_compared(tmp_path, record, words):
    write_record(tmp_path / "corpus.json", {"kind": "corpus", "task": "de-en", **record})
    with pytest.raises(UserError, match=words):
        require_expected([tmp_path / "corpus.json"], [], expected())


def test_trainings_of_other_settings_are_refused(tmp_path):
    (path,) = write_records(tmp_path, [training()])
    job = training()["job"]

    def require(job):
        require_expected([], [path], {"jobs": [job], "tasks": {}})

    require(job)
    with pytest.raises(UserError, match=r"record000.*\(model\.hidden was 1150, is 650\); delete"):
        require(job | {"model": {"hidden": 650}})
    with pytest.raises(UserError, match="seed was 1, is 2"):
        require(job | {"seed": 2})
    (path,) = write_records(tmp_path, [training() | {"job": {}}])
    with pytest.raises(UserError, match=r"stage was not set, is .*, task was not set, is lm"):
        require(job)


def test_one_error_tells_of_all_records(tmp_path):
    paths = write_records(tmp_path, [training(seed=seed) for seed in range(1, 7)])
    job = training()["job"] | {"model": {"hidden": 650}}
    jobs = [{**job, "seed": seed} for seed in range(1, 7)]
    with pytest.raises(UserError) as told:
        require_expected([], paths, {"jobs": jobs, "tasks": {}})
    assert "record002.json and 3 more: of other settings" in str(told.value)
    assert str(told.value).count("model.hidden") == 1
