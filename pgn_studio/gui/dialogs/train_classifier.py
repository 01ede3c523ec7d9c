"""Training a vanilla classifier on the loaded data set, with progress and a way to stop."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.config import ClassifierSettings, DataSettings
from pgn_studio.core.errors import ConfigError, PgnStudioError
from pgn_studio.core.files import reason_of, way_out
from pgn_studio.core.paths import runs_folder
from pgn_studio.gui.dialogs.error import show_error
from pgn_studio.gui.operations import Operation, run_in_background
from pgn_studio.gui.widgets.inputs import WheelGuard
from pgn_studio.gui.widgets.settings_form import SettingsForm
from pgn_studio.gui.wording import error_text

if TYPE_CHECKING:
    from pgn_studio.core.classifiers.training import ClassifierProgress, UnsavedClassifierError
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.protocols import Progress


SUFFIX = ".safetensors"


def place_for(text: str) -> Path:
    """The file that is meant; its folder is made. Raises ConfigError where none can be written there."""
    if not text.strip():
        raise ConfigError("“Save as” is empty.", hint=f"Name a file: classifier{SUFFIX}, for example.")
    try:
        path = Path(text.strip()).expanduser()
        if path.is_dir():
            raise ConfigError(
                f"“Save as” names a folder: {path}.",
                hint=f"Name a file in it: classifier{SUFFIX}, for example.",
            )
        if path.suffix != SUFFIX:
            path = path.with_name(path.name + SUFFIX)
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path} is no file that can be replaced.", hint="Choose another name.")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(prefix=f".{path.stem}-", suffix=SUFFIX, dir=path.parent):
            pass  # as it will be written: under a name about as long
    except OSError as error:
        told = f"The classifier could not be saved as {text.strip()}: {reason_of(error)}."
        raise ConfigError(told, hint=way_out(error)) from error
    except (ValueError, RuntimeError) as error:  # a zero byte; a home that nobody has
        raise ConfigError(f"“Save as” is no path: {error}.", hint="Choose another place.") from error
    return path


class ReplaceQuestion(QMessageBox):
    """A file of that name is there; Return and Escape keep it."""

    def __init__(self, path: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("replace_dialog")
        self.setIcon(QMessageBox.Icon.Question)
        self.setWindowTitle("Train a classifier")
        self.setText(f"{path.name} is there already. Replace it?")
        self.setInformativeText(f"What is in {path.parent} under this name is lost once this one is trained.")
        self.replace: QPushButton = self.addButton("Replace", QMessageBox.ButtonRole.DestructiveRole)
        self.replace.setObjectName("replace_button")
        self.replace.setAutoDefault(False)
        keep = self.addButton(QMessageBox.StandardButton.Cancel)
        self.setDefaultButton(keep)
        self.setEscapeButton(keep)
        self.finished.connect(self.deleteLater)


class UnsavedQuestion(QMessageBox):
    """A classifier that is trained could not be written: somewhere else, or not at all."""

    def __init__(self, reason: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("unsaved_dialog")
        self.setIcon(QMessageBox.Icon.Warning)
        self.setWindowTitle("The classifier could not be saved")
        self.setText(reason)
        self.setInformativeText("It is trained, and can be saved elsewhere.")
        self.elsewhere: QPushButton = self.addButton("Save elsewhere…", QMessageBox.ButtonRole.AcceptRole)
        self.elsewhere.setObjectName("save_elsewhere_button")
        discard = self.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
        discard.setAutoDefault(False)
        self.setDefaultButton(self.elsewhere)
        self.setEscapeButton(self.elsewhere)  # Escape loses nothing
        self.finished.connect(self.deleteLater)


log = logging.getLogger(__name__)

FIELDS = tuple(name for name in ClassifierSettings.model_fields if name not in DataSettings.model_fields)
ARCHITECTURES = ("small", "resnet18", "resnet50", "densenet121", "efficientnet_b0", "vgg16")
REPORT_S = 0.1


class TrainClassifierDialog(QDialog):
    """`trained` carries the new classifier's file. Stopping keeps what there is, Discard does not.

    Closing it while it trains (Return, Esc, or the title bar) puts it aside; the training goes on.
    """

    trained = Signal(str)
    put_aside = Signal()
    progressed = Signal(int, int, str)  # step, of how many (0: unknown), in words
    ended = Signal(str)  # the training, and what came of it
    _progressed = Signal(object)  # from the worker's thread

    def __init__(self, dataset: ImageDataset, data: DataSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train_classifier_dialog")
        self.setWindowTitle("Train a classifier")
        self.setMinimumWidth(440)
        self._dataset, self._data = dataset, data
        self._operation: Operation | None = None
        self._stopping = threading.Event()
        self._running = self._ending = False
        self._outcome = ""
        self._last_report = 0.0
        counts = f"{len(dataset.split('train')):,} training images"
        heading = QLabel(
            f"{dataset.name}: {len(dataset.classes)} classes, {dataset.image_size} px, {counts}", self
        )
        heading.setProperty("role", "muted")
        from pgn_studio.core.device import available_devices  # torch: never while this module loads

        choices = {"device": ["auto", *available_devices()]}
        self.form = SettingsForm(
            ClassifierSettings, FIELDS, self, choices=choices, suggestions={"arch": ARCHITECTURES}
        )
        self.out = QLineEdit(str(_default_file(dataset.name)), self)
        self.out.setObjectName("classifier_out")
        self.out.setAccessibleName("File to save the classifier as")
        self.out.setToolTip("The file that the classifier is saved as")
        browse = QPushButton("…", self)
        browse.setAccessibleName("Choose the file")
        browse.setToolTip("Choose the file")
        place = QWidget(self)
        row = QHBoxLayout(place)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.out, 1)
        row.addWidget(browse)
        self.form.add_row("Save as", place)
        self.bar = QProgressBar(self)
        self.bar.setObjectName("classifier_progress")
        self.bar.setAccessibleName("Progress of the training")
        self.told = QLabel("", self)
        self.told.setObjectName("classifier_told")
        buttons = QDialogButtonBox(self)
        self.train_button = buttons.addButton("Train", QDialogButtonBox.ButtonRole.AcceptRole)
        self.train_button.setObjectName("train_button")
        self.stop_button = buttons.addButton("Stop and keep", QDialogButtonBox.ButtonRole.ActionRole)
        self.stop_button.setObjectName("stop_classifier_button")
        self.aside_button = buttons.addButton("Hide", QDialogButtonBox.ButtonRole.ActionRole)
        self.aside_button.setObjectName("put_aside_button")
        self.aside_button.setToolTip("Keep training. The Classifier page shows the progress.")
        self.cancel_button = buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        self.cancel_button.setObjectName("cancel_classifier_button")
        for button in (self.stop_button, self.cancel_button):
            button.setAutoDefault(False)  # Return never ends a training
        layout = QVBoxLayout(self)
        layout.addWidget(heading)
        layout.addWidget(self.form)
        layout.addWidget(self.bar)
        layout.addWidget(self.told)
        layout.addWidget(buttons)
        self.form.refused.connect(self.told.setText)
        browse.clicked.connect(self._browse)
        self.train_button.clicked.connect(self._train)
        self.stop_button.clicked.connect(self.stop)
        self.aside_button.clicked.connect(self.reject)
        buttons.rejected.connect(self._cancel)
        self._progressed.connect(self._show_progress)
        self._set_running(False)
        WheelGuard(self)

    @property
    def training(self) -> bool:
        return self._operation is not None

    @Slot()
    def reject(self) -> None:
        if self._operation is None:
            super().reject()
            return
        self.hide()
        self.put_aside.emit()

    @Slot()
    def _cancel(self) -> None:
        """Nothing is kept; the dialog closes when the worker has ended."""
        if self._operation is None:
            super().reject()
            return
        self._operation.cancel()  # and no stop: a worker that saw it first would save what there is
        self._say_ending("Discarding …")

    @Slot()
    def _train(self) -> None:
        try:
            settings = ClassifierSettings.make(**self._data.model_dump(), **self.form.values())
            out = place_for(self.out.text())
        except ConfigError as error:
            show_error(self, "These settings do not work", error)
            return
        self.out.setText(str(out))
        if not out.exists():
            self._begin(settings, out)
            return
        question = ReplaceQuestion(out, self)
        question.replace.clicked.connect(partial(self._begin, settings, out))
        question.open()

    def _begin(self, settings: ClassifierSettings, out: Path, *_: object) -> None:
        from pgn_studio.core.data.dataset import settings_as_loaded

        self._stopping.clear()
        settings = settings_as_loaded(settings, self._dataset)
        work = partial(self._work, settings, out)
        self._set_running(True)
        self.progressed.emit(0, 0, self.told.text())
        self._operation = run_in_background(self, work, self._succeed, self._fail)
        self._operation.finished.connect(self._ended)

    def _work(self, settings: ClassifierSettings, out: Path, progress: Progress) -> Any:
        """In the worker's thread."""
        from pgn_studio.core.classifiers.training import train_classifier

        return train_classifier(
            self._dataset.split("train"),
            self._dataset.split("val"),
            self._dataset.classes,
            settings,
            out=out,
            fingerprint=self._dataset.fingerprint,
            mirrorable=self._dataset.mirrorable,
            on_progress=partial(self._report, progress),
            stop=self._stopping.is_set,
        )

    def _report(self, progress: Progress, event: ClassifierProgress) -> None:
        """In the worker's thread; raises Canceled after a cancel."""
        progress(event.step, event.total_steps)
        now = time.monotonic()
        if now - self._last_report > REPORT_S or event.val_accuracy is not None:
            self._last_report = now
            self._progressed.emit(event)

    @Slot(object)
    def _show_progress(self, event: ClassifierProgress) -> None:
        if self._ending:
            return  # what was asked for last stays to be read
        self.bar.setRange(0, event.total_steps)
        self.bar.setValue(event.step)
        text = f"Epoch {event.epoch}, loss {event.loss:.3f}, {event.images_per_second:,.0f} images/s"
        if event.val_accuracy is not None:
            text += f", validation {100 * event.val_accuracy:.1f} %"
        self.told.setText(text)
        self.progressed.emit(event.step, event.total_steps, text)

    @Slot()
    def stop(self) -> None:
        """Keep what there is at the next step."""
        self._stopping.set()
        self._say_ending("Stopping …")

    def _say_ending(self, text: str) -> None:
        self._ending = True
        self.told.setText(text)
        self.progressed.emit(self.bar.value(), self.bar.maximum(), text)
        self._enable()

    def _succeed(self, classifier: Any) -> None:
        self._outcome = f"{Path(classifier.info.path).name} is trained and saved."
        self.trained.emit(classifier.info.path)
        self.accept()

    def _fail(self, error: Exception) -> None:
        self._outcome = "The classifier could not be trained."
        self.show()  # where it was put aside: there the settings can be mended
        if not self._unsaved(error):
            show_error(self, "The classifier could not be trained", error)

    def _unsaved(self, error: Exception) -> bool:
        """Whether there is a classifier that only wants another place; asks for one."""
        from pgn_studio.core.classifiers.training import UnsavedClassifierError

        if not isinstance(error, UnsavedClassifierError):
            return False
        self._outcome = "The classifier could not be saved."
        question = UnsavedQuestion(error_text(error), self)
        question.elsewhere.clicked.connect(partial(self._save_elsewhere, error))
        question.open()
        return True

    def _save_elsewhere(self, unsaved: UnsavedClassifierError, *_: object) -> None:
        name, _chosen = QFileDialog.getSaveFileName(self, "Save the classifier as", "", "*.safetensors")
        try:
            saved = unsaved.save(place_for(name))
        except PgnStudioError as error:
            log.warning("The classifier could not be saved: %s", error)
            self._unsaved(unsaved)
            return
        self._succeed(saved)

    @Slot()
    def _ended(self) -> None:
        discarded = not self._outcome  # it neither succeeded nor failed
        self._operation = None
        self._set_running(False)
        self.ended.emit(self._outcome or "The training of the classifier was canceled. Nothing is kept.")
        if discarded:
            super().reject()

    def _set_running(self, running: bool) -> None:
        self._running, self._ending = running, False
        if running:
            self._outcome = ""
            self.bar.setRange(0, 0)
            self.aside_button.setVisible(True)
            self.aside_button.setEnabled(True)
            self.aside_button.setFocus()  # before Train, which has it, is disabled: Qt would choose Stop
        self._enable()
        (self.aside_button if running else self.train_button).setDefault(True)
        self.aside_button.setVisible(running)
        self.cancel_button.setText("Discard" if running else "Cancel")
        self.told.setText("Preparing …" if running else "")
        self.bar.setVisible(running)

    def _enable(self) -> None:
        self.form.setEnabled(not self._running)
        self.train_button.setEnabled(not self._running)
        for button in (self.stop_button, self.cancel_button):
            button.setEnabled(not self._ending and (self._running or button is self.cancel_button))

    @Slot()
    def _browse(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self,
            "Save the classifier as",
            self.out.text(),
            "*.safetensors",
            options=QFileDialog.Option.DontConfirmOverwrite,  # asked before it is trained
        )
        if name:
            self.out.setText(name)


def _default_file(dataset: str) -> Path:
    """Beside the runs, and never over an earlier one."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return runs_folder().parent / "classifiers" / f"{dataset}-{stamp}.safetensors"
