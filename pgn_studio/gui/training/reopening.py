"""A run from disk with its images and its classifier, ready to go on; it may have no PGN yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgn_studio.core.config import DataSettings, TrainingSettings, is_black_box
from pgn_studio.core.errors import RunError
from pgn_studio.gui.classifier_source import ClassifierSource, source_of_run

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.protocols import Progress


@dataclass(frozen=True)
class ReopenedRun:
    folder: str
    settings: TrainingSettings
    data_settings: DataSettings
    dataset: ImageDataset
    source: ClassifierSource
    classifier: Classifier
    history: tuple[dict[str, Any], ...]  # metrics.jsonl
    status: str  # as its RunFolder has it
    warning: str = ""  # where its images are others now


def reopen_run(
    path: Path,
    current: ImageDataset | None,
    loaded: tuple[ClassifierSource, Classifier] | None,
    progress: Progress,
) -> ReopenedRun:
    """In the background. `current` is taken where it is the run's data set, `loaded` for its black box.

    Raises RunError where somebody else trains the run, or its black box is not open: a folder alone
    must not start code or ask addresses. Raises ClassifierError where its file is another one now.
    """
    from pgn_studio.core.classifiers import check_suits
    from pgn_studio.core.data.sources import load_dataset
    from pgn_studio.core.evaluation.leakage import told_of_other_images
    from pgn_studio.core.runs import RunFolder

    run = RunFolder.open(path)
    run.check_free()
    settings = run.settings
    data_settings = DataSettings.make(**{name: getattr(settings, name) for name in DataSettings.model_fields})
    recorded = run.run_json.get("dataset")
    fingerprint = recorded.get("fingerprint") if isinstance(recorded, dict) else None
    dataset = current
    if dataset is None or (dataset.fingerprint, dataset.image_size) != (fingerprint, settings.image_size):
        dataset = load_dataset(data_settings, progress=progress)
    if not is_black_box(settings.classifier):
        source = source_of_run(run)
        classifier = source.load(dataset.classes)
    elif loaded is not None and loaded[1].info.path == settings.classifier:
        source, classifier = loaded
    else:
        raise RunError(
            f"This run asks the black box {settings.classifier}.",
            hint="Open that black box first, then the run.",
        )
    run.check_classifier(classifier.info.sha256)
    check_suits(classifier, dataset.classes, dataset.image_size)
    history = tuple(run.read_metrics())
    warning = ""
    if dataset.fingerprint != fingerprint:
        warning = told_of_other_images(run, dataset)
    return ReopenedRun(
        str(run.path), settings, data_settings, dataset, source, classifier, history, run.status, warning
    )
