"""What every test gets: a home of its own, an offscreen window system, and checks for leaks."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
# More only slows small tensors down, and CI machines have two cores; `make test` gives each a process.
THREADS = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2

# Before anything imports torch, Qt or matplotlib; processes that tests start inherit it.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["MPLBACKEND"] = "Agg"
os.environ["OMP_NUM_THREADS"] = str(min(THREADS, int(os.environ.get("OMP_NUM_THREADS") or THREADS)))

# Threads that libraries keep for the life of the process, by the start of their name.
KEPT_THREADS = ("tqdm_monitor", "pytest_timeout", "pytest-timeout")


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the folders or settings of the person who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGN_STUDIO_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))  # QSettings
        yield


@pytest.fixture(scope="session", autouse=True)
def _bf16_as_asked_for() -> Iterator[None]:
    """PGN_STUDIO_TEST_BF16=1: precision auto means bf16, emulated where the processor lacks it."""
    with pytest.MonkeyPatch.context() as patch:
        if os.environ.get("PGN_STUDIO_TEST_BF16") == "1":
            patch.setattr("pgn_studio.core.device.cpu_has_bf16", lambda: True)
        yield


@pytest.fixture(scope="session")
def clothing() -> Path:
    """A folder of real photographs: train|validation|test/class/*.jpg."""
    given = os.environ.get("PGN_STUDIO_DATA")
    folder = Path(given) if given else REPOSITORY.parent / "shared" / "data" / "clothing"
    if not (folder / "train").is_dir():
        pytest.skip(f"no photographs at {folder}; PGN_STUDIO_DATA names another folder")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _old_objects_aside() -> None:
    """Put what other modules' tests and imports left beyond the collector's sight.

    Else each collection in a GUI test walks millions of objects of torch, and the window stutters.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that leaves a thread, a QThread or a QTimer running."""
    before = set(threading.enumerate())
    yield
    if {"qtbot", "qapp"} & set(request.fixturenames):
        _check_qt()
    leaked = _wait_for_end(before)
    assert not leaked, f"the test left threads running: {sorted(thread.name for thread in leaked)}"


def _wait_for_end(before: set[threading.Thread], seconds: float = 2.0) -> list[threading.Thread]:
    deadline = time.monotonic() + seconds
    while True:
        leaked = [
            thread
            for thread in threading.enumerate()
            # A dummy stands for a thread that Qt or torch started: _check_qt knows about those.
            if thread not in before
            and not isinstance(thread, threading._DummyThread)
            and not thread.name.startswith(KEPT_THREADS)
        ]
        if not leaked or time.monotonic() > deadline:
            return leaked
        leaked[0].join(0.05)


def _check_qt() -> None:
    from PySide6.QtCore import QCoreApplication, QEvent, QThread, QThreadPool, QTimer
    from shiboken6 import isValid

    assert QThreadPool.globalInstance().waitForDone(5000), "the test left work in Qt's thread pool"
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)  # closed widgets
    gc.collect()
    everything = gc.get_objects()
    timers = [item for item in everything if issubclass(type(item), QTimer) and isValid(item)]
    threads = [item for item in everything if issubclass(type(item), QThread) and isValid(item)]
    main = QCoreApplication.instance().thread()
    running = [thread for thread in threads if thread is not main and thread.isRunning()]
    assert not running, f"the test left QThreads running: {running}"
    active = [timer for timer in timers if timer.isActive()]
    assert not active, f"the test left QTimers running: {[(item, item.parent()) for item in active]}"
