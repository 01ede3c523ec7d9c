"""What was found by looking at pictures of the window, so that it stays mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.gui.dialogs.error import show_error
from pgn_studio.gui.dialogs.train_classifier import TrainClassifierDialog
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.pages.inspect.comparison_view import (
    CELL_PX,
    LARGEST_CELL_PX,
    ComparisonColumn,
    ComparisonView,
)
from pgn_studio.gui.pages.inspect.detail import (
    LEAST_BAR_PX,
    LONG,
    SHORT,
    ProbabilityBars,
    ProbabilityRow,
)
from pgn_studio.gui.theme import ThemeName, current_theme
from pgn_studio.gui.widgets.compact import ElidedLabel
from tests.gui.driving import controller_of
from tests.gui.walking import fill


def luminance(color: QColor) -> float:
    """Relative, as WCAG 2 defines it."""
    parts = (color.redF(), color.greenF(), color.blueF())
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    red, green, blue = linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: QColor, second: QColor) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("make", "least"),
    [(QCheckBox, 3.0), (QSpinBox, 1.5), (QComboBox, 1.5), (QLineEdit, 1.4)],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_outlines_are_seen(qtbot: QtBot, theme: ThemeName, make: Callable[[], QWidget], least: float) -> None:
    current_theme().apply(theme)
    ground, control = QDialog(), make()
    qtbot.addWidget(ground)
    QVBoxLayout(ground).addWidget(control)
    ground.show()
    picture = ground.grab().toImage()
    middle = control.geometry().center().y()
    line = [picture.pixelColor(x, middle) for x in range(control.x() + 6)]
    current_theme().apply("light")
    assert max(contrast(color, line[0]) for color in line) >= least


def details_button(dialog: QDialog) -> QPushButton:
    found = dialog.findChild(QPushButton, "error_details_button")
    assert isinstance(found, QPushButton)
    return found


def test_return_closes_an_error_and_there_are_no_empty_details(qtbot: QtBot, window: MainWindow) -> None:
    dialog = show_error(window, "Title", PgnStudioError("What came.", hint="What to do."))
    box = dialog.findChild(QDialogButtonBox)
    assert box is not None
    close = box.button(QDialogButtonBox.StandardButton.Close)
    assert [button.isDefault() for button in box.buttons()] == [button is close for button in box.buttons()]
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    assert dialog.focusWidget() is close  # a button with the keyboard would be the default
    assert not details_button(dialog).isVisible()
    dialog.close()
    detailed = show_error(window, "Title", PgnStudioError("What came.", details="a trace"))
    assert details_button(detailed).isVisible()
    detailed.close()


def test_ctrl_e_exports_what_is_in_front(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(window, qtbot)
    controller = controller_of(window)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    curves: list[bool] = []
    action = window.findChild(QAction, "action_export_curves")
    assert isinstance(action, QAction)
    action.triggered.connect(lambda: curves.append(True))
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", lambda *_: ("", ""))
    window.show_train_page()
    qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert curves == [True]
    assert controller.inspect_page.export_flow.dialog is None
    assert controller.reporter.dialog is not None  # there is no run yet
    controller.reporter.dialog.close()
    window.show_inspect_page()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(
        lambda: controller.inspect_page.export_flow.dialog is not None
    )  # a key presses for 100 ms
    assert curves == [True]
    dialog = controller.inspect_page.export_flow.dialog
    assert dialog is not None
    assert dialog.isVisible()
    dialog.close()


def test_bars_stand_on_the_axis(window: MainWindow) -> None:
    window.tabs.setCurrentWidget(window.data)
    for again in (False, True):
        if again:
            window.data.plot.setYRange(20, 30)
            window.data.plot.reset_requested.emit()
        low, high = window.data.plot.viewRange()[1]
        tallest = max(max(bars.opts["height"]) for bars in window.data.bars)
        assert low == 0
        assert tallest < high < 1.2 * tallest


def test_a_path_shows_its_end(window: MainWindow) -> None:
    window.tabs.setCurrentWidget(window.classifier.page)
    line = window.classifier.page.findChild(QLineEdit, "fact_file")
    assert isinstance(line, QLineEdit)
    assert line.cursorPosition() == len(line.text())
    assert line.text().endswith(".safetensors")


def test_percentages_are_written_alike(window: MainWindow, qtbot: QtBot) -> None:
    fill(window, qtbot)
    labels = [label.text() for label in window.findChildren(QLabel)]
    shown = [text for text in labels if "%" in text]
    assert len(shown) > 3
    assert [text for text in shown if any(f"{digit}%" in text for digit in range(10))] == []


def test_a_new_run_ends_what_was_told_of_another(window: MainWindow, qtbot: QtBot) -> None:
    controller = controller_of(window)
    controller.reporter.message.emit("test: 93.6 % clean")
    with qtbot.waitSignal(controller.training.bridge.finished, timeout=20_000):
        controller.start()
        assert window.statusBar().currentMessage() == "New run · Starting"


def test_the_classifier_s_dialog_offers_architectures_and_devices(window: MainWindow) -> None:
    project = controller_of(window).project
    assert project.dataset is not None
    dialog = TrainClassifierDialog(project.dataset, project.data_settings, window)
    arch, device = dialog.form.editor("arch"), dialog.form.editor("device")
    assert isinstance(arch, QComboBox)
    assert isinstance(device, QComboBox)
    assert arch.isEditable()
    arch.setCurrentText("mobilenet_v2")  # any name can be typed
    assert dialog.form.values()["arch"] == "mobilenet_v2"
    assert not device.isEditable()
    assert dialog.form.values()["device"] == "auto"
    assert dialog.form.isAncestorOf(dialog.out)  # in line with the other fields


def test_the_title_stands_beside_the_buttons_where_there_is_room(window: MainWindow, qtbot: QtBot) -> None:
    fill(window, qtbot)
    window.show_inspect_page()
    toolbar = controller_of(window).inspect_page.toolbar
    title = toolbar.findChild(QLabel, "inspection-title")
    button = toolbar.findChild(QPushButton, "export-figure")
    assert isinstance(title, QLabel)
    assert isinstance(button, QPushButton)
    for width, beside in ((1280, False), (1920, True), (1280, False)):
        window.resize(width, 800)
        qtbot.waitUntil(lambda beside=beside: (title.y() + title.height() > button.y()) is beside)
        assert title.fontMetrics().horizontalAdvance(title.text()) <= title.width()


def test_a_strip_uses_the_room_that_it_has(qtbot: QtBot) -> None:
    view = ComparisonView()
    qtbot.addWidget(view)
    view.show_columns([ComparisonColumn(f"{number}", None, "", None) for number in range(6)])
    for width in (300, 500, 900, 1400, 3000):
        view.resize(width, 400)
        places = [view._place(number) for number in range(6)]
        assert max(place.right() for place in places) < width
        assert min(place.width() for place in places) >= CELL_PX
        assert not any(a.intersects(b) for number, a in enumerate(places) for b in places[:number])
    assert places[0].width() == LARGEST_CELL_PX


@pytest.fixture
def large() -> Iterator[None]:
    """Texts at 200 %, on windows made before."""
    yield
    current_theme().set_text_size(100)


@pytest.mark.usefixtures("large")
def test_numbers_of_the_classifier_are_read_at_200_per_cent(window: MainWindow, qtbot: QtBot) -> None:
    page = window.classifier.page
    window.tabs.setCurrentWidget(page)
    qtbot.waitUntil(lambda: len(page.measuring.found) == 3, timeout=30_000)
    current_theme().set_text_size(200)
    window.resize(1920, 1000)
    QApplication.processEvents()
    cut = []
    for table in (page.classes, page.splits):
        for column in range(table.model().columnCount()):
            for row in range(table.model().rowCount()):
                text = str(table.model().index(row, column).data())
                if table.fontMetrics().horizontalAdvance(text) > table.columnWidth(column) - 4:
                    cut.append(text)
    assert cut == []


@pytest.mark.usefixtures("large")
def test_the_set_up_never_scrolls_sideways(window: MainWindow) -> None:
    for size in (100, 200, 125):
        current_theme().set_text_size(size)
        window.resize(1920, 1000)
        QApplication.processEvents()
        area = controller_of(window).setup.findChild(QScrollArea)
        assert isinstance(area, QScrollArea)
        assert area.horizontalScrollBar().maximum() == 0


def test_a_caption_without_room_ends_in_dots(qtbot: QtBot) -> None:
    label = ElidedLabel("Original: trouser 38 % ✗")
    qtbot.addWidget(label)
    label.resize(label.sizeHint())
    assert label.shown_text() == label.text()
    label.resize(60, label.height())
    assert label.shown_text().startswith("Orig")
    assert label.shown_text().endswith("…")
    assert label.fontMetrics().horizontalAdvance(label.shown_text()) <= 60


@pytest.mark.usefixtures("large")
def test_bars_keep_clear_of_their_figures(qtbot: QtBot) -> None:
    bars = ProbabilityBars()
    qtbot.addWidget(bars)
    bars.show_rows([ProbabilityRow("ankle boot", 0.7, 0.2, is_truth=True)])
    for size in (100, 200):
        current_theme().set_text_size(size)
        for width in (bars.minimumSizeHint().width(), bars.sizeHint().width(), 1000):
            bars.resize(width, 200)
            figures = bars._advance(LONG if bars.exact else SHORT)
            assert width - bars._name_px() - figures >= LEAST_BAR_PX
        assert bars.exact  # where there is room
