"""run_in_background: callbacks on the GUI thread, canceling, and parents that die meanwhile."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QObject, QThread
from shiboken6 import delete

from pgn_studio.core.errors import Canceled, DataError
from pgn_studio.gui.operations import run_in_background, wait_for_all

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

    from pgn_studio.core.protocols import Progress


class Listener(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.results: list[object] = []
        self.errors: list[Exception] = []
        self.reports: list[tuple[int, int]] = []
        self.threads: list[QThread] = []

    def succeed(self, value: object) -> None:
        self.results.append(value)
        self.threads.append(QThread.currentThread())

    def fail(self, error: Exception) -> None:
        self.errors.append(error)
        self.threads.append(QThread.currentThread())

    def advance(self, done: int, total: int) -> None:
        self.reports.append((done, total))
        self.threads.append(QThread.currentThread())


@pytest.fixture
def listener(qapp: object) -> Listener:
    return Listener()


class Load:
    """As large as a data set."""


def test_what_was_worked_with_is_let_go(qtbot: QtBot, listener: Listener) -> None:
    load = Load()
    alive = weakref.ref(load)
    work = [lambda _progress, load=load: str(load)]
    run_in_background(listener, work.pop(), listener.succeed, listener.fail)
    del load
    qtbot.waitUntil(lambda: bool(listener.results))
    gc.collect()
    assert alive() is None


class Gate:
    """An operation that reports progress until it is opened (or canceled)."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()
        self.canceled = threading.Event()

    def __call__(self, progress: Progress) -> str:
        self.entered.set()
        try:
            while not self.opened.wait(0.005):
                progress(0, 0)
        except Canceled:
            self.canceled.set()
            raise
        return "through"


def test_result_arrives_on_the_gui_thread_but_is_made_elsewhere(qtbot: QtBot, listener: Listener) -> None:
    operation = run_in_background(
        listener, lambda _progress: threading.get_ident(), listener.succeed, listener.fail
    )
    with qtbot.waitSignal(operation.finished):
        pass
    assert listener.results != [threading.get_ident()]
    assert len(listener.results) == 1
    assert listener.threads == [listener.thread()]
    assert listener.errors == []


def test_failure_gives_the_exception(qtbot: QtBot, listener: Listener) -> None:
    def fail(_progress: Progress) -> None:
        raise DataError("No images.", hint="Choose another folder.")

    operation = run_in_background(listener, fail, listener.succeed, listener.fail)
    with qtbot.waitSignal(operation.finished):
        pass
    assert [str(error) for error in listener.errors] == ["No images. Choose another folder."]
    assert listener.results == []
    assert listener.threads == [listener.thread()]


def test_progress_is_thinned_but_its_last_report_arrives(qtbot: QtBot, listener: Listener) -> None:
    def count(progress: Progress) -> None:
        for done in range(1, 5001):
            progress(done, 5000)

    operation = run_in_background(
        listener, count, listener.succeed, listener.fail, on_progress=listener.advance
    )
    with qtbot.waitSignal(operation.finished):
        pass
    assert listener.reports[-1] == (5000, 5000)
    assert len(listener.reports) < 500
    assert set(map(id, listener.threads)) == {id(listener.thread())}


def test_cancel_ends_it_with_finished_only(qtbot: QtBot, listener: Listener) -> None:
    gate = Gate()
    operation = run_in_background(listener, gate, listener.succeed, listener.fail)
    assert gate.entered.wait(5)
    with qtbot.waitSignal(operation.finished):
        operation.cancel()
    assert gate.canceled.is_set()
    assert not operation.running
    assert (listener.results, listener.errors) == ([], [])


def test_cancel_after_the_work_is_done_still_withholds_the_result(qtbot: QtBot, listener: Listener) -> None:
    made = threading.Event()
    operation = run_in_background(listener, lambda _progress: made.set(), listener.succeed, listener.fail)
    assert made.wait(5)
    with qtbot.waitSignal(operation.finished):
        operation.cancel()
    assert listener.results == []


def test_parent_deleted_meanwhile_cancels_and_calls_nothing(qtbot: QtBot, listener: Listener) -> None:
    owner = QObject()
    gate = Gate()
    run_in_background(owner, gate, listener.succeed, listener.fail)
    assert gate.entered.wait(5)
    delete(owner)
    assert gate.canceled.wait(5)
    assert wait_for_all(5000)
    assert (listener.results, listener.errors) == ([], [])


def test_a_long_operation_does_not_hold_up_a_short_one(qtbot: QtBot, listener: Listener) -> None:
    gate = Gate()
    long = run_in_background(listener, gate, listener.succeed, listener.fail)
    short = run_in_background(listener, lambda _progress: "short", listener.succeed, listener.fail)
    with qtbot.waitSignal(short.finished):
        pass
    assert listener.results == ["short"]
    with qtbot.waitSignal(long.finished):
        gate.opened.set()
    assert listener.results == ["short", "through"]


def test_wait_for_all_cancels_and_leaves_no_thread(qtbot: QtBot, listener: Listener) -> None:
    gates = [Gate() for _ in range(3)]
    for gate in gates:
        run_in_background(listener, gate, listener.succeed, listener.fail)
    assert gates[0].entered.wait(5)
    assert wait_for_all(5000)
    assert (listener.results, listener.errors) == ([], [])


def test_wait_for_all_says_when_work_goes_on(qtbot: QtBot, listener: Listener) -> None:
    gate = Gate()
    operation = run_in_background(listener, gate, listener.succeed, listener.fail)
    assert not wait_for_all(20, cancel=False)
    with qtbot.waitSignal(operation.finished):
        gate.opened.set()
    assert listener.results == ["through"]


def test_calling_it_from_another_thread_is_refused(qtbot: QtBot, listener: Listener) -> None:
    def nested(_progress: Progress) -> None:
        run_in_background(listener, lambda _inner: None, listener.succeed, listener.fail)

    operation = run_in_background(listener, nested, listener.succeed, listener.fail)
    with qtbot.waitSignal(operation.finished):
        pass
    assert "thread of its parent" in str(listener.errors[0])
