"""One mark of the tour: a frame around a widget, and a card with words beside it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

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
        self.skip = self._button("Skip the tour", "tour_skip", "End the tour (Esc); it is in Help again")
        self.previous = self._button("Back", "tour_back", "The step before (Left)")
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
        self.setGeometry(self._beside(area, height) if seen else self._centerd(height))
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

    def _centerd(self, height: int) -> QRect:
        card = QRect(0, 0, self.width(), height)
        card.moveCenter(self.window().rect().center())
        return card
