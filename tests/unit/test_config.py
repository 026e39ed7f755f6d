"""Configuration: every preset is complete; every mistake is told in one line."""

import pytest

from g2lstm import config
from g2lstm.errors import UserError
from g2lstm.tasks import SPARSE


@pytest.mark.parametrize("preset", config.presets())
def test_every_preset_is_valid_and_names_a_setting_for_every_printed_column(preset):
    resolved = config.resolve({}, preset)
    assert resolved["preset"] == preset
    assert set(resolved["variants"]) == {"baseline", "sharpened", "g2"}
    assert set(resolved["tables"]["table3"]) == {"round", "round_clip", "svd128", "svd64"}
    columns = {"round", "round_clip", "svd32", "svd16"}
    tables = resolved["tables"]
    for task, table in (("de-en", "table4"), ("en-de", "table5")):
        assert set(tables[table]) == set(tables["tableS1"][task]) == columns
        for column, name in tables["tableS1"][task].items():
            code, paper = (resolved[task]["settings"][n] for n in (name, tables[table][column]))
            assert code == {**paper, "scope": "code"}
    assert len(resolved["tables"]["table6"]) == len(resolved["tables"]["table7"]) == 4


def test_paper_preset_is_the_recipe():
    """The recipe stands in the schema as defaults: a job of the paper has nothing to add."""
    paper = config.resolve({}, "paper")
    job = config.training_job(paper, "lm", "baseline", 1, "train")
    assert job == {"task": "lm", "stage": "train", "seed": 1}
    full = config.complete_job(job)
    assert full["model"]["hidden"] == 1150
    assert full["optimisation"]["lr"] == 30
    assert full["schedule"] == {"epochs": 500, "nonmono": 5, "average_after": None}
    assert full["gate"]["kind"] == "plain"


def test_german_english_of_the_paper_preset_is_the_recipe_too():
    paper = config.resolve({}, "paper")
    job = config.training_job(paper, "de-en", "baseline", 2, "train")
    assert job == {"task": "de-en", "stage": "train", "seed": 2}
    full = config.complete_job(job)
    assert full["optimisation"]["clip"] == 2
    assert full["model"]["layers"] == 2
    english_german = config.training_job(paper, "en-de", "g2", 1, "train")
    assert english_german["model"] == {"embedding": 512, "hidden": 1024, "layers": 3}
    assert english_german["optimisation"] == {"batch": 64}


def test_paper_short_is_the_paper_with_fewer_epochs():
    paper, short = config.resolve({}, "paper"), config.resolve({}, "paper-short")
    assert short["reduced"]
    changed = ("preset", "label", "reduced", "seeds", "lm", *SPARSE)
    assert {*SPARSE} & {*short} == {"imdb"}
    assert {k: v for k, v in short.items() if k not in changed} == {
        k: v for k, v in paper.items() if k not in changed
    }
    stages = ("label", "train", "finetune")
    assert {k: v for k, v in short["lm"].items() if k not in stages} == {
        k: v for k, v in paper["lm"].items() if k not in stages
    }
    label = "IMDb, embedding from a random start, 20 of 800 epochs"
    assert short["imdb"] == paper["imdb"] | {
        "label": label,
        "train": paper["imdb"]["train"] | {"epochs": 20},
    }


def test_precision_is_part_of_a_job_unless_it_is_float32():
    paper = config.resolve({"preset": "paper"})
    assert "precision" not in config.training_job(paper, "lm", "g2", 1, "train")
    narrow = config.resolve({"preset": "paper", "precision": "bfloat16"})
    job = config.training_job(narrow, "lm", "g2", 1, "train")
    assert job["precision"] == config.complete_job(job)["precision"] == "bfloat16"
    labels, reduced = config.describe(narrow)
    assert reduced == config.tasks_of(narrow)
    assert labels["lm"] == "Penn Treebank, changed from the preset"


def test_user_keys_override_the_preset_and_leave_the_rest():
    resolved = config.resolve({"preset": "demo", "lm": {"model": {"hidden": 50}}})
    assert resolved["lm"]["model"]["hidden"] == 50
    assert resolved["lm"]["model"]["embedding"] == 64


@pytest.mark.parametrize("stage", ["train", "finetune"])
def test_jobs_come_back_complete(stage):
    demo = config.resolve({}, "demo")
    job = config.complete_job(config.training_job(demo, "lm", "g2", 7, stage))
    assert job["seed"] == 7
    assert job["gate"] == {"kind": "gumbel", "tau": 0.9, "p": 0.2, "eps": 0.001}
    assert job["model"] == demo["lm"]["model"]
    assert job["schedule"] == demo["lm"][stage]
    assert job["valid_batch"] == 10


def test_a_method_has_its_own_optimiser_and_schedule_in_place_of_the_task_s():
    user = {"word-ptb-small": {"methods": {"bayes-wn": {"optimisation": {"lr": 0.001}}}}}
    paper = config.resolve({"preset": "paper", **user})
    jobs = {
        method: config.complete_job(
            config.training_job(paper, "word-ptb-small", method, 1, "train")
        )
        for method in paper["word-ptb-small"]["methods"]
    }
    assert jobs["original"]["optimisation"] == paper["word-ptb-small"]["optimisation"]
    assert jobs["original"]["schedule"]["epochs"] == 20
    for method, lr in (("bayes-w", 0.002), ("bayes-wn", 0.001), ("bayes-wgn", 0.002)):
        found = {"optimiser": "adam", "lr": lr, "clip": 5.0, "batch": 20, "bptt": 20}
        assert jobs[method]["optimisation"] == found
        schedule = jobs[method]["schedule"]
        assert (schedule["epochs"], schedule["hold"], schedule["decay"]) == (50, 40, 0.6)
        assert jobs[method]["schedule"]["select"] == "last"
        levels = method.partition("-")[2]
        assert jobs[method]["method"] == {"method": "bayes", "levels": levels}


def test_a_changed_task_is_called_so_and_is_not_comparable_with_print():
    labels, reduced = config.describe(config.resolve({"preset": "paper", "seeds": [4]}))
    assert labels["de-en"] == "IWSLT14 German-English"
    assert not reduced
    user = {"preset": "paper", "de-en": {"train": {"updates": 10}}}
    labels, reduced = config.describe(config.resolve(user))
    assert labels["de-en"] == "IWSLT14 German-English, changed from the preset"
    assert labels["lm"] == "Penn Treebank"
    assert reduced == ["de-en"]
    small = config.resolve({"preset": "small", "seeds": [4]})
    assert config.describe(small)[1] == config.tasks_of(small)
    user["de-en"]["label"] = "IWSLT14 German-English, 10 updates"
    assert config.describe(config.resolve(user))[0]["de-en"] == user["de-en"]["label"]


MISTAKES = {
    "unknown preset": ({"preset": "huge"}, ["preset", "'huge'", "demo"]),
    "unknown key": ({"sedes": [1]}, ["sedes", "seeds"]),
    "unknown nested key": ({"lm": {"model": {"hiden": 3}}}, ["lm.model", "hiden", "hidden"]),
    "negative rate": (
        {"lm": {"model": {"dropout": {"input": -0.1}}}},
        ["lm.model.dropout.input", "-0.1", "at least 0"],
    ),
    "rate of one": (
        {"lm": {"model": {"dropout": {"weight": 1.0}}}},
        ["lm.model.dropout.weight", "1.0", "below 1"],
    ),
    "negative learning rate": (
        {"lm": {"optimisation": {"lr": -30}}},
        ["lm.optimisation.lr", "-30", "above 0"],
    ),
    "rank too large": (
        {"lm": {"settings": {"svd-k16": {"method": "svd", "k": 65}}}},
        ["lm.settings.svd-k16.k", "65", "1 to 64"],
    ),
    "unknown method": (
        {"lm": {"settings": {"prune": {"method": "prune"}}}},
        ["lm.settings.prune.method", "'prune'", "svd"],
    ),
    "step of zero": (
        {"lm": {"settings": {"round-r0.2": {"r": 0}}}},
        ["lm.settings.round-r0.2.r", "0", "above 0"],
    ),
    "clip between steps": (
        {"lm": {"settings": {"round-clip-r0.2-c0.4": {"c": 0.5}}}},
        ["lm.settings.round-clip-r0.2-c0.4.c", "0.5", "multiple of r = 0.2"],
    ),
    "unknown column": (
        {"tables": {"table3": {"foo": "svd-k16"}}},
        ["tables.table3", "'foo'", "svd128"],
    ),
    "method that a table cannot show": (
        {"tables": {"table7": {"rank64": "round-r0.2"}}},
        ["tables.table7.rank64", "'round-r0.2'", "svd"],
    ),
    "temperature of a plain gate": (
        {"variants": {"baseline": {"tau": 0.2}}},
        ["variants.baseline.tau", "0.2", "plain"],
    ),
    "gumbel without noise": ({"variants": {"g2": {"p": 0}}}, ["variants.g2.p", "0", "above 0"]),
    "missing setting": (
        {"tables": {"table3": {"svd64": "svd-k99"}}},
        ["tables.table3.svd64", "'svd-k99'", "svd-k16"],
    ),
    "precision": ({"precision": "float16"}, ["precision", "'float16'", "bfloat16"]),
    "base of a preset": ({"base": "paper"}, ["unknown key", "base"]),
    "device": ({"device": "tpu"}, ["device", "'tpu'", "must be auto, cpu, cuda, or cuda with a"]),
    "seed twice": ({"seeds": [1, 1]}, ["seeds", "[1, 1]", "each may stand there once"]),
    "wrong type": ({"seeds": 3}, ["seeds", "3", "must be a list such as [1, 2]"]),
    "one of two types": ({"data_mirror": [1]}, ["data_mirror", "[1]", "must be text or null"]),
    "no section": ({"lm": None}, ["lm = null", "must be a section of keys and values"]),
    "no setting": (
        {"lm": {"settings": {"svd-k16": None}}},
        ["lm.settings.svd-k16 = null", "must be a section of keys and values"],
    ),
    "name of a setting": (
        {"lm": {"settings": {"A b": {"method": "svd", "k": 1}}}},
        ["lm.settings", "'A b'", "small letters, digits"],
    ),
    "unknown gate": (
        {"variants": {"g2": {"kind": "hard"}}},
        ["variants.g2.kind", "'hard'", "gumbel"],
    ),
    "unknown variant": (
        {"variants": {"mine": {"kind": "plain"}}},
        ["variants", "'mine'", "must be one of baseline, sharpened, g2"],
    ),
    "setting named original": (
        {"de-en": {"settings": {"original": {"method": "svd", "k": 3}}}},
        ["de-en.settings", "'original'", "original is reserved"],
    ),
    "scope of a language model": (
        {"lm": {"settings": {"svd-k16": {"scope": "code"}}}},
        ["lm.settings.svd-k16.scope", "translation"],
    ),
    "setting of another task": (
        {"tables": {"table4": {"svd16": "svd-k16"}}},
        ["tables.table4.svd16", "'svd-k16'", "svd-k4"],
    ),
    "scope of another table": (
        {"tables": {"table4": {"svd32": "code-svd-k8"}}},
        ["tables.table4.svd32", "'code-svd-k8'", "scope must be paper"],
    ),
    "scope of the main tables in the appendix": (
        {"tables": {"tableS1": {"de-en": {"svd32": "svd-k8"}}}},
        ["tables.tableS1.de-en.svd32", "'svd-k8'", "scope must be code"],
    ),
    "epochs of a method": (
        {"word-ptb-small": {"methods": {"bayes-wgn": {"train": {"epochs": 0}}}}},
        ["word-ptb-small.methods.bayes-wgn.train.epochs", "0", "at least 1"],
    ),
    "key of a method's optimiser": (
        {"word-ptb-small": {"methods": {"bayes-wgn": {"optimisation": {"rate": 1}}}}},
        ["word-ptb-small.methods.bayes-wgn.optimisation", "rate", "lr"],
    ),
    "setting of another task in the appendix": (
        {"tables": {"tableS1": {"en-de": {"svd16": "svd-k16"}}}},
        ["tables.tableS1.en-de.svd16", "'svd-k16'", "code-svd-k4"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_key_value_and_what_is_allowed(mistake):
    user, words = MISTAKES[mistake]
    with pytest.raises(UserError) as error:
        config.resolve(user)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_mirror_and_labels_are_text_whatever_they_look_like():
    for mirror in ("1e3", "2026", 2026, "yes"):
        user = {"data_mirror": mirror, "label": mirror, "lm": {"label": mirror}}
        found = config.resolve(user)
        assert found["data_mirror"] == found["label"] == found["lm"]["label"] == str(mirror)
    assert config.resolve({"data_mirror": "null"})["data_mirror"] is None
    with pytest.raises(UserError, match="data_mirror = True"):
        config.resolve({"data_mirror": True})


def test_methods_of_a_sparse_task_that_are_null_are_left_out_and_change_no_label():
    methods = {"bayes-wn": None, "bayes-w": "null"}
    found = config.resolve({"preset": "paper", "word-ptb-small": {"methods": methods}})
    whole = config.resolve({"preset": "paper"})
    left = {*whole["word-ptb-small"]["methods"]} - {*methods}
    assert {*found["word-ptb-small"]["methods"]} == left
    assert config.describe(found) == config.describe(whole)
    with pytest.raises(UserError, match="methods"):
        config.resolve({"preset": "demo", "word-ptb-small": {"methods": dict.fromkeys(left)}})


def test_text_tasks_of_the_paper_preset_are_the_recipe():
    paper = config.resolve({}, "paper")
    for task, hidden, epochs in (("imdb", 128, 800), ("agnews", 512, 150)):
        for method, section in paper[task]["methods"].items():
            job = config.complete_job(config.training_job(paper, task, method, 1, "train"))
            assert job["model"] == {"embedding": 300, "hidden": hidden, "init": 0.25}
            assert job["optimisation"] == {"lr": 5e-4, "clip": None, "batch": 128}
            select = "best" if method == "original" else "last"
            patience = 5 if method == "original" else None
            assert job["schedule"] == {"epochs": epochs, "select": select, "patience": patience}
            assert method in ("original", f"bayes-{job['method'].get('levels')}")
            assert "train" not in job["method"]
            assert section["method"] == job["method"]["method"]
        assert "random start" in paper[task]["label"]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"corpus": "ptb"}, ["imdb.corpus = 'ptb'", "imdb, agnews, synthetic"]),
        ({"methods": {"pruning-wn": {"method": "dense"}}}, ["'pruning-wn'", "bayes-wgn"]),
        ({"methods": {"bayes-w": {"method": "pruning"}}}, ["bayes-w.method", "dense, bayes"]),
        ({"methods": {"bayes-w": {"method": "bayes"}}}, ["imdb.methods.bayes-w lacks levels"]),
        ({"model": {"init": 0}}, ["imdb.model.init = 0", "above 0"]),
        ({"optimisation": {"clip": 0}}, ["imdb.optimisation.clip = 0", "above 0"]),
        ({"synthetic": {"classes": 1}}, ["imdb.synthetic.classes = 1", "at least 2"]),
    ],
)
def test_a_mistake_in_a_text_task_is_told_in_one_line(section, words):
    with pytest.raises(UserError) as caught:
        config.resolve({"preset": "demo", "imdb": section})
    for word in words:
        assert word in str(caught.value)
