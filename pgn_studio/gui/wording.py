"""How the window says what core names in its errors and notices: as its forms, pages and menus do."""

from __future__ import annotations

from pgn_studio.core.advice import Argument, Command, Part, worded
from pgn_studio.core.assignments import assignments, experimental_names, value_text
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.gui.widgets.settings_form import LABELS, label_of

FURTHER = "further_settings"  # the row of the settings that have none of their own

# What is asked for outside of the forms.
_ARGUMENTS = {
    "classifier_arch": "Architecture",
    "header": "Header",
    "query_budget": "Query budget",
    "resume": "Continue",
    "trust_code": "I trust this code",
}
_COMMANDS = {
    "perturb": "“Strength” on the page Inspect",
    "report": "the exports of the page Inspect",
    "runs": "the page Runs",
    "train": "“Continue” on the page Train",
    "train-classifier": "Run > Train a classifier…",
}
_ELSEWHERE = "(on the command line)"
_EXPERIMENTAL = experimental_names(TrainingSettings)


def in_the_window(text: str) -> str:
    """ "Raise γ, or lower learning_rate_g (with “Further settings”)."."""
    return worded(text, _labeled)


def error_text(error: Exception) -> str:
    return error.worded(_labeled) if isinstance(error, PgnStudioError) else str(error)


def _labeled(part: Part) -> str:
    if isinstance(part, Command):
        return _COMMANDS.get(part.name, f"`pgn-studio {part.name}` {_ELSEWHERE}")
    if isinstance(part, Argument):
        label = _ARGUMENTS.get(part.name)
        return f"--{part.name.replace('_', '-')} {_ELSEWHERE}" if label is None else f"“{label}”"
    name, value = part.name, part.value
    if name in _EXPERIMENTAL:
        row = label_of(FURTHER)
        return f"{name} (with “{row}”)" if value is None else f"“{row}: {assignments({name: value})}”"
    label = "γ" if name == "gamma" else f"“{label_of(name)}”"
    if value is None or value is True:
        return label
    if value in LABELS:
        return f"“{label_of(name)}: {LABELS[value]}”"
    return f"{label} {value_text(value)}"
