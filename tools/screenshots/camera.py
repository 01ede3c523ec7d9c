"""Takes widgets as small PNGs, each in light and in dark, once nothing moves any longer."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from pgn_studio.gui.theme import THEMES, ThemeName, current_theme

LIGHT_AND_DARK: tuple[ThemeName, ...] = THEMES[1:]
COLORS = 256  # of a picture: half of its size, and nobody sees it
REDRAW_S = 0.6  # plots are redrawn in turns, thumbnails come in the background


class Camera:
    """Writes name-light.png and name-dark.png into a folder."""

    def __init__(
        self, folder: Path, *, themes: Sequence[ThemeName] = LIGHT_AND_DARK, redraw_s: float = REDRAW_S
    ) -> None:
        self._folder = folder
        self._themes = themes
        self._redraw_s = redraw_s

    def take(self, name: str, widget: QWidget) -> list[Path]:
        """The pictures' files. The theme is light afterwards."""
        paths = []
        for theme in self._themes:
            if current_theme().name != theme:
                current_theme().apply(theme)
            settle(self._redraw_s)
            paths.append(self._folder / f"{name}-{theme}.png")
            save_small(widget.grab(), paths[-1])
        if current_theme().name != "light":
            current_theme().apply("light")
        return paths


def save_small(picture: QPixmap, path: Path) -> None:
    """As a PNG with a palette, without dithering: texts and plots stay sharp."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    picture.save(buffer, "PNG")
    whole = Image.open(io.BytesIO(buffer.data().data())).convert("RGB")
    small = whole.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def settle(seconds: float) -> None:
    """Let the window live that long."""
    wait_until(lambda: False, seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Let the window live until `condition` holds; False when it did not in `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        if condition():
            return True
        time.sleep(0.005)
    return False
