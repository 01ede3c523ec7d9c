"""The validation split, measured at the end of every epoch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.evaluation.evaluate import Evaluation, clean_scores, evaluate
from pgn_studio.core.perturbation.pgn import Pgn

_BATCH = 128


class Validation:
    """Asks f about the clean images once: it never changes."""

    def __init__(self, dataset: ImageDataset, classifier: Classifier, *, precision: str) -> None:
        self._dataset = dataset
        self._classifier = classifier
        self._precision = precision
        self.split = dataset.split("val")
        self._clean = clean_scores(classifier, self.split, batch_size=_BATCH, precision=precision)
        self.right: npt.NDArray[np.bool_] = self._clean.argmax(1) == np.asarray(self.split.labels)

    @property
    def clean_accuracy(self) -> float:
        return float(self.right.mean())

    def measure(self, pgn: Pgn) -> Evaluation:
        """With G in evaluation mode; its mode is left as it was."""
        was_training = pgn.generator.training
        pgn.eval()
        evaluation = evaluate(
            pgn,
            self._classifier,
            self.split,
            split_name="val",
            dataset_name=self._dataset.name,
            batch_size=_BATCH,
            precision=self._precision,
            clean=self._clean,
        )
        pgn.generator.train(was_training)
        return evaluation
