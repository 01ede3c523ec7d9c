"""The training of Algorithm 1: reads from top to bottom, emits events, obeys its control."""

from __future__ import annotations

from dataclasses import asdict

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings, told_of_classifier, with_augmentation
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.encoders import with_encoder_view
from pgn_studio.core.errors import ClassifierError, ConfigError, PgnStudioError
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.error_messages import explained
from pgn_studio.core.training.event_log import EventLog
from pgn_studio.core.training.events import EventSink, RunFailed, RunFinished
from pgn_studio.core.training.health import NotFiniteError, not_finite
from pgn_studio.core.training.oom import Shrinking, fitting, go_back, shrinking
from pgn_studio.core.training.query_budget import record
from pgn_studio.core.training.run_state import Clock, RunContext, RunState
from pgn_studio.core.training.schedule import SMALLEST_BATCH, training_epochs
from pgn_studio.core.training_loop import train_epochs


class Trainer:
    """One run, from its first step or from its checkpoint, in the calling thread."""

    def __init__(
        self,
        settings: TrainingSettings,
        *,
        dataset: ImageDataset,
        classifier: Classifier,
        run: RunFolder,
        control: TrainingControl,
        sink: EventSink,
        resume: bool = False,
    ) -> None:
        self.settings = fitting(run, settings)
        self.resume = resume
        self.context = RunContext(dataset, classifier, run, control, EventLog(run, sink), Clock())
        self._state: RunState | None = None  # None until it is built, and while it is built anew
        self._shrunk: Shrinking | None = None  # since memory ran out

    def fit(self) -> RunFinished:
        """From where the run stands to its end, as long as memory suffices."""
        run = RunState(self.settings, self.context, resume=self.resume, shrunk=self._shrunk)
        self._state = run
        run.prepare()
        train_epochs(run, run.remaining_epochs())
        return run.finish()

    def run(self) -> RunFinished | RunFailed:
        """Train and emit events; the last one, RunFinished or RunFailed, is also returned."""
        folder, log = self.context.folder, self.context.log
        ending: RunFinished | RunFailed
        try:
            self.settings = self._completed_settings()
            ending = self._fit_in_memory()
            record(folder, ending.queries, status=ending.reason, results=asdict(ending))
        except NotFiniteError as error:
            notice = not_finite(error, step=self._step, saved_step=self._saved_step)
            ending = log.fail(self._step, notice.message, notice.hint, notice=notice)
        except PgnStudioError as error:
            if isinstance(error, ClassifierError) and self._state is not None:
                self._state.keep_unanswered()
            ending = log.refuse(self._step, error)
        except Exception as error:  # noqa: BLE001 - a run ends with an event whatever happened
            message = explained(error, folder=folder.path, batch_size=self.settings.batch_size)
            ending = log.fail(self._step, *message)
        log.emit_ending(ending)
        return ending

    def _fit_in_memory(self) -> RunFinished:
        """`fit`, and again with half the batch from the last checkpoint, wherever memory runs out."""
        while True:
            try:
                return self.fit()
            except (RuntimeError, MemoryError) as error:
                shrunk = shrinking(error, step=self._step, settings=self.settings)
                if shrunk is None:
                    raise
            # Out here the error is gone, and with it the frames that hold memory. The step that failed may
            # have moved D already: all is built anew.
            self._state, self._shrunk = None, shrunk
            self.settings, self.resume = go_back(self.context.folder, self.settings, shrunk)

    def _completed_settings(self) -> TrainingSettings:
        """With what is left open filled in for this data set."""
        dataset, images = self.context.dataset, len(self.context.dataset.split("train"))
        if images < SMALLEST_BATCH:
            raise ConfigError(
                "The training split needs at least two images.", hint="Use more training images."
            )
        settings = self.settings.updated(
            epochs=training_epochs(self.settings, images),
            classifier_conditioning=told_of_classifier(self.settings),
        )
        if self.resume:  # an older version's run goes on with what its encoder saw
            return settings
        settings = with_encoder_view(settings, image_size=dataset.image_size)
        return with_augmentation(settings, dataset.mirrorable)

    @property
    def _step(self) -> int:
        return 0 if self._state is None else self._state.state.step

    @property
    def _saved_step(self) -> int:
        return 0 if self._state is None else self._state.saved_step
