"""What it takes to ask a black box, beside its name: limits, secrets and trust."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from typing_extensions import Self

from pgn_studio.core.advice import Advice, Argument
from pgn_studio.core.errors import ConfigError

TIMEOUT_S = 30.0
_TRUST_HINT = Advice("It runs only with {}.", Argument("trust_code", True))


@dataclass(frozen=True)
class Access:
    """`headers` and `trust_code` are never written down: they are given again each time."""

    budget: int | None = None  # images that may be asked about
    per_second: float | None = None  # images a second, at most
    timeout_s: float = TIMEOUT_S  # for one answer
    classes: tuple[str, ...] | None = None  # in the black box's own order, where it is another
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    trust_code: bool = False

    def __post_init__(self) -> None:
        if self.budget is not None and self.budget < 1:
            raise _refused("query_budget", "at least 1", self.budget)
        if self.per_second is not None and not 0 < self.per_second < math.inf:
            raise _refused("queries_per_second", "a number above 0", f"{self.per_second:g}")
        if not 0 < self.timeout_s <= 3600:
            raise _refused("query_timeout", "0 to 3600 seconds", f"{self.timeout_s:g}")
        names = self.classes
        if names is not None and (len(names) < 2 or len(set(names)) < len(names)):
            twice = next((name for name in names if names.count(name) > 1), None)
            came = f"{twice!r} more than once" if twice is not None else f"{len(names)}: {''.join(names)!r}"
            raise _refused("classes", "at least two names, each once", came)

    @classmethod
    def recorded(cls, value: Any) -> Self:
        """As `to_json` wrote it; what is missing or of another kind is left at its default."""
        if not isinstance(value, Mapping):
            return cls()
        given: dict[str, Any] = {
            name: value[name]
            for name, kinds in (("budget", int), ("per_second", (int, float)), ("timeout_s", (int, float)))
            if isinstance(value.get(name), kinds)
        }
        if isinstance(value.get("classes"), list):
            given["classes"] = tuple(str(name) for name in value["classes"])
        return cls(**given)

    def to_json(self) -> dict[str, Any]:
        """Without secrets; of the headers the names alone, so that a person knows what to give again."""
        return {
            "budget": self.budget,
            "per_second": self.per_second,
            "timeout_s": self.timeout_s,
            "classes": self.classes,
            "header_names": [name for name, _ in self.headers],
        }

    def over(self, recorded: Access) -> Access:
        """What is given here, and for the rest what was recorded."""
        default = Access()
        changes = {
            name: getattr(self, name)
            for name in ("budget", "per_second", "timeout_s", "classes", "headers", "trust_code")
            if getattr(self, name) != getattr(default, name)
        }
        return replace(recorded, **changes)

    def require_trust(self, what: str) -> None:
        """Raise ConfigError unless the user has said that this code may run."""
        if not self.trust_code:
            raise ConfigError(f"{what} is code, which would run with all your rights.", hint=_TRUST_HINT)


def parse_headers(lines: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """From "Name: value" lines. Raises ConfigError, which never repeats a value: it may be a secret."""
    headers = []
    for number, line in enumerate(lines, start=1):
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        if not colon or not plain or not value or not value.isprintable() or not value.isascii():
            raise ConfigError(
                Advice("{} number {}: expected 'Name: value' in plain letters.", Argument("header"), number),
                hint=Advice("For example {}.", Argument("header", "Authorization: Bearer $TOKEN")),
            )
        headers.append((name, value))
    return tuple(headers)


def _refused(argument: str, expected: str, came: object) -> ConfigError:
    return ConfigError(Advice("{}: expected {}, got {}.", Argument(argument), expected, came))
