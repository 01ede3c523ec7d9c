"""The validation split, measured at the end of every epoch; as any figure, in float32."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.classifiers.accuracy import check_finite
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.evaluation.evaluate import Metrics, clean_scores, evaluate_perturber
from pgn_studio.core.evaluation.metrics import Scores
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.pgn import Perturbation, Pgn
from pgn_studio.core.training.events import AtGamma
from pgn_studio.core.training.remembered import Remembered

BATCH = 128


class Validation:
    """Asks f about the clean images once, and a frozen encoder too where there is room: they never change."""

    def __init__(
        self,
        dataset: ImageDataset,
        classifier: Classifier,
        *,
        generator: Generator,
        most_bytes: int,
        batch_size: int = BATCH,
    ) -> None:
        self._batch_size = batch_size
        self._dataset = dataset
        self._classifier = classifier
        self.split = dataset.split("val")
        self._clean = clean_scores(classifier, self.split, batch_size=batch_size)
        check_finite(torch.from_numpy(self._clean), lambda row: f"the image {self.split.names[row]!r} of val")
        self.right: npt.NDArray[np.bool_] = self._clean.argmax(1) == np.asarray(self.split.labels)
        images = len(self.split)
        self._memory = (
            None
            if generator.encoder_trained
            else Remembered(generator.encode, images=images, most_bytes=most_bytes)
        )

    @property
    def clean_accuracy(self) -> float:
        return float(self.right.mean())

    def measure(self, pgn: Pgn) -> Metrics:
        """With G in evaluation mode; its mode is left as it was."""
        was_training = pgn.generator.training
        pgn.eval()
        evaluation = evaluate_perturber(
            _InOrder(pgn, self._memory, self._clean),
            self._classifier,
            self.split,
            split_name="val",
            dataset_name=self._dataset.name,
            space=pgn.space,
            batch_size=self._batch_size,
            clean=self._clean,
        )
        pgn.generator.train(was_training)
        return evaluation.metrics

    def along(self, pgn: Pgn, middle: Metrics, *, sparing: bool) -> tuple[AtGamma, ...]:
        """Of a PGN that serves a range of γ: its ends and its middle, which is measured already.

        `sparing`: f is a black box, and not asked about the ends.
        """
        gammas = pgn.generator.gammas
        if gammas is None:
            return ()
        ends = () if sparing else (gammas.low, gammas.high)
        measured = [(pgn.gamma, middle), *((gamma, self.measure(pgn.at(gamma))) for gamma in ends)]
        return tuple(at_gamma(*one) for one in sorted(measured, key=_gamma))


def _gamma(measured: tuple[float, Metrics]) -> float:
    return measured[0]


def at_gamma(gamma: float, metrics: Metrics) -> AtGamma:
    return AtGamma(gamma=gamma, **{item.name: getattr(metrics, item.name) for item in fields(AtGamma)[1:]})


class _InOrder:
    """A PGN that is asked for all images of a split, one batch after another.

    `clean`: f's probabilities of them (N, K).
    """

    def __init__(self, pgn: Pgn, memory: Remembered | None, clean: Scores) -> None:
        self._pgn = pgn
        self._memory = memory
        self._clean = clean
        self._seen = 0

    @torch.no_grad()
    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        rows = np.arange(self._seen, self._seen + len(pixels))
        self._seen += len(pixels)
        features = None if self._memory is None else self._memory(pixels, rows, None)
        if features is None:
            features = self._pgn.generator.encode(pixels)
        known = torch.from_numpy(self._clean[rows]).to(pixels.device)
        return self._pgn.perturb_encoded(pixels, features, self._pgn.as_told(known))
