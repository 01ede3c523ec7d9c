"""The Runs page: table, search, notes, deletion, folders, comparison, and the frontier that opens PGNs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QObject, QPoint, QPointF, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QLabel, QLineEdit, QMessageBox, QPlainTextEdit, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from pgn_studio.core.annotations import Annotations, read_annotations
from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import EpochCompleted, RunStarted, StepCompleted
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.pages.runs.model import COLUMNS
from pgn_studio.gui.pages.runs.page import RunsPage
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.training.controller import RunState

# name: γ, accuracy after 8 bits, RMS
RUNS = {"a": (1.0, 0.8, 0.2), "b": (10.0, 0.75, 0.1), "c": (30.0, 0.6, 0.05), "d": (3.0, 0.7, 0.3)}


def make_run(folder: Path, gamma: float, accuracy: float, rms: float, **settings: Any) -> Path:
    wanted = TrainingSettings.make(dataset="digits", classifier="c", gamma=gamma, **settings)
    run = RunFolder.create(folder, wanted)
    step = StepCompleted(1, 1, gamma, 0.1, 0.5, 1e-3, 0.9, 2, 1, 0.9, 0.8, 100.0)
    epoch = EpochCompleted(
        1, 1, gamma, 0.55, accuracy, accuracy, int(100 * accuracy), 2, 0.5, rms, 0.2, 0.1, 1.0, True
    )
    start = {"event": "RunStarted", "train_images": 64, "steps_per_epoch": 1, "val_images": 50}
    for record in (start, *({"event": type(item).__name__, **asdict(item)} for item in (step, epoch))):
        run.append_metrics(record)
    run.update(status="completed")
    run.pgn_path.write_bytes(b"")  # that it is there is all the page looks at
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, values in RUNS.items():
        make_run(tmp_path / "runs" / name, *values)
    return tmp_path / "runs"


@pytest.fixture
def page(qtbot: QtBot, folder: Path) -> RunsPage:
    current_theme().apply("light")
    page = RunsPage()
    qtbot.addWidget(page)
    page.folder = folder
    page.resize(1100, 720)
    page.show()
    qtbot.waitUntil(lambda: len(page.model.records) == len(RUNS))
    return page


def part(page: RunsPage, kind: type[Any], name: str) -> Any:
    found = page.findChild(kind, name)
    assert found is not None, name
    return found


def press(qtbot: QtBot, page: RunsPage, name: str) -> None:
    qtbot.mouseClick(part(page, QPushButton, name), Qt.MouseButton.LeftButton)


def names(page: RunsPage) -> list[str]:
    return [page.shown.record(row).name for row in range(page.shown.rowCount())]


def settled(qtbot: QtBot, page: RunsPage) -> None:
    qtbot.waitUntil(lambda: not page._reading)


def test_columns_sort_and_show_results(page: RunsPage) -> None:
    titles = [page.shown.headerData(column, Qt.Orientation.Horizontal) for column in range(17)]
    gamma, bits, change = titles.index("γ"), titles.index("Perturbed %"), titles.index("Change")
    page.table.sortByColumn(gamma, Qt.SortOrder.AscendingOrder)
    assert names(page) == ["a", "d", "b", "c"]
    assert page.shown.index(0, bits).data() == "80.0"
    assert page.shown.index(3, change).data() == "+5.0"


def test_settings_are_shown_in_the_forms_words(page: RunsPage, folder: Path) -> None:
    page.select(folder / "b")
    model = part(page, QTableView, "run_settings").model()
    shown = [(model.index(row, 0).data(), model.index(row, 1).data()) for row in range(model.rowCount())]
    assert {("Problem", "Enhance: correct more images"), ("Gamma", "10"), ("Clip", "Yes")} <= set(shown)
    assert not [name for name, value in shown if "_" in name or value in ("", "None", "True")]


def test_what_is_unknown_is_sorted_last_both_ways(qtbot: QtBot, page: RunsPage, folder: Path) -> None:
    settings = TrainingSettings.make(dataset="digits", classifier="c")
    RunFolder.create(folder / "unfinished", settings)
    (folder / "damaged").mkdir()
    (folder / "damaged" / "run.json").write_text("{")
    page.refresh()
    settled(qtbot, page)
    rms = next(number for number, column in enumerate(COLUMNS) if column.title == "RMS")
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        page.table.sortByColumn(rms, order)
        assert set(names(page)[-2:]) == {"unfinished", "damaged"}
    page.select(folder / "damaged")
    assert "damaged" in part(page, QLabel, "run_damage").text()
    assert not part(page, QPushButton, "run_open_button").isEnabled()


def test_search_filters_table_and_frontier(qtbot: QtBot, page: RunsPage) -> None:
    qtbot.keyClicks(part(page, QLineEdit, "runs_search"), "gamma=10")
    assert names(page) == ["b"]
    assert part(page, QLabel, "runs_count").text() == "1 of 4 runs"
    assert [record.name for record in page.frontier.records] == ["b"]
    part(page, QLineEdit, "runs_search").setText("nothing like it")
    assert names(page) == []
    assert "No run in" in page.frontier.caption.text()


def test_name_tags_and_notes_are_kept(qtbot: QtBot, page: RunsPage, folder: Path) -> None:
    page.select(folder / "b")
    page.table.setFocus()
    page.actions_of_runs["rename"].trigger()
    name = part(page, QLineEdit, "run_name")
    qtbot.keyClicks(name, "the good one")
    qtbot.keyClick(name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "the good one" in names(page))
    part(page, QLineEdit, "run_tags").setText("paper, paper, x")
    qtbot.keyClicks(part(page, QPlainTextEdit, "run_notes"), "keep this")
    page.select(folder / "a")  # what was typed is saved on the way
    settled(qtbot, page)
    assert read_annotations(folder / "b") == Annotations("the good one", ("paper", "x"), "keep this")
    assert part(page, QPlainTextEdit, "run_notes").toPlainText() == ""
    part(page, QLineEdit, "runs_search").setText("tag=paper")
    assert names(page) == ["the good one"]


def test_a_refresh_leaves_what_is_being_typed(qtbot: QtBot, page: RunsPage, folder: Path) -> None:
    page.select(folder / "b")
    notes = part(page, QPlainTextEdit, "run_notes")
    qtbot.keyClicks(notes, "half a sen")
    page.refresh()
    settled(qtbot, page)
    qtbot.keyClicks(notes, "tence")
    page.details.save()
    assert read_annotations(folder / "b").notes == "half a sentence"


@pytest.mark.parametrize("answer", ["move_to_trash_button", ""])
def test_deletion_asks_and_moves_to_the_trash(
    qtbot: QtBot, page: RunsPage, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    moved = tmp_path / "trash"
    moved.mkdir()

    def move(path: str) -> bool:
        Path(path).rename(moved / Path(path).name)
        return True

    # Offscreen machines may have no trash: what is Qt's is taken from it.
    monkeypatch.setattr("pgn_studio.gui.pages.runs.page.QFile", SimpleNamespace(moveToTrash=move))
    page.select(folder / "c")
    press(qtbot, page, "run_delete_button")
    box = part(page, QMessageBox, "delete_dialog")
    assert "Move c to the trash?" in box.text()
    if answer:
        qtbot.mouseClick(part(page, QPushButton, answer), Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: "c" not in names(page))
        assert (moved / "c" / "run.json").is_file()
    else:
        box.reject()
        assert (folder / "c").is_dir()
        assert list(moved.iterdir()) == []


def test_what_cannot_be_deleted_is_said(
    qtbot: QtBot, page: RunsPage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.select(folder / "c")
    page.active_folder = str(folder / "c")
    with qtbot.waitSignal(page.failed) as refused:
        press(qtbot, page, "run_delete_button")
    assert "is being trained" in str(refused.args[1])
    page.active_folder = ""
    monkeypatch.setattr(
        "pgn_studio.gui.pages.runs.page.QFile", SimpleNamespace(moveToTrash=lambda _path: False)
    )
    press(qtbot, page, "run_delete_button")
    with qtbot.waitSignal(page.failed) as failed:
        part(page, QPushButton, "move_to_trash_button").click()
    assert "could not be moved" in str(failed.args[1])
    settled(qtbot, page)
    assert (folder / "c").is_dir()


class Opened(QObject):
    """Stands for the file manager."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[QUrl] = []

    @Slot(QUrl)
    def take(self, url: QUrl) -> None:
        self.urls.append(url)


@pytest.fixture
def file_manager() -> Iterator[Opened]:
    opened = Opened()
    QDesktopServices.setUrlHandler("file", opened, "take")
    yield opened
    QDesktopServices.unsetUrlHandler("file")


def test_folders_are_shown(qtbot: QtBot, page: RunsPage, folder: Path, file_manager: Opened) -> None:
    page.select(folder / "a")
    press(qtbot, page, "run_folder_button")
    assert [url.toLocalFile() for url in file_manager.urls] == [str(folder / "a")]


def test_the_frontier_shows_like_runs_and_its_points_open(qtbot: QtBot, page: RunsPage, folder: Path) -> None:
    make_run(folder / "other", 3.0, 0.1, 0.2, problem="adversarial")
    page.refresh()
    settled(qtbot, page)
    page.select(folder / "a")
    plot = page.frontier
    assert {record.name for record in plot.records} == set(RUNS)
    assert plot.line.getData()[1].tolist() == [60.0, 75.0, 80.0]  # d is beaten by a
    assert plot.clean.value() == pytest.approx(55)
    page.select(folder / "other")
    assert [record.name for record in plot.records] == ["other"]
    page.select(folder / "a")
    record = next(item for item in plot.records if item.name == "b")
    plot.plot.repaint()
    scene = plot.plot.getPlotItem().vb.mapViewToScene(QPointF(plot.place_of(record)))
    place = QPoint(plot.plot.mapFromScene(scene))
    with qtbot.waitSignal(page.open_requested) as opened:
        qtbot.mouseMove(plot.plot.viewport(), place)
        qtbot.mouseClick(plot.plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert opened.args == [folder / "b"]


def test_a_damaged_run_says_why_it_does_not_open(qtbot: QtBot, page: RunsPage, folder: Path) -> None:
    (folder / "b" / "run.json").write_text("{")
    page.refresh()
    settled(qtbot, page)
    record = next(item for item in page.model.records if item.name == "b")
    with qtbot.waitSignal(page.failed) as failed:
        page.frontier.opened.emit(record)
    assert "is damaged" in str(failed.args[1])


def test_chosen_runs_are_drawn_in_train(
    qtbot: QtBot, make_window: Callable[..., MainWindow], folder: Path
) -> None:
    window = make_window()
    page = window.runs.page
    page.folder = folder
    window.tabs.setCurrentWidget(page)
    qtbot.waitUntil(lambda: len(page.model.records) == len(RUNS))
    page.table.selectAll()
    press(qtbot, page, "run_compare_button")
    assert window.controller is not None
    bar = window.controller.train_page.compared_bar
    qtbot.waitUntil(lambda: len(bar._runs) == 4)
    assert window.tabs.currentWidget() is window.controller.train_page


def test_a_run_without_curves_cannot_be_compared(
    qtbot: QtBot, make_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    RunFolder.create(tmp_path / "runs" / "new", TrainingSettings.make(dataset="digits", classifier="c"))
    window = make_window()
    page = window.runs.page
    page.folder = tmp_path / "runs"
    window.tabs.setCurrentWidget(page)
    qtbot.waitUntil(lambda: len(page.model.records) == 1)
    page.table.selectAll()
    press(qtbot, page, "run_compare_button")
    assert window.controller is not None
    qtbot.waitUntil(lambda: window.controller.reporter.dialog is not None)
    assert "has no curves yet" in window.controller.reporter.dialog.message.text()


def test_runs_are_open_by_keyboard(qtbot: QtBot, page: RunsPage, folder: Path) -> None:
    page.select(folder / "d")
    table = part(page, QTableView, "runs_table")
    table.setFocus()
    with qtbot.waitSignal(page.open_requested) as opened:
        qtbot.keyClick(table, Qt.Key.Key_Return)
    assert opened.args == [folder / "d"]


@pytest.mark.parametrize(("accuracy", "rms"), [(0.6, 0.02), (1.0, 2e-4), (0.0, 3.0)])
def test_the_frontier_of_one_run_has_no_impossible_axis(
    qtbot: QtBot, page: RunsPage, folder: Path, accuracy: float, rms: float
) -> None:
    make_run(folder / "alone", 3.0, accuracy, rms, problem="adversarial")
    page.refresh()
    settled(qtbot, page)
    page.select(folder / "alone")
    assert [record.name for record in page.frontier.records] == ["alone"]
    (left, right), (bottom, top) = page.frontier.plot.getPlotItem().vb.viewRange()
    assert 0 <= left < rms < right
    assert -1.5 <= bottom <= 100 * accuracy <= top <= 101.5
    assert bottom <= 55 <= top  # the clean accuracy is in sight, too


def listed(qtbot: QtBot, make_window: Callable[..., MainWindow], folder: Path, count: int) -> MainWindow:
    window = make_window()
    window.runs.page.folder = folder
    window.tabs.setCurrentWidget(window.runs.page)
    qtbot.waitUntil(lambda: len(window.runs.page.model.records) == count)
    return window


def test_a_paused_run_is_listed_as_paused(
    qtbot: QtBot, make_window: Callable[..., MainWindow], folder: Path
) -> None:
    window = listed(qtbot, make_window, folder, len(RUNS))
    page = window.runs.page
    RunFolder.open(folder / "b").update(status="running")
    page.active_folder = str(folder / "b")

    def status() -> str:
        return next(str(r.summary.status) for r in page.model.records if r.name == "b")

    for state, shown in ((RunState.PAUSED, {"paused"}), (RunState.RUNNING, {"running", "interrupted"})):
        window.runs._state_changed(state)
        qtbot.waitUntil(lambda shown=shown: status() in shown)


def test_a_comparison_goes_with_its_data_set_and_never_has_the_shown_run(
    qtbot: QtBot, make_window: Callable[..., MainWindow], folder: Path, digits: Any, tmp_path: Path
) -> None:
    make_run(folder / "elsewhere", 3.0, 0.8, 0.2)
    RunFolder.open(folder / "elsewhere").update(
        settings=TrainingSettings.make(dataset=str(tmp_path), classifier="c").model_dump(mode="json")
    )
    window = listed(qtbot, make_window, folder, len(RUNS) + 1)
    controller, page = window.controller, window.runs.page
    assert controller is not None
    controller.project._set_dataset(DataSettings(), digits)
    controller.shown.show_run(str(folder / "a"), "stopped", None)
    page.table.selectAll()
    with qtbot.waitSignal(controller.reporter.message) as told:
        press(qtbot, page, "run_compare_button")
    assert "elsewhere" in told.args[0]
    compared = [run.name for run in controller.train_page.compared]
    assert sorted(compared) == ["b", "c", "d"]
    event = RunStarted(str(folder / "b"), 0, 1, 1, 1, "cpu", "fp32", 9, 9, 0.5, 0.5)
    controller.training.bridge.started.emit(event)
    assert sorted(run.name for run in controller.train_page.compared) == ["c", "d"]
    controller.project._set_dataset(DataSettings(), digits)  # read anew
    assert len(controller.train_page.compared) == 2
    controller.project._set_dataset(DataSettings(dataset=str(tmp_path)), digits)
    assert controller.train_page.compared == ()
    assert controller.train_page.compared_bar.isHidden()
