"""Texts of errors and notices that name settings and commands, which each face words in its own way.

    Advice("Raise {} (now {:g}), or lower {}.", Setting("gamma"), gamma, Setting("learning_rate_g"))

names `--gamma` on the command line and γ in the window. As the string that it is, it is neutral: so it
stands in logs and files, and in what the Python API raises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from typing_extensions import Self


@dataclass(frozen=True)
class Setting:
    """A field of the settings (`core/config.py`), with the value that it should have where one is meant."""

    name: str
    value: Any = None

    def __str__(self) -> str:
        return _assigned(self.name, self.value)


@dataclass(frozen=True)
class Argument:
    """What is given to a call or a command and is no setting: `classes`, `query_budget`."""

    name: str
    value: Any = None

    def __str__(self) -> str:
        return _assigned(self.name, self.value)


@dataclass(frozen=True)
class Command:
    """Something the program does on request, named as the command line names it: `runs`, `perturb`."""

    name: str
    given: tuple[Setting | Argument, ...] = ()

    def __str__(self) -> str:
        return " ".join(("the command", self.name, *(f"({part})" for part in self.given)))


Part = Setting | Argument | Command
Wording = Callable[[Part], str]  # a face's words for a part


class Advice(str):
    """`template` as for `str.format`, never made of what users give: that belongs among the `parts`."""

    template: str
    parts: tuple[object, ...]

    def __new__(cls, template: str, *parts: object) -> Self:
        text = super().__new__(cls, template.format(*parts))
        text.template, text.parts = template, parts
        return text

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.template, *self.parts)  # to copy and pickle it

    def worded(self, word: Wording) -> str:
        return self.template.format(*(_worded_part(part, word) for part in self.parts))


def worded(text: str, word: Wording) -> str:
    """`text` as a face says it; one that names nothing stays as it is."""
    return text.worded(word) if isinstance(text, Advice) else text


def _worded_part(part: object, word: Wording) -> object:
    if isinstance(part, Advice):
        return part.worded(word)
    return word(part) if isinstance(part, Part) else part


def _assigned(name: str, value: object) -> str:
    return name if value is None else f"{name}={value!r}"
