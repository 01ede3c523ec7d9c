"""The option --gamma of commands that use a PGN which serves a range of γ. Without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pgn_studio.cli import terminal
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.gamma import MOST_GAMMA, check_gamma

if TYPE_CHECKING:
    from pgn_studio.core.perturbation.pgn import Pgn

MOST = 100  # more is a slip of the keyboard
HOW_TO_UNDO_ABSTENTION = "`pgn-studio abstain PGN --share 0 --out FILE` makes one that acts."
_AT = (
    "γ at which the PGN perturbs, of those that it serves; default: its own, the middle of its range unless "
    "validation favored another."
)

GivenGamma = Annotated[str | None, typer.Option("--gamma", metavar="G", help=_AT)]
GivenGammas = Annotated[
    str | None,
    typer.Option("--gamma", metavar="G,G,…", help=f"{_AT} Several: measured at each, as a list."),
]


def given_gammas(text: str | None) -> tuple[float, ...]:
    """What was typed, each value once; () for nothing. Raises ConfigError for what is no γ."""
    if text is None:
        return ()
    found = tuple(dict.fromkeys(_value(part, text) for part in text.split(",")))
    if len(found) > MOST:
        raise ConfigError(f"--gamma: expected {MOST} values at most, got {len(found)}.")
    return found


def given_gamma(text: str | None) -> float | None:
    """The one value; raises ConfigError for several, too."""
    gammas = given_gammas(text)
    if len(gammas) > 1:
        raise ConfigError(
            f"--gamma: expected one value here, got {text!r}.",
            hint="`evaluate`, `export --what frontier` and `export --what comparison` take several.",
        )
    return gammas[0] if gammas else None


def at_gamma(pgn: Pgn, gamma: float | None) -> Pgn:
    """The PGN at the γ given, else at its own. Raises ConfigError where it does not serve it."""
    return pgn if gamma is None else pgn.at(gamma)


def at_same_gamma(other: Pgn, gamma: float | None) -> Pgn:
    """Another PGN at the γ given where it serves that, else at its own: titles say which."""
    served = other.generator.gammas
    return other if gamma is None or served is None or gamma not in served else other.at(gamma)


def note_gamma(pgn: Pgn) -> None:
    """Say at which γ a PGN that serves several is used."""
    if pgn.generator.gammas is not None:
        terminal.note(f"γ {pgn.gamma:g} of {pgn.generator.gammas}.")
    note_abstention(pgn)


def note_abstention(pgn: Pgn) -> None:
    """Say of a PGN that returns every image as it is why it does."""
    if pgn.abstains_always:
        terminal.note(
            "This PGN leaves every image as it is: on validation it was worse than none at every γ. "
            + HOW_TO_UNDO_ABSTENTION
        )


def _value(part: str, text: str) -> float:
    try:
        value = float(part)
        check_gamma(value)
    except ValueError:
        raise ConfigError(
            f"--gamma: expected a value from 0 to {MOST_GAMMA:,.0f}, such as 3, got {text!r}.",
            hint="A range is what `train` is given; a PGN is used at a value of it.",
        ) from None
    return value
