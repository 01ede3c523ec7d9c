"""The left dock: data set, classifier, the PGN's settings, and the buttons that run it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QGroupBox,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.assignments import (
    assignments,
    experimental_changes,
    experimental_names,
    parse_assignments,
    split_assignments,
)
from pgn_studio.core.config import PAPER_RECIPE, DataSettings, TrainingSettings
from pgn_studio.core.encoder_base import ENCODERS
from pgn_studio.core.errors import ConfigError
from pgn_studio.gui.pages.setup.cards import ClassifierCard, DataCard, card_layout
from pgn_studio.gui.pages.setup.undo import SettingsUndo
from pgn_studio.gui.theme import current_theme, icon
from pgn_studio.gui.training.controller import RunState
from pgn_studio.gui.widgets.compact import Collapsible
from pgn_studio.gui.widgets.gamma_control import Gamma, GammaControl
from pgn_studio.gui.widgets.settings_form import SettingsForm, label_of
from pgn_studio.gui.wording import FURTHER

METHOD_FIELDS = ("problem", "discriminator", "loss", "encoder", "recipe")
RUN_FIELDS = ("epochs", "batch_size", "device", "seed")
_SHOWN = {*METHOD_FIELDS, *RUN_FIELDS, "gamma", "classifier", *DataSettings.model_fields}
EXPERIMENTAL = experimental_names(TrainingSettings)
ADVANCED_FIELDS = tuple(
    name for name in TrainingSettings.model_fields if name not in {*_SHOWN, *EXPERIMENTAL}
)
RECIPE_FIELDS = tuple(name for name in PAPER_RECIPE if name not in EXPERIMENTAL)
FURTHER_TIP = "Settings for ablations, as NAME=VALUE separated by commas: " + ", ".join(EXPERIMENTAL)
SCROLL_BAR_PX = 12


class UprightScrollArea(QScrollArea):
    """As wide as what lies in it needs, whatever comes to stand there: it scrolls up and down only."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        done = super().eventFilter(watched, event)
        inside = self.widget()
        if inside is not None and watched is inside and event.type() is QEvent.Type.LayoutRequest:
            self.setMinimumWidth(inside.minimumSizeHint().width() + SCROLL_BAR_PX)
        return done


class SetupPanel(QWidget):
    """Says what the user wants; does nothing by itself."""

    start_requested = Signal()
    continue_requested = Signal()
    pause_requested = Signal()
    stop_requested = Signal()
    gamma_changed = Signal(float)  # that is learned for; of a range the one that is shown
    refused = Signal(str)  # a field put back what was typed

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("setup_panel")
        self.data = DataCard(self)
        self.classifier = ClassifierCard(self)
        from pgn_studio.core.device import available_devices  # torch: never while this module loads

        choices = {"device": ["auto", *available_devices()]}
        self.main = SettingsForm(
            TrainingSettings,
            METHOD_FIELDS,
            self,
            choices=choices,
            suggestions={"encoder": ("small", *ENCODERS)},
        )
        self.advanced = SettingsForm(TrainingSettings, ADVANCED_FIELDS, self)
        self.advanced.add_text(FURTHER, placeholder="head=linear, clip=no", tooltip=FURTHER_TIP)
        self.gamma = GammaControl(self)
        description = TrainingSettings.model_fields["gamma"].description or ""
        self.main.add_row("γ", self.gamma, tooltip=f"<p>{description}</p>")
        self.main.add_fields(RUN_FIELDS)
        self.start_button = self._button("Start", "start_button", "Train a PGN (Ctrl+Return)")
        self.start_button.setProperty("role", "primary")
        self.continue_button = self._button("Continue", "continue_button", "")
        self.pause_button = self._button("Pause", "pause_button", "Pause or resume (Space)")
        self.stop_button = self._button("Stop", "stop_button", "Stop and keep the result (Ctrl+.)")
        self.reason = QLabel(self)
        self.reason.setObjectName("start_reason")
        self.reason.setProperty("role", "muted")
        self.reason.setWordWrap(True)
        self.reason.setContentsMargins(9, 4, 9, 0)
        self._lay_out()
        self._note_defaults()
        self.gamma.set_value(self._default_gamma)
        self.main.edited.connect(self._choice_edited)
        forms = {"data": self.data.form, "main": self.main, "advanced": self.advanced}
        self.undo = SettingsUndo(forms, self.gamma, self)  # after those whose fields join a choice's step
        self.undo.restored.connect(self._note_defaults)
        self.gamma.changed.connect(self.gamma_changed)
        for part in (self.data.form, self.main, self.advanced, self.gamma):
            part.refused.connect(self.refused)
        self.start_button.clicked.connect(self.start_requested)
        self.continue_button.clicked.connect(self.continue_requested)
        self.pause_button.clicked.connect(self.pause_requested)
        self.stop_button.clicked.connect(self.stop_requested)
        current_theme().changed.connect(self._set_icons)
        self.show_state(RunState.IDLE, startable=False)

    def settings(self, data: DataSettings, classifier: str) -> TrainingSettings:
        """What the forms say, for these images and this classifier; raises ConfigError."""
        advanced = self.advanced.values()
        further = _further(advanced.pop(FURTHER))
        return TrainingSettings.make(
            **data.model_dump(),
            classifier=classifier,
            gamma=self.gamma.value,
            **self.main.values(),
            **advanced,
            **further,
        )

    def shown(self) -> dict[str, Any]:
        """What the PGN's forms show."""
        return {**self.main.shown(), **self.advanced.shown(), "gamma": self.gamma.value}

    def fill(self, values: Mapping[str, Any], *, name: str = "Settings") -> None:
        """Show settings, a run's for example; undo takes them back as one step called `name`."""
        self._show(values)
        self.undo.filled(name)

    def fill_data(self, settings: DataSettings, *, name: str) -> None:
        """Show which images are loaded, and how they were read."""
        self.data.fill(settings)
        self.undo.filled(name)

    def _show(self, values: Mapping[str, Any]) -> None:
        for form in (self.main, self.advanced):
            form.fill(values)
        if any(name in values for name in EXPERIMENTAL):
            told = {name: values[name] for name in (*EXPERIMENTAL, "recipe") if name in values}
            changes = experimental_changes(TrainingSettings.make(**told))
            self.advanced.fill({FURTHER: assignments(changes)})
        if "gamma" in values:
            self.gamma.set_value(TrainingSettings.make(gamma=values["gamma"]).gamma)
        self._note_defaults()

    def show_state(
        self,
        state: RunState,
        *,
        startable: bool,
        resumable: bool = False,
        reason: str = "",
        continuing: str = "",
    ) -> None:
        """Which buttons work now; `reason` says why Start does not, where everybody sees it.

        `continuing` says what Continue does, or why it does not.
        """
        idle, keyboard = state is RunState.IDLE, self.window().focusWidget()
        self.reason.setText(reason)
        self.reason.setVisible(idle and bool(reason))
        self.start_button.setEnabled(idle and startable)
        self.start_button.setToolTip(reason or "Train a PGN (Ctrl+Return)")
        self.continue_button.setEnabled(idle and resumable)
        self.continue_button.setToolTip(f"<p>{html.escape(continuing)} (Ctrl+Shift+Return)</p>")
        self._state = state
        self.pause_button.setEnabled(state in (RunState.RUNNING, RunState.PAUSED))
        self.pause_button.setText("Resume" if state is RunState.PAUSED else "Pause")
        self.stop_button.setEnabled(state in (RunState.STARTING, RunState.RUNNING, RunState.PAUSED))
        self.stop_button.setText("Stopping…" if state is RunState.STOPPING else "Stop")
        for part in (self.data, self.classifier, self.advanced):
            part.setEnabled(idle)
        for name in (*METHOD_FIELDS, *RUN_FIELDS):  # γ, which stands among them, stays alive
            self.main.editor(name).setEnabled(idle)
        self.gamma.set_running(not idle)
        self._set_icons()
        buttons = (self.start_button, self.continue_button, self.pause_button, self.stop_button)
        if keyboard is self or (keyboard in buttons and not keyboard.isEnabled()):
            # Else Qt hands it to whatever comes next, where Space means something.
            (self.pause_button if self.pause_button.isEnabled() else self).setFocus()

    def name_continue(self, *, asks: bool) -> None:
        """An ellipsis where a dialog comes first."""
        self.continue_button.setText("Continue…" if asks else "Continue")

    def sizeHint(self) -> QSize:
        return QSize(352, 640)

    def _button(self, text: str, name: str, tooltip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(name)
        button.setToolTip(tooltip)
        return button

    def _lay_out(self) -> None:
        pgn = QGroupBox("Perturbation generation network", self)
        inside = card_layout(pgn)
        inside.addWidget(self.main)
        inside.addWidget(Collapsible("Advanced", self.advanced, pgn))
        cards = QWidget(self)
        column = QVBoxLayout(cards)
        column.setContentsMargins(8, 2, 8, 8)
        column.setSpacing(4)
        for card in (self.data, self.classifier, pgn):
            column.addWidget(card)
        column.addStretch(1)
        scroll = UprightScrollArea(self)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(cards)
        buttons = QGridLayout()
        buttons.setContentsMargins(8, 6, 8, 8)
        buttons.setSpacing(6)
        buttons.addWidget(self.start_button, 0, 0)
        buttons.addWidget(self.continue_button, 0, 1)
        buttons.addWidget(self.pause_button, 1, 0)
        buttons.addWidget(self.stop_button, 1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.reason)
        layout.addLayout(buttons)

    @Slot()
    def _set_icons(self) -> None:
        self.start_button.setIcon(icon("play", on_accent=self.start_button.isEnabled()))
        paused = self._state is RunState.PAUSED
        self.pause_button.setIcon(icon("play" if paused else "pause"))
        self.continue_button.setIcon(icon("step-forward"))
        self.stop_button.setIcon(icon("stop"))

    @Slot(str)
    def _choice_edited(self, name: str) -> None:
        """Show what recipe and problem set; D and γ follow them where they have their defaults."""
        if name not in ("recipe", "problem", "discriminator"):
            return
        chosen, defaults = self.main.shown(), self._defaults()
        gamma_follows = self.gamma.value == self._default_gamma
        if name != "discriminator" and chosen["discriminator"] == self._default_discriminator:
            self.main.fill({"discriminator": defaults.discriminator})
        if name == "recipe":
            self._show({field: getattr(defaults, field) for field in RECIPE_FIELDS})
        self._note_defaults()
        if gamma_follows:
            self.gamma.set_value(self._default_gamma)

    def _defaults(self, *names: str) -> TrainingSettings:
        """The settings of the chosen recipe and problem, and what else of the main form is named."""
        chosen = self.main.shown()
        return TrainingSettings.make(**{name: chosen[name] for name in ("problem", "recipe", *names)})

    @Slot()
    def _note_defaults(self) -> None:
        self._default_discriminator = self._defaults().discriminator
        self._default_gamma: Gamma = self._defaults("discriminator").gamma


class BorrowedSettings(QObject):
    def __init__(self, setup: SetupPanel) -> None:
        super().__init__(setup)
        self._setup = setup
        self._lent: tuple[str, dict[str, Any]] | None = None  # the data set, what the set-up then showed

    def bring(self, settings: Mapping[str, Any], *, dataset: str, name: str) -> None:
        """Show the settings of `name`, which was trained on `dataset`."""
        self._setup.fill(settings, name=f"Settings of {name}")
        self._lent = (dataset, self._setup.shown())

    def give_back(self, dataset: str) -> str:
        """Once other images are loaded, unless somebody changed the settings; what to say about it."""
        if self._lent is None or self._lent[0] == dataset:
            return ""
        (_dataset, values), self._lent = self._lent, None
        if values != self._setup.shown():
            return ""
        self._setup.fill(TrainingSettings.make().model_dump(), name="Default settings for other images")
        return "; the settings are back to their defaults (Ctrl+Z restores those of the PGN)"


def _further(text: str) -> dict[str, Any]:
    """Experimental settings from their row. Raises ConfigError, also for one that has a row of its own."""
    values = parse_assignments(TrainingSettings, split_assignments(text))
    for name in values:
        if name not in EXPERIMENTAL:
            raise ConfigError(f"{name} does not belong under {label_of(FURTHER)}: it has its own field.")
    return values
