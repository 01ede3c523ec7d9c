"""What a baseline is made from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import Problem, TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabeledImages


@dataclass(frozen=True)
class BaselineContext:
    """The PGN's own circumstances, so that the comparison is of methods alone."""

    classifier: Classifier  # f; never changed, moved to `device`
    space: InputSpace  # where p lives
    problem: Problem
    train: LabeledImages
    val: LabeledImages  # decides factors and epochs; the test split decides nothing
    image_size: int
    rms: float  # the target: mean over images of the RMS per value of p, in `space`
    settings: TrainingSettings  # the PGN's
    seed: int
    device: torch.device
    precision: str  # of training: white-box, fine-tune

    @classmethod
    def of(
        cls,
        settings: TrainingSettings,
        *,
        classifier: Classifier,
        space: InputSpace,
        dataset: ImageDataset,
        rms: float,
        device: torch.device,
        precision: str = "auto",
        seed: int | None = None,
    ) -> BaselineContext:
        """Of a PGN with these settings on `dataset`; `seed` None: the PGN's own.

        Of a range of γ its middle: `settings_in_force` says another.
        """
        return cls(
            classifier=classifier,
            space=space,
            problem=settings.problem,
            train=dataset.split("train"),
            val=dataset.split("val"),
            image_size=dataset.image_size,
            rms=rms,
            settings=settings.updated(gamma=settings.first_gamma),
            seed=settings.seed if seed is None else seed,
            device=device,
            precision=precision,
        )

    def __post_init__(self) -> None:
        if not math.isfinite(self.rms) or self.rms < 0:
            raise ConfigError(f"The RMS to match must be a finite number of at least 0, got {self.rms!r}.")


def settings_in_force(pgn: Pgn) -> TrainingSettings:
    """The PGN's settings, of a range the one γ at which it perturbs: what a baseline is compared at."""
    return TrainingSettings.make(**pgn.info.settings).updated(gamma=pgn.gamma)
