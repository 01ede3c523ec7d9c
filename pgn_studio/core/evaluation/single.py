"""One image file, of no data set: perturbed, and what the classifier says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.classifiers.accuracy import check_finite
from pgn_studio.core.data.images import UnreadableImage, read_image
from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import DataError
from pgn_studio.core.evaluation.batch import classify_batch, outputs, perturbation_sizes
from pgn_studio.core.evaluation.evaluate import place
from pgn_studio.core.evaluation.metrics import is_surer
from pgn_studio.core.evaluation.strength import perturbed_at
from pgn_studio.core.perturbation.pgn import Pgn

Probabilities = npt.NDArray[np.float32]  # (K,), one-hot where the classifier gives labels only


@dataclass(frozen=True)
class SingleImage:
    """`before` and `after` as in `evaluate`; `saved` is of the 8-bit picture `perturbed`."""

    original: npt.NDArray[np.uint8]  # (H, W, 3), at the classifier's size
    perturbation: npt.NDArray[np.float32]  # (H, W, 3), signed, in pixel values of 0…1, of strength 1
    perturbed: npt.NDArray[np.uint8]  # (H, W, 3), clamped and rounded, at the strength asked for
    before: Probabilities
    after: Probabilities  # of strength 1, before 8-bit rounding
    saved: Probabilities
    sizes: tuple[float, float, float]  # ‖p‖₂, RMS per value, largest |p|, of strength 1
    has_probabilities: bool

    @property
    def is_surer(self) -> bool:
        """Whether the classifier is at least as sure of the 8-bit picture's class as of the original's."""
        return bool(is_surer(self.before[None], self.saved[None])[0])


def perturb_file(pgn: Pgn, classifier: Classifier, path: Path, *, strength: float = 1.0) -> SingleImage:
    """Read `path` as the data sets are read (shorter side to size, center kept) and add strength · p.

    Raises DataError for a file that gives no picture, ClassifierError for scores that are not finite.
    """
    try:
        white = pgn.info.settings.get("data_range")  # of the data set that it was trained on
        original = read_image(path, size=pgn.info.image_size, data_range=white)
    except UnreadableImage as reason:
        raise DataError(f"{path.name} is no readable image: {reason}.", hint="Choose another file.") from None
    device = place(pgn, classifier, None)
    batch = classify_batch(pgn, classifier, to_pixels(original[None], device))
    check_finite(batch.clean, lambda _row: path.name)
    check_finite(batch.perturbed, lambda _row: f"{path.name}, perturbed,")
    perturbation = batch.perturbation_pixels[0].permute(1, 2, 0).cpu().numpy()
    perturbed = perturbed_at(original, perturbation, strength)
    saved = outputs(classifier, to_pixels(perturbed[None], device))
    check_finite(saved, lambda _row: f"{path.name}, perturbed at strength {strength:g},")
    l2, rms, linf = perturbation_sizes(batch.perturbation)[:, 0].tolist()
    return SingleImage(
        original=original,
        perturbation=np.ascontiguousarray(perturbation, dtype=np.float32),
        perturbed=perturbed,
        before=batch.clean[0].cpu().numpy(),
        after=batch.perturbed[0].cpu().numpy(),
        saved=saved[0].cpu().numpy(),
        sizes=(l2, rms, linf),
        has_probabilities=batch.has_probabilities,
    )
