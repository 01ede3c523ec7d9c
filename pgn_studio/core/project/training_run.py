"""A run about to be trained: begun in a new folder, or gone on with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings, names_file
from pgn_studio.core.data.dataset import ImageDataset, settings_as_loaded
from pgn_studio.core.device import training_machine
from pgn_studio.core.encoders import check_encoder
from pgn_studio.core.project.opening import absolute_dataset
from pgn_studio.core.project.resolve import refuse_inside_dataset
from pgn_studio.core.runs import RunFolder, check_unused
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import EventSink, RunFailed, RunFinished
from pgn_studio.core.training.trainer import Trainer


@dataclass(frozen=True)
class TrainingRun:
    """Everything that a Trainer is made of; `resume`: it has a checkpoint to go on from."""

    settings: TrainingSettings
    classifier: Classifier
    dataset: ImageDataset
    run: RunFolder
    resume: bool = False

    def train(self, control: TrainingControl, sink: EventSink) -> RunFinished | RunFailed:
        """In this thread; `sink` is told the events, and the last one is returned.

        The run is this process's alone meanwhile, else RunError. KeyboardInterrupt leaves it stopped, with
        its last checkpoint to go on from.
        """
        self.run.take()
        try:
            return Trainer(
                self.settings,
                dataset=self.dataset,
                classifier=self.classifier,
                run=self.run,
                control=control,
                sink=sink,
                resume=self.resume,
            ).run()
        except KeyboardInterrupt:
            self.run.update(status="stopped")
            raise
        finally:
            self.run.release()


def check_new_run(settings: TrainingSettings, out: str | Path | None) -> Path | None:
    """The folder of a new run; what cannot be trained, or not there, shows before images are read."""
    training_machine(settings.device, settings.precision)
    check_encoder(settings)
    folder = None if out is None else Path(out).expanduser().absolute()
    if folder is not None:
        refuse_inside_dataset(folder, settings.dataset)
        check_unused(folder)  # as RunFolder.create does
    return folder


def recordable(settings: TrainingSettings, dataset: ImageDataset) -> TrainingSettings:
    """As loaded and with absolute paths, so that the run finds the same images again from another folder."""
    return settings_as_loaded(absolute_settings(settings), dataset)


def absolute_settings(settings: TrainingSettings) -> TrainingSettings:
    source = settings.classifier
    if source and names_file(source):
        source = str(Path(source).expanduser().absolute())
    data = absolute_dataset(settings.model_dump(include={"dataset", "data_root"}, exclude_none=True))
    return settings.updated(**data, classifier=source)


def start_run(
    settings: TrainingSettings, classifier: Classifier, dataset: ImageDataset, folder: Path | None
) -> TrainingRun:
    """Make the run folder; run.json records the data set, the classifier and what was said of it."""
    extra = {
        "dataset": {"name": dataset.name, "root": dataset.root, "fingerprint": dataset.fingerprint},
        "classifier": {"path": classifier.info.path, "sha256": classifier.info.sha256},
    }
    if classifier.info.told:
        extra["external_classifier"] = dict(classifier.info.told)
    run = RunFolder.create(folder, settings, extra=extra)
    return TrainingRun(settings, classifier, dataset, run)


def resume_run(
    run: RunFolder,
    settings: TrainingSettings,
    classifier: Classifier,
    dataset: ImageDataset,
    *,
    counts_earlier: bool = False,
) -> TrainingRun:
    """Go on with `run` under `settings`: from its checkpoint, or from the beginning where it has none.

    `counts_earlier`: the classifier, a black box, was asked in this process what the run asked so far.
    Raises RunError where somebody else trains the run, ClassifierError where its classifier is another now.
    """
    run.check_classifier(classifier.info.sha256)
    run.take()
    try:
        run.update(settings=settings.model_dump(mode="json"))
        if classifier.queries is not None:
            if not counts_earlier:
                classifier.queries.add_earlier(int(run.run_json.get("queries") or 0))
            run.update(external_classifier=dict(classifier.info.told))
        return TrainingRun(settings, classifier, dataset, run, resume=run.rewind())
    except BaseException:
        run.release()
        raise
