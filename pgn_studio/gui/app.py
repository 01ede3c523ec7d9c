"""The window's start: visible at once, torch imported meanwhile, then the working pages."""

from __future__ import annotations

import atexit
import gc
import logging
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.paths import resources_folder
from pgn_studio.gui import lazy_imports
from pgn_studio.gui.lazy_imports import ImportThread
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.theme import current_theme

log = logging.getLogger(__name__)

_ADVICE = "Install torch and torchvision together, in one call: pip install torch torchvision"


class Launcher(QObject):
    """From the first window to the working one."""

    def __init__(self, window: MainWindow, *, demo: bool) -> None:
        super().__init__(window)
        self._window = window
        self._demo = demo
        self.imports = ImportThread(lazy_imports.FIRST, self)
        self.imports.finished.connect(self._imported)
        self.later: ImportThread | None = None

    def start(self) -> None:
        self.imports.start()

    def wait(self) -> None:
        """Until nothing is being imported: an import cannot be broken off."""
        self.imports.wait()
        if self.later is not None:
            self.later.wait()

    @Slot()
    def _imported(self) -> None:
        if self.imports.failure:
            self._window.drops.refused = True
            self._window.start_page.show_failure(
                f"PyTorch could not be loaded.\n\n{self.imports.failure}\n\n{_ADVICE}"
            )
            return
        if not self._window.isVisible():  # closed meanwhile
            return
        controller = self._window.build()
        # After the pages: opening and training wait for it, looking around does not.
        self.later = ImportThread(lazy_imports.LATER, self, holds_work=True)
        self.later.finished.connect(self._all_imported)
        self.later.start()
        # What has been imported stays for good: collecting it again and again would stall the loop.
        gc.collect()
        gc.freeze()
        atexit.register(gc.unfreeze)  # else extension modules complain about leaks at exit
        if self._demo:
            controller.opener.open_demo()
        elif not self._window.drops.waiting:  # what was dropped is wanted instead
            self._window.session_restore.restore()
        self._window.drops.open_waiting()
        self._window.tour.offer()

    @Slot()
    def _all_imported(self) -> None:
        gc.freeze()
        controller = self._window.controller
        if self.later is not None and self.later.failure and controller is not None:
            error = PgnStudioError(f"A part of PyTorch is broken: {self.later.failure}", hint=_ADVICE)
            controller.reporter.show_problem("The window cannot work", error)


def make_application(argv: Sequence[str]) -> QApplication:
    """The QApplication with its name, icon and the theme that the session had."""
    application = QApplication.instance() or QApplication(list(argv))
    if not isinstance(application, QApplication):
        raise TypeError("The window needs a QApplication, not a QCoreApplication.")
    application.setApplicationName("PGN Studio")
    application.setDesktopFileName("pgn-studio")
    try:
        application.setWindowIcon(QIcon(str(resources_folder() / "icons" / "pgn-studio.svg")))
    except PgnStudioError:
        log.warning("The resources are missing.")
    return application


def run_app(argv: Sequence[str], *, demo: bool = False) -> int:
    """Open the window and stay until it is closed; the exit code."""
    application = make_application(argv)
    preferences = Preferences()
    current_theme().apply(preferences.theme)
    current_theme().set_text_size(preferences.text_size)
    window = MainWindow(preferences)
    window.show()
    launcher = Launcher(window, demo=demo)
    sys.excepthook = _report_uncaught
    launcher.start()
    code = application.exec()
    launcher.wait()  # it may have been closed early
    return code


def _report_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A slot that raises must be seen: in the log and on stderr, since PySide goes on after it."""
    log.critical("Uncaught exception.", exc_info=(kind, error, trace))
    traceback.print_exception(kind, error, trace)
