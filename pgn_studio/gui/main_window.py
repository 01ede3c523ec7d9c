"""The window: puts the parts together. Opens with a start page; `build` follows once torch is there."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, QSize, Qt, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QLineEdit,
    QMainWindow,
    QPlainTextEdit,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.gui.drops import FileDrops
from pgn_studio.gui.operations import wait_for_all
from pgn_studio.gui.pages.start import StartPage
from pgn_studio.gui.preferences import LAYOUT_VERSION, Preferences
from pgn_studio.gui.project import OTHER_DATA
from pgn_studio.gui.session_restore import SessionRestore
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.tour import Tour
from pgn_studio.gui.training.worker import RunnerFactory, make_trainer
from pgn_studio.gui.widgets.inputs import WheelGuard
from pgn_studio.gui.widgets.notices import Banner, TaskIndicator

if TYPE_CHECKING:
    from pgn_studio.gui.controller import Controller

REFUSAL_MS = 8_000  # how long the status bar says why something was not done
CLOSING_TIMEOUT_MS = 20_000  # for background work to reach its next progress report
TRAIN, INSPECT = 0, 1  # tabs


class MainWindow(QMainWindow):
    """Assembly only: what things do is in `Controller` and the parts that it owns."""

    def __init__(self, preferences: Preferences, *, make_runner: RunnerFactory = make_trainer) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle("PGN Studio")
        self.drops = FileDrops(self)
        self.controller: Controller | None = None
        self._preferences = preferences
        self._make_runner = make_runner
        self._said = ""
        self._first_layout = QByteArray()
        self._stack = QStackedWidget(self)
        self.start_page = StartPage(self)
        self._stack.addWidget(self.start_page)
        self.setCentralWidget(self._stack)
        self.drops.waiting_changed.connect(self._show_waiting)
        self.tabs = QTabWidget(self._stack)
        self.tabs.setObjectName("tabs")
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)  # else a white line in the dark
        self.notice = Banner(self)
        self._working = QWidget(self._stack)
        column = QVBoxLayout(self._working)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notice)
        column.addWidget(self.tabs, 1)
        self._stack.addWidget(self._working)
        self.tasks = TaskIndicator(self)
        self.statusBar().addPermanentWidget(self.tasks)
        self.resize(1280, 800)

    # ------------------------------------------------------------------ assembly

    def build(self) -> Controller:
        """Make the working pages; torch has been imported by now."""
        from pgn_studio.gui.closing import Closing
        from pgn_studio.gui.controller import Controller

        controller = self.controller = Controller(self, self._preferences, make_runner=self._make_runner)
        self._add_pages(controller)
        self._add_docks(controller)
        self._add_menus(controller)
        self._first_layout = self.saveState(LAYOUT_VERSION)
        self._preferences.restore_layout(self)
        self._listen(controller)
        self._stack.setCurrentWidget(self._working)
        self.drops.dropped.connect(self._open_dropped)
        self.drops.ready = True
        self.closing = Closing(controller.training, controller.classifier_training, controller.reporter, self)
        self.closing.decided.connect(controller.expect_closing)
        self.session_restore = SessionRestore(
            self,
            self.tabs,
            self.notice,
            project=controller.project,
            shown=controller.shown,
            setup=controller.setup,
            inspect_page=controller.inspect_page,
            reporter=controller.reporter,
            preferences=self._preferences,
        )
        WheelGuard(self)
        for field in (*self.findChildren(QLineEdit), *self.findChildren(QPlainTextEdit)):
            inner = field.viewport() if isinstance(field, QPlainTextEdit) else field
            inner.setAcceptDrops(False)  # a file is for the window, not its path for a text
        controller.continuation.look_for_interrupted()
        return controller

    def _add_pages(self, controller: Controller) -> None:
        from pgn_studio.gui.pages.classifier.controller import ClassifierController
        from pgn_studio.gui.pages.data import DataPage, MirrorQuestion
        from pgn_studio.gui.pages.runs.controller import RunsController

        project, training, reporter = controller.project, controller.training, controller.reporter
        self.tabs.addTab(controller.train_page, "&Train")
        self.tabs.addTab(controller.inspect_page, "&Inspect")
        self.data = DataPage(self)
        project.dataset_changed.connect(self.data.show_dataset)
        mirrored = MirrorQuestion(self._preferences, self.data)
        project.dataset_changed.connect(mirrored.show_dataset)
        self.data.add_question(mirrored)
        self.data.failed.connect(reporter.show_problem)
        controller.setup.data.notices_requested.connect(partial(self.tabs.setCurrentWidget, self.data))
        self.tabs.addTab(self.data, "&Data")
        self.classifier = ClassifierController(
            project, training, controller.inspect_page, controller.setup.undo, reporter, self
        )
        self.classifier.page.put_above(controller.classifier_training.strip)
        self.classifier.inspect_requested.connect(self.show_inspect_page)
        self.tabs.addTab(self.classifier.page, "&Classifier")
        self.runs = RunsController(project, training, controller.shown, controller.train_page, reporter, self)
        self.runs.open_requested.connect(controller.opener.open_path)
        self.runs.train_page_requested.connect(self.show_train_page)
        self.tabs.addTab(self.runs.page, "R&uns")

    def _add_docks(self, controller: Controller) -> None:
        areas = Qt.DockWidgetArea
        self._setup_dock = self._dock("Set-up", "setup_dock", controller.setup, areas.LeftDockWidgetArea)
        self._messages_dock = self._dock(
            "Messages", "messages_dock", controller.reporter.log, areas.BottomDockWidgetArea
        )
        self._messages_dock.hide()

    def _add_menus(self, controller: Controller) -> None:
        from pgn_studio.gui.menus import EditMenu, FileMenu, HelpMenu, RunMenu, ViewMenu

        bar, setup, training = self.menuBar(), controller.setup, controller.training
        self._file_menu = FileMenu(
            bar.addMenu("&File"), controller.opener, controller.curves, self._preferences, self
        )
        edit_menu = EditMenu(
            bar.addMenu("&Edit"), setup.undo, training, controller.project, controller.reporter
        )
        self._run_menu = RunMenu(bar.addMenu("&Run"), setup, training, controller.classifier_training.open)
        docks = [dock.toggleViewAction() for dock in (self._setup_dock, self._messages_dock)]
        view_menu = ViewMenu(bar.addMenu("&View"), self.tabs, docks, self._preferences)
        view_menu.reset_requested.connect(self._reset_layout)
        help_menu = HelpMenu(bar.addMenu("&Help"), self)
        self.tour = Tour(self, self.tabs, self._preferences)
        self.tour.started.connect(controller.open_demo_if_empty)
        self.tour.pointing.connect(self._show_setup_around)
        help_menu.tour_requested.connect(self.tour.start)
        controller.run_state_changed.connect(edit_menu.refresh)
        controller.run_state_changed.connect(self._run_menu.refresh)
        self.tabs.currentChanged.connect(self._tab_changed)

    def _listen(self, controller: Controller) -> None:
        project, reporter = controller.project, controller.reporter
        self.tasks.cancel_requested.connect(project.cancel)
        project.task_started.connect(self.tasks.start)
        project.task_progress.connect(self.tasks.advance)
        project.task_ended.connect(self.tasks.end)
        project.warned.connect(self._warn)
        project.dataset_changed.connect(self._forget_warning)
        project.classifier_changed.connect(self._forget_warning)  # with every PGN that is opened
        reporter.message.connect(self._say)
        reporter.refused.connect(self._say_for_a_while)
        self.statusBar().messageChanged.connect(self._say_again)
        controller.shown.title_changed.connect(self.setWindowTitle)
        controller.inspect_page_requested.connect(self.show_inspect_page)
        controller.train_page_requested.connect(self.show_train_page)

    def _dock(self, title: str, name: str, content: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(content)
        self.addDockWidget(area, dock)
        return dock

    # ------------------------------------------------------------------ what is seen

    @Slot()
    def show_train_page(self) -> None:
        self.tabs.setCurrentIndex(TRAIN)

    @Slot()
    def show_inspect_page(self) -> None:
        self.tabs.setCurrentIndex(INSPECT)

    @Slot(int)
    def _tab_changed(self, index: int) -> None:
        """In Inspect, Space compares images and Ctrl+E exports them: two takers would mean none."""
        self._run_menu.take_space(index == TRAIN)
        self._file_menu.take_export_keys(index != INSPECT)

    @Slot(QWidget)
    def _show_setup_around(self, widget: QWidget) -> None:
        if self._setup_dock.isAncestorOf(widget):
            self._setup_dock.show()

    @Slot()
    def _reset_layout(self) -> None:
        self.restoreState(self._first_layout, LAYOUT_VERSION)
        self.resize(self.sizeHint())

    @Slot(str, str)
    def _warn(self, message: str, whole: str) -> None:
        self.notice.show_message(message, hint=whole, kind="warning")

    @Slot()
    def _forget_warning(self) -> None:
        """It was of what is open no longer."""
        if self.notice.message == OTHER_DATA:
            self.notice.clear()

    @Slot(str)
    def _say(self, text: str) -> None:
        self._said = text
        self.statusBar().showMessage(text)

    @Slot(str)
    def _say_for_a_while(self, text: str) -> None:
        self.statusBar().showMessage(text, REFUSAL_MS)

    @Slot(str)
    def _say_again(self, text: str) -> None:
        """What stood there before something was refused."""
        if not text and self._said:
            self.statusBar().showMessage(self._said)

    @Slot()
    def _show_waiting(self) -> None:
        self.start_page.show_waiting([Path(path).name for path in self.drops.waiting])

    @Slot(str)
    def _open_dropped(self, path: str) -> None:
        if self.controller is not None:
            self.controller.opener.open_path(Path(path))

    def changeEvent(self, event: QEvent) -> None:
        """The system's theme or font is another now."""
        if event.type() in (QEvent.Type.ThemeChange, QEvent.Type.ApplicationFontChange):
            current_theme().follow_system_font()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(1280, 800)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.controller is not None:
            if not self.closing.may_close():
                event.ignore()
                return
            self.controller.project.cancel()
            wait_for_all(CLOSING_TIMEOUT_MS)
            self.session_restore.save()
            self._preferences.save_layout(self)
        event.accept()
