"""What is inspected: a PGN, its classifier, a split with its evaluation; and one image of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset, Split
    from pgn_studio.core.evaluation.batch import ClassifiedBatch
    from pgn_studio.core.evaluation.evaluate import Evaluation, PerImage
    from pgn_studio.core.gamma import GammaRange
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.protocols import LabeledImages, UInt8Images


@dataclass(frozen=True)
class Subject:
    pgn: Pgn
    classifier: Classifier
    dataset: ImageDataset
    split_name: str
    evaluation: Evaluation

    @property
    def gammas(self) -> GammaRange | None:
        """The γ that the PGN serves; None where it has one alone."""
        return self.pgn.generator.gammas

    def at(self, gamma: float) -> Subject:
        """With the PGN at another γ; the evaluation is of the one before until it is measured anew."""
        return replace(self, pgn=self.pgn.at(gamma))

    @property
    def is_measured(self) -> bool:
        """Whether the evaluation is of the γ that is shown."""
        return same_gamma(float(self.evaluation.facts.get("gamma", self.pgn.gamma)), self.pgn.gamma)

    @property
    def gamma_note(self) -> str:
        """ "γ 3" where the PGN could be at another."""
        return "" if self.gammas is None else f"γ {self.pgn.gamma:g}"

    @property
    def split(self) -> Split:
        return self.dataset.split(self.split_name)

    def same_images(self, other: Subject | None) -> bool:
        return (
            other is not None
            and other.split_name == self.split_name
            and other.dataset.fingerprint == self.dataset.fingerprint
        )

    @property
    def stem(self) -> str:
        """The beginning of the names proposed for exported files."""
        gamma = "" if self.gammas is None else f"-gamma-{self.pgn.gamma:g}"
        return f"{self.pgn.info.name or 'pgn'}{gamma}-{self.split_name}".replace("/", "-")


def same_gamma(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-5)


FloatImage = npt.NDArray[np.float32]
FROM_FILE = -1  # the index of an image that is not one of the split


@dataclass(frozen=True)
class Sample:
    index: int
    original: npt.NDArray[np.uint8]  # (H, W, 3)
    perturbation: FloatImage  # (H, W, 3) in pixel space: 1 is the whole range from black to white
    perturbed: npt.NDArray[np.uint8]  # (H, W, 3), clamped and rounded as a saved picture
    before: npt.NDArray[np.float32]  # (K,) the classifier's probabilities of the clean image
    after: npt.NDArray[np.float32]  # (K,) of the perturbed image as the PGN makes it
    has_probabilities: bool = True  # else one-hot: the classifier gives labels only
    sizes: tuple[float, float, float] = (0.0, 0.0, 0.0)  # ‖p‖₂, RMS per value, largest |p|
    saved: int = -1  # class of `perturbed`


class ImageMemory:
    """Of the image that was perturbed last: what does not depend on γ. For one thread at a time."""

    def __init__(self) -> None:
        self._index = -1
        self._known: tuple[Tensor, Tensor, Tensor] | None = None  # pixels, features, f's probabilities

    def classified(self, pgn: Pgn, classifier: Classifier, index: int, image: UInt8Images) -> ClassifiedBatch:
        import torch

        from pgn_studio.core.device import full_precision, to_pixels
        from pgn_studio.core.evaluation.batch import classify_batch, outputs
        from pgn_studio.core.evaluation.evaluate import place

        device = place(pgn, classifier, None)
        if self._known is None or index != self._index:
            pixels = to_pixels(image, device)
            clean = outputs(classifier, pixels)
            with torch.no_grad(), full_precision(device):
                self._known = pixels, pgn.generator.encode(pixels), clean
            self._index = index
        pixels, features, clean = self._known
        return classify_batch(pgn, classifier, pixels, clean=clean, features=features)


@dataclass(frozen=True)
class Facts:
    """What is known of the image that is shown, beside its sample."""

    name: str
    classes: tuple[str, ...]
    truth: int | None  # None where nobody has said it
    sizes: tuple[float, float, float]  # ‖p‖₂, RMS per value, largest |p|, in the classifier's input space
    saved: int | None  # class of the perturbed image as saved, where it differs from that before saving


def make_sample(
    pgn: Pgn,
    classifier: Classifier,
    split: LabeledImages,
    index: int,
    memory: ImageMemory | None = None,
) -> Sample:
    """Perturb image `index` of `split` and classify it before and after, as the evaluation does.

    `memory`: of samples of the same networks and split, at any γ.
    """
    original = split.images([index])
    batch = (memory or ImageMemory()).classified(pgn, classifier, index, original)
    return _sample(index, original, batch)


def open_sample(pgn: Pgn, classifier: Classifier, path: Path) -> tuple[Sample, Facts]:
    """An image file of no data set. Raises DataError."""
    from pgn_studio.core.evaluation.single import perturb_file

    image = perturb_file(pgn, classifier, path)
    sample = Sample(
        FROM_FILE, image.original, image.perturbation, image.perturbed, image.before, image.after,
        image.has_probabilities,
    )  # fmt: skip
    saved = int(image.saved.argmax())
    changed = saved != int(image.after.argmax())
    return sample, Facts(path.name, classifier.info.classes, None, image.sizes, saved if changed else None)


def facts_of(per_image: PerImage, index: int, name: str, classes: tuple[str, ...]) -> Facts:
    """As the evaluation found them."""
    saved = int(per_image.perturbed_prediction_8bit[index])
    return Facts(
        name,
        classes,
        int(per_image.labels[index]),
        (float(per_image.l2[index]), float(per_image.rms[index]), float(per_image.linf[index])),
        saved if saved != int(per_image.perturbed_prediction[index]) else None,
    )


def facts_from(sample: Sample, label: int, name: str, classes: tuple[str, ...]) -> Facts:
    """As the sample found them, while the split is not measured at its γ."""
    saved = sample.saved if sample.saved != int(sample.after.argmax()) else None
    return Facts(name, classes, label, sample.sizes, saved)


def perturbed_images(
    pgn: Pgn, classifier: Classifier, split: LabeledImages, indices: Sequence[int]
) -> UInt8Images:
    """The perturbed images (B, H, W, 3), clamped and rounded as saved pictures."""
    return _bytes(_classified(pgn, classifier, split.images(indices))[1])


def _sample(index: int, original: UInt8Images, batch: ClassifiedBatch) -> Sample:
    from pgn_studio.core.evaluation.batch import perturbation_sizes

    perturbation = batch.perturbation_pixels[0].permute(1, 2, 0).cpu().numpy()
    l2, rms, linf = perturbation_sizes(batch.perturbation)[:, 0].tolist()
    return Sample(
        index=index,
        original=original[0],
        perturbation=np.ascontiguousarray(perturbation, dtype=np.float32),
        perturbed=_bytes(batch)[0],
        before=batch.clean[0].cpu().numpy(),
        after=batch.perturbed[0].cpu().numpy(),
        has_probabilities=batch.has_probabilities,
        sizes=(l2, rms, linf),
        saved=int(batch.perturbed_8bit[0].argmax()),
    )


def _classified(pgn: Pgn, classifier: Classifier, images: UInt8Images) -> tuple[UInt8Images, ClassifiedBatch]:
    from pgn_studio.core.device import to_pixels
    from pgn_studio.core.evaluation.batch import classify_batch
    from pgn_studio.core.evaluation.evaluate import place

    device = place(pgn, classifier, None)
    return images, classify_batch(pgn, classifier, to_pixels(images, device))


def _bytes(batch: ClassifiedBatch) -> UInt8Images:
    from pgn_studio.core.evaluation.batch import to_uint8

    return to_uint8(batch.pixels_8bit)
