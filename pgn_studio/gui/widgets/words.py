"""The core's hints name the command line's options; the window says them as its forms do."""

from __future__ import annotations

import re

from pgn_studio.core.config import ClassifierSettings, TrainingSettings
from pgn_studio.gui.widgets.settings_form import LABELS, label_of

FURTHER = "further_settings"  # the row for what the command line takes with --set
_OPTION = re.compile(r"`[^`]*`|--set(?: ([a-z_]+=[a-z0-9.]*[a-z0-9]))?|--([a-z][a-z0-9-]*)(?: ([a-z0-9-]+))?")
_HEAD = re.compile(r"([a-z][a-z-]*):")
_FIELDS = {*TrainingSettings.model_fields, *ClassifierSettings.model_fields}


def in_the_window(text: str) -> str:
    """ "Lower --batch-size" as "Lower “Batch size”"; whole commands stay as they are."""
    if "pgn-studio " in text:
        return text
    head = _HEAD.match(text)  # as settings that are refused are named: "test-fraction: …"
    if head is not None and head[1].replace("-", "_") in _FIELDS:
        text = label_of(head[1].replace("-", "_")) + text[len(head[1]) :]
    return _OPTION.sub(_named, text)


def _named(found: re.Match[str]) -> str:
    assigned, option, value = found.groups()
    if found[0].startswith("--set"):
        return f"“{label_of(FURTHER)}{f': {assigned}' if assigned else ''}”"
    field = (option or "").replace("-", "_")
    if field not in _FIELDS:
        return found[0]
    label = "γ" if field == "gamma" else label_of(field)
    if value in LABELS:
        return f"“{label}: {LABELS[value]}”"
    name = label if field == "gamma" else f"“{label}”"
    return name if value is None else f"{name} {value}"
