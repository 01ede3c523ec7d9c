"""Where a classifier that is about to be trained is to be saved: known to work before hours are spent."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PySide6.QtWidgets import QMessageBox, QPushButton, QWidget

from pgn_studio.core.errors import ConfigError
from pgn_studio.core.files import reason_of, way_out

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
