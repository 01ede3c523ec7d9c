"""Asks the loaded classifier about the loaded images, one split at a time, in the background."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from pgn_studio.gui.operations import Operation, run_in_background

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.evaluation.classifier_accuracy import ClassifiedSplit
    from pgn_studio.core.evaluation.normalization_check import Diagnosis
    from pgn_studio.core.protocols import Progress

SPLITS = ("train", "val", "test")
UNASKED_SECONDS = 15.0  # what takes less, by the pace so far, is measured without being asked for
UNASKED_IMAGES = 2000  # and as many where the pace is not known yet


class Measuring(QObject):
    """One thing at a time: a split, or trying normalizations. `changed` comes at each begin and end."""

    changed = Signal()
    progressed = Signal(int, int)
    measured = Signal(object)  # ClassifiedSplit
    diagnosed = Signal(object)  # Diagnosis
    failed = Signal(str, object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.classifier: Classifier | None = None
        self.dataset: ImageDataset | None = None
        self.found: dict[str, ClassifiedSplit] = {}
        self.doing = ""  # in words; empty when nothing is done
        self._device: Callable[[], str] = lambda: "auto"
        self._operation: Operation | None = None
        self._unasked = True  # until somebody cancels

    @property
    def ready(self) -> bool:
        return self.classifier is not None and self.dataset is not None

    def set_subject(
        self,
        classifier: Classifier | None,
        dataset: ImageDataset | None,
        device: Callable[[], str],
    ) -> None:
        """Forget what was found; what was under way is given up."""
        self.cancel()
        self.classifier, self.dataset, self._device = classifier, dataset, device
        self.found = {}
        self._unasked = True
        self.changed.emit()

    def take(self, found: ClassifiedSplit) -> None:
        """What somebody else has measured of the same classifier and images."""
        self.found[found.split_name] = found
        self.changed.emit()

    def images(self, split_name: str) -> int:
        return 0 if self.dataset is None else len(self.dataset.split(split_name))

    def seconds_for(self, split_name: str) -> float | None:
        """How long it will take by the pace of what was measured; None while that is not known."""
        timed = [one for one in self.found.values() if one.seconds > 0]
        if not timed:
            return None
        pace = sum(one.seconds for one in timed) / sum(len(one.labels) for one in timed)
        return pace * self.images(split_name)

    def measure_the_cheap(self) -> None:
        """Go on with the splits that take no time to speak of; never with a black box, whose answers cost.

        Test comes first, from whoever loads the classifier: it also tells the pace.
        """
        if self.doing or not self.ready or not self._unasked or "test" not in self.found:
            return
        if self.classifier is not None and self.classifier.queries is None:
            for name in ("val", "train"):
                if name not in self.found and self._is_cheap(name):
                    self.measure(name)
                    return

    def measure(self, split_name: str) -> None:
        if self.classifier is None or self.dataset is None or self.doing:
            return
        work = partial(_classify, self.classifier, self.dataset, split_name, self._device())
        self._run(f"Measuring {split_name}", work, self._keep)

    def try_normalizations(self) -> None:
        if self.classifier is None or self.dataset is None or self.doing:
            return
        work = partial(_diagnose, self.classifier, self.dataset, self._device())
        self._run("Trying normalizations", work, self.diagnosed.emit)

    @Slot()
    def cancel(self) -> None:
        """Give up what is being done; nothing more is begun without being asked for."""
        self._unasked = False
        if self._operation is not None:
            self._operation.cancel()
            self._operation = None
            self.doing = ""
            self.changed.emit()

    def _is_cheap(self, split_name: str) -> bool:
        images, seconds = self.images(split_name), self.seconds_for(split_name)
        if seconds is None:
            return 0 < images <= UNASKED_IMAGES
        return images > 0 and seconds <= UNASKED_SECONDS

    def _keep(self, found: ClassifiedSplit) -> None:
        self.found[found.split_name] = found
        self.measured.emit(found)

    def _run(self, doing: str, work: Callable[[Progress], Any], success: Callable[[Any], object]) -> None:
        self.doing = doing
        self._operation = run_in_background(
            self, work, success, partial(self._fail, doing), on_progress=self.progressed.emit
        )
        self._operation.finished.connect(self._ended)
        self.changed.emit()

    def _fail(self, doing: str, error: Exception) -> None:
        self._unasked = False
        self.failed.emit(doing, error)

    @Slot()
    def _ended(self) -> None:
        if self.sender() is self._operation:  # not one that was given up, and whose place another has
            self._operation = None
            self.doing = ""
            self.changed.emit()


def _classify(
    classifier: Classifier, dataset: ImageDataset, split_name: str, device: str, progress: Progress
) -> ClassifiedSplit:
    from pgn_studio.core.device import pick_device
    from pgn_studio.core.evaluation.classifier_accuracy import classify_split
    from pgn_studio.core.evaluation.leakage import classifier_learned

    found = classify_split(
        classifier,
        dataset.split(split_name),
        split_name=split_name,
        device=pick_device(device),
        progress=progress,
    )
    return replace(found, learned=classifier_learned(classifier, dataset, split_name))


def _diagnose(classifier: Classifier, dataset: ImageDataset, device: str, progress: Progress) -> Diagnosis:
    from pgn_studio.core.device import pick_device
    from pgn_studio.core.evaluation.normalization_check import DECIDING_SPLIT, try_normalizations

    return try_normalizations(
        classifier,
        dataset.split(DECIDING_SPLIT),
        split_name=DECIDING_SPLIT,
        device=pick_device(device),
        progress=progress,
    )
