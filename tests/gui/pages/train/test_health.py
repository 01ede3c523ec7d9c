"""Health in the window: the strip, its list, the marks on the plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QObject, QPoint, QPointF, Qt
from PySide6.QtWidgets import QLabel, QListView
from pytestqt.qtbot import QtBot

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.training.events import Notice, NoticeLevel, RunStarted
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.pages.train.health_strip import HealthStrip
from pgn_studio.gui.pages.train.page import TrainPage
from pgn_studio.gui.plots.live_plots import LivePlots
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.training.controller import TrainingBridge
from pgn_studio.gui.training.history import RunHistory, holding
from tests.gui.driving import controller_of

if TYPE_CHECKING:
    from conftest import FakeTrainer

SEVERE = Notice(
    8, "g-outran-d", "G outran D: 40% are right.", Advice("Raise {}.", Setting("gamma")), "severe"
)
WARNING = Notice(
    12, "d-constant", "D answers <the same>.", Advice("Lower {}.", Setting("batch_size")), "warning"
)
PASSED = Notice(20, "g-outran-d", "D has caught up.", "", "passed")
INFO = Notice(0, "blending", "Images are mixed.", "", "info")


@pytest.fixture(autouse=True)
def _no_measuring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake run leaves no PGN that could be measured."""
    monkeypatch.setattr("pgn_studio.gui.project.Project.measure_run", lambda *_: None)


@pytest.fixture
def strip(qtbot: QtBot) -> HealthStrip:
    current_theme().apply("light")
    made = HealthStrip()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def plots(qtbot: QtBot) -> LivePlots:
    """Those of a run without steps, on the screen."""
    current_theme().apply("light")
    made = LivePlots(RunHistory())
    qtbot.addWidget(made)
    made.resize(900, 700)
    made.show()
    return made


def text_of(strip: HealthStrip) -> str:
    label = strip.findChild(QLabel, "health_text")
    assert isinstance(label, QLabel)
    return label.text()


def lines_of(strip: HealthStrip) -> list[str]:
    return [strip.model.index(row, 0).data() for row in range(strip.model.rowCount())]


def test_it_is_quiet_without_a_run_and_while_all_is_well(strip: HealthStrip) -> None:
    assert strip.isHidden()
    strip.show_notices([])
    assert not strip.isHidden()
    assert text_of(strip) == "<b>Healthy</b>"
    assert strip.accessibleName() == "Health of the run: Healthy"
    assert strip.toggle.isHidden()
    strip.show_notices([INFO])  # worth knowing, nothing to change
    assert text_of(strip) == "<b>Healthy</b>"
    assert strip.toggle.text() == "1 notice"


def test_the_worst_that_holds_is_shown_in_words_with_its_hint(strip: HealthStrip) -> None:
    strip.show_notices([INFO, SEVERE, WARNING])
    assert strip.level == "severe"
    assert "<b>Problem</b>" in text_of(strip)
    assert "Step 8: G outran D: 40% are right. Raise γ." in text_of(strip)
    assert "And 1 more" in text_of(strip)
    assert strip.property("level") == "severe"
    assert strip.accessibleName().startswith("Health of the run: Problem. G outran D")
    strip.show_notices([INFO, SEVERE, WARNING, PASSED])
    assert strip.level == "warning"
    assert "<b>Warning</b>" in text_of(strip)
    assert "&lt;the same&gt;" in text_of(strip)
    assert "more" not in text_of(strip)


def test_all_notices_are_in_the_list_newest_first_with_step_and_word(strip: HealthStrip) -> None:
    strip.show_notices([INFO, SEVERE, WARNING, PASSED])
    view = strip.findChild(QListView, "health_history")
    assert isinstance(view, QListView)
    assert view.isHidden()
    strip.toggle.click()
    assert not view.isHidden()
    assert view.accessibleName()
    assert lines_of(strip) == [
        "Step 20  Passed: D has caught up.",
        "Step 12  Warning: D answers <the same>. Lower “Batch size”.",
        "Step 8  Problem: G outran D: 40% are right. Raise γ.",
        "Step 0  Note: Images are mixed.",
    ]


def test_levels_have_different_shapes_not_only_colors(strip: HealthStrip) -> None:
    strip.show_notices([INFO, SEVERE, WARNING, PASSED])
    pictures = []
    for row in range(4):
        icon = strip.model.index(row, 0).data(Qt.ItemDataRole.DecorationRole)
        pictures.append(icon.pixmap(32, 32).toImage().createAlphaMask())
    assert all(one != two for at, one in enumerate(pictures) for two in pictures[:at])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_level_colors_stand_out_from_the_ground(strip: HealthStrip, theme: str) -> None:
    current_theme().apply("dark" if theme == "dark" else "light")
    colors = current_theme().colors
    for color in (colors.warning, colors.severe, colors.good, colors.muted):
        assert contrast(color, colors.background) >= 3
    current_theme().apply("light")


def contrast(first: str, second: str) -> float:
    """WCAG 2's contrast ratio."""

    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_what_holds_is_what_started_and_has_not_passed() -> None:
    again = Notice(30, "g-outran-d", "Again.", "", "severe")
    assert holding([INFO, SEVERE, WARNING]) == [SEVERE, WARNING]
    assert holding([SEVERE, WARNING, PASSED]) == [WARNING]
    assert holding([SEVERE, WARNING, PASSED, again]) == [WARNING, again]


def test_a_run_that_goes_on_forgets_later_notices() -> None:
    history = RunHistory()
    for notice in (SEVERE, WARNING, PASSED):
        history.add_notice(notice)
    history.keep_until(12)
    assert history.notices == [SEVERE, WARNING]


def signs_of(page: TrainPage) -> list[tuple[float, str]]:
    """The same in every plot."""
    first, *others = [[(mark.x, mark.sign) for mark in plot.notices.marks] for plot in page.plots.plots]
    assert all(other == first for other in others)
    return first


def coming_and_going(count: int) -> list[Notice]:
    levels: tuple[NoticeLevel, ...] = ("warning", "passed")
    return [Notice(step, "below-clean", f"At {step}.", "", levels[step % 2]) for step in range(count)]


def test_marks_of_a_condition_that_comes_and_goes_cost_no_items_and_no_fence(plots: LivePlots) -> None:
    """An item a mark held the window up for seconds after some hundred."""
    plot = plots.losses
    items = len(plot.plot.scene().items())
    notices = coming_and_going(1000)
    plot.set_marks(notices, [notice.step for notice in notices])
    assert len(plot.notices.marks) == 1000
    assert len(plot.plot.scene().items()) == items
    plot.plot.setXRange(0, 1000, padding=0)
    plot.plot.grab()
    assert 20 < plot.notices.drawn <= plot.plot.width() / 3
    plot.plot.setXRange(0, 9, padding=0)
    plot.plot.grab()
    assert plot.notices.drawn == 10


def test_a_mark_is_drawn_where_it_is_and_says_what_it_is(qtbot: QtBot, plots: LivePlots) -> None:
    plot = plots.losses
    plot.plot.setXRange(0, 20, padding=0)

    def column() -> set[str]:
        picture = plot.plot.grab().toImage()
        view = plot.plot.getPlotItem().vb
        x = round(plot.plot.mapFromScene(view.mapViewToScene(QPointF(8, 0))).x())
        return {picture.pixelColor(x, y).name() for y in range(20, picture.height() - 40)}

    color = current_theme().colors.severe.lower()
    assert color not in column()
    plot.set_marks([WARNING, SEVERE, PASSED], [8.0, 8.0, 8.0])  # the worst of those at one place is seen
    assert color in column()
    at = plot.notices.mark_at(8.0)
    assert at is not None
    assert at.text.startswith("Step 12: D answers")
    assert plot.notices.mark_at(12.0) is None
    for x, text in ((8, at.text), (12, "")):
        place = plot.plot.mapFromScene(plot.plot.getPlotItem().vb.mapViewToScene(QPointF(x, 0)))
        qtbot.mouseMove(plot.plot.viewport(), QPoint(place.x() + 1, 80))
        qtbot.waitUntil(lambda text=text: plot.notices.toolTip() == text, timeout=2000)
    plot.set_marks([], [])
    assert color not in column()
    assert plot.notices.mark_at(8.0) is None


def test_a_new_notice_adds_one_line_to_the_list(strip: HealthStrip) -> None:
    strip.show_notices([SEVERE])
    first = strip.model.item(0)
    strip.show_notices([SEVERE, WARNING])
    assert strip.model.item(1) is first
    assert strip.toggle.text() == "2 notices"
    strip.show_notices([PASSED])  # another run's
    assert lines_of(strip) == ["Step 20  Passed: D has caught up."]
    strip.clear()
    strip.show_notices([WARNING])
    assert len(lines_of(strip)) == 1


def records(notices: Sequence[Notice]) -> list[dict[str, object]]:
    return [{"event": "Notice", **asdict(notice)} for notice in notices]


def test_a_run_from_disk_shows_its_notices_and_marks(qtbot: QtBot) -> None:
    current_theme().apply("light")
    parent = QObject()
    page = TrainPage(TrainingBridge(parent))
    qtbot.addWidget(page)
    step = dict.fromkeys(
        (
            *("epoch", "gamma", "loss_g", "loss_d", "l2", "fixed", "broken"),
            *("clean_accuracy", "perturbed_accuracy", "images_per_second"),
        ),
        1.0,
    )
    steps = [{"event": "StepCompleted", "step": number, **step} for number in range(1, 31)]
    old = {"event": "Notice", "step": 0, "code": "blending", "message": "Mixed.", "hint": ""}
    page.replay([*steps, old, *records([SEVERE, WARNING, PASSED])])
    assert page.health.level == "warning"
    assert lines_of(page.health)[-1] == "Step 0  Note: Mixed."  # of a run that knew no levels
    assert signs_of(page) == [(8, "!!"), (12, "!"), (20, "✓")]
    current_theme().apply("dark")
    assert signs_of(page) == [(8, "!!"), (12, "!"), (20, "✓")]
    current_theme().apply("light")
    page.replay([])
    assert signs_of(page) == []
    assert page.health.isHidden()


def test_a_live_run_shows_them_as_they_come(
    qtbot: QtBot, window: MainWindow, trainer: type[FakeTrainer]
) -> None:
    trainer.notices = (SEVERE, WARNING, PASSED)
    controller = window.controller
    assert controller is not None
    page = controller.train_page
    levels: list[str] = []
    controller.training.bridge.notice.connect(lambda _: levels.append(page.health.level))
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=10_000):
        controller.start()
    assert levels == ["warning", "severe", "severe", "warning"]
    assert len(signs_of(page)) == 4
    assert "Warning: D answers" in "".join(lines_of(page.health))
    assert not page.health.isHidden()
    page.health.toggle.setChecked(True)
    view = page.health.list

    def first_points_to_its_step() -> bool:
        """On a busy machine rows still move between the question where they are and the click."""
        place = view.visualRect(page.health.model.index(0, 0)).center()
        qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        return bool(page.plots.losses._cursor.value() == 20)

    qtbot.waitUntil(first_points_to_its_step)


def test_what_is_recorded_in_a_run_from_disk_reads_as_past(strip: HealthStrip) -> None:
    strip.show_notices([INFO, SEVERE], past=True)
    assert "Recorded in this run: Problem" in text_of(strip)
    assert "Step 8: G outran D" in text_of(strip)
    assert "Raise γ" not in text_of(strip)  # there is nothing to be raised now
    assert strip.property("level") == "past"
    assert "Recorded" in strip.accessibleName()
    strip.show_notices([INFO, SEVERE])
    assert strip.property("level") == "severe"


def test_a_reopened_run_s_warning_is_past_until_it_goes_on(window: MainWindow) -> None:
    page = controller_of(window).train_page
    told = {"event": "Notice", "step": 8, "code": "g-outran-d", "message": "G outran D.", "level": "severe"}
    page.replay([{"event": "StepCompleted", "step": 9, "epoch": 1, "gamma": 1.0}, told])
    assert page.health.property("level") == "past"
    page.history.add_notice(SEVERE)
    controller_of(window).training.bridge.started.emit(
        RunStarted("run", 9, 40, 10, 4, "cpu", "fp32", 640, 100, 0.9, 0.95)
    )
    assert page.health.property("level") == "severe"
