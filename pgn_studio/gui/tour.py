"""The first-run tour: marks beside the window's own widgets, on the bundled demo."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.gui.preferences import Preferences

WIDTH_PX = 330
GAP_PX = 10  # between the frame and the card
RIM_PX = 4  # of the frame around its widget
KEYS_BACK = (Qt.Key.Key_Left, Qt.Key.Key_Up, Qt.Key.Key_Backspace)
KEYS_ON = (Qt.Key.Key_Right, Qt.Key.Key_Down)


class TourFrame(QFrame):
    """Around the widget that is meant; the mouse goes through it."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("tour_frame")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()


class TourCard(QFrame):
    """Words and buttons. Never modal: the window can be used beside it."""

    back = Signal()
    on = Signal()
    ended = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("tour_card")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._target: QWidget | None = None
        self._watched: list[QWidget] = []
        self.frame = TourFrame(window)
        self.title = QLabel(self)
        self.title.setObjectName("tour_title")
        self.text = QLabel(self)
        self.text.setObjectName("tour_text")
        self.text.setWordWrap(True)
        self.place = QLabel(self)
        self.place.setProperty("role", "muted")
        self.skip = self._button("Skip the tour", "tour_skip", "End the tour (Esc). Help starts it again.")
        self.previous = self._button("Back", "tour_back", "The previous step (Left)")
        self.next = self._button("Next", "tour_next", "The next step (Right)")
        self.next.setProperty("role", "primary")
        row = QHBoxLayout()
        row.addWidget(self.skip)
        row.addStretch(1)
        row.addWidget(self.place)
        row.addWidget(self.previous)
        row.addWidget(self.next)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.setSpacing(8)
        for part in (self.title, self.text):
            layout.addWidget(part)
        layout.addLayout(row)
        self.skip.clicked.connect(self.ended)
        self.previous.clicked.connect(self.back)
        self.next.clicked.connect(self.on)
        self.hide()

    def _button(self, text: str, name: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def point_at(self, target: QWidget, title: str, text: str, number: int, total: int) -> None:
        """Show the words beside `target`, and take the keyboard."""
        self._watch(target)
        self.title.setText(f"<b>{title}</b>")
        self.text.setText(text)
        self.place.setText(f"{number} of {total}")
        self.setAccessibleName(f"Tour, step {number} of {total}: {title}")
        self.setAccessibleDescription(text)
        self.previous.setEnabled(number > 1)
        last = number == total
        self.next.setText("Done" if last else "Next")
        self.skip.setVisible(not last)
        self.show()
        self._arrange()
        self.raise_()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def leave(self) -> None:
        self._watch(None)
        self.hide()
        self.frame.hide()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc ends; arrows step; Return presses Next."""
        if event.key() == Qt.Key.Key_Escape:
            self.ended.emit()
        elif event.key() in KEYS_BACK:
            self.back.emit()
        elif event.key() in (*KEYS_ON, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.on.emit()
        else:
            super().keyPressEvent(event)

    # ------------------------------------------------------------------ where it lies

    def _watch(self, target: QWidget | None) -> None:
        """Follow `target`, whatever moves or resizes it or one of the widgets that it lies in."""
        for widget in self._watched:
            widget.removeEventFilter(self)
        self._target, self._watched = target, []
        while target is not None:
            self._watched.append(target)
            target.installEventFilter(self)
            if target is self.window():
                break
            target = target.parentWidget()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kinds = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide)
        if event.type() in (*kinds, QEvent.Type.StyleChange, QEvent.Type.LayoutRequest):
            # Afterwards: when this comes, what lies in `watched` has not been laid out yet.
            self.metaObject().invokeMethod(self, "_arrange", Qt.ConnectionType.QueuedConnection)
        return super().eventFilter(watched, event)

    @Slot()
    def _arrange(self) -> None:
        if self._target is None:
            return
        window, target = self.window(), self._target
        seen = target.isVisible() and not target.visibleRegion().isEmpty()
        area = QRect(target.mapTo(window, QPoint()), target.size()).intersected(window.rect())
        self.frame.setVisible(seen)
        if seen:
            self.frame.setGeometry(area.adjusted(-RIM_PX, -RIM_PX, RIM_PX, RIM_PX))
            self.frame.raise_()
        self.setFixedWidth(min(max(WIDTH_PX, self.minimumSizeHint().width()), window.width() - 2 * GAP_PX))
        layout = self.layout()
        if layout is not None:
            layout.activate()
        height = max(self.heightForWidth(self.width()), self.minimumSizeHint().height())
        self.setGeometry(self._beside(area, height) if seen else self._centered(height))
        self.raise_()

    def _beside(self, area: QRect, height: int) -> QRect:
        """Right of `area`, else left, below, above; on it where there is no room anywhere."""
        whole = self.window().rect().adjusted(GAP_PX, GAP_PX, -GAP_PX, -GAP_PX)
        width, away = self.width(), RIM_PX + GAP_PX
        corners = (
            QPoint(area.right() + away, area.top()),
            QPoint(area.left() - away - width, area.top()),
            QPoint(area.left(), area.bottom() + away),
            QPoint(area.left(), area.top() - away - height),
        )
        for number, corner in enumerate(corners):
            card = QRect(corner.x(), corner.y(), width, height)
            if number < 2:  # beside: it may slide along the edge
                card.moveTop(max(whole.top(), min(card.top(), whole.bottom() - height)))
            else:
                card.moveLeft(max(whole.left(), min(card.left(), whole.right() - width)))
            if whole.contains(card):
                return card
        card = QRect(0, 0, width, height)
        card.moveBottomRight(area.bottomRight() - QPoint(GAP_PX, GAP_PX))
        return card

    def _centered(self, height: int) -> QRect:
        card = QRect(0, 0, self.width(), height)
        card.moveCenter(self.window().rect().center())
        return card


@dataclass(frozen=True)
class Step:
    """`widget` is the name of the one that is meant; `page` the number of its tab, None where any will do."""

    title: str
    text: str
    widget: str
    page: int | None = None


TRAIN, INSPECT = 0, 1
STEPS = (
    Step(
        "Images",
        "The demo brings 1,797 handwritten digits. Choose another data set here, or drop a folder of "
        "images anywhere on the window.",
        "data_card",
    ),
    Step(
        "A frozen classifier",
        "It never changes. The demo's classifier misclassifies some digits. A PGN changes the images "
        "slightly, so that the classifier recognizes more of them.",
        "classifier_card",
    ),
    Step(
        "Train",
        "Start trains a perturbation generation network (PGN), which makes these small changes. "
        "The plots on this page follow it live.",
        "start_button",
        TRAIN,
    ),
    Step(
        "γ: how strong",
        "A larger γ keeps the changes smaller. One PGN serves a whole range. Turn the dial during a run "
        "or later in Inspect to see the effect of another γ.",
        "gamma_control",
        TRAIN,
    ),
    Step(
        "What was fixed, what broke",
        "Every test image with the predictions before and after. The buttons above choose the fixed or "
        "the broken ones. Click an image to see its perturbation.",
        "gallery",
        INSPECT,
    ),
    Step(
        "Take it with you",
        "Export figures, tables, images and the model, or copy each export as a command. Ctrl+K finds "
        "every command, ? lists the keys, Help starts this tour again.",
        "export-figure",
        INSPECT,
    ),
)


class Tour(QObject):
    """Six marks, not modal. Counts as seen once it was ended, in whatever way."""

    started = Signal()
    pointing = Signal(QWidget)  # a step is about this one: it must be seen
    shown = Signal(int)  # a step's number, from 0
    ended = Signal()

    def __init__(self, window: QWidget, tabs: QTabWidget, preferences: Preferences) -> None:
        super().__init__(window)
        self._window, self._tabs, self._preferences = window, tabs, preferences
        self._number = -1
        self.card = TourCard(window)
        self.card.on.connect(self._on)
        self.card.back.connect(self._back)
        self.card.ended.connect(self.end)

    @property
    def active(self) -> bool:
        return self._number >= 0

    def offer(self) -> None:
        """At the first start: begin, unless somebody has seen it."""
        if not self._preferences.tour_seen:
            self.start()

    @Slot()
    def start(self) -> None:
        """From the first step."""
        self.started.emit()
        self._show(0)

    @Slot()
    def end(self) -> None:
        if self.active:
            self._number = -1
            self.card.leave()
            self._preferences.tour_seen = True
            self.ended.emit()

    @Slot()
    def _on(self) -> None:
        if self._number + 1 == len(STEPS):
            self.end()
        elif self.active:
            self._show(self._number + 1)

    @Slot()
    def _back(self) -> None:
        if self._number > 0:
            self._show(self._number - 1)

    def _show(self, number: int) -> None:
        self._number = number
        step = STEPS[number]
        if step.page is not None:
            self._tabs.setCurrentIndex(step.page)
        target: QWidget = self._window.findChild(QWidget, step.widget) or self._tabs
        self.pointing.emit(target)
        _scroll_to(target)
        self.card.point_at(target, step.title, step.text, number + 1, len(STEPS))
        self.shown.emit(number)


def _scroll_to(target: QWidget) -> None:
    above = target.parentWidget()
    while above is not None:
        if isinstance(above, QScrollArea):
            above.ensureWidgetVisible(target)
        above = above.parentWidget()
