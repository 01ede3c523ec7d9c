"""The command line says what core names as it is typed."""

from __future__ import annotations

import pytest

from pgn_studio.cli.wording import error_text, in_options
from pgn_studio.core.advice import Advice, Argument, Command, Part, Setting
from pgn_studio.core.errors import ConfigError


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Setting("batch_size"), "--batch-size"),
        (Setting("discriminator", "blackbox"), "--discriminator blackbox"),
        (Setting("gamma", (0.3, 30.0)), "--gamma 0.3..30"),
        (Setting("download", True), "--download"),
        (Setting("classifier_conditioning", False), "--no-classifier-conditioning"),
        (Setting("learning_rate_g"), "learning_rate_g (with --set)"),
        (Setting("head", "linear"), "--set head=linear"),
        (Setting("image_conditioning", True), "--set image_conditioning=yes"),
        (Argument("classes"), "--classes"),
        (Argument("trust_code", True), "--trust-code"),
        (Argument("header", "Authorization: Bearer $TOKEN"), '--header "Authorization: Bearer $TOKEN"'),
        (Argument("resume", "runs/first"), "--resume runs/first"),
        (Command("runs"), "`pgn-studio runs`"),
        (Command("perturb", (Argument("strength", 0.5),)), "`pgn-studio perturb --strength 0.5`"),
    ],
)
def test_each_part_as_it_is_typed(part: Part, said: str) -> None:
    assert in_options(Advice("Use {}.", part)) == f"Use {said}."


def test_an_error_in_one_line() -> None:
    error = ConfigError(
        Advice("{}: too low.", Setting("epochs")), hint=Advice("Raise {}.", Setting("epochs"))
    )
    assert error_text(error) == "--epochs: too low. Raise --epochs."
    assert error_text(ValueError("a plain one")) == "a plain one"
    assert in_options("a plain one") == "a plain one"
