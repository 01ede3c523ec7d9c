"""From --over to runs: types, validation, names."""

from __future__ import annotations

import pytest

from pgn_studio.core.assignments import value_text
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.sweeps.plan import Axis, make_points, parse_axis, run_name, values_text


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("gamma=0.1,1,10", "gamma", (0.1, 1.0, 10.0)),
        ("gamma=3,0.3..30,1..10", "gamma", (3.0, (0.3, 30.0), (1.0, 10.0))),
        ("seed=0,1,2", "seed", (0, 1, 2)),
        ("learning-rate-g=1e-3, 1e-4", "learning_rate_g", (1e-3, 1e-4)),
        ("clip=yes,no", "clip", (True, False)),
        ("input-mixup=default,0", "input_mixup", (None, 0.0)),
        ("decoder-widths=64x32,8", "decoder_widths", ((64, 32), (8,))),
        ("loss=lr", "loss", ("logistic",)),
    ],
)
def test_values_get_the_type_of_their_setting(text: str, name: str, values: tuple[object, ...]) -> None:
    axis = parse_axis(text, {})
    assert (axis.name, axis.values) == (name, values)
    assert [type(value) for value in axis.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gama=1", "Did you mean gamma"),
        ("devise=cpu", "no setting 'devise'"),
        ("device=cpu", "no setting 'device'"),
        ("gamma", "expected SETTING=VALUE"),
        ("gamma=", "expected SETTING=VALUE"),
        ("gamma=1,", "gamma"),
        ("gamma=1,1.0", "named twice"),
        ("gamma=-1", "values from 0"),
        ("gamma=30..0.3", "LOW..HIGH"),
        ("gamma=1,abc", "LOW..HIGH"),
        ("gamma=0.3..30,3e-1..3e1", "named twice"),
        ("gamma=nan", "gamma"),
        ("epochs=1.5", "epochs"),
        ("loss=l3", "loss"),
    ],
)
def test_bad_values_are_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_axis(text, {})
    assert "over" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_setting_cannot_be_given_and_swept() -> None:
    with pytest.raises(ConfigError, match="gamma cannot both be set and swept"):
        parse_axis("gamma=1,2", {"gamma": 3.0})
    with pytest.raises(ConfigError, match="head cannot both be set and swept"):
        parse_axis("head=linear,mlp", {"head": "auto"})


def test_points_are_the_product_with_the_last_axis_fastest() -> None:
    axes = [Axis("gamma", (0.1, 10.0)), Axis("seed", (0, 1))]
    points = make_points({"epochs": 2}, axes)
    assert [point.name for point in points] == [
        "gamma-0.1_seed-0", "gamma-0.1_seed-1", "gamma-10_seed-0", "gamma-10_seed-1",
    ]  # fmt: skip
    assert [(point.settings.gamma, point.settings.seed) for point in points] == [
        (0.1, 0), (0.1, 1), (10, 0), (10, 1),
    ]  # fmt: skip
    assert {point.settings.epochs for point in points} == {2}


def test_a_swept_recipe_brings_its_own_defaults() -> None:
    literal, ours = make_points({}, [Axis("recipe", ("paper", "recommended"))])
    assert (literal.settings.head, ours.settings.head) == ("linear", "auto")


def test_too_many_runs_and_an_axis_given_twice_are_refused() -> None:
    with pytest.raises(ConfigError, match="got 2000 runs"):
        make_points({}, [Axis("seed", tuple(range(1000))), Axis("gamma", (1.0, 2.0))])
    with pytest.raises(ConfigError, match="given twice"):
        make_points({}, [Axis("seed", (0,)), Axis("seed", (1,))])
    with pytest.raises(ConfigError, match="nothing to sweep"):
        make_points({}, [])


def test_paths_that_end_alike_get_folders_of_their_own() -> None:
    names = {run_name({"classifier": path}) for path in ("/a/c.safetensors", "/b/c.safetensors")}
    assert len(names) == 2
    assert all("/" not in name and len(name) < 80 for name in names)


def test_values_are_told_as_a_person_writes_them() -> None:
    assert [value_text(value) for value in (10.0, 1e-4, True, None, (64, 32))] == [
        "10", "0.0001", "yes", "default", "64x32",
    ]  # fmt: skip
    assert value_text(0.12345678) == "0.12345678"  # never two values with one name
    assert values_text({"gamma": 0.1, "seed": 2}) == "γ 0.1, seed 2"
