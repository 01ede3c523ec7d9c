"""A new run's settings with every default filled in: what is going to be trained, before it is."""

from __future__ import annotations

from typing import Any

import torch

from pgn_studio.core.choices import DISCRIMINATORS
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import (
    TrainingSettings,
    encoder_training,
    min_scale,
    soft_targets,
    told_of_classifier,
    with_augmentation,
)
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import training_machine
from pgn_studio.core.encoders import with_encoder_view
from pgn_studio.core.perturbation.discriminators.plan import head_name
from pgn_studio.core.perturbation.generator import Decoder
from pgn_studio.core.perturbation.pgn import build_generator
from pgn_studio.core.training.backbones import backbone_learns, backbone_name
from pgn_studio.core.training.schedule import training_epochs


def resolved(settings: TrainingSettings, classifier: Classifier, dataset: ImageDataset) -> TrainingSettings:
    """As `Trainer` reads them for this data and classifier; nothing is measured and no weights are loaded.

    What is left None is chosen while it trains: input mixup, by the classifier's answers. Raises ConfigError
    where the settings do not go together.
    """
    settings = with_augmentation(
        with_encoder_view(settings, image_size=dataset.image_size), dataset.mirrorable
    )
    with torch.device("meta"):  # its plan alone
        generator = build_generator(
            settings, image_size=dataset.image_size, classes=len(dataset.classes), with_weights=False
        )
    machine = training_machine(settings.device, settings.precision)
    return settings.updated(
        image_size=dataset.image_size,
        epochs=training_epochs(settings, len(dataset.split("train"))),
        encoder_input_size=generator.encoder_size,
        encoder_training=encoder_training(settings),
        decoder_widths=Decoder.widths_in(generator.state_dict()),
        classifier_conditioning=told_of_classifier(settings),
        soft_targets=soft_targets(settings),
        min_scale=min_scale(settings),
        device=str(machine.device),
        precision=machine.precision,
        **_of_discriminator(settings, classifier),
    )


def _of_discriminator(settings: TrainingSettings, classifier: Classifier) -> dict[str, Any]:
    learns = backbone_learns(settings, classifier)
    values: dict[str, Any] = {"head": head_name(settings, learns=learns)}
    if DISCRIMINATORS[settings.discriminator].own_backbone:
        values["discriminator_backbone"] = backbone_name(settings, classifier)
        if learns and settings.discriminator_weights == "auto":
            values["discriminator_weights"] = "none"
    return values
