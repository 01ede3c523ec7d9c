"""Light and dark: palette, style sheet, icons, and plot colors that color-blind people tell apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPalette
from PySide6.QtWidgets import QApplication

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.paths import resources_folder

ThemeName = Literal["system", "light", "dark"]
TEXT_SIZES = (80, 90, 100, 110, 125, 150, 175, 200)  # per cent of the system's
_FONT_SIZE = re.compile(r"font-size: (\d+)pt")
THEMES: tuple[ThemeName, ...] = ("system", "light", "dark")


@dataclass(frozen=True)
class PlotColors:
    """Series colors after Okabe and Ito, lighter on dark ground; each at least 3:1 against it."""

    background: str
    muted: str
    first: str  # L_G, clean accuracy
    second: str  # L_D, perturbed accuracy
    good: str  # fixed
    bad: str  # broken
    marker: str  # γ
    warning: str  # notices; their shapes and words tell them apart without it
    severe: str


LIGHT = PlotColors(
    "#ffffff",
    "#566070",
    "#0072b2",
    "#d55e00",
    "#005226",
    "#ac3479",
    "#8a5a00",
    warning="#8f5902",
    severe="#b3261e",
)
DARK = PlotColors(
    "#1d2128",
    "#a0a9b8",
    "#56b4e9",
    "#f08a3c",
    "#a3f5c2",
    "#e689be",
    "#e6b84a",
    warning="#f0b429",
    severe="#ff8f87",
)

_PALETTES = {
    False: {
        QPalette.ColorRole.Window: "#f4f5f7",
        QPalette.ColorRole.WindowText: "#1a1e26",
        QPalette.ColorRole.Base: "#ffffff",
        QPalette.ColorRole.AlternateBase: "#f4f5f7",
        QPalette.ColorRole.Text: "#1a1e26",
        QPalette.ColorRole.PlaceholderText: "#566070",
        QPalette.ColorRole.Button: "#ffffff",
        QPalette.ColorRole.ButtonText: "#1a1e26",
        QPalette.ColorRole.ToolTipBase: "#1a1e26",
        QPalette.ColorRole.ToolTipText: "#ffffff",
        QPalette.ColorRole.Highlight: "#2463e6",
        QPalette.ColorRole.HighlightedText: "#ffffff",
        QPalette.ColorRole.Link: "#2463e6",
        QPalette.ColorRole.Mid: "#c5ccd6",
    },
    True: {
        QPalette.ColorRole.Window: "#16191f",
        QPalette.ColorRole.WindowText: "#e7eaf0",
        QPalette.ColorRole.Base: "#1d2128",
        QPalette.ColorRole.AlternateBase: "#262b34",
        QPalette.ColorRole.Text: "#e7eaf0",
        QPalette.ColorRole.PlaceholderText: "#a0a9b8",
        QPalette.ColorRole.Button: "#262b34",
        QPalette.ColorRole.ButtonText: "#e7eaf0",
        QPalette.ColorRole.ToolTipBase: "#262b34",
        QPalette.ColorRole.ToolTipText: "#e7eaf0",
        QPalette.ColorRole.Highlight: "#2c67e8",
        QPalette.ColorRole.HighlightedText: "#ffffff",
        QPalette.ColorRole.Link: "#7eabff",
        QPalette.ColorRole.Mid: "#3d4552",
    },
}
_FIELD, _MARK = ("#b4bcc8", "#505a69"), ("#566070", "#9aa4b4")  # light, dark
_OUTLINES = {"QComboBox": _FIELD, "QAbstractSpinBox": _FIELD, "QCheckBox": _MARK, "QRadioButton": _MARK}
_DISABLED = {False: "#8a93a1", True: "#6c7585"}


class Theme(QObject):
    """The application's look; `changed` comes after it has been applied."""

    changed = Signal()

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self.name: ThemeName = "system"
        self.is_dark = False
        self.text_size = 100
        application.styleHints().colorSchemeChanged.connect(self._system_changed)

    @property
    def colors(self) -> PlotColors:
        return DARK if self.is_dark else LIGHT

    def apply(self, name: ThemeName) -> None:
        self.name = name
        hints = self._application.styleHints()
        schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
        hints.setColorScheme(schemes.get(name, Qt.ColorScheme.Unknown))
        self.is_dark = hints.colorScheme() is Qt.ColorScheme.Dark if name == "system" else name == "dark"
        self._application.setStyle("Fusion")
        self._application.setFont(_font(self.text_size))
        self._application.setPalette(_palette(dark=self.is_dark))
        for kind, outlines in _OUTLINES.items():
            own = _outlined(outlines[self.is_dark], dark=self.is_dark)
            self._application.setPalette(own, kind)  # type: ignore[arg-type]  # bytes, the stubs say
        self._application.setStyleSheet(_style_sheet(self.text_size, dark=self.is_dark))
        self.changed.emit()

    def set_text_size(self, percent: int) -> None:
        """The nearest of TEXT_SIZES."""
        self.text_size = min(TEXT_SIZES, key=lambda size: abs(size - percent))
        self.apply(self.name)

    def follow_system_font(self) -> None:
        """The system's font may be another now."""
        if self._application.font() != _font(self.text_size):
            self.apply(self.name)

    @Slot()
    def _system_changed(self) -> None:
        wanted = self._application.styleHints().colorScheme() is Qt.ColorScheme.Dark
        if self.name == "system" and wanted != self.is_dark:
            self.apply("system")


def current_theme() -> Theme:
    """The application's one theme, made when first asked for."""
    application = QApplication.instance()
    if not isinstance(application, QApplication):
        raise TypeError("The theme needs a running QApplication.")
    found = application.findChild(Theme)
    return found if isinstance(found, Theme) else Theme(application)


def icon(name: str, *, on_accent: bool = False) -> QIcon:
    """A Font Awesome icon ("play", "folder-open" …) in the color of a button's text."""
    import qtawesome

    palette = QApplication.palette()
    disabled = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.ButtonText)
    usual = QColor("#ffffff") if on_accent else palette.color(QPalette.ColorRole.ButtonText)
    return QIcon(qtawesome.icon(f"fa5s.{name}", color=usual, color_disabled=disabled))


def colored_icon(name: str, color: str) -> QIcon:
    """A Font Awesome icon in one color."""
    import qtawesome

    return QIcon(qtawesome.icon(f"fa5s.{name}", color=color))


def _palette(*, dark: bool) -> QPalette:
    palette = QPalette()
    for role, color in _PALETTES[dark].items():
        palette.setColor(role, QColor(color))
    for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(_DISABLED[dark]))
    palette.setColor(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Highlight, QColor(_DISABLED[dark]))
    return palette


def _outlined(color: str, *, dark: bool) -> QPalette:
    """Fusion outlines what it draws in the window's color made darker: unseen on dark ground."""
    palette = _palette(dark=dark)
    palette.setColor(QPalette.ColorRole.Window, QColor(color).lighter(140))
    palette.setColor(QPalette.ColorRole.Button, palette.color(QPalette.ColorRole.Base))
    return palette


def system_font() -> QFont:
    return QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)


def _font(percent: int) -> QFont:
    font = system_font()
    if font.pointSizeF() > 0:
        font.setPointSizeF(font.pointSizeF() * percent / 100)
    else:  # said in pixels
        font.setPixelSize(round(font.pixelSize() * percent / 100))
    return font


def _style_sheet(percent: int, *, dark: bool) -> str:
    """The style sheets of resources/style: what both share, then this scheme's own; texts scaled."""
    try:
        folder = resources_folder() / "style"
    except PgnStudioError:
        return ""  # a broken installation still opens, and says so when the demo is asked for
    names = ("common.qss", "dark.qss" if dark else "light.qss")
    whole = "\n".join((folder / name).read_text("utf-8") for name in names if (folder / name).is_file())
    return _FONT_SIZE.sub(lambda size: f"font-size: {int(size[1]) * percent / 100:g}pt", whole)
