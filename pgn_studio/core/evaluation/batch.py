"""One batch perturbed, and what the classifier says: clean, perturbed, after 8-bit rounding; in float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import full_precision
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.pgn import Perturbation, Pgn
from pgn_studio.core.protocols import UInt8Images


def to_8bit(pixels: Tensor) -> Tensor:
    """Clamp to [0, 1] and round to multiples of 1/255: what saving as PNG and loading again does."""
    return pixels.float().clamp(0.0, 1.0).mul(255.0).round().div(255.0)


def to_uint8(pixels_8bit: Tensor) -> UInt8Images:
    """Multiples of 1/255 (B, 3, H, W) to uint8 (B, H, W, 3)."""
    whole = pixels_8bit.mul(255.0).round().to(torch.uint8)
    return np.ascontiguousarray(whole.permute(0, 2, 3, 1).cpu().numpy())


@dataclass(frozen=True)
class ClassifiedBatch:
    """A batch perturbed and classified; probabilities are (B, K) float32.

    Where the classifier gives labels only they are one-hot, and `has_probabilities` is False.
    """

    perturbation: Tensor  # p in the PGN's input space, (B, 3, H, W)
    perturbation_pixels: Tensor  # in pixel space
    pixels_8bit: Tensor  # the perturbed images, multiples of 1/255 in [0, 1]
    clean: Tensor
    perturbed: Tensor
    perturbed_8bit: Tensor
    has_probabilities: bool


def classify_batch(
    pgn: Pgn,
    classifier: Classifier,
    pixels: Tensor,
    *,
    clean: Tensor | None = None,
    features: Tensor | None = None,
) -> ClassifiedBatch:
    """Perturb `pixels` (B, 3, H, W); classify them clean (unless known), perturbed, after 8-bit rounding.

    `features`: what the PGN's encoder makes of them, where that is known.
    """
    before = outputs(classifier, pixels) if clean is None else clean
    with torch.inference_mode(), full_precision(pixels.device):
        told = pgn.as_told(before.to(pixels.device))
        encoded = pgn.generator.encode(pixels) if features is None else features
        result = pgn.perturb_encoded(pixels, encoded, told)
    return classified(result, pgn.space, classifier, before)


@torch.inference_mode()
def outputs(classifier: Classifier, pixels: Tensor) -> Tensor:
    with full_precision(pixels.device):
        return _probabilities(classifier(pixels), classifier)


@torch.inference_mode()
def classified(
    result: Perturbation, space: InputSpace, classifier: Classifier, clean: Tensor
) -> ClassifiedBatch:
    """Classify what came of a batch; `clean` are the probabilities of the images as they were.

    Three passes of one batch shape rather than one long pass: kernels are chosen by shape, and a
    perturbation of zero must give exactly the clean logits.
    """
    with full_precision(result.pixels.device):
        pixels_8bit = to_8bit(result.pixels)
        return ClassifiedBatch(
            perturbation=result.perturbation.float(),
            perturbation_pixels=result.perturbation_pixels.float(),
            pixels_8bit=pixels_8bit,
            clean=clean,
            perturbed=_probabilities(space.logits(classifier, result.perturbed), classifier),
            perturbed_8bit=_probabilities(classifier(pixels_8bit), classifier),
            has_probabilities=classifier.gives_scores,
        )


def _probabilities(logits: Tensor, classifier: Classifier) -> Tensor:
    """Call after the classifier has answered: only then does a black box know what it gives."""
    return torch.softmax(logits.float(), dim=1) if classifier.gives_scores else logits.float()


def perturbation_sizes(perturbation: Tensor) -> npt.NDArray[np.float32]:
    """‖p‖₂, RMS per value and largest |p| of each image of (B, 3, H, W), as (3, B)."""
    p = perturbation.flatten(1)  # (B, 3·H·W)
    l2 = p.norm(dim=1)
    sizes = torch.stack([l2, l2 / p.shape[1] ** 0.5, p.abs().amax(dim=1)])  # one copy to the CPU, not three
    return np.asarray(sizes.cpu().numpy(), dtype=np.float32)
