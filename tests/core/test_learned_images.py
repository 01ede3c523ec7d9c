"""What a network learned from travels as text, and comes back whole."""

from __future__ import annotations

import numpy as np
import pytest

from pgn_studio.core.learned_images import packed, unpacked


def test_hashes_come_back_sorted_and_once() -> None:
    hashes = np.array([2**48 - 1, 7, 0, 7, 2**40], dtype=np.uint64)
    text = packed(hashes)
    assert len(text) == 4 * 8
    assert unpacked(text).tolist() == [0, 7, 2**40, 2**48 - 1]  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", None, 3, "not base 64!", "YWJj"])
def test_what_says_nothing_is_not_known(text: object) -> None:
    assert unpacked(text) is None
