"""The window: puts the parts together. Opens with a start page; `build` follows once torch is there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QEvent, QSize, Qt, QUrl, Slot
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDesktopServices,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDockWidget,
    QLineEdit,
    QMainWindow,
    QMenu,
    QPlainTextEdit,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.paths import log_file
from pgn_studio.gui.commands import commands_of
from pgn_studio.gui.dialogs.closing import ClosingDialog
from pgn_studio.gui.dialogs.help import AboutDialog, ShortcutsDialog
from pgn_studio.gui.dialogs.palette import CommandPalette
from pgn_studio.gui.drops import FileDrops
from pgn_studio.gui.edit_menu import EditMenu
from pgn_studio.gui.operations import wait_for_all
from pgn_studio.gui.preferences import LAYOUT_VERSION, Preferences, RecentKind
from pgn_studio.gui.session_restore import SessionRestore
from pgn_studio.gui.text_size import TextSizeMenu
from pgn_studio.gui.theme import THEMES, current_theme
from pgn_studio.gui.tour.tour import Tour
from pgn_studio.gui.training.controller import RunState
from pgn_studio.gui.training.worker import RunnerFactory, make_trainer
from pgn_studio.gui.widgets.banner import Banner
from pgn_studio.gui.widgets.mirror_question import MirrorQuestion
from pgn_studio.gui.widgets.start_page import StartPage
from pgn_studio.gui.widgets.task_indicator import TaskIndicator
from pgn_studio.gui.widgets.wheel import WheelGuard
from pgn_studio.gui.workspace import OTHER_DATA

if TYPE_CHECKING:
    from pgn_studio.gui.studio import Studio

REFUSAL_MS = 8_000  # how long the status bar says why something was not done
CLOSING_TIMEOUT_MS = 20_000  # for background work to reach its next progress report
RECENT_TITLES: dict[RecentKind, str] = {
    "datasets": "Data sets",
    "classifiers": "Classifiers",
    "pgns": "PGNs and runs",
}


class MainWindow(QMainWindow):
    """Assembly only: what things do is in `Studio` and its parts."""

    def __init__(self, state: Preferences, *, make_runner: RunnerFactory = make_trainer) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self.setWindowTitle("PGN Studio")
        self.drops = FileDrops(self)
        self.studio: Studio | None = None
        self._state = state
        self._make_runner = make_runner
        self._closing_dialog: ClosingDialog | None = None
        self._said = ""
        self._first_layout = QByteArray()
        self._run_actions: dict[str, QAction] = {}
        self._stack = QStackedWidget(self)
        self.start_page = StartPage(self)
        self._stack.addWidget(self.start_page)
        self.setCentralWidget(self._stack)
        self.drops.waiting_changed.connect(self._show_waiting)
        self.drops.dropped.connect(self._open_path)
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

    def build(self) -> Studio:
        """Make the working pages; torch has been imported by now."""
        from pgn_studio.gui.pages.classifier.controller import ClassifierController
        from pgn_studio.gui.pages.data import DataPage
        from pgn_studio.gui.pages.runs.controller import RunsController
        from pgn_studio.gui.studio import Studio

        studio = self.studio = Studio(self, self._state, make_runner=self._make_runner)
        self.tabs.addTab(studio.training, "&Train")
        self.tabs.addTab(studio.inspection, "&Inspect")
        self.data = DataPage(self)
        studio.workspace.dataset_changed.connect(self.data.show_dataset)
        mirrored = MirrorQuestion(self._state, self.data)
        studio.workspace.dataset_changed.connect(mirrored.show_dataset)
        self.data.add_question(mirrored)
        self.data.failed.connect(studio.show_problem)
        studio.setup.data.notices_wanted.connect(partial(self.tabs.setCurrentWidget, self.data))
        self.tabs.addTab(self.data, "&Data")
        self.classifier = ClassifierController(studio, self)
        self.tabs.addTab(self.classifier.page, "&Classifier")
        self.runs = RunsController(studio, self)
        self.tabs.addTab(self.runs.page, "R&uns")
        self._setup_dock = self._dock(
            "Set-up", "setup_dock", studio.setup, Qt.DockWidgetArea.LeftDockWidgetArea
        )
        self._messages_dock = self._dock(
            "Messages", "messages_dock", studio.messages, Qt.DockWidgetArea.BottomDockWidgetArea
        )
        self._messages_dock.hide()
        self._add_menus(studio)
        self._first_layout = self.saveState(LAYOUT_VERSION)
        self._state.restore_layout(self)
        self.tasks.cancel_wanted.connect(studio.workspace.cancel)
        studio.workspace.task_started.connect(self.tasks.start)
        studio.workspace.task_progress.connect(self.tasks.advance)
        studio.workspace.task_ended.connect(self.tasks.end)
        studio.workspace.warned.connect(self._warn)
        studio.workspace.dataset_changed.connect(self._forget_warning)
        studio.workspace.classifier_changed.connect(self._forget_warning)  # with every PGN that is opened
        studio.message.connect(self._say)
        studio.refused.connect(self._say_for_a_while)
        self.statusBar().messageChanged.connect(self._say_again)
        studio.shown.title_changed.connect(self.setWindowTitle)
        studio.inspect_shown.connect(self.show_inspection)
        studio.training_shown.connect(self.show_training)
        studio.run_state_changed.connect(self._run_state_changed)
        studio.session.bridge.finished.connect(self._close_if_waiting)
        studio.session.bridge.failed.connect(self._close_if_waiting)
        self.tabs.currentChanged.connect(self._tab_changed)
        self._run_state_changed(RunState.IDLE)
        self._stack.setCurrentWidget(self._working)
        self.drops.ready = True
        self.last_session = SessionRestore(self, studio, self._state)
        self.tour = Tour(self, self._state)
        WheelGuard(self)
        for field in (*self.findChildren(QLineEdit), *self.findChildren(QPlainTextEdit)):
            inner = field.viewport() if isinstance(field, QPlainTextEdit) else field
            inner.setAcceptDrops(False)  # a file is for the window, not its path for a text
        studio.continuation.look_for_interrupted()
        return studio

    @Slot(str, str)
    def _warn(self, message: str, whole: str) -> None:
        self.notice.show_message(message, hint=whole, kind="warning")

    @Slot()
    def _forget_warning(self) -> None:
        """It was of what is open no longer."""
        if self.notice.message == OTHER_DATA:
            self.notice.clear()

    def changeEvent(self, event: QEvent) -> None:
        """The system's theme or font is another now."""
        if event.type() in (QEvent.Type.ThemeChange, QEvent.Type.ApplicationFontChange):
            current_theme().follow_system_font()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(1280, 800)

    @Slot()
    def _show_waiting(self) -> None:
        self.start_page.show_waiting([Path(path).name for path in self.drops.waiting])

    def _dock(self, title: str, name: str, content: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(content)
        self.addDockWidget(area, dock)
        return dock

    def _add_menus(self, studio: Studio) -> None:
        bar = self.menuBar()
        file_menu = bar.addMenu("&File")
        self._action(file_menu, "Open data set…", studio.choose_dataset, "Ctrl+O")
        self._action(file_menu, "Open classifier…", studio.choose_classifier, "Ctrl+L")
        self._action(file_menu, "Open black box…", studio.choose_black_box, "Ctrl+Shift+K")
        self._action(file_menu, "Open PGN…", studio.choose_pgn, "Ctrl+P")
        self._action(file_menu, "Open run…", studio.choose_run, "Ctrl+Shift+O")
        self._recent = file_menu.addMenu("Recent")
        self._recent.aboutToShow.connect(self._fill_recent)
        self._action(file_menu, "Open demo", studio.open_demo)
        file_menu.addSeparator()
        self._export_curves = self._action(file_menu, "Export curves…", studio.curves.ask, "Ctrl+E")
        self._action(file_menu, "Copy curves as command", studio.curves.copy_command)
        file_menu.addSeparator()
        restoring = file_menu.addAction("Restore the last session at the start")
        restoring.setObjectName("action_restore_session")
        restoring.setCheckable(True)
        restoring.setChecked(self._state.restores_session)
        restoring.toggled.connect(partial(setattr, self._state, "restores_session"))
        self._action(file_menu, "Quit", self.close, "Ctrl+Q")
        EditMenu(bar.addMenu("&Edit"), studio)
        run_menu = bar.addMenu("&Run")
        actions = {
            "start": self._action(run_menu, "Start", studio.start, "Ctrl+Return"),
            "continue": self._action(
                run_menu, "Continue the shown run", studio.continue_run, "Ctrl+Shift+Return"
            ),
            "pause": self._action(run_menu, "Pause or resume", self._space_pressed, "Space"),
            "stop": self._action(run_menu, "Stop and keep", studio.session.stop, "Ctrl+."),
        }
        self._run_actions = actions
        run_menu.addSeparator()
        self._action(run_menu, "Train a classifier…", studio.classifier_training.open)
        self._add_view_menu(bar.addMenu("&View"))
        help_menu = bar.addMenu("&Help")
        self._action(help_menu, "Commands…", self._show_palette, "Ctrl+K")
        self._action(help_menu, "Keyboard shortcuts", self._show_shortcuts, "?")
        self._action(help_menu, "Tour", self._start_tour)
        self._action(help_menu, "About PGN Studio", self._about)
        self._action(help_menu, "Open log folder", self._open_log_folder)

    def _add_view_menu(self, menu: QMenu) -> None:
        self._action(menu, "Train", self.show_training, "Ctrl+1")
        self._action(menu, "Inspect", self.show_inspection, "Ctrl+2")
        for number in range(2, self.tabs.count()):
            title = self.tabs.tabText(number).replace("&", "")
            self._action(menu, title, partial(self.tabs.setCurrentIndex, number), f"Ctrl+{number + 1}")
        menu.addSeparator()
        menu.addAction(self._setup_dock.toggleViewAction())
        menu.addAction(self._messages_dock.toggleViewAction())
        themes = menu.addMenu("Theme")
        group = QActionGroup(themes)
        for name in THEMES:
            action = group.addAction(name.capitalize())
            action.setObjectName(f"theme_{name}")
            action.setCheckable(True)
            action.setChecked(name == current_theme().name)
            action.setData(name)
            themes.addAction(action)
        group.triggered.connect(self._theme_chosen)
        TextSizeMenu(menu.addMenu("Text size"), self._state)
        self._action(menu, "Reset layout", self._reset_layout)

    def _action(self, menu: QMenu, text: str, slot: Callable[[], object], shortcut: str = "") -> QAction:
        action = menu.addAction(text)
        action.setObjectName("action_" + text.rstrip("…").lower().replace(" ", "_"))
        if shortcut:
            action.setShortcut(QKeySequence(shortcut))
        action.triggered.connect(slot)
        return action

    # ------------------------------------------------------------------ what the menus do

    @Slot()
    def show_training(self) -> None:
        self.tabs.setCurrentIndex(0)

    @Slot()
    def show_inspection(self) -> None:
        self.tabs.setCurrentIndex(1)

    @Slot(int)
    def _tab_changed(self, index: int) -> None:
        """In Inspect, Space compares images and Ctrl+E exports them: two takers would mean none."""
        self._run_actions["pause"].setShortcut(QKeySequence("Space" if index == 0 else ""))
        self._export_curves.setShortcut(QKeySequence("" if index == 1 else "Ctrl+E"))

    @Slot()
    def _space_pressed(self) -> None:
        """Space pauses, unless a button has the keyboard: there it means to press it."""
        focus = QApplication.focusWidget()
        if isinstance(focus, QAbstractButton) and focus.isEnabled():
            focus.click()
        elif self.studio is not None:
            self.studio.session.toggle_pause()

    @Slot(object)
    def _run_state_changed(self, state: RunState) -> None:
        if self.studio is None:
            return
        studio, setup = self.studio, self.studio.setup
        self._run_actions["start"].setEnabled(setup.start_button.isEnabled())
        self._run_actions["pause"].setEnabled(setup.pause_button.isEnabled())
        self._run_actions["stop"].setEnabled(setup.stop_button.isEnabled())
        self._run_actions["continue"].setEnabled(setup.continue_button.isEnabled())
        asks = "…" if studio.continuation.asks else ""
        self._run_actions["continue"].setText(self._run_actions["continue"].text().rstrip("…") + asks)

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
    def _fill_recent(self) -> None:
        self._recent.clear()
        for kind, title in RECENT_TITLES.items():
            paths = self._state.recent(kind)
            if paths:
                self._recent.addSection(title)
            for path in paths:
                action = self._recent.addAction(path)
                action.triggered.connect(partial(self._open_recent, path))
        if self._recent.isEmpty():
            self._recent.addAction("Nothing yet").setEnabled(False)

    @Slot(str)
    def _open_path(self, path: str) -> None:
        if self.studio is not None:
            self.studio.open_path(Path(path))

    def _open_recent(self, path: str) -> None:
        if self.studio is not None:
            self.studio.open_recent(path)

    @Slot(QAction)
    def _theme_chosen(self, action: QAction) -> None:
        current_theme().apply(action.data())
        self._state.theme = action.data()

    @Slot()
    def _reset_layout(self) -> None:
        self.restoreState(self._first_layout, LAYOUT_VERSION)
        self.resize(self.sizeHint())

    def show_setup(self, *, of: QWidget) -> None:
        """Make sure that `of`, if it lies in the set-up, can be seen."""
        if self._setup_dock.isAncestorOf(of):
            self._setup_dock.show()

    @Slot()
    def _start_tour(self) -> None:
        self.tour.start()

    @Slot()
    def _about(self) -> None:
        AboutDialog(self).open()

    @Slot()
    def _show_shortcuts(self) -> None:
        ShortcutsDialog(commands_of(self.menuBar()), self).open()

    @Slot()
    def _show_palette(self) -> None:
        CommandPalette(commands_of(self.menuBar()), self).open()

    @Slot()
    def _open_log_folder(self) -> None:
        folder = log_file().parent
        folder.mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    # ------------------------------------------------------------------ closing

    def closeEvent(self, event: QCloseEvent) -> None:
        studio = self.studio
        if studio is not None and studio.session.active:
            event.ignore()
            self._ask_before_closing(studio)
            return
        if studio is not None and studio.classifier_training.active:
            event.ignore()
            self._close_with_the_classifier(studio)
            return
        if studio is not None:
            studio.workspace.cancel()
            wait_for_all(CLOSING_TIMEOUT_MS)
            self.last_session.save()
            self._state.save_layout(self)
        event.accept()

    def _close_with_the_classifier(self, studio: Studio) -> None:
        """Keep it first: it is what somebody has waited for."""
        if not studio.closing:
            studio.closing = True
            self._say("Keeping the classifier that is being trained, then closing …")
            studio.classifier_training.ended.connect(self.close, Qt.ConnectionType.QueuedConnection)
            studio.classifier_training.stop_and_keep()

    def _ask_before_closing(self, studio: Studio) -> None:
        if studio.closing or self._closing_dialog is not None:
            return
        self._closing_dialog = ClosingDialog(self)
        self._closing_dialog.finished.connect(self._closing_answered)
        self._closing_dialog.open()

    @Slot()
    def _closing_answered(self) -> None:
        dialog, self._closing_dialog = self._closing_dialog, None
        if dialog is None or self.studio is None:
            return
        stop = dialog.clickedButton() is dialog.stop_button
        dialog.deleteLater()
        if not stop:
            return
        self.studio.closing = True
        self._say("Stopping at the next step, then closing …")
        self.studio.session.stop()
        if not self.studio.session.active:  # it ended while the question stood
            self.close()

    @Slot()
    def _close_if_waiting(self) -> None:
        if self.studio is not None and self.studio.closing:
            self.close()
        elif self._closing_dialog is not None:
            self._closing_dialog.reject()  # nothing is under way: there is nothing to ask
