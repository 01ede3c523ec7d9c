"""How the run is: a quiet word while all is well, else what is wrong and what to change."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QModelIndex, QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.training.events import Notice, NoticeLevel
from pgn_studio.gui.theme import colored_icon, current_theme
from pgn_studio.gui.training.history import holding
from pgn_studio.gui.wording import in_the_window

# Never color alone: each level has its word and its shape.
WORDS: dict[NoticeLevel, str] = {
    "info": "Note",
    "warning": "Warning",
    "severe": "Problem",
    "passed": "Passed",
}
_SHAPES: dict[NoticeLevel, str] = {
    "info": "info-circle",
    "warning": "exclamation-triangle",
    "severe": "times-circle",
    "passed": "check-circle",
}
_ICON_PX = 16
_LIST_HEIGHT_PX = 132
STEP_ROLE = int(Qt.ItemDataRole.UserRole)


class HealthStrip(QFrame):
    """The worst condition that holds now; all notices with their steps in a list that opens below."""

    step_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("health_strip")
        self._past = False
        self._given: list[Notice] = []
        self._notices: list[Notice] = []  # the same, in the window's words
        self._icon = QLabel(self)
        self._icon.setFixedSize(QSize(_ICON_PX, _ICON_PX))
        self._text = QLabel(self)
        self._text.setObjectName("health_text")
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.RichText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.toggle = QToolButton(self)
        self.toggle.setObjectName("health_history_button")
        self.toggle.setCheckable(True)
        self.toggle.setAccessibleName("All notices of this run")
        self.toggle.setToolTip("All notices of this run with their steps")
        self.toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.model = QStandardItemModel(self)
        self.list = QListView(self)
        self.list.setObjectName("health_history")
        self.list.setAccessibleName("Notices of this run")
        self.list.setModel(self.model)
        self.list.setWordWrap(True)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setFixedHeight(_LIST_HEIGHT_PX)
        row = QHBoxLayout()
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._text, 1)
        row.addWidget(self.toggle, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 3, 6, 3)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.list)
        self.toggle.toggled.connect(self._show_list)
        self.list.clicked.connect(self._choose)
        self.list.activated.connect(self._choose)
        current_theme().changed.connect(self._recolor)
        self._show_list(False)
        self.hide()

    @property
    def level(self) -> NoticeLevel:
        """The worst that holds; "passed" stands for healthy."""
        levels = {notice.level for notice in holding(self._notices)}
        return "severe" if "severe" in levels else "warning" if "warning" in levels else "passed"

    def show_notices(self, notices: Sequence[Notice], *, past: bool = False) -> None:
        """The notices of a run so far, in their order; shows itself. Costs what is new.

        `past`: of a run that is over, so that nothing of it asks for anything now.
        """
        self._past = past
        given = list(notices)
        grown = self._given == given[: len(self._given)]
        known = len(self._given) if grown else 0
        self._given = given
        self._notices = [*self._notices[:known], *map(_worded, given[known:])]
        self._draw_state()
        self._put(self._notices[known:], anew=not grown)
        self.show()

    def clear(self) -> None:
        """No run: nothing to say."""
        self._notices, self._given = [], []
        self.model.clear()
        self.toggle.setChecked(False)
        self.hide()

    @Slot()
    def _recolor(self) -> None:
        self._draw_state()
        self._put(self._notices, anew=True)

    def _draw_state(self) -> None:
        level = self.level
        worst = [notice for notice in holding(self._notices) if notice.level == level]
        word = WORDS[level] if worst else "Healthy"
        when = "Recorded in this run: " if self._past else ""
        shown = f"<b>{when}{word}</b>"
        if worst:
            newest = worst[-1]
            more = len(holding(self._notices)) - 1
            others = f" <i>And {more} more.</i>" if more else ""
            where = f"Step {newest.step:,}: " if newest.step else ""
            hint = "" if self._past else f" {html.escape(newest.hint)}"
            shown += f"&nbsp;&nbsp;{where}{html.escape(newest.message)}{hint}{others}"
        self._text.setText(shown)
        icon = colored_icon(_SHAPES[level], current_theme().colors.muted) if self._past else _icon(level)
        self._icon.setPixmap(icon.pixmap(_ICON_PX, _ICON_PX))
        spoken = f"{when}{word}"
        if worst:
            spoken += f". {worst[-1].message} {'' if self._past else worst[-1].hint}"
        self.setAccessibleName(f"Health of the run: {spoken}")
        self._text.setAccessibleName(self.accessibleName())
        self.setProperty("level", "past" if self._past else level)
        self.style().unpolish(self)  # style sheets look at properties only when polishing
        self.style().polish(self)

    def _put(self, notices: Sequence[Notice], *, anew: bool) -> None:
        """Put these on top of the list, the newest first; `anew`: in place of all that it holds."""
        if anew:
            self.model.clear()
        for notice in notices:
            line = f"Step {notice.step:,}  {WORDS[notice.level]}: {notice.message} {notice.hint}".rstrip()
            item = QStandardItem(_icon(notice.level), line)
            item.setData(notice.step, STEP_ROLE)
            item.setToolTip(f"<p>{html.escape(line)}</p>")
            item.setEditable(False)
            self.model.insertRow(0, item)
        count = len(self._notices)
        self.toggle.setText("1 notice" if count == 1 else f"{count} notices")
        self.toggle.setVisible(count > 0)

    @Slot(bool)
    def _show_list(self, shown: bool) -> None:
        self.toggle.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self.list.setVisible(shown)

    @Slot(QModelIndex)
    def _choose(self, index: QModelIndex) -> None:
        self.step_chosen.emit(int(index.data(STEP_ROLE)))


def _worded(notice: Notice) -> Notice:
    return replace(notice, message=in_the_window(notice.message), hint=in_the_window(notice.hint))


def _icon(level: NoticeLevel) -> QIcon:
    colors = current_theme().colors
    by_level = {
        "info": colors.muted,
        "warning": colors.warning,
        "severe": colors.severe,
        "passed": colors.good,
    }
    return colored_icon(_SHAPES[level], by_level[level])
