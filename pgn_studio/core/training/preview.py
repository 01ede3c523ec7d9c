"""The preview strip's pictures: a few validation images, perturbed by G as it is now."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import torch

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import full_precision, to_pixels
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabeledImages, UInt8Images
from pgn_studio.core.training.events import PreviewReady
from pgn_studio.core.training.samples import SampleChoice

SECONDS = 1.0  # at most one in this time by itself: it costs a forward of G and two of f


def perturbation_picture(perturbation: torch.Tensor) -> tuple[UInt8Images, float]:
    """Signed p (N, 3, H, W) as uint8 (N, H, W, 3) around 128, and the largest |p| that ±127 stands for."""
    scale = max(float(perturbation.abs().max()), 1e-8)
    picture = (perturbation / scale * 127 + 128).round().clamp(0, 255)
    return _pictures(picture), scale


def _pictures(values: torch.Tensor) -> UInt8Images:
    return np.ascontiguousarray(values.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())


class Preview:
    """Makes a PreviewReady whenever asked."""

    def __init__(
        self, split: LabeledImages, right: npt.NDArray[np.bool_], pgn: Pgn, classifier: Classifier
    ) -> None:
        """`right`: which images of the split the classifier gets right."""
        self._split, self._right = split, right
        self._pgn = pgn
        self._classifier = classifier
        self._made = 0.0
        self.choose(SampleChoice())

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._made > SECONDS

    def choose(self, choice: SampleChoice) -> None:
        """Show these from now on."""
        self.choice = choice
        self._indices = choice.pick(self._right)
        self._images = self._split.images(self._indices)
        self._labels = tuple(int(label) for label in np.asarray(self._split.labels)[self._indices])
        self._features: torch.Tensor | None = None  # of a frozen encoder, from the first time on

    @torch.no_grad()
    def make(self, step: int, *, gamma: float, device: torch.device) -> PreviewReady:
        """At `gamma` where G serves a range of it. Leaves G in the mode that it was in."""
        pixels = to_pixels(self._images, device)
        was_training = self._pgn.generator.training
        self._pgn.generator.eval()
        with full_precision(device):
            features = self._pgn.generator.encode(pixels) if self._features is None else self._features
            before = self._classifier(pixels)
            clean = before.argmax(1).tolist()
            pgn = self._pgn if self._pgn.generator.gammas is None else self._pgn.at(gamma)
            result = pgn.perturb_encoded(pixels, features, pgn.as_told(before.softmax(1)))
            perturbed = self._pgn.logits(self._classifier, result.perturbed).argmax(1).tolist()
        self._pgn.generator.train(was_training)
        if not self._pgn.generator.encoder_trained:
            self._features = features
        self._made = time.monotonic()
        picture, scale = perturbation_picture(result.perturbation_pixels)
        return PreviewReady(
            step=step,
            gamma=gamma,
            original=self._images,
            perturbation=picture,
            perturbation_scale=scale,
            perturbed=_pictures((result.pixels.clamp(0, 1) * 255).round()),
            labels=self._labels,
            clean_predictions=tuple(clean),
            perturbed_predictions=tuple(perturbed),
            indices=tuple(self._indices),
        )
