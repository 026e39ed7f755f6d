"""Presets of the user's own: what they may say, and how a mistake in one is told."""

import shutil

import pytest

from g2lstm import config
from g2lstm.errors import UserError


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Return what writes a preset of the user's, beside ours."""
    shutil.copytree(config.PRESETS, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(config, "PRESETS", tmp_path)
    return lambda text, name="mine": (tmp_path / f"{name}.yaml").write_text(text)


@pytest.mark.parametrize("rate", ["1e-3", "1E-3", "1.e-3", "+1.0e-3", 0.001])
def test_a_number_with_an_exponent_is_one_wherever_it_stands(mine, rate):
    user = {"lm": {"optimisation": {"lr": rate}}}
    mine(f"base: demo\nlm: {{optimisation: {{lr: {rate}}}}}")
    assert config.resolve(user)["lm"]["optimisation"]["lr"] == 0.001
    assert config.resolve({}, "mine")["lm"]["optimisation"]["lr"] == 0.001


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("label: [x", "expected ',' or ']'"),
        ("lm: {}\nde-en: {}\nlm: {}", "lm stands twice, in lines 1 and 3; join them"),
        ("lm:\n  train: {epochs: 3, epochs: 4}", "epochs stands twice, in lines 2 and 2; join"),
        ("- demo", "not a list of keys and values"),
        ("base: dmo", "base = 'dmo' is unknown; allowed: demo, mine"),
        ("base: [demo]", "base = ['demo'] is unknown"),
        ("base: mine", "base = 'mine' leads back to itself"),
    ],
)
def test_a_mistake_in_a_preset_names_its_file(mine, text, words):
    mine(text)
    with pytest.raises(UserError) as error:
        config.resolve({}, "mine")
    assert words in str(error.value)
    assert "mine.yaml: " in str(error.value)
    assert "\n" not in str(error.value)


def test_an_empty_preset_is_told_as_such(mine):
    mine("# nothing yet")
    with pytest.raises(UserError, match=r"mine\.yaml: empty; it needs a key at least"):
        config.resolve({}, "mine")


@pytest.mark.parametrize("name", ["my run", "demo+", "2026", "Demo", "é"])
def test_a_preset_whose_name_no_path_could_hold_is_none(mine, name):
    mine("base: demo", name=name)
    assert name not in config.presets()
    for given in {name, int(name) if name.isdecimal() else name}:
        with pytest.raises(UserError, match=r"preset = .* is unknown; .* \(a name has small"):
            config.resolve({"preset": given})


def test_keys_that_a_section_takes_from_another_stand_there_once(mine):
    mine("base: demo\nen-de: {train: {<<: &all {updates: 3}, updates: 4}}\nde-en: {train: *all}")
    found = config.resolve({}, "mine")
    assert (found["de-en"]["train"]["updates"], found["en-de"]["train"]["updates"]) == (3, 4)


def test_presets_that_are_each_other_s_base_are_told_so(mine):
    mine("base: yours")
    mine("base: mine", name="yours")
    with pytest.raises(UserError, match=r"yours.yaml: base = 'mine' leads back to itself"):
        config.resolve({}, "mine")
