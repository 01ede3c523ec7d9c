"""Class names compared as people read them: é is one letter, however a disk or a program writes it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence


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
