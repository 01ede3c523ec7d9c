"""Advice is a neutral text that each face can word; a copy, a pickle and a file keep what they can."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import asdict

import pytest

from pgn_studio.core.advice import Advice, Argument, Command, Part, Setting, worded
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.training.events import Notice

HINT = Advice("Raise {} (now {:g}), or use {}.", Setting("gamma"), 3.0, Setting("head", "mlp"))


def loud(part: Part) -> str:
    return part.name.upper()


def test_its_own_text_is_neutral() -> None:
    assert HINT == "Raise gamma (now 3), or use head='mlp'."
    assert str(Advice("See {}.", Command("perturb", (Argument("strength", 0.5),)))) == (
        "See the command perturb (strength=0.5)."
    )


def test_a_face_words_the_parts_and_nothing_else() -> None:
    assert worded(HINT, loud) == "Raise GAMMA (now 3), or use HEAD."
    assert worded("Raise gamma.", loud) == "Raise gamma."
    assert worded(Advice("First. {}", HINT), loud) == "First. Raise GAMMA (now 3), or use HEAD."


def test_what_users_give_may_hold_braces() -> None:
    assert worded(Advice("{!r} and {}: {}", "{0}", "a{b", Setting("gamma")), loud) == "'{0}' and a{b: GAMMA"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda text: pickle.loads(pickle.dumps(text))])
def test_copies_can_still_be_worded(again: type[Advice]) -> None:
    assert worded(again(HINT), loud) == worded(HINT, loud)


def test_a_file_holds_its_neutral_text() -> None:
    notice = Notice(8, "g-outran-d", "G outran D.", HINT)
    assert json.loads(json.dumps(asdict(notice)))["hint"] == str(HINT)


def test_an_error_is_neutral_until_a_face_words_it() -> None:
    error = ConfigError(Advice("{} is needed.", Setting("classifier")), hint=HINT)
    assert str(error) == "classifier is needed. Raise gamma (now 3), or use head='mlp'."
    assert error.worded(loud) == "CLASSIFIER is needed. Raise GAMMA (now 3), or use HEAD."
    assert pickle.loads(pickle.dumps(error)).worded(loud) == error.worded(loud)


def test_each_refused_setting_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        TrainingSettings.make(test_fraction=2, head="cubic")
    text = caught.value.worded(loud)
    assert "TEST_FRACTION: " in text
    assert "(got 2); HEAD: " in text
