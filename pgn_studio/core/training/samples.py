"""Which validation images the preview shows: chosen ones, and others by a rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

SampleRule = Literal["mixed", "wrong", "any"]
MOST = 8


@dataclass(frozen=True)
class SampleChoice:
    """A wish, which fits any validation split."""

    rule: SampleRule = "mixed"  # half of them images that f gets wrong, only such, or any
    draw: int = 0  # 0: the first ones of the split; every other number draws others
    pinned: tuple[int, ...] = ()  # shown first, whatever the rule

    def pick(self, right: npt.NDArray[np.bool_], *, count: int = MOST) -> list[int]:
        """`count` images, of which f gets those right that are marked; fewer where the split is smaller."""
        kept = [index for index in dict.fromkeys(self.pinned) if 0 <= index < len(right)][:count]
        order = np.arange(len(right))
        if self.draw:
            order = np.random.default_rng(self.draw).permutation(len(right))
        others = order[~np.isin(order, kept)]
        wrong, correct = others[~right[others]], others[right[others]]
        free = count - len(kept)
        if self.rule == "any":
            chosen = others[:free]
        elif self.rule == "wrong":
            chosen = np.concatenate([wrong, correct])[:free]
        else:
            taken = wrong[: max(free // 2, free - len(correct))]
            chosen = np.concatenate([taken, correct[: free - len(taken)]])
        return [*kept, *sorted(chosen.tolist())]
