"""A PGN that is measured in no time, for tests of what is done with one after it is open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.project import MeasuredPgn
from tests.studies import Brighten

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset


def measured(digits: ImageDataset, classifier: Classifier, path: str) -> MeasuredPgn:
    """Digits made greener, under a classifier that has learned nothing."""
    settings = TrainingSettings.make(image_size=16, epochs=3).model_dump(mode="json")
    info = PgnInfo(
        name="greener", problem="enhance", discriminator="shared", loss="least-squares", encoder="small",
        input_space="pixel", gamma=1.0, image_size=16, classes=digits.classes, mean=classifier.info.mean,
        std=classifier.info.std, classifier_path=classifier.info.path, classifier_sha256="",
        dataset="digits", fingerprint=digits.fingerprint, settings=settings,
    )  # fmt: skip
    pgn = Pgn(Brighten(0.3), info).eval()  # type: ignore[arg-type]
    found = evaluate(pgn, classifier, digits.split("test"), split_name="test", dataset_name="digits")
    source = ClassifierSource(classifier.info.path)
    return MeasuredPgn(pgn, classifier, digits, "test", found, DataSettings(), source, path=path)


def opens_quickly(patch: pytest.MonkeyPatch, digits: ImageDataset, classifier: Classifier) -> None:
    """Whatever PGN is opened from now on is that one; loading and measuring are tested elsewhere."""

    def open_it(path: Path, *_others: Any) -> MeasuredPgn:
        return measured(digits, classifier, str(path))

    patch.setattr("pgn_studio.gui.project._open_and_measure", open_it)
