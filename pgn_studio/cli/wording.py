"""How the command line says what core names in its errors and notices: as it is typed."""

from __future__ import annotations

from pgn_studio.cli.options import option_name, written
from pgn_studio.core.advice import Command, Part, Setting, worded
from pgn_studio.core.assignments import experimental_names
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import PgnStudioError

_EXPERIMENTAL = experimental_names(TrainingSettings)


def in_options(text: str) -> str:
    """ "Raise --gamma, or lower learning_rate_g (with --set)."."""
    return worded(text, _typed)


def error_text(error: Exception) -> str:
    return error.worded(_typed) if isinstance(error, PgnStudioError) else str(error)


def _typed(part: Part) -> str:
    if isinstance(part, Command):
        return f"`{' '.join(('pgn-studio', part.name, *map(_typed, part.given)))}`"
    if part.value is not None:
        return " ".join(_quoted(word) for word in written({part.name: part.value}))
    if isinstance(part, Setting) and part.name in _EXPERIMENTAL:
        return f"{part.name} (with --set)"
    return option_name(part.name)


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word
