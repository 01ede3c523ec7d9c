"""The window's start: visible at once, torch imported meanwhile, then the working pages."""

from __future__ import annotations

import atexit
import gc
import importlib
import logging
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from PySide6.QtCore import QObject, QThread, Slot
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.paths import resources_folder
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.state import SessionState
from pgn_studio.gui.theme import current_theme

log = logging.getLogger(__name__)

# Everything slow that the working pages and the first run need; none of it touches Qt.
SLOW_IMPORTS = (
    "torch",
    "torchvision",
    "pgn_studio.core.data.sources",
    "pgn_studio.core.classifiers",
    "pgn_studio.core.evaluation.evaluate",
    "pgn_studio.core.training.trainer",
)


@contextmanager
def without_source_scan() -> Iterator[None]:
    """Keep PySide from reading the source of each module imported meanwhile: torch has thousands.

    PySide looks there for users of its snake_case feature. Sparing it took a second of six off the
    start with warm disks, and far more with cold ones. Does nothing where PySide has changed.
    """
    feature = sys.modules.get("shibokensupport.feature")
    scan = getattr(feature, "_mod_uses_pyside", None)
    if feature is None or scan is None:
        yield
        return
    setattr(feature, "_mod_uses_pyside", lambda _module: False)  # noqa: B010 - not in its type stubs
    try:
        yield
    finally:
        setattr(feature, "_mod_uses_pyside", scan)  # noqa: B010


class ImportThread(QThread):
    """Imports torch and the core. `failure` is empty when all went well."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.setObjectName("imports")
        self.failure = ""

    def run(self) -> None:
        try:
            with without_source_scan():
                for name in SLOW_IMPORTS:
                    importlib.import_module(name)
            from pgn_studio.core.device import use_cpu_threads

            use_cpu_threads(spare=1)
        except Exception as error:
            log.exception("The imports failed.")
            self.failure = f"{type(error).__name__}: {error}"


class Launcher(QObject):
    """From the first window to the working one."""

    def __init__(self, window: MainWindow, *, demo: bool) -> None:
        super().__init__(window)
        self._window = window
        self._demo = demo
        self.imports = ImportThread(self)
        self.imports.finished.connect(self._imported)

    def start(self) -> None:
        self.imports.start()

    @Slot()
    def _imported(self) -> None:
        if self.imports.failure:
            self._window.start_page.show_failure(
                f"PyTorch could not be loaded.\n\n{self.imports.failure}\n\n"
                "Install torch and torchvision together, in one call: pip install torch torchvision"
            )
            return
        if not self._window.isVisible():  # closed meanwhile
            return
        studio = self._window.build()
        # What has been imported stays for good: collecting it again and again would stall the loop.
        gc.collect()
        gc.freeze()
        atexit.register(gc.unfreeze)  # else extension modules complain about leaks at exit
        if self._demo:
            studio.open_demo()
        else:
            self._window.last_session.restore()
        self._window.tour.offer()


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
    state = SessionState()
    current_theme().apply(state.theme)
    current_theme().set_text_size(state.text_size)
    window = MainWindow(state)
    window.show()
    launcher = Launcher(window, demo=demo)
    sys.excepthook = _report_uncaught
    launcher.start()
    code = application.exec()
    launcher.imports.wait()  # closed early: an import cannot be broken off
    return code


def _report_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A slot that raises must be seen: in the log and on stderr, since PySide goes on after it."""
    log.critical("Uncaught exception.", exc_info=(kind, error, trace))
    traceback.print_exception(kind, error, trace)
