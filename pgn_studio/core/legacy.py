"""The names that files of earlier versions use, read under those of today: the one table of old names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pgn_studio.core.config import LEGACY_DEFAULTS, TrainingSettings

# A pair of old names that one setting replaces: see `_encoder_training`.
_ENCODER_TRAINED, _LAST_STAGE = "encoder_trained", "last_stage"
NAMES = {
    "average": "ema_decay",
    "blend": "input_mixup",
    "clamp": "clip",
    "conditional": "image_conditioning",
    "encoder_size": "encoder_input_size",
    "keep": "select",
    "min_strength": "min_scale",
    "temperature": "logit_temperature",
    "told_label": "label_conditioning",
    "train_limit": "max_train_images",
    _ENCODER_TRAINED: "encoder_training",
    _LAST_STAGE: "encoder_training",
}
# D learned from more than perturbed images; the recipe of today does without.
GONE = ("anchors", "mismatched", "noise_copies", "rehearsals")
VALUES = {
    "head": {"naming": "surrogate"},
    "loss": {"ls": "least-squares", "lr": "logistic"},
    "recipe": {"default": "recommended"},
}

# What the records of runs and PGNs, and the networks in a checkpoint, were called beside their settings.
RECORD_NAMES = {"foreign_classifier": "external_classifier", "least_rms": "abstain_below_rms"}
TENSOR_NAMES = {"namer.": "surrogate."}
# A checkpoint's file says where its run stands under these names, also those that are written today.
STATE_NAMES = {"blend": "input_mixup", "pace": "schedule"}

# What scripts still export by its old name.
EXPORT_NAMES = {"strip": "comparison"}

# Baselines, in commands and in the files that they write.
BASELINE_NAMES = {
    "aid": "fgsm-oracle",
    "aid-iterated": "pgd-oracle",
    "direct": "white-box",
    "noise": "random-sign",
}


def modern_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """What run.json or a PGN's metadata says, under today's names; the settings in it stay as they are."""
    return {RECORD_NAMES.get(name, name): value for name, value in values.items()}


def modern_state(values: Mapping[str, Any]) -> dict[str, Any]:
    """Where a run stands, as a checkpoint's file says it, under today's names."""
    return {STATE_NAMES.get(name, name): value for name, value in values.items()}


def state_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `modern_state`."""
    file_names = {name: old for old, name in STATE_NAMES.items()}
    return {file_names.get(name, name): value for name, value in values.items()}


def modern_tensor(name: str) -> str:
    """The name of a checkpoint's tensor today."""
    network, slash, key = name.partition("/")
    for old, new in TENSOR_NAMES.items():
        if key.startswith(old):
            key = new + key.removeprefix(old)
    return f"{network}{slash}{key}"


def recorded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a run or a PGN records them, with what was the rule where they name none."""
    found = {**LEGACY_DEFAULTS, **modern(values)}
    if found["classifier_conditioning"] is None:  # the rule when this was written down: told nothing
        found["classifier_conditioning"] = False
    return found


def modern(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a file holds them, under today's names and with today's words; the order stays.

    Those that are gone are left out. A name that is there under both stays as it is, so that validation
    refuses the old one.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in GONE:
            continue
        new = NAMES.get(name, name)
        if new in values and new != name:
            found[name] = value
        elif new == "encoder_training" and new != name:
            found[new] = _encoder_training(values)
        else:
            known = VALUES.get(name, {})
            found[new] = known.get(value, value) if isinstance(value, str) else value
    return found


def _encoder_training(values: Mapping[str, Any]) -> Any:
    """What `encoder_trained` and `last_stage` say together; None where both leave it to the default.

    A file without `last_stage` is from before a last stage could learn.
    """
    trained, last_stage = values.get(_ENCODER_TRAINED), values.get(_LAST_STAGE, False)
    for value in (trained, last_stage):
        if value is not None and not isinstance(value, bool):
            return value  # damaged: validation says so
    encoder = str(values.get("encoder", TrainingSettings.model_fields["encoder"].default))
    if trained is None:
        if last_stage is None:
            return None
        trained = encoder == "small" or values.get("encoder_weights") == "none"
    if trained:
        return "full"
    if last_stage is None:
        last_stage = encoder.startswith("efficientnet")
    return "last-stage" if last_stage else "frozen"
