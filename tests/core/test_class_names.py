"""Names that people read alike, in other bytes."""

from __future__ import annotations

import unicodedata

import pytest

from pgn_studio.core.class_names import same_class, same_classes

NFC, NFD = (unicodedata.normalize(form, "Äpfel") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (NFC, NFD, True),
        ("caf\ufffd", r"caf\xe9", True),  # as an earlier version wrote it
        ("\ufffd\ufffd", r"\xff\xfe", True),
        (r"caf\xe9", r"caf\xe8", False),
        ("caf\ufffd", r"tea\xe9", False),
        ("Cat", "cat", False),
    ],
)
def test_same_class(one: str, other: str, same: bool) -> None:
    assert same_class(one, other) is same
    assert same_class(other, one) is same


def test_same_classes_are_in_the_same_order() -> None:
    assert same_classes((NFC, "b"), [NFD, "b"])
    assert not same_classes((NFC, "b"), ("b", NFD))
    assert not same_classes(("a", "b"), ("a", "b", "c"))
