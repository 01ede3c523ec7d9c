"""The slow imports: torch before the working pages, the rest after them, each in a thread.

What works in the background waits for the rest: two threads that import the same circular packages
at once can see half of a module.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from PySide6.QtCore import QObject, QThread

log = logging.getLogger(__name__)

# None of it touches Qt. FIRST: what the working pages need to be built.
FIRST = ("torch",)
LATER = (
    "torchvision",
    "pgn_studio.core.data.sources",
    "pgn_studio.core.classifiers",
    "pgn_studio.core.evaluation.evaluate",
    "pgn_studio.core.training.trainer",
)

_settled = threading.Event()
_settled.set()  # nothing is being imported behind anybody's back


def wait_until_settled() -> None:
    """Block, in a worker, while the later imports are under way."""
    _settled.wait()


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
    """Imports `names`. `failure` is empty when all went well."""

    def __init__(self, names: Sequence[str], parent: QObject, *, holds_work: bool = False) -> None:
        """`holds_work`: from now on workers wait until it has ended."""
        super().__init__(parent)
        self.setObjectName("imports")
        self._names = names
        self.failure = ""
        if holds_work:
            _settled.clear()

    def run(self) -> None:
        try:
            with without_source_scan():
                for name in self._names:
                    importlib.import_module(name)
            from pgn_studio.core.device import use_cpu_threads

            use_cpu_threads(spare=1)
        except Exception as error:
            log.exception("The imports failed.")
            self.failure = f"{type(error).__name__}: {error}"
        finally:
            _settled.set()
