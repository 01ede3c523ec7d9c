"""What travels with a PGN: settings, data, classifier, versions, and how it did on validation."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings, soft_targets, told_of_classifier
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.evaluation.evaluate import Metrics
from pgn_studio.core.evaluation.metrics import figures_kept
from pgn_studio.core.external_classifier import portable_facts
from pgn_studio.core.learned_images import packed
from pgn_studio.core.perturbation.pgn import PgnInfo, Told
from pgn_studio.core.runs import versions


def pgn_info(
    settings: TrainingSettings,
    dataset: ImageDataset,
    classifier: Classifier,
    *,
    name: str,
    gamma: float,
    metrics: Metrics | None,
    external: Any,
) -> PgnInfo:
    """`gamma` is the one in force; `metrics` are of the validation split, None before any are there.

    `external` is what run.json says of a classifier of another program, if it is one.
    """
    return PgnInfo(
        name=name,
        problem=settings.problem,
        discriminator=settings.discriminator,
        loss=settings.loss,
        encoder=settings.encoder,
        input_space=settings.input_space,
        gamma=gamma,
        image_size=dataset.image_size,
        classes=tuple(dataset.classes),
        mean=classifier.info.mean,
        channels=classifier.info.channels,
        std=classifier.info.std,
        classifier_path=classifier.info.path,
        classifier_sha256=classifier.info.sha256,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        told=told_to_g(settings),
        learned_from=packed(dataset.split("train").pixel_hashes),
        settings=settings.model_dump(mode="json"),
        external_classifier=portable_facts(external),
        metrics={} if metrics is None else figures_kept(metrics),
        versions=versions(),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def told_to_g(settings: TrainingSettings) -> Told:
    """What of f's outputs about the image G is told."""
    if not told_of_classifier(settings):
        return "nothing"
    return "probabilities" if soft_targets(settings) else "label"
