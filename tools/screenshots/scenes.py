"""What is photographed: each page, panel and dialog, brought about as a user would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QLineEdit, QSlider, QTabWidget, QWidget

from pgn_studio.core.annotations import Annotations, write_annotations
from pgn_studio.core.paths import trained_folder
from pgn_studio.gui.controller import Controller
from pgn_studio.gui.dialogs.train_classifier import TrainClassifierDialog
from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.pages.classifier.measuring import SPLITS
from pgn_studio.gui.pages.inspect.gamma import FRONTIER
from tools.screenshots.camera import settle, wait_until

EPOCHS_BEFORE_GAMMA, EPOCHS_SHOWN = 2, 4
GAMMAS = (0.3, 3.0)  # of the short runs on the Runs page
SHORT_EPOCHS = 3
# Commands with the same settings are in docs/reference/health.md.
OUTRAN = {
    "epochs": 8, "gamma": 0.01, "classifier_conditioning": False, "learning_rate_g": 0.003,
    "learning_rate_d": 0.0001,
}  # fmt: skip
CONSTANT = {
    "epochs": 6, "gamma": 3.0, "learning_rate_g": 0.0003, "learning_rate_d": 0.001, "input_mixup": 0.0
}  # fmt: skip
EPOCHS_TO_SEE = 3
STRENGTH = 30  # the slider's position: α 1.5
PATIENCE_S = 120.0


class Stage:
    """The window with the demo open, and what scenes do with it. Raises SystemExit where one fails."""

    def __init__(self, window: MainWindow, folder: Path, *, patience_s: float = PATIENCE_S) -> None:
        """`folder`: for files that a scene needs."""
        self.window = window
        self.folder = folder
        self._patience_s = patience_s

    @property
    def controller(self) -> Controller:
        assert self.window.controller is not None
        return self.window.controller

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        if not wait_until(condition, self._patience_s):
            raise SystemExit(f"Gave up waiting: {what} took more than {self._patience_s:.0f} s.")

    def idle(self) -> None:
        """Until nothing is loaded, measured or trained."""
        controller = self.controller
        self.wait(lambda: not (controller.project.busy or controller.training.active), "what was begun")

    def end_run(self) -> None:
        """Stop the run under way, if any, and wait for its end."""
        self.controller.training.stop()
        self.idle()

    def part(self, name: str) -> QWidget:
        found = self.window.findChild(QWidget, name)
        if not isinstance(found, QWidget):
            raise SystemExit(f"The window has no {name}.")
        return found

    def page(self, number: int) -> MainWindow:
        self.window.tabs.setCurrentIndex(number)
        return self.window

    def tab(self, name: str, number: int) -> None:
        """Bring a tab inside of a page to the front."""
        tabs = self.part(name)
        assert isinstance(tabs, QTabWidget)
        tabs.setCurrentIndex(number)

    def dialog(self, action: str) -> QDialog:
        """What a command of the menus opens."""
        found = self.window.findChild(QAction, action)
        if not isinstance(found, QAction):
            raise SystemExit(f"The menus have no {action}.")
        found.trigger()
        return self.opened()

    def opened(self) -> QDialog:
        """The dialog that is open."""
        self.wait(lambda: bool(self._dialogs()), "a dialog")
        return self._dialogs()[-1]

    def clear(self) -> None:
        """Close what the last scene opened."""
        for dialog in self._dialogs():
            dialog.close()
        self.window.tour.end()
        settle(0.05)

    def finish(self) -> None:
        """Stop what runs."""
        self.clear()
        self.controller.closing = True
        self.controller.training.stop()
        wait_until(lambda: not self.controller.training.active, self._patience_s)

    def _dialogs(self) -> list[QDialog]:
        tops = QApplication.topLevelWidgets()
        return [item for item in tops if isinstance(item, QDialog) and item.isVisible()]


@dataclass(frozen=True)
class Scene:
    """`prepare` gives the widget to take; `page` is the title of the tab that it shows, if any."""

    name: str
    prepare: Callable[[Stage], QWidget]
    page: str = ""


def _inspect(stage: Stage) -> QWidget:
    """The demo's fixed images with the first of them chosen."""
    controller = stage.controller
    controller.opener.open_demo()
    stage.idle()
    if controller.reporter.dialog is not None:
        raise SystemExit(f"The demo could not be opened: {controller.reporter.dialog.message.text()}")
    fixed = stage.part("outcome-fixed")
    if isinstance(fixed, QAbstractButton) and not fixed.isChecked():
        fixed.click()
    gallery = controller.inspect_page.gallery
    stage.wait(lambda: gallery.model.rowCount() > 0, "the fixed images")
    gallery.view.setCurrentIndex(gallery.model.index(0, 0))
    stage.wait(lambda: controller.inspect_page.chosen >= 0, "the first image")
    stage.wait(lambda: len(controller.inspect_page.measuring.places) >= FRONTIER, "the frontier")
    settle(0.5)
    return stage.page(1)


def _strength(stage: Stage) -> QWidget:
    """A stronger perturbation than the PGN's own."""
    slider = stage.part("strength")
    assert isinstance(slider, QSlider)
    slider.setValue(STRENGTH)
    settle(1.0)
    return stage.page(1)


def _beside(stage: Stage) -> QWidget:
    """With the demo's other PGN, and the classes on the left."""
    slider = stage.part("strength")
    assert isinstance(slider, QSlider)
    slider.setValue(20)
    stage.page(1)
    stage.tab("image-tabs", 1)
    stage.tab("browser", 1)
    others = stage.controller.inspect_page.comparison.others
    others.open([trained_folder() / "digits-adversarial.safetensors"])
    stage.wait(lambda: not others.doing, "the other PGN")
    view = stage.controller.inspect_page.comparison.view
    stage.wait(lambda: bool(view.columns), "the comparison")
    settle(1.0)
    return stage.window


def _tour(stage: Stage) -> QWidget:
    stage.tab("image-tabs", 0)
    stage.tab("browser", 0)
    stage.window.tour.start()
    for _ in range(4):
        stage.window.tour.card.on.emit()
    return stage.window


def _export(stage: Stage) -> QWidget:
    stage.controller.inspect_page.toolbar.export_figure.emit()
    dialog = stage.opened()
    _line(dialog, "export-command").end(False)  # a picture of the docs shows no path of this machine
    return dialog


def _classifier(stage: Stage) -> QWidget:
    window = stage.page(3)
    measuring = window.classifier.page.measuring
    stage.wait(lambda: len(measuring.found) == len(SPLITS), "the classifier's accuracy")
    return window


def _palette(stage: Stage) -> QWidget:
    dialog = stage.dialog("action_commands")
    _line(dialog, "palette_query").setText("open")
    return dialog


def _line(dialog: QDialog, name: str) -> QLineEdit:
    found = dialog.findChild(QLineEdit, name)
    assert isinstance(found, QLineEdit)
    return found


def _error(stage: Stage) -> QWidget:
    """What follows from a file that the window has no use for."""
    file = stage.folder / "measurements.xlsx"
    file.write_bytes(b"")
    stage.controller.opener.open_path(file)
    return stage.opened()


def _train(stage: Stage) -> QWidget:
    """Anew with the demo's settings, γ moved on the way, until there is something to see."""
    controller, epochs = stage.controller, stage.controller.train_page.history.epochs
    stage.page(0)
    controller.start()
    stage.wait(lambda: len(epochs) >= EPOCHS_BEFORE_GAMMA, "the first epochs")
    gamma = controller.setup.gamma
    (gamma.dial.turn if gamma.is_range else gamma.user_set)(3 * gamma.shown)
    stage.wait(lambda: len(epochs) >= EPOCHS_SHOWN, "the next epochs")
    return stage.window


def _runs(stage: Stage) -> QWidget:
    """Three short runs of another γ each."""
    controller = stage.controller
    stage.end_run()
    for gamma in GAMMAS:
        controller.setup.fill({"epochs": SHORT_EPOCHS, "gamma": gamma})
        controller.start()
        stage.idle()
    window = stage.page(4)
    page = window.runs.page
    stage.wait(lambda: len(page.model.records) > len(GAMMAS), "the list of runs")
    newest = page.model.records[0].path
    write_annotations(newest, Annotations(name="small changes", tags=("demo",), notes="γ 3: hard to see."))
    page.refresh()
    stage.wait(lambda: any(record.name == "small changes" for record in page.model.records), "a run's name")
    page.select(newest)
    return window


def _outran(stage: Stage) -> QWidget:
    """A G that learns too fast for its D, to where the window says so."""
    stage.end_run()
    return _failing(stage, OUTRAN, "g-outran-d")


def _constant(stage: Stage) -> QWidget:
    """A classifier trained in the window until it is right on all that it saw, and a PGN for it."""
    stage.end_run()
    dialog = stage.dialog("action_train_a_classifier")
    assert isinstance(dialog, TrainClassifierDialog)
    dialog.out.setText(str(stage.folder / "perfect.safetensors"))
    dialog.train_button.click()
    stage.wait(lambda: not dialog.isVisible(), "the classifier")
    stage.idle()
    return _failing(stage, CONSTANT, "targets-constant")


def _failing(stage: Stage, settings: Mapping[str, Any], code: str) -> QWidget:
    """A run of these settings, to where its health is told to be so and there are curves to see."""
    controller, history = stage.controller, stage.controller.train_page.history
    controller.setup.fill(settings)
    stage.page(0)
    controller.start()
    stage.wait(lambda: any(notice.code == code for notice in history.notices), f"the notice {code}")
    stage.wait(lambda: len(history.epochs) >= EPOCHS_TO_SEE, "the next epochs")
    return stage.window


SCENES = (
    Scene("inspect", _inspect, "Inspect"),
    Scene("strength", _strength),
    Scene("beside", _beside),
    Scene("tour", _tour),
    Scene("export", _export),
    Scene("data", lambda stage: stage.page(2), "Data"),
    Scene("classifier", _classifier, "Classifier"),
    Scene("palette", _palette),
    Scene("shortcuts", lambda stage: stage.dialog("action_keyboard_shortcuts")),
    Scene("train-a-classifier", lambda stage: stage.dialog("action_train_a_classifier")),
    Scene("error", _error),
    Scene("train", _train, "Train"),
    Scene("runs", _runs, "Runs"),
    Scene("outran", _outran),
    Scene("constant", _constant),
)
START = "start"  # before there is anything to prepare
