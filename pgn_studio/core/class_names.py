"""What names of classes say: which are one however written, and whether a mirrored image keeps its class."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MIRRORING_UNKNOWN = (
    "Half of the training images are mirrored; nothing says whether these then keep their class."
)
MIRRORING_CHANGES_CLASS = (
    "The classes look like digits, letters, or left and right: training mirrors images only if you choose it."
)
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_BESIDE = (  # words that stand beside a digit or letter: "digit 3", "upper_a"
    "digit", "number", "letter", "char", "character", "upper", "uppercase", "lower", "lowercase", "capital",
)  # fmt: skip
_SIDES = (
    ("left", "right"), ("west", "east"), ("anticlockwise", "clockwise"), ("counterclockwise", "clockwise"),
    ("links", "rechts"), ("gauche", "droite"), ("izquierda", "derecha"), ("sinistra", "destra"),
)  # fmt: skip


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def same_class(one: str, other: str) -> bool:
    r"""Whether both are one name. Bytes that are no text are \xff; in old files they were replaced."""
    one, other = composed(one), composed(other)
    if one == other:
        return True
    return ("\ufffd" in one or "\ufffd" in other) and _replaced(one) == _replaced(other)


def same_classes(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether both are the same classes in the same order."""
    return len(names) == len(others) and all(map(same_class, names, others))


def _replaced(name: str) -> str:
    return re.sub(r"(?:\\x[89a-f][0-9a-f]|\ufffd)+", "\ufffd", name)


def mirrorable(classes: Sequence[str]) -> bool | None:
    """What the names of the classes say: False for digits, letters and sides, None for all others."""
    names = {name.casefold() for name in classes}
    characters = sum(_is_character(name) for name in names)
    if 2 * characters > len(names) or _has_sides(names):
        return False
    return None


def _is_character(name: str) -> bool:
    """One letter of any script, one digit or a number's word, perhaps beside words of _BESIDE."""
    words = re.findall(r"[^\W\d_]+|\d+", name)
    said = [word for word in words if word not in _BESIDE]
    return bool(said) and all(len(word) == 1 or word in _NUMBERS for word in said)


def _has_sides(names: set[str]) -> bool:
    """Whether one class is called as another with the sides exchanged."""
    return any(one in name and name.replace(one, other) in names for one, other in _SIDES for name in names)
