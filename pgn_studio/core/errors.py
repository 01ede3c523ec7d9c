"""Errors that a user may meet: each says what was expected, what came and what to do."""

from __future__ import annotations

from pgn_studio.core.advice import Advice, Wording, worded


class PgnStudioError(Exception):
    """A problem the user can act on; shown as one line (CLI, exit code 2) or a dialog (window).

    `hint` is what to do about it; `details` is long text for the dialog's details and the log. Message and
    hint may be an `Advice`.
    """

    def __init__(self, message: str, *, hint: str = "", details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    @property
    def advice(self) -> Advice:
        """Message and hint as one text that each face words."""
        return Advice("{} {}", self.message, self.hint) if self.hint else Advice("{}", self.message)

    def worded(self, word: Wording) -> str:
        """Message and hint in a face's words."""
        return worded(self.advice, word)


class ConfigError(PgnStudioError):
    """A setting is out of range, or settings contradict each other."""


class DataError(PgnStudioError):
    """A data set is missing, unreadable or not laid out as expected."""


class ClassifierError(PgnStudioError):
    """A classifier or its weights cannot be used as given."""


class BlackBoxError(ClassifierError):
    """A classifier that only answers does not, or its answer is of no use."""


class QueryBudgetError(ClassifierError):
    """The next questions to a black box would go beyond the query budget; none of them was sent."""


class WeightsError(ClassifierError):
    """Pretrained weights cannot be had here; the hint names the offline way out."""


class PgnFileError(PgnStudioError):
    """A saved PGN or checkpoint is damaged, of another kind, or does not fit."""


class RunError(PgnStudioError):
    """A run folder is missing, damaged, or in a state that the request does not fit."""


class Canceled(Exception):  # noqa: N818 - not an error: the user asked for it
    """Raised by long operations at a step boundary after the user canceled."""
