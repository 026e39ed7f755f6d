"""Whatever stands in a configuration: a complete configuration with its jobs, or one line."""

import copy
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from g2lstm import config, plan
from g2lstm.errors import UserError
from g2lstm.records import canonical_json
from g2lstm.tasks import STAGES

DEMO = config.resolve({}, "demo")
NUMBERS = [
    0, -1, -1.0, 1e-320, 1e308, 3.0, math.nan, math.inf, -math.inf, 2**63, 10**400,
    True, False, None,
]  # fmt: skip
TEXTS = [
    "", " ", "null", "~", "1e3", "1:30", "0x_", "0b_", "2026-99-99", "9" * 5000, "[" * 5000,
    "a\nb", "\x00", "\u2028", "\ud800", "é" * 1000, "../../etc", "$(id)", "'; true", "original",
]  # fmt: skip
scalars = st.sampled_from([*NUMBERS, *TEXTS]) | st.text(max_size=5) | st.floats() | st.integers()
keys = st.sampled_from(["k", "method", "tau", "seeds", "", "a\nb", "\ud800", 3, 2.5, None, True])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def places(value, path=()):
    """All paths through nested mappings, from the top."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))


PLACES = sorted(places(DEMO))


def with_value(path, value):
    """User keys that put ``value`` at ``path``."""
    for key in reversed(path):
        value = {key: value}
    return value


def laid_over(base, own):
    """``base`` with the keys of ``own`` in place of its own, those of mappings one by one."""
    inner = {key: laid_over(base[key], own[key]) for key in own if isinstance(own[key], dict)}
    return {**base, **own, **inner}


def outcome(user):
    """Resolve; check the result, or that the error is one line; return the configuration."""
    before = copy.deepcopy(user)
    try:
        found = config.resolve(user)
    except UserError as error:
        message = str(error)
        assert message.isprintable(), message
        assert len(message) < 1000
        assert message.startswith("config: ")
        return None
    assert str(user) == str(before)
    assert json.loads(canonical_json(found)) == found
    canonical_json(found).encode()
    json.dumps(config.describe(found), ensure_ascii=False).encode()
    for task in config.tasks_of(found):
        for variant in plan.variants(found, task):
            for stage in STAGES[task]:
                job = config.training_job(found, task, variant, found["seeds"][0], stage)
                complete = config.complete_job(json.loads(canonical_json(job)))
                own = found[task].get("methods", {}).get(variant, {})
                for part in ("model", "optimisation"):
                    assert complete[part] == laid_over(found[task][part], own.get(part, {}))
    return found


@settings(max_examples=250)
@given(st.sampled_from(PLACES), values)
def test_any_value_at_any_key_resolves_or_is_told_in_one_line(path, value):
    outcome(with_value(path, value))


@settings(max_examples=100)
@given(st.sampled_from(PLACES), keys, values)
def test_any_key_beside_any_other_resolves_or_is_told_in_one_line(path, key, value):
    outcome(with_value((*path[:-1], key), value))


@pytest.mark.parametrize("value", NUMBERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    "path",
    [
        ("lm", "optimisation", "lr"),
        ("lm", "model", "hidden"),
        ("lm", "settings", "round-clip-r0.2-c0.4", "r"),
        ("checkpoint_minutes",),
    ],
    ids=lambda path: path[-1],
)
def test_only_numbers_to_calculate_with_are_accepted(path, value):
    found = outcome(with_value(path, value))
    if found is None:
        return
    for key in path:
        found = found[key]
    assert found == value
    assert math.isfinite(found)
    assert found > 0


@pytest.mark.parametrize("seed", [1.0, math.nan, True, -1])
def test_a_seed_is_a_whole_number_since_it_names_a_folder(seed):
    with pytest.raises(UserError, match=r"seeds\.0"):
        config.resolve({"seeds": [seed]})


def deep(kind, depth):
    value = 1
    for _ in range(depth):
        value = [value] if kind is list else {"lm": value}
    return value


@pytest.mark.parametrize("depth", [10, 500, 5000])
@pytest.mark.parametrize("kind", [list, dict])
def test_deep_nesting_is_told_in_one_line(kind, depth):
    with pytest.raises(UserError) as error:
        config.resolve({"lm": deep(kind, depth)})
    assert "\n" not in str(error.value)


def test_a_value_within_itself_is_told_in_one_line():
    loop = {}
    loop["lm"] = loop
    with pytest.raises(UserError, match="values within values without end"):
        config.resolve(loop)


@pytest.mark.parametrize(("key", "word"), [(3, "3"), (2.5, "2.5"), (True, "True"), (None, "null")])
def test_a_key_that_is_no_text_is_named(key, word):
    with pytest.raises(UserError, match=rf"config: key {word} in model is not text; quote it"):
        config.resolve({"lm": {"model": {key: 1}}})


def test_a_number_too_large_for_any_array_is_told_in_one_line():
    with pytest.raises(UserError, match="lr holds a number of more than 64 bits"):
        config.resolve({"lm": {"optimisation": {"lr": 16**5000}}})


def test_nothing_is_the_demo():
    assert config.resolve({}) == DEMO
