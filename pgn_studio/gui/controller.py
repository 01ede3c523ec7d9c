"""What the parts of the window have to do with each other: it owns them, takes requests, shows results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data import DATASETS
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import GammaChanged, Notice, RunFailed, RunFinished
from pgn_studio.gui.dialogs.questions import list_skipped
from pgn_studio.gui.opener import FileOpener
from pgn_studio.gui.pages.classifier.training import ClassifierTraining
from pgn_studio.gui.pages.inspect.page import InspectPage
from pgn_studio.gui.pages.setup.panel import BorrowedSettings, SetupPanel
from pgn_studio.gui.pages.train.continuation import Continuation, ContinuedRun, going_on
from pgn_studio.gui.pages.train.page import TrainPage
from pgn_studio.gui.pages.train.run_header import RunHeader
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.project import MeasuredPgn, Project, ReopenedRun
from pgn_studio.gui.reporter import Reporter
from pgn_studio.gui.training.controller import RunState, TrainingController
from pgn_studio.gui.training.curves_export import CurvesExport
from pgn_studio.gui.training.shown_run import ShownRun
from pgn_studio.gui.training.worker import RunnerFactory, TrainingJob, make_trainer
from pgn_studio.gui.wording import error_text, in_the_window

STILL_LOADING = "Still loading."


class Controller(QObject):
    """Made once torch is there. Knows every part; no part knows it."""

    inspect_page_requested = Signal()  # there is something new to inspect: bring it to the front
    train_page_requested = Signal()
    run_state_changed = Signal(object)  # RunState

    def __init__(
        self, window: QWidget, preferences: Preferences, *, make_runner: RunnerFactory = make_trainer
    ) -> None:
        super().__init__(window)
        self._window = window
        self._preferences = preferences
        self.reporter = Reporter(window)
        self.project = Project(self)
        self.training = TrainingController(self, make_runner=make_runner)
        self.shown = ShownRun(self)
        self.opener = FileOpener(self.project, self.training, self.reporter, preferences, window)
        self.curves = CurvesExport(self.shown, self.reporter, window)
        self.classifier_training = ClassifierTraining(
            self.project, self.training, self.reporter, preferences, window
        )
        self.setup = SetupPanel(window)
        self.borrowed = BorrowedSettings(self.setup)
        self.train_page = TrainPage(self.training.bridge, window)
        self.inspect_page = InspectPage(window)
        self.continuation = Continuation(
            self.project,
            self.training,
            self.shown,
            self.reporter,
            preferences,
            window,
            epochs_set=lambda: int(self.setup.main.values()["epochs"] or 0),
        )
        self.closing = False  # the window is to close: what ends now opens nothing
        self.setup.data.add_recent(preferences.recent("datasets"))
        self.train_page.put_above(RunHeader(self.shown, window))
        self.train_page.put_above(self.continuation.offer)
        self._wire_setup()
        self._wire_loading()
        self._wire_training()
        self.refresh()

    # ------------------------------------------------------------------ wiring

    def _wire_setup(self) -> None:
        setup = self.setup
        setup.data.requested.connect(self.load_dataset)
        setup.data.folder_requested.connect(self.opener.choose_dataset)
        setup.data.skipped_requested.connect(self._show_skipped)
        setup.data.size_requested.connect(self.project.read_at)
        setup.classifier.size_requested.connect(self.project.read_at)
        setup.classifier.open_requested.connect(self.opener.choose_classifier)
        setup.classifier.train_requested.connect(self.classifier_training.open)
        setup.main.edited.connect(self._setting_edited)
        setup.undo.restored.connect(self._settings_restored)
        setup.start_requested.connect(self.start)
        setup.continue_requested.connect(self.continuation.ask)
        setup.pause_requested.connect(self.training.toggle_pause)
        setup.stop_requested.connect(self.training.stop)
        setup.gamma_changed.connect(self.training.set_gamma)
        setup.gamma_changed.connect(self.train_page.show_gamma)
        setup.refused.connect(self.reporter.refuse)

    def _wire_loading(self) -> None:
        project = self.project
        project.dataset_changed.connect(self._dataset_changed)
        project.classifier_changed.connect(self._classifier_changed)
        project.accuracy_measured.connect(self.setup.classifier.show_accuracy)
        project.pgn_opened.connect(self._pgn_opened)
        project.run_reopened.connect(self._run_reopened)
        project.run_measured.connect(self._show)
        project.failed.connect(self.reporter.show_problem)
        project.task_started.connect(self.refresh)
        project.task_ended.connect(self.refresh)
        project.task_ended.connect(self._show_loaded)
        self.opener.dataset_requested.connect(self._load_folder)
        self.opener.image_requested.connect(self._open_image)
        self.inspect_page.status.connect(self.reporter.say)
        self.inspect_page.failed.connect(self.reporter.show_problem)

    def _wire_training(self) -> None:
        training, bridge = self.training, self.training.bridge
        training.state_changed.connect(self.shown.follow_training)
        training.state_changed.connect(self.refresh)
        training.state_changed.connect(self.train_page.show_state)
        self.train_page.samples.changed.connect(training.show_samples)
        self.train_page.inspect_requested.connect(self.inspect_page_requested)
        bridge.started.connect(self.shown.follow_start)
        for end in (bridge.finished, bridge.failed):  # before what is done about it
            end.connect(self.shown.follow_end)
        self.shown.changed.connect(self.refresh)
        self.shown.headline_changed.connect(self.reporter.say)
        bridge.gamma_changed.connect(self._gamma_used)
        bridge.notice.connect(self._note)
        bridge.finished.connect(self._run_finished)
        bridge.failed.connect(self._run_failed)
        self.continuation.continued.connect(self._continue)
        self.continuation.open_requested.connect(self.opener.open_path)

    # ------------------------------------------------------------------ requests

    @Slot(str)
    def _load_folder(self, folder: str) -> None:
        self.setup.data.choose(folder)
        self.load_dataset()

    @Slot()
    def load_dataset(self) -> None:
        """The data set that the set-up names."""
        if not self.opener.is_free():
            return
        try:
            settings = self.setup.data.settings()
        except PgnStudioError as error:
            self.reporter.show_problem("These settings do not work", error)
            return
        self.project.load_dataset(settings, chosen=self.setup.data.size_is_chosen)

    @Slot()
    def open_demo_if_empty(self) -> None:
        """Where nothing else is there to be inspected, and nothing is under way."""
        if not (self.inspect_page.split_name or self.project.busy or self.training.active):
            self.opener.open_demo()

    @Slot(object)
    def _open_image(self, path: Path) -> None:
        self.inspect_page.open_image(path)
        if self.inspect_page.split_name:  # else there is nothing to be seen there
            self.inspect_page_requested.emit()

    @Slot()
    def start(self) -> None:
        """A new run with what is loaded and set."""
        problem = STILL_LOADING if self.project.loading else self.project.problem()
        dataset, classifier = self.project.dataset, self.project.classifier
        if self.training.active or dataset is None or classifier is None or problem:
            self.reporter.refuse(problem)
            return
        from pgn_studio.core.data.dataset import settings_as_loaded

        data = settings_as_loaded(self.project.data_settings, dataset)
        try:
            settings = self.setup.settings(data, classifier.info.path)
            control = self._control(settings)
        except PgnStudioError as error:
            self.reporter.show_problem("These settings do not work", error)
            return
        self._begin(TrainingJob(settings, dataset, classifier, control))

    @Slot(object)
    def _continue(self, run: ContinuedRun) -> None:
        dataset, classifier = self.project.dataset, self.project.classifier
        assert dataset is not None
        assert classifier is not None
        self._borrow(going_on(run.settings.model_dump(mode="json"), run.history))
        control = self._control(run.settings)
        job = TrainingJob(run.settings, dataset, classifier, control, resume=run.folder)
        self._begin(job, run.history)

    def _control(self, settings: TrainingSettings) -> TrainingControl:
        """Of a run that begins with the γ and the preview that are chosen now."""
        return TrainingControl(
            gamma=self.setup.gamma.shown, gammas=settings.gammas, samples=self.train_page.samples.choice
        )

    def _begin(self, job: TrainingJob, history: Sequence[dict[str, Any]] = ()) -> None:
        """Train; `history` is what a run that goes on has told until now."""
        self.continuation.offer.hide()
        self.project.device = job.settings.device
        self.train_page.set_classes(job.dataset.classes)
        self.train_page.prepare(history, job.settings.gammas)
        self.train_page.show_gamma(job.control.live.gamma)
        self.shown.begin(job.resume, self.project.subject)
        self.training.start(replace(job, dataset=self._preferences.answered(job.dataset)))
        self.train_page_requested.emit()

    @Slot()
    def _show_skipped(self) -> None:
        if self.project.dataset is not None:
            list_skipped(self._window, self.project.dataset.skipped)

    @Slot()
    def expect_closing(self) -> None:
        self.closing = True
        self.classifier_training.expect_closing()

    @Slot()
    def _settings_restored(self) -> None:
        self._setting_edited("device")
        self._setting_edited("epochs")

    @Slot(str)
    def _setting_edited(self, field: str) -> None:
        if field == "device":
            self.project.device = str(self.setup.main.values()["device"])
        elif field == "epochs":  # whether Continue asks for more
            self.refresh()

    # ------------------------------------------------------------------ what was loaded

    @Slot(object)
    def _dataset_changed(self, dataset: Any) -> None:
        data = self.project.data_settings
        self.setup.fill_data(data, name=f"Settings of {dataset.name}")
        self.setup.data.show_dataset(dataset)
        own = self.project.reduced_from
        self.setup.data.show_reduced(dataset.image_size, own, of_classifier=data.image_size is None)
        self.setup.classifier.show_images(dataset)
        told = f"Loaded {dataset.name}: {len(dataset.classes)} classes, {dataset.image_size} px"
        if own is not None:
            told += f" (their own is {own} px)"
        self.reporter.say(told + self.borrowed.give_back(data.dataset))
        self.train_page.set_classes(dataset.classes)
        self.train_page.samples.forget_pins()
        if data.dataset not in DATASETS:
            self._preferences.add_recent("datasets", data.dataset)
        self.reporter.write(f"{told}.")
        self.refresh()

    @Slot()
    def _show_loaded(self) -> None:
        """A data set that could not be loaded, or was given up, does not stay chosen."""
        if self.project.dataset is not None and not self.project.busy:
            self.setup.data.choose(self.project.data_settings.dataset)

    @Slot(object)
    def _classifier_changed(self, classifier: Any) -> None:
        self.setup.classifier.show_classifier(classifier)
        self._preferences.remember_source(self.project.source)
        info = classifier.info
        name = Path(info.path).name or info.arch
        self.reporter.say(f"Loaded {name}: {len(info.classes)} classes, {info.image_size} px")
        self.refresh()

    @Slot(object)
    def _pgn_opened(self, opened: MeasuredPgn) -> None:
        settings = going_on(opened.settings or opened.pgn.info.settings, opened.history)
        self.train_page.replay(opened.history, TrainingSettings.make(gamma=settings["gamma"]).gammas)
        if opened.run_folder:
            self.shown.show_run(opened.run_folder, opened.status, self.project.subject)
        else:
            self.shown.show_pgn(opened.path, opened.pgn.info.name, self.project.subject)
        self._borrow(settings, dataset=opened.data_settings.dataset)
        self._show(opened)
        (self.train_page_requested if opened.holder else self.inspect_page_requested).emit()
        if opened.holder:
            self.train_page.say_held(opened.holder)
            self.reporter.write(f"Read-only: {opened.holder} is training this run.")

    @Slot(object)
    def _run_reopened(self, run: ReopenedRun) -> None:
        self.train_page.replay(run.history, run.settings.gammas)
        self.shown.show_run(run.folder, run.status, self.project.subject)
        self._borrow(going_on(run.settings.model_dump(mode="json"), run.history))
        self.train_page_requested.emit()
        self.continuation.run_opened(run.folder)

    def _borrow(self, settings: dict[str, Any], *, dataset: str = "") -> None:
        """The set-up shows those of the shown run or PGN; what it showed until now is a step of undo."""
        self.borrowed.bring(settings, dataset=dataset or str(settings["dataset"]), name=self.shown.now.name)
        self.train_page.show_gamma(self.setup.gamma.shown)

    @Slot(object)
    def _show(self, measured: MeasuredPgn) -> None:
        metrics = measured.evaluation.metrics
        self.inspect_page.show_evaluation(
            measured.pgn, measured.classifier, measured.dataset, measured.split_name, measured.evaluation
        )
        text = (
            f"{self.shown.now.name} on {measured.evaluation.split_title}: "
            f"{100 * metrics.clean_accuracy:.1f} % clean, "
            f"{100 * metrics.perturbed_accuracy_8bit:.1f} % perturbed, {metrics.fixed_8bit} fixed, "
            f"{metrics.broken_8bit} broken (after 8-bit rounding); RMS {metrics.rms_mean:.4f}"
        )
        self.reporter.say(text)
        self.reporter.write(text)

    # ------------------------------------------------------------------ what a run tells

    @Slot(object)
    def _run_finished(self, event: RunFinished) -> None:
        kept = event.describe_kept()
        self.reporter.write(f"Run {event.reason} at step {event.step}, kept in {event.run_folder}: {kept}.")
        self._preferences.add_recent("pgns", event.run_folder)
        if not self.closing:
            self.project.measure_run(event.pgn_path, event.run_folder)

    @Slot(object)
    def _run_failed(self, event: RunFailed) -> None:
        error = PgnStudioError(event.message, hint=event.hint, details=event.details)
        if self.closing:
            self.reporter.write(error_text(error))
        else:
            self.reporter.show_problem("The run failed", error)

    @Slot(object)
    def _gamma_used(self, event: GammaChanged) -> None:
        self.reporter.write(f"Step {event.step}: γ = {event.gamma:g}")

    @Slot(object)
    def _note(self, notice: Notice) -> None:
        self.reporter.write(
            f"Step {notice.step}: {in_the_window(notice.message)} {in_the_window(notice.hint)}"
        )

    @Slot()
    def refresh(self) -> None:
        """Buttons follow what is loaded and what runs."""
        reason = STILL_LOADING if self.project.loading else self.project.problem()
        state: RunState = self.training.state
        subject = self.project.subject
        self.setup.show_state(
            state,
            startable=not reason,
            resumable=not reason and self.shown.continuable(subject),
            reason=reason,
            continuing=self.shown.continuing(subject),
        )
        self.setup.name_continue(asks=self.continuation.asks)
        self.run_state_changed.emit(state)
