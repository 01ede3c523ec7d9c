"""The working parts of the window and how they are wired: requests out, results in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QPlainTextEdit, QWidget

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data import DATASETS
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.paths import runs_folder
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import GammaChanged, Notice, RunFailed, RunFinished
from pgn_studio.gui.classifier.opening import ClassifierOpening
from pgn_studio.gui.classifier.training import ClassifierTraining
from pgn_studio.gui.dialogs.black_box import ask_for_black_box
from pgn_studio.gui.dialogs.error import ErrorDialog, show_error
from pgn_studio.gui.dialogs.skipped import list_skipped
from pgn_studio.gui.inspection.page import InspectionPage
from pgn_studio.gui.opening import Kind, kind_of
from pgn_studio.gui.pages.borrowed_settings import BorrowedSettings
from pgn_studio.gui.pages.setup_panel import SetupPanel
from pgn_studio.gui.pages.train import TrainingPage
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.training.continuation import Continuation, going_on
from pgn_studio.gui.training.controller import RunState, TrainingController
from pgn_studio.gui.training.curves_export import CurvesExport
from pgn_studio.gui.training.shown_run import ShownRun
from pgn_studio.gui.training.worker import RunnerFactory, TrainingJob, make_trainer
from pgn_studio.gui.widgets.run_header import RunHeader
from pgn_studio.gui.workspace import MeasuredPgn, Workspace

if TYPE_CHECKING:
    from pgn_studio.core.data.dataset import ImageDataset

CLASSIFIER_FILES = "Classifiers (*.safetensors *.pth *.pt2 *.pt *.onnx);;All files (*)"
PGN_FILES = "PGNs (*.safetensors);;All files (*)"
STILL_LOADING = "Still loading."


class Studio(QObject):
    """Made once torch is there. Owns the workspace, the session and the pages."""

    message = Signal(str)  # for the status bar
    refused = Signal(str)  # for the status bar, for a while
    inspect_shown = Signal()  # there is something new to inspect: bring it to the front
    training_shown = Signal()
    run_state_changed = Signal(object)  # RunState

    def __init__(
        self, window: QWidget, state: Preferences, *, make_runner: RunnerFactory = make_trainer
    ) -> None:
        super().__init__(window)
        self._window = window
        self._state = state
        self.workspace = Workspace(self)
        self.classifiers = ClassifierOpening(self.workspace, state, window)
        self.session = TrainingController(self, make_runner=make_runner)
        self.shown = ShownRun(self)
        self.curves = CurvesExport(self, window)
        self.classifier_training = ClassifierTraining(self, window)
        self.setup = SetupPanel(window)
        self.borrowed = BorrowedSettings(self.setup)
        self.training = TrainingPage(self.session.bridge, window)
        self.training.put_above(RunHeader(self.shown, window))
        self.inspection = InspectionPage(window)
        self.messages = QPlainTextEdit(window)
        self.messages.setObjectName("messages")
        self.messages.setAccessibleName("Messages")
        self.messages.setReadOnly(True)
        self.messages.setMaximumBlockCount(2000)
        self.closing = False
        self.deferred_errors: list[str] | None = None  # collected here while a session is restored
        self.error_dialog: ErrorDialog | None = None
        self.setup.data.add_recent(state.recent("datasets"))
        self.continuation = Continuation(self, state, window)
        self.training.put_above(self.continuation.offer)
        self._wire_setup()
        self._wire_workspace()
        self._wire_session()
        self.refresh()

    # ------------------------------------------------------------------ wiring

    def _wire_setup(self) -> None:
        setup = self.setup
        setup.data.requested.connect(self.load_dataset)
        setup.data.folder_wanted.connect(self.choose_dataset)
        setup.data.skipped_wanted.connect(self.show_skipped)
        setup.data.size_wanted.connect(self.workspace.read_at)
        setup.classifier.size_wanted.connect(self.workspace.read_at)
        setup.classifier.open_wanted.connect(self.choose_classifier)
        setup.classifier.train_wanted.connect(self.classifier_training.open)
        setup.main.edited.connect(self._set_device)
        setup.undo.restored.connect(self._settings_restored)
        setup.start_wanted.connect(self.start)
        setup.continue_wanted.connect(self.continue_run)
        setup.pause_wanted.connect(self.session.toggle_pause)
        setup.stop_wanted.connect(self.session.stop)
        setup.gamma_changed.connect(self.session.set_gamma)
        setup.gamma_changed.connect(self.training.show_gamma)
        setup.refused.connect(self.refused)

    def _wire_workspace(self) -> None:
        workspace = self.workspace
        workspace.dataset_changed.connect(self._dataset_changed)
        workspace.classifier_changed.connect(self._classifier_changed)
        workspace.accuracy_measured.connect(self.setup.classifier.show_accuracy)
        workspace.pgn_opened.connect(self._pgn_opened)
        workspace.run_measured.connect(self._show)
        workspace.failed.connect(self.show_problem)
        workspace.task_started.connect(self.refresh)
        workspace.task_ended.connect(self.refresh)
        workspace.task_ended.connect(self._show_loaded)
        self.inspection.status.connect(self.message)
        self.inspection.failed.connect(self.show_problem)
        self.training.inspect_wanted.connect(self.inspect_shown)

    def _wire_session(self) -> None:
        bridge = self.session.bridge
        self.session.state_changed.connect(self.shown.follow_session)
        self.session.state_changed.connect(self.refresh)
        self.session.state_changed.connect(self.training.show_state)
        self.training.samples.changed.connect(self.session.show_samples)
        bridge.started.connect(self.shown.follow_start)
        for end in (bridge.finished, bridge.failed):  # before what is done about it
            end.connect(self.shown.follow_end)
        self.shown.changed.connect(self.refresh)
        self.shown.headline_changed.connect(self.message)
        bridge.gamma_changed.connect(self._gamma_used)
        bridge.notice.connect(self._note)
        bridge.finished.connect(self._run_finished)
        bridge.failed.connect(self._run_failed)

    # ------------------------------------------------------------------ requests

    def open_path(self, path: Path) -> None:
        """Whatever it is that was dropped or chosen from the recent list."""
        if not self._free():
            return
        try:
            kind = kind_of(path)
        except PgnStudioError as error:
            self.show_problem("This cannot be opened", error)
            return
        if kind is Kind.DATASET:
            self.setup.data.choose(str(path))
            self.load_dataset()
        elif kind in (Kind.RUN, Kind.PGN):
            (self.workspace.open_run if kind is Kind.RUN else self.workspace.open_pgn)(path)
            self._state.add_recent("pgns", path)
        elif kind is Kind.IMAGE:
            self.inspection.open_image(path)
            if self.inspection.split_name:  # else there is nothing to be seen there
                self.inspect_shown.emit()
        else:
            self.classifiers.open(path, kind)

    def open_recent(self, path: str) -> None:
        """A classifier as it was opened before; anything else as if it were dropped."""
        if self._free() and not self.classifiers.open_as_before(path):
            self.open_path(Path(path))

    def open_demo(self) -> None:
        self.workspace.open_demo()

    @Slot()
    def load_dataset(self) -> None:
        """The data set that the set-up names."""
        if not self._free():
            return
        try:
            settings = self.setup.data.settings()
        except PgnStudioError as error:
            self.show_problem("These settings do not work", error)
            return
        self.workspace.load_dataset(settings, chosen=self.setup.data.size_is_chosen)

    @Slot()
    def choose_dataset(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._window, "Open a folder of images")
        if folder:
            self.open_path(Path(folder))

    @Slot()
    def choose_classifier(self) -> None:
        self._choose_file("Open a classifier", CLASSIFIER_FILES)

    @Slot()
    def choose_black_box(self) -> None:
        if self._free():
            ask_for_black_box(self._window, self.workspace)

    @Slot()
    def choose_pgn(self) -> None:
        self._choose_file("Open a PGN", PGN_FILES)

    @Slot()
    def choose_run(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._window, "Open a run folder", str(runs_folder()))
        if folder:
            self.open_path(Path(folder))

    @Slot()
    def start(self) -> None:
        """A new run with what is loaded and set."""
        problem = STILL_LOADING if self.workspace.loading else self.workspace.problem()
        dataset, classifier = self.workspace.dataset, self.workspace.classifier
        if self.session.active or dataset is None or classifier is None or problem:
            self.refused.emit(problem)
            return
        from pgn_studio.core.data.dataset import settings_as_loaded

        data = settings_as_loaded(self.workspace.data_settings, dataset)
        try:
            settings = self.setup.settings(data, classifier.info.path)
            control = TrainingControl(
                gamma=self.setup.gamma.shown, gammas=settings.gammas, samples=self.training.samples.choice
            )
        except PgnStudioError as error:
            self.show_problem("These settings do not work", error)
            return
        facts = self.workspace.source.facts()
        self.begin(TrainingJob(settings, dataset, classifier, control, facts=facts))

    def answered(self, dataset: ImageDataset) -> ImageDataset:
        """With what the user has said of its mirrored images, where it says nothing itself."""
        if dataset.mirrorable is not None:
            return dataset
        return replace(dataset, mirrorable=self._state.mirrored(dataset.root))

    @Slot()
    def continue_run(self) -> None:
        """Go on with the run that was stopped, or has done its epochs."""
        self.continuation.ask()

    @Slot()
    def show_skipped(self) -> None:
        """List the files that could not be read."""
        if self.workspace.dataset is not None:
            list_skipped(self._window, self.workspace.dataset.skipped)

    @Slot(str, object)
    def show_problem(self, title: str, error: Exception) -> None:
        self._write(f"{title}: {error}")
        if self.deferred_errors is not None:
            self.deferred_errors.append(f"{title}: {error}")
        else:
            self.error_dialog = show_error(self._window, title, error)

    # ------------------------------------------------------------------ helpers of the requests

    def _free(self) -> bool:
        """Whether things may be loaded now; says so when not."""
        if self.session.active:
            self.refused.emit("A run is under way: stop it before loading something else.")
        return not self.session.active

    def _choose_file(self, title: str, kinds: str) -> None:
        name, _ = QFileDialog.getOpenFileName(self._window, title, "", kinds)
        if name:
            self.open_path(Path(name))

    @Slot()
    def _settings_restored(self) -> None:
        self._set_device("device")
        self._set_device("epochs")

    @Slot(str)
    def _set_device(self, field: str) -> None:
        if field == "device":
            self.workspace.device = str(self.setup.main.values()["device"])
        elif field == "epochs":  # whether Continue asks for more
            self.refresh()

    def begin(self, job: TrainingJob, history: Sequence[dict[str, Any]] = ()) -> None:
        """Train; `history` is what a run that goes on has told before."""
        self.continuation.offer.hide()
        self.workspace.device = job.settings.device
        self.training.set_classes(job.dataset.classes)
        self.training.prepare(history, job.settings.gammas)
        self.training.show_gamma(job.control.live.gamma)
        self.shown.begin(job.resume, self.workspace.subject)
        self.session.start(replace(job, dataset=self.answered(job.dataset)))
        self.training_shown.emit()

    # ------------------------------------------------------------------ results

    @Slot(object)
    def _dataset_changed(self, dataset: Any) -> None:
        data = self.workspace.data_settings
        self.setup.fill_data(data, name=f"Settings of {dataset.name}")
        self.setup.data.show_dataset(dataset)
        own = self.workspace.reduced_from
        self.setup.data.show_reduced(dataset.image_size, own, of_classifier=data.image_size is None)
        self.setup.classifier.show_images(dataset)
        told = f"Loaded {dataset.name}: {len(dataset.classes)} classes, {dataset.image_size} px"
        if own is not None:
            told += f" (their own is {own} px)"
        self.message.emit(told + self.borrowed.give_back(data.dataset))
        self.training.set_classes(dataset.classes)
        self.training.samples.forget_pins()
        if data.dataset not in DATASETS:
            self._state.add_recent("datasets", data.dataset)
        self._write(f"{told}.")
        self.refresh()

    @Slot()
    def _show_loaded(self) -> None:
        """A data set that could not be loaded, or was given up, does not stay chosen."""
        if self.workspace.dataset is not None and not self.workspace.busy:
            self.setup.data.choose(self.workspace.data_settings.dataset)

    @Slot(object)
    def _classifier_changed(self, classifier: Any) -> None:
        self.setup.classifier.show_classifier(classifier)
        self.classifiers.remember(self.workspace.source)
        info = classifier.info
        name = Path(info.path).name or info.arch
        self.message.emit(f"Loaded {name}: {len(info.classes)} classes, {info.image_size} px")
        self.refresh()

    @Slot(object)
    def _pgn_opened(self, opened: MeasuredPgn) -> None:
        settings = going_on(opened.settings or opened.pgn.info.settings, opened.history)
        self.training.replay(opened.history, TrainingSettings.make(gamma=settings["gamma"]).gammas)
        if opened.run_folder:
            self.shown.show_run(opened.run_folder, opened.status, self.workspace.subject)
        else:
            self.shown.show_pgn(opened.path, opened.pgn.info.name, self.workspace.subject)
        self.borrowed.bring(settings, dataset=opened.data_settings.dataset, name=self.shown.now.name)
        self.training.show_gamma(self.setup.gamma.shown)
        self._show(opened)
        (self.training_shown if opened.holder else self.inspect_shown).emit()
        if opened.holder:
            self.training.say_held(opened.holder)
            self._write(f"Open to be read only: the run is being trained by {opened.holder}.")

    @Slot(object)
    def _show(self, measured: MeasuredPgn) -> None:
        metrics = measured.evaluation.metrics
        self.inspection.show_evaluation(
            measured.pgn, measured.classifier, measured.dataset, measured.split_name, measured.evaluation
        )
        text = (
            f"{self.shown.now.name} on {measured.evaluation.split_title}: "
            f"{100 * metrics.clean_accuracy:.1f} % clean, "
            f"{100 * metrics.perturbed_accuracy_8bit:.1f} % perturbed, {metrics.fixed_8bit} fixed, "
            f"{metrics.broken_8bit} broken (after 8-bit rounding); RMS {metrics.rms_mean:.4f}"
        )
        self.message.emit(text)
        self._write(text)

    @Slot(object)
    def _run_finished(self, event: RunFinished) -> None:
        kept = event.describe_kept()
        self._write(f"Run {event.reason} at step {event.step}, kept in {event.run_folder}: {kept}.")
        self._state.add_recent("pgns", event.run_folder)
        if not self.closing:
            self.workspace.measure_run(event.pgn_path, event.run_folder)

    @Slot(object)
    def _run_failed(self, event: RunFailed) -> None:
        error = PgnStudioError(event.message, hint=event.hint, details=event.details)
        if self.closing:
            self._write(str(error))
        else:
            self.show_problem("The run failed", error)

    @Slot(object)
    def _gamma_used(self, event: GammaChanged) -> None:
        self._write(f"Step {event.step}: γ = {event.gamma:g}")

    @Slot(object)
    def _note(self, notice: Notice) -> None:
        self._write(f"Step {notice.step}: {notice.message} {notice.hint}")

    @Slot()
    def refresh(self) -> None:
        """Buttons follow what is loaded and what runs."""
        reason = STILL_LOADING if self.workspace.loading else self.workspace.problem()
        state: RunState = self.session.state
        subject = self.workspace.subject
        self.setup.show_state(
            state,
            startable=not reason,
            resumable=not reason and self.shown.continuable(subject),
            reason=reason,
            continuing=self.shown.continuing(subject),
        )
        self.setup.name_continue(asks=self.continuation.asks)
        self.run_state_changed.emit(state)

    def _write(self, line: str) -> None:
        self.messages.appendPlainText(f"{time.strftime('%H:%M:%S')}  {line}")
