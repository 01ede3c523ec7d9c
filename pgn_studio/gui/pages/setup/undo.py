"""Undo of what is set in the set-up, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QObject, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QKeySequence, QUndoCommand, QUndoStack
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QSpinBox, QWidget

from pgn_studio.gui.widgets.gamma_control import GammaControl
from pgn_studio.gui.widgets.inputs import NumberEdit
from pgn_studio.gui.widgets.settings_form import SettingsForm, label_of

LENGTH = 200  # steps kept
GAMMA = "gamma"
Shown = dict[str, Any]  # by "form.field", or GAMMA


class SettingsChange(QUndoCommand):
    """`token` names the gesture that it belongs to: further changes with the same one join it."""

    def __init__(
        self, text: str, before: Shown, after: Shown, show: Callable[[Shown], None], token: object
    ) -> None:
        super().__init__(text)
        self.before, self.after, self.token = before, after, token
        self._show = show
        self._shown = True  # by whoever made the change

    def id(self) -> int:
        return 1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, SettingsChange) or self.token is None or other.token != self.token:
            return False
        before = {**other.before, **self.before}
        after = {**self.after, **other.after}
        changed = [name for name in after if after[name] != before[name]]
        self.before = {name: before[name] for name in changed}
        self.after = {name: after[name] for name in changed}
        self.setText(other.text())
        self.setObsolete(not changed)  # typed and put back
        return True

    def undo(self) -> None:
        self._show(self.before)

    def redo(self) -> None:
        if self._shown:
            self._shown = False
        else:
            self._show(self.after)


class SettingsUndo(QObject):
    """Watches the forms and γ. `restored`: the fields show other settings than before."""

    restored = Signal()
    changed = Signal()  # of what can be undone or done again
    told = Signal(str)  # what is being undone or done again

    def __init__(self, forms: Mapping[str, SettingsForm], gamma: GammaControl, parent: QObject) -> None:
        super().__init__(parent)
        self._forms, self._gamma = dict(forms), gamma
        self._stack = QUndoStack(self)
        self._stack.setUndoLimit(LENGTH)
        self._stack.indexChanged.connect(self.changed)
        self._gesture = 0  # counts up when the keyboard goes elsewhere or a slider is seized
        self._turn = 0  # counts up with the event loop: what is filled in one go is one step
        self._showing = False
        self._typed: dict[QObject, str] = {}
        for title, form in self._forms.items():
            form.edited.connect(partial(self._edited, title))
            for name in form.names:
                self._watch(form.editor(name), f"{title}.{name}")
        gamma.edited.connect(self._gamma_changed)
        gamma.seized.connect(self._new_gesture)
        for part in gamma.findChildren(QLineEdit):
            self._watch(part, GAMMA)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._new_gesture)
        self._last = self._shown()

    # ------------------------------------------------------------------ what can be done

    @property
    def undo_text(self) -> str:
        """The step that undo takes back; empty when there is none."""
        return self._stack.undoText()

    @property
    def redo_text(self) -> str:
        return self._stack.redoText()

    def concerns_gamma_only(self, *, redo: bool = False) -> bool:
        """Whether the next step is one that a run under way would follow too: from one γ to another."""
        index = self._stack.index() if redo else self._stack.index() - 1
        command = self._stack.command(index)
        if not isinstance(command, SettingsChange) or set(command.before) != {GAMMA}:
            return False
        return all(isinstance(shown[GAMMA], float) for shown in (command.before, command.after))

    @Slot()
    def undo(self) -> None:
        """Take back the last step, what is being typed included."""
        self._record("Typing", None)
        self.told.emit(f"Undone: {self._stack.undoText()}")
        self._stack.undo()

    @Slot()
    def redo(self) -> None:
        self.told.emit(f"Redone: {self._stack.redoText()}")
        self._stack.redo()

    def push(self, command: QUndoCommand) -> None:
        """A step that changes more than the fields."""
        self._stack.push(command)

    def filled(self, name: str) -> None:
        """The program filled fields in: one step, with all that it fills in the same go."""
        self._record(name, ("turn", self._turn))
        QTimer.singleShot(0, self, self._next_turn)

    # ------------------------------------------------------------------ what the user does

    def _watch(self, widget: QWidget, key: str) -> None:
        editable = isinstance(widget, QComboBox) and widget.isEditable()
        if editable or isinstance(widget, QLineEdit | QSpinBox):
            self._typed[widget] = key
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """In a field with nothing half typed, the keys of undo mean the settings; else that text."""
        if event.type() is not QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
            return False
        keys = QKeySequence.StandardKey
        if not (event.matches(keys.Undo) or event.matches(keys.Redo)) or self._half_typed(watched):
            return False
        event.ignore()
        return True

    def _half_typed(self, field: QObject) -> bool:
        if isinstance(field, QSpinBox):
            return not field.hasAcceptableInput()
        if isinstance(field, NumberEdit):
            return field.text() != f"{field.value:g}"
        if not isinstance(field, QLineEdit):
            return False
        return field.text() != str(self._last[self._typed[field]])

    def _edited(self, title: str, field: str) -> None:
        widget = self._forms[title].editor(field)
        token = (title, field, self._gesture) if widget in self._typed else None
        self._record(label_of(field), token)

    @Slot()
    def _gamma_changed(self) -> None:
        self._record("γ", (GAMMA, self._gesture))

    @Slot()
    def _new_gesture(self) -> None:
        self._gesture += 1

    @Slot()
    def _next_turn(self) -> None:
        self._turn += 1

    # ------------------------------------------------------------------ fields

    def _shown(self) -> Shown:
        shown = {
            f"{title}.{name}": value
            for title, form in self._forms.items()
            for name, value in form.shown().items()
        }
        return {**shown, GAMMA: self._gamma.value}

    def _record(self, text: str, token: object) -> None:
        if self._showing:
            return
        now, last = self._shown(), self._last
        changed = [name for name in now if now[name] != last[name]]
        if changed:
            before, after = ({name: shown[name] for name in changed} for shown in (last, now))
            self._last = now
            self._stack.push(SettingsChange(text, before, after, self._show, token))
            self.changed.emit()  # a step that was joined has no new index

    def _show(self, values: Shown) -> None:
        self._showing = True
        for title, form in self._forms.items():
            start = f"{title}."
            form.fill({key[len(start) :]: value for key, value in values.items() if key.startswith(start)})
        if GAMMA in values:
            self._gamma.user_set(values[GAMMA])  # a run under way follows
        self._showing = False
        self._last = self._shown()
        self._new_gesture()
        self.restored.emit()
