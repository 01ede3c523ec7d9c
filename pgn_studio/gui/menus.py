"""The menus of the window: each is given what its commands act on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QObject, QUrl, Signal, SignalInstance, Slot
from PySide6.QtGui import QAction, QActionGroup, QDesktopServices, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QApplication, QMainWindow, QMenu, QTabWidget

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.paths import documentation_page, log_file
from pgn_studio.gui.dialogs.error import ErrorDialog
from pgn_studio.gui.dialogs.help import AboutDialog, CommandPalette, ShortcutsDialog, commands_of
from pgn_studio.gui.opener import FileOpener
from pgn_studio.gui.pages.setup.panel import SetupPanel
from pgn_studio.gui.pages.setup.undo import SettingsUndo
from pgn_studio.gui.preferences import Preferences, RecentKind
from pgn_studio.gui.project import Project
from pgn_studio.gui.reporter import Reporter
from pgn_studio.gui.theme import TEXT_SIZES, THEMES, current_theme
from pgn_studio.gui.training.controller import TrainingController
from pgn_studio.gui.training.curves_export import CurvesExport

RECENT_TITLES: dict[RecentKind, str] = {
    "datasets": "Data sets",
    "classifiers": "Classifiers",
    "pgns": "PGNs and runs",
}
NORMAL_SIZE = 100
EXPORT_KEYS, PAUSE_KEYS = "Ctrl+E", "Space"


def add_command(
    menu: QMenu, text: str, act: Callable[[], object] | SignalInstance, *keys: str, name: str = ""
) -> QAction:
    action = menu.addAction(text)
    action.setObjectName("action_" + (name or text.rstrip("…").lower().replace(" ", "_")))
    action.setShortcuts([QKeySequence(key) for key in keys])
    action.triggered.connect(act)
    return action


class FileMenu(QObject):
    def __init__(
        self,
        menu: QMenu,
        opener: FileOpener,
        curves: CurvesExport,
        preferences: Preferences,
        window: QMainWindow,
    ) -> None:
        super().__init__(menu)
        self._opener, self._preferences = opener, preferences
        add_command(menu, "Open data set…", opener.choose_dataset, "Ctrl+O")
        add_command(menu, "Open classifier…", opener.choose_classifier, "Ctrl+L")
        add_command(menu, "Open black box…", opener.choose_black_box, "Ctrl+Shift+K")
        add_command(menu, "Open PGN…", opener.choose_pgn, "Ctrl+P")
        add_command(menu, "Open run…", opener.choose_run, "Ctrl+Shift+O")
        self._recent = menu.addMenu("Recent")
        self._recent.aboutToShow.connect(self._fill_recent)
        add_command(menu, "Open demo", opener.open_demo)
        menu.addSeparator()
        self._export_curves = add_command(menu, "Export curves…", curves.ask, EXPORT_KEYS)
        add_command(menu, "Copy curves as command", curves.copy_command)
        menu.addSeparator()
        restoring = menu.addAction("Restore the last session at the start")
        restoring.setObjectName("action_restore_session")
        restoring.setCheckable(True)
        restoring.setChecked(preferences.restores_session)
        restoring.toggled.connect(partial(setattr, preferences, "restores_session"))
        add_command(menu, "Quit", window.close, "Ctrl+Q")

    def take_export_keys(self, taken: bool) -> None:
        """Whether they export curves: on the Inspect page they export what that shows."""
        self._export_curves.setShortcut(QKeySequence(EXPORT_KEYS if taken else ""))

    @Slot()
    def _fill_recent(self) -> None:
        self._recent.clear()
        for kind, title in RECENT_TITLES.items():
            paths = self._preferences.recent(kind)
            if paths:
                self._recent.addSection(title)
            for path in paths:
                action = self._recent.addAction(path)
                action.triggered.connect(partial(self._opener.open_recent, path))
        if self._recent.isEmpty():
            self._recent.addAction("Nothing yet").setEnabled(False)


class EditMenu(QObject):
    """Undo and Redo of the set-up, each by its name. While a run is under way only γ can go back:
    the run follows it, and nothing else."""

    def __init__(
        self,
        menu: QMenu,
        undo: SettingsUndo,
        training: TrainingController,
        project: Project,
        reporter: Reporter,
    ) -> None:
        super().__init__(menu)
        self._undo, self._training, self._project = undo, training, project
        self.undo = add_command(menu, "Undo", undo.undo, "Ctrl+Z")
        self.redo = add_command(menu, "Redo", undo.redo, "Ctrl+Shift+Z", "Ctrl+Y")
        undo.told.connect(reporter.say)
        undo.changed.connect(self.refresh)
        menu.aboutToShow.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        undo = self._undo
        for action, word, text, redo in (
            (self.undo, "&Undo", undo.undo_text, False),
            (self.redo, "&Redo", undo.redo_text, True),
        ):
            action.setText(f"{word}: {text}" if text else word)
            allowed = not self._training.active or undo.concerns_gamma_only(redo=redo)
            action.setEnabled(bool(text) and allowed and not self._project.busy)


class RunMenu(QObject):
    """The buttons of the set-up, by keys."""

    def __init__(
        self,
        menu: QMenu,
        setup: SetupPanel,
        training: TrainingController,
        train_classifier: Callable[[], object],
    ) -> None:
        super().__init__(menu)
        self._training = training
        start = add_command(menu, "Start", setup.start_requested, "Ctrl+Return")
        self._go_on = add_command(
            menu, "Continue the shown run", setup.continue_requested, "Ctrl+Shift+Return"
        )
        self._pause = add_command(menu, "Pause or resume", self._toggle_pause, PAUSE_KEYS)
        stop = add_command(menu, "Stop and keep", training.stop, "Ctrl+.")
        menu.addSeparator()
        add_command(menu, "Train a classifier…", train_classifier)
        self._buttons: tuple[tuple[QAction, QAbstractButton], ...] = (
            (start, setup.start_button),
            (self._go_on, setup.continue_button),
            (self._pause, setup.pause_button),
            (stop, setup.stop_button),
        )
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        for action, button in self._buttons:
            action.setEnabled(button.isEnabled())
            if action is self._go_on:
                asks = "…" if button.text().endswith("…") else ""
                action.setText(action.text().rstrip("…") + asks)

    def take_space(self, taken: bool) -> None:
        """Whether Space pauses: on the Inspect page it compares images."""
        self._pause.setShortcut(QKeySequence(PAUSE_KEYS if taken else ""))

    @Slot()
    def _toggle_pause(self) -> None:
        """Space pauses, unless a button has the keyboard: there it means to press it."""
        focus = QApplication.focusWidget()
        if isinstance(focus, QAbstractButton) and focus.isEnabled():
            focus.click()
        else:
            self._training.toggle_pause()


class ViewMenu(QObject):
    reset_requested = Signal()  # of the layout

    def __init__(
        self, menu: QMenu, tabs: QTabWidget, panels: Sequence[QAction], preferences: Preferences
    ) -> None:
        super().__init__(menu)
        self._preferences = preferences
        for number in range(tabs.count()):
            title = tabs.tabText(number).replace("&", "")
            add_command(menu, title, partial(tabs.setCurrentIndex, number), f"Ctrl+{number + 1}")
        menu.addSeparator()
        menu.addActions(panels)
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
        TextSizeMenu(menu.addMenu("Text size"), preferences)
        add_command(menu, "Reset layout", self.reset_requested)

    @Slot(QAction)
    def _theme_chosen(self, action: QAction) -> None:
        current_theme().apply(action.data())
        self._preferences.theme = action.data()


class TextSizeMenu(QObject):
    """All texts at 80 to 200 % of the system's size; remembered."""

    def __init__(self, menu: QMenu, preferences: Preferences) -> None:
        super().__init__(menu)
        self._preferences = preferences
        add_command(menu, "Larger", partial(self._step, 1), "Ctrl++", "Ctrl+=", name="text_larger")
        add_command(menu, "Smaller", partial(self._step, -1), "Ctrl+-", name="text_smaller")
        add_command(menu, "Normal", partial(self._set, NORMAL_SIZE), "Ctrl+0", name="text_normal")
        menu.addSeparator()
        self._sizes = QActionGroup(menu)
        for size in TEXT_SIZES:
            action = self._sizes.addAction(f"{size} %")
            action.setObjectName(f"text_size_{size}")
            action.setCheckable(True)
            action.setData(size)
            menu.addAction(action)
        self._sizes.triggered.connect(self._chosen)
        current_theme().changed.connect(self._refresh)
        self._refresh()

    def _set(self, size: int) -> None:
        current_theme().set_text_size(size)
        self._preferences.text_size = current_theme().text_size

    def _step(self, steps: int) -> None:
        place = TEXT_SIZES.index(current_theme().text_size) + steps
        self._set(TEXT_SIZES[min(max(place, 0), len(TEXT_SIZES) - 1)])

    @Slot(QAction)
    def _chosen(self, action: QAction) -> None:
        self._set(int(action.data()))

    @Slot()
    def _refresh(self) -> None:
        for action in self._sizes.actions():
            action.setChecked(action.data() == current_theme().text_size)


class HelpMenu(QObject):
    tour_requested = Signal()

    def __init__(self, menu: QMenu, window: QMainWindow) -> None:
        super().__init__(menu)
        self._window = window
        add_command(menu, "Commands…", self._show_palette, "Ctrl+K")
        add_command(menu, "Keyboard shortcuts", self._show_shortcuts, "?")
        add_command(menu, "Documentation", self._show_documentation, "F1")
        add_command(menu, "Tour", self.tour_requested)
        add_command(menu, "About PGN Studio", self._about)
        add_command(menu, "Open log folder", _open_log_folder)

    @Slot()
    def _about(self) -> None:
        AboutDialog(self._window).open()

    @Slot()
    def _show_documentation(self) -> None:
        try:
            page = documentation_page()
        except PgnStudioError as error:
            ErrorDialog("Documentation", error.message, error.hint, error.details, self._window).open()
        else:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))

    @Slot()
    def _show_shortcuts(self) -> None:
        ShortcutsDialog(commands_of(self._window.menuBar()), self._window).open()

    @Slot()
    def _show_palette(self) -> None:
        CommandPalette(commands_of(self._window.menuBar()), self._window).open()


def _open_log_folder() -> None:
    folder = log_file().parent
    folder.mkdir(parents=True, exist_ok=True)
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
