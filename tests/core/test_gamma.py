from __future__ import annotations

import pytest

from pgn_studio.core.gamma import GammaRange


@pytest.mark.parametrize("ends", [(0.3, 30.0), (0.123, 4.56), (1e-4, 1e-3)])
def test_the_middle_is_among_the_spaced(ends: tuple[float, float]) -> None:
    """So that it is measured once."""
    gammas = GammaRange(*ends)
    for count in (3, 5, 13):
        spaced = gammas.spaced(count)
        assert gammas.middle in spaced
        assert (spaced[0], spaced[-1], len(spaced)) == (*ends, count)
        assert list(spaced) == sorted(spaced)
        ratios = [high / low for low, high in zip(spaced, spaced[1:], strict=False)]
        assert max(ratios) / min(ratios) < 1.02


def test_two_are_the_ends() -> None:
    assert GammaRange(0.3, 30.0).spaced(2) == (0.3, 30.0)
