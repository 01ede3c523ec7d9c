"""The work of a sweep's runs with the terminal's reports. Imports torch: use it in commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pgn_studio.cli import terminal
from pgn_studio.cli.opening import opener
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.train import begin_run, continue_run, train_run
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import pick_device
from pgn_studio.core.errors import Canceled
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate
from pgn_studio.core.export.triptych import TriptychRow, triptych_rows
from pgn_studio.core.files import sha256_of_file
from pgn_studio.core.perturbation.pgn import load_pgn
from pgn_studio.core.project.opening import RECORDED
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.core.project.training_run import TrainingRun
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.sweeps.folder import (
    check_classifier_unchanged,
    clear_start,
    record_test,
    recorded_test,
    what_is_left,
)
from pgn_studio.core.sweeps.jobs import Figures

if TYPE_CHECKING:
    from collections.abc import Callable

    Opened = tuple[Classifier, ImageDataset]


class LastOpened:
    """Classifier and data set of a run's settings; the last ones are kept, since most runs share them."""

    def __init__(
        self,
        stop: Interruption,
        source: ClassifierSource = RECORDED,
        *,
        limit: Callable[[ImageDataset], ImageDataset] | None = None,
    ) -> None:
        self.stop = stop
        self._source = source
        self._limit = limit
        self._key: tuple[object, ...] | None = None
        self._opened: Opened | None = None

    def __call__(self, settings: TrainingSettings) -> Opened:
        key = (settings.classifier, *(getattr(settings, name) for name in DataSettings.model_fields))
        if self._opened is None or key != self._key:
            classifier, dataset = opener(self.stop).open_both(settings, self._source)
            self._opened = (classifier, dataset if self._limit is None else self._limit(dataset))
            self._key = key
        return self._opened


class RunJob:
    """One run: trained from where it is, then measured on the test split. A sweeps.jobs.Job."""

    def __init__(self, name: str, settings: TrainingSettings, folder: Path, opener: LastOpened) -> None:
        self.name = name
        self.settings = settings
        self.folder = folder
        self._opener = opener

    def check(self) -> None:
        """Raises ClassifierError where the classifier's file is not the one of an earlier command."""
        path = Path(self.settings.classifier)
        if path.is_file() and self.folder.is_dir():
            check_classifier_unchanged(self.folder, sha256_of_file(path))

    def recorded(self) -> Figures | None:
        return recorded_test(self.folder)

    def ready(self) -> None:
        """A sweep needs nothing beyond what its command checked."""

    def run(self) -> Figures:
        left = what_is_left(self.folder)
        classifier, dataset = self._opener(self.settings)
        if left != "measure":
            finished = train_run(self._training_run(left, classifier, dataset), self._opener.stop)
            if finished.reason == "stopped":
                raise Canceled
        evaluation = self._measured(classifier, dataset)
        return record_test(self.folder, evaluation)

    def triptych(self, image: int) -> TriptychRow:
        """The test image `image` under the run's PGN."""
        classifier, dataset = self._opener(self.settings)
        pgn = load_pgn(RunFolder.open(self.folder).pgn_path)
        return triptych_rows(pgn, classifier, dataset.split("test"), [image])[0]

    def _training_run(self, left: str, classifier: Classifier, dataset: ImageDataset) -> TrainingRun:
        settings = self.settings.updated(image_size=dataset.image_size)
        if left == "resume":
            return continue_run(RunFolder.open(self.folder), settings, classifier, dataset)
        clear_start(self.folder)
        return begin_run(settings, classifier, dataset, self.folder)

    def _measured(self, classifier: Classifier, dataset: ImageDataset) -> Evaluation:
        with terminal.progress("Measuring on test", self._opener.stop) as report:
            return evaluate(
                load_pgn(RunFolder.open(self.folder).pgn_path),
                classifier,
                dataset.split("test"),
                split_name="test",
                dataset_name=dataset.name,
                device=pick_device(self.settings.device),
                progress=report,
            )
