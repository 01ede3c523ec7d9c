"""Options come from the settings: names, types, defaults, and only what was given."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pgn_studio.cli.options import moved_option, numbers, with_settings, written
from pgn_studio.core.assignments import experimental_names
from pgn_studio.core.config import ClassifierSettings, DataSettings, Settings, TrainingSettings
from pgn_studio.core.errors import ConfigError


def given_by(model: type[Settings], *arguments: str) -> dict[str, Any]:
    """What a command with `model`'s options gets for `arguments`."""
    received: list[dict[str, Any]] = []
    output_of(model, *arguments, received=received)
    return received[0]


def output_of(model: type[Settings], *arguments: str, received: list[dict[str, Any]] | None = None) -> str:
    """What such a command prints."""

    @with_settings(model)
    def command(given: dict[str, Any]) -> None:
        assert received is not None
        received.append(given)

    app = typer.Typer(add_completion=False)
    app.command()(command)
    outcome = CliRunner().invoke(app, list(arguments))
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_nothing_given_leaves_every_default_to_the_settings() -> None:
    assert given_by(TrainingSettings) == {}


def test_values_arrive_with_their_types() -> None:
    given = given_by(
        TrainingSettings, "--gamma", "3", "--loss", "logistic", "--epochs", "2", "--data-root", "/data",
        "--no-classifier-conditioning", "--set", "clip=no", "--set", "decoder-widths=16,8",
        "--set", "epochs=2",
    )  # fmt: skip
    assert given == {
        "gamma": 3.0,
        "classifier_conditioning": False,
        "clip": False,
        "loss": "logistic",
        "epochs": 2,
        "decoder_widths": (16, 8),
        "data_root": "/data",
    }
    assert TrainingSettings.make(**given).decoder_widths == (16, 8)


def test_a_recipe_yields_to_what_was_given() -> None:
    settings = TrainingSettings.make(**given_by(TrainingSettings, "--recipe", "paper", "--set", "head=mlp"))
    assert settings.head == "mlp"
    assert settings.encoder == "resnet50"
    assert not settings.image_conditioning


@pytest.mark.parametrize(
    ("options", "gamma"),
    [
        ((), (0.3, 30)),
        (("--discriminator", "blackbox"), (1, 100)),
        (("--problem", "adversarial"), (1, 100)),
        (("--problem", "adversarial", "--discriminator", "blackbox"), (1.8, 180)),
        (("--problem", "adversarial", "--discriminator", "known"), (1.8, 180)),
        (("--problem", "adversarial", "--gamma", "3"), 3),
        (("--gamma", "0.5..2e1"), (0.5, 20)),
        (("--recipe", "paper"), 0.0001),
        (("--recipe", "paper", "--problem", "adversarial"), 3),
        (("--recipe", "paper", "--gamma", "1..10"), (1, 10)),
    ],
)
def test_gamma_is_the_usual_one_of_the_problem_unless_given(
    options: tuple[str, ...], gamma: float | tuple[float, float]
) -> None:
    settings = TrainingSettings.make(**given_by(TrainingSettings, *options))
    assert settings.gamma == gamma
    assert settings.updated(seed=4).gamma == gamma


@pytest.mark.parametrize("model", [DataSettings, ClassifierSettings, TrainingSettings])
def test_every_setting_is_an_option_or_shares_one(model: type[Settings]) -> None:
    @with_settings(model)
    def command(given: dict[str, Any]) -> None:
        raise AssertionError(given)

    experimental = set(experimental_names(model))
    asked = {name for name in model.model_fields if not model.is_recorded_only(name)} - experimental
    assert set(inspect.signature(command).parameters) == asked | ({"set_"} if experimental else set())


def test_the_experimental_settings_are_listed() -> None:
    listed = output_of(TrainingSettings, "--set", "help")
    for name in experimental_names(TrainingSettings):
        assert name in listed


def test_written_options_give_the_same_settings_again() -> None:
    settings = {
        "gamma": (0.3, 30.0), "classifier_conditioning": False, "decoder_widths": (16, 8), "min_scale": None,
        "clip": False, "logit_temperature": 1.0, "epochs": 2,
    }  # fmt: skip
    assert given_by(TrainingSettings, *written(settings)) == settings


@pytest.mark.parametrize(
    ("option", "arguments", "instead"),
    [
        ("--head", ["train", "--head", "linear"], "--set head=linear"),
        ("--learning-rate-g", ["--learning-rate-g=1e-3"], "--set learning_rate_g=1e-3"),
        ("--head", ["train", "--head"], "--set head=VALUE"),
        ("--no-clip", ["--no-clip"], "--set clip=yes or --set clip=no"),
        ("--soft-targets", ["--soft-targets"], "--set soft_targets=yes or --set soft_targets=no"),
        ("--epochs", ["--epochs", "3"], None),
        ("--none", ["--none"], None),
    ],
)
def test_an_option_that_is_none_any_more_says_what_is(
    option: str, arguments: list[str], instead: str | None
) -> None:
    assert moved_option(option, arguments) == instead


def test_settings_can_be_left_out() -> None:
    @with_settings(DataSettings, leave_out=("image_size",))
    def command(given: dict[str, Any]) -> None:
        raise AssertionError(given)

    assert "image_size" not in inspect.signature(command).parameters


def test_numbers_name_the_option_that_is_bad() -> None:
    assert numbers("0.5,1", "--mean", float) == (0.5, 1.0)
    with pytest.raises(ConfigError, match=r"--widths: expected whole numbers between commas, got '1,x'"):
        numbers("1,x", "--widths", int)
