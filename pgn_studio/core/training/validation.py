"""The validation split, measured at the end of every epoch; as any figure, in float32."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from operator import itemgetter

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.classifiers.accuracy import check_finite
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import to_pixels
from pgn_studio.core.evaluation.evaluate import Evaluation, Metrics, clean_scores, evaluate
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabeledImages
from pgn_studio.core.training.events import AtGamma
from pgn_studio.core.training.feature_cache import FeatureCache
from pgn_studio.core.training.input_mixup import MixedImages

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
        """f is asked about the clean images here, once: it never changes."""
        self._batch_size = batch_size
        self._dataset = dataset
        self._classifier = classifier
        self.split = dataset.split("val")
        self._shown: LabeledImages = self.split
        self._clean = clean_scores(classifier, self.split, batch_size=batch_size)
        check_finite(torch.from_numpy(self._clean), lambda row: f"the image {self.split.names[row]!r} of val")
        self.right: npt.NDArray[np.bool_] = self._clean.argmax(1) == np.asarray(self.split.labels)
        images = len(self.split)
        self._memory = (
            None
            if generator.encoder_trained
            else FeatureCache(generator.encode, images=images, most_bytes=most_bytes)
        )

    @property
    def clean_accuracy(self) -> float:
        """f's, on the images that it is shown."""
        return float((self._clean.argmax(1) == np.asarray(self.split.labels)).mean())

    @property
    def is_mixed(self) -> bool:
        return self._shown is not self.split

    def mix(self, share: float, *, seed: int) -> None:
        """From now on f is shown each image mixed with up to `share` of another; G still sees it unmixed."""
        self._shown = MixedImages(self.split, share=share, seed=seed)
        self._clean = clean_scores(self._classifier, self._shown, batch_size=self._batch_size)

    def evaluate(self, pgn: Pgn) -> Evaluation:
        """With G in evaluation mode; its mode is left as it was."""
        was_training = pgn.generator.training
        pgn.eval()
        evaluation = evaluate(
            pgn,
            self._classifier,
            self._shown,
            split_name="val",
            dataset_name=self._dataset.name,
            batch_size=self._batch_size,
            clean=self._clean,
            encode=partial(self._encode, pgn.generator),
            facts={},
        )
        pgn.generator.train(was_training)
        return evaluation

    def measure(self, pgn: Pgn) -> Metrics:
        return self.evaluate(pgn).metrics

    def _encode(self, generator: Generator, pixels: Tensor, start: int) -> Tensor:
        rows = np.arange(start, start + len(pixels))
        if self.is_mixed:
            pixels = to_pixels(self.split.images(rows), pixels.device)
        features = None if self._memory is None else self._memory(pixels, rows, None)
        return generator.encode(pixels) if features is None else features

    def along(self, pgn: Pgn, middle: Metrics, *, sparing: bool) -> tuple[AtGamma, ...]:
        """Of a PGN that serves a range of γ: its ends and its middle, which is measured already.

        `sparing`: f is a black box, and not asked about the ends.
        """
        gammas = pgn.generator.gammas
        if gammas is None:
            return ()
        ends = () if sparing else (gammas.low, gammas.high)
        measured = [(pgn.gamma, middle), *((gamma, self.measure(pgn.at(gamma))) for gamma in ends)]
        return tuple(at_gamma(*one) for one in sorted(measured, key=itemgetter(0)))


def at_gamma(gamma: float, metrics: Metrics) -> AtGamma:
    return AtGamma(gamma=gamma, **{item.name: getattr(metrics, item.name) for item in fields(AtGamma)[1:]})
