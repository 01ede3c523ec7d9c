"""The preview strip's pictures: the same few validation images, perturbed by G as it is now."""

from __future__ import annotations

import numpy as np
import torch

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import autocast, to_pixels
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import LabelledImages, UInt8Images
from pgn_studio.core.training.events import PreviewReady

PREVIEW_IMAGES = 8


def preview_indices(clean_right: torch.Tensor, *, count: int = PREVIEW_IMAGES) -> list[int]:
    """Half of them images that the classifier gets wrong, where there are as many: those can be fixed."""
    wrong = torch.nonzero(~clean_right).flatten().tolist()
    right = torch.nonzero(clean_right).flatten().tolist()
    from_wrong = wrong[: max(count // 2, count - len(right))]
    return sorted(from_wrong + right[: count - len(from_wrong)])


def perturbation_picture(perturbation: torch.Tensor) -> tuple[UInt8Images, float]:
    """Signed p (N, 3, H, W) as uint8 (N, H, W, 3) around 128, and the largest |p| that ±127 stands for."""
    scale = max(float(perturbation.abs().max()), 1e-8)
    picture = (perturbation / scale * 127 + 128).round().clamp(0, 255)
    return _pictures(picture), scale


def _pictures(values: torch.Tensor) -> UInt8Images:
    return np.ascontiguousarray(values.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())


class Preview:
    """Makes a PreviewReady whenever asked."""

    def __init__(self, split: LabelledImages, pgn: Pgn, classifier: Classifier, indices: list[int]) -> None:
        self._images = split.images(indices)
        self._labels = tuple(int(label) for label in np.asarray(split.labels)[indices])
        self._pgn = pgn
        self._classifier = classifier
        self._features: torch.Tensor | None = None  # of a frozen encoder, from the first time on

    @torch.no_grad()
    def make(self, step: int, *, device: torch.device, precision: str) -> PreviewReady:
        """Leaves G in the mode that it was in."""
        pixels = to_pixels(self._images, device)
        was_training = self._pgn.generator.training
        self._pgn.generator.eval()
        with autocast(precision, device):
            features = self._pgn.generator.encode(pixels) if self._features is None else self._features
            result = self._pgn.perturb_encoded(pixels, features)
            clean = self._classifier(pixels).argmax(1).tolist()
            perturbed = self._pgn.logits(self._classifier, result.perturbed).argmax(1).tolist()
        self._pgn.generator.train(was_training)
        if not self._pgn.generator.encoder_trained:
            self._features = features
        picture, scale = perturbation_picture(result.perturbation_pixels)
        return PreviewReady(
            step=step,
            original=self._images,
            perturbation=picture,
            perturbation_scale=scale,
            perturbed=_pictures((result.pixels.clamp(0, 1) * 255).round()),
            labels=self._labels,
            clean_predictions=tuple(clean),
            perturbed_predictions=tuple(perturbed),
        )
