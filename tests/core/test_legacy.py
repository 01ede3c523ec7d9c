"""Files of earlier versions, with the names that settings had then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pgn_studio.core.classifiers import load_classifier
from pgn_studio.core.config import ClassifierSettings, TrainingSettings
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.legacy import NAMES, VALUES, modern, modern_state, state_record
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.pgn import build_generator, load_pgn
from tests.legacy_files import PAIR, of_then

FIELDS = {**TrainingSettings.model_fields, **ClassifierSettings.model_fields}
FROM_SCRATCH = {"encoder_weights": "none"}


@pytest.mark.parametrize(("old", "new"), [(old, new) for old, new in NAMES.items() if old not in PAIR])
def test_each_old_name_is_read_as_the_new_one(old: str, new: str) -> None:
    assert old not in FIELDS
    assert new in FIELDS
    assert modern({old: 0.5, "gamma": 3.0}) == {new: 0.5, "gamma": 3.0}
    assert modern({new: 0.5}) == {new: 0.5}


@pytest.mark.parametrize(
    ("name", "old", "new"), [(name, *pair) for name, known in VALUES.items() for pair in known.items()]
)
def test_each_old_value_is_read_as_the_new_one(name: str, old: str, new: str) -> None:
    assert getattr(TrainingSettings.make(**modern({name: old})), name) == new
    assert modern({name: new}) == {name: new}


def test_short_forms_of_the_losses_are_still_taken() -> None:
    assert [TrainingSettings.make(loss=loss).loss for loss in ("ls", "LR")] == ["least-squares", "logistic"]
    for name, old in (("head", "naming"), ("recipe", "default")):
        with pytest.raises(ConfigError, match=old):
            TrainingSettings.make(**{name: old})


@pytest.mark.parametrize(
    ("trained", "last_stage", "other", "expected"),
    [
        (None, None, {}, None),
        (None, None, {"encoder": "resnet50"}, None),
        (True, None, {}, "full"),
        (True, True, {}, "full"),
        (None, True, {}, "last-stage"),
        (None, True, {"encoder": "small"}, "full"),
        (None, True, FROM_SCRATCH, "full"),
        (None, False, {}, "frozen"),
        (None, False, {"encoder": "small"}, "full"),
        (None, False, FROM_SCRATCH, "full"),
        (False, None, {}, "last-stage"),
        (False, None, {"encoder": "efficientnet-lite2"}, "last-stage"),
        (False, None, {"encoder": "resnet50"}, "frozen"),
        (False, None, {"encoder": "small"}, "frozen"),
        (False, False, {}, "frozen"),
        (False, True, {"encoder": "resnet50"}, "last-stage"),
    ],
)
def test_what_two_settings_said_of_the_encoder(
    trained: bool | None, last_stage: bool | None, other: dict[str, Any], expected: str | None
) -> None:
    read = modern({**other, "encoder_trained": trained, "last_stage": last_stage})
    assert read == {**other, "encoder_training": expected}


@pytest.mark.parametrize(("encoder", "expected"), [("efficientnet-lite0", "frozen"), ("small", "full")])
def test_before_a_last_stage_could_learn(encoder: str, expected: str) -> None:
    assert modern({"encoder": encoder, "encoder_trained": None})["encoder_training"] == expected


def test_nothing_is_dropped() -> None:
    assert modern({"warp": 9, "blend": [0.5]}) == {"warp": 9, "input_mixup": [0.5]}
    assert modern({"encoder_trained": "perhaps"}) == {"encoder_training": "perhaps"}
    both = modern({"keep": "last", "select": "best"})
    with pytest.raises(ConfigError, match="keep"):
        TrainingSettings.make(**both)


def test_a_checkpoint_s_file_says_where_a_run_stands_as_ever() -> None:
    state = {"step": 3, "input_mixup": 0.2, "schedule": None}
    assert state_record(state) == {"step": 3, "blend": 0.2, "pace": None}
    assert modern_state(state_record(state)) == state


def test_a_pgn_of_the_version_before(tmp_path: Path) -> None:
    settings = TrainingSettings.make(
        encoder="small", decoder_widths=(8, 8), loss="logistic", select="last", gamma=1.0,
        classifier_conditioning=False,
    )  # fmt: skip
    generator = build_generator(settings, image_size=16).eval()
    info = {
        "name": "then", "problem": "enhance", "discriminator": "shared", "loss": "lr", "encoder": "small",
        "input_space": "pixel", "gamma": 1.0, "image_size": 16, "classes": ["cat", "dog"],
        "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2], "classifier_path": "c.safetensors",
        "classifier_sha256": "0" * 64, "dataset": "pets", "fingerprint": "f" * 64,
        "settings": of_then(settings.model_dump(mode="json")),
    }  # fmt: skip
    path = tmp_path / "pgn.safetensors"
    metadata = {"format": "pgn-studio-pgn", "version": "1", "info": json.dumps(info)}
    save_file(generator.state_dict(), path, metadata=metadata)
    pgn = load_pgn(path)
    assert pgn.info.loss == "logistic"
    assert TrainingSettings.make(**pgn.info.settings) == settings
    pixels = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(pgn.perturb(pixels).perturbation, generator(pixels))


@pytest.mark.parametrize("name", ["digits-enhance", "digits-adversarial"])
def test_the_pgns_that_come_with_it(name: str) -> None:
    pgn = load_pgn(trained_folder() / f"{name}.safetensors")
    settings = TrainingSettings.make(**pgn.info.settings)
    assert (settings.loss, settings.recipe, settings.select) == ("least-squares", "recommended", "best")
    assert settings.logit_temperature == 1.0


def test_the_classifier_that_comes_with_it() -> None:
    classifier = load_classifier(trained_folder() / "digits-classifier.safetensors")
    assert ClassifierSettings.make(**classifier.info.training["settings"]).max_train_images == 60
