"""The bundled digits classifier on a few digits, and a narrow generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.classifiers import Classifier, load_classifier
from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.input_space import InputSpace
from tests.core.evaluation.samples import ArraySplit

MakeContext = Callable[..., BaselineContext]

FAST = {
    "dataset": "digits",
    "encoder": "small",
    "decoder_widths": (8, 8),
    "epochs": 2,
    "batch_size": 64,
    "gamma": 0.1,
    "learning_rate_g": 3e-3,
    "ema_decay": 0.9,
}


@pytest.fixture(scope="session")
def splits() -> dict[str, ArraySplit]:
    """160 digits to train on, 40 to decide by and 60 to measure on, at 16 px."""
    dataset = load_dataset(DataSettings(dataset="digits", image_size=16))
    parts = {}
    for name, count in (("train", 160), ("val", 40), ("test", 60)):
        split, rows = dataset.split(name), np.arange(count)
        labels = np.asarray(split.labels)[rows].tolist()
        parts[name] = ArraySplit(split.images(rows), labels, names=["-"] * count)
    return parts


@pytest.fixture
def classifier() -> Classifier:
    return load_classifier(trained_folder() / "digits-classifier.safetensors")


@pytest.fixture
def make_context(classifier: Classifier, splits: dict[str, ArraySplit]) -> MakeContext:
    """A context; `settings` are changes to FAST, the rest changes to the context."""

    def make(
        *,
        problem: str = "enhance",
        space: str = "pixel",
        settings: dict[str, Any] | None = None,
        **changes: Any,
    ) -> BaselineContext:
        info = classifier.info
        values: dict[str, Any] = {
            "classifier": classifier,
            "space": InputSpace(space, mean=info.mean, std=info.std),  # type: ignore[arg-type]
            "problem": problem,
            "train": splits["train"],
            "val": splits["val"],
            "image_size": 16,
            "rms": 0.05,
            "settings": TrainingSettings.make(**{**FAST, "problem": problem, **(settings or {})}),
            "seed": 3,
            "device": torch.device("cpu"),
            "precision": "fp32",
        }
        return BaselineContext(**{**values, **changes})

    return make
