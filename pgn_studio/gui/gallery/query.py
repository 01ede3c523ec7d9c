"""What the gallery shows: filter and order, computed on arrays (100,000 rows in milliseconds)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import PerImage

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Outcome(Enum):
    """What became of an image: was it right before, is it right after."""

    FIXED = "fixed"
    BROKEN = "broken"
    BOTH_RIGHT = "both right"
    BOTH_WRONG = "both wrong"

    @property
    def right_before(self) -> bool:
        return self in (Outcome.BROKEN, Outcome.BOTH_RIGHT)

    @property
    def right_after(self) -> bool:
        return self in (Outcome.FIXED, Outcome.BOTH_RIGHT)

    @classmethod
    def of(cls, *, before: bool, after: bool) -> Outcome:
        if after:
            return cls.BOTH_RIGHT if before else cls.FIXED
        return cls.BROKEN if before else cls.BOTH_WRONG


class SortKey(Enum):
    FILE = "File order"
    CONFIDENCE_GAIN = "Confidence gain"
    PERTURBED_CONFIDENCE = "Perturbed confidence"
    L2 = "L2 of perturbation"


@dataclass(frozen=True)
class GalleryQuery:
    """`outcome` and `label` of None mean all; `text` is looked for in the file name, any case."""

    outcome: Outcome | None = None
    label: int | None = None
    text: str = ""
    sort: SortKey = SortKey.FILE
    descending: bool = False

    @property
    def narrows(self) -> bool:
        """Whether anything but the outcome limits what is shown."""
        return self.label is not None or bool(self.text)


@dataclass(frozen=True)
class QueryResult:
    indices: Indices  # image indices in the split, in the order to show them
    counts: dict[Outcome | None, int]  # per outcome under the other filters; None: all of them


def run_query(per_image: PerImage, names: Sequence[str], query: GalleryQuery) -> QueryResult:
    """Filter and sort; images that tie keep their file order in both directions."""
    mask = _mask_of_class_and_text(per_image, names, query)
    before = per_image.clean_prediction == per_image.labels
    after = per_image.perturbed_prediction == per_image.labels
    counts: dict[Outcome | None, int] = {None: int(mask.sum())}
    for outcome in Outcome:
        counts[outcome] = int((mask & _mask_of_outcome(outcome, before, after)).sum())
    if query.outcome is not None:
        mask &= _mask_of_outcome(query.outcome, before, after)
    indices = np.flatnonzero(mask)
    return QueryResult(_sorted(indices, per_image, query), counts)


def _mask_of_class_and_text(per_image: PerImage, names: Sequence[str], query: GalleryQuery) -> Mask:
    mask = np.ones(len(per_image.labels), dtype=bool)
    if query.label is not None:
        mask &= per_image.labels == query.label
    if needle := query.text.strip().casefold():
        for index in np.flatnonzero(mask).tolist():
            mask[index] = needle in names[index].casefold()
    return mask


def _mask_of_outcome(outcome: Outcome, before: Mask, after: Mask) -> Mask:
    return np.asarray((before == outcome.right_before) & (after == outcome.right_after), dtype=bool)


def _sorted(indices: Indices, per_image: PerImage, query: GalleryQuery) -> Indices:
    if query.sort is SortKey.FILE:
        return indices[::-1].copy() if query.descending else indices
    values = sort_values(per_image, query.sort)[indices]
    order = np.argsort(-values if query.descending else values, kind="stable")
    return np.asarray(indices[order], dtype=np.int64)


def sort_values(per_image: PerImage, key: SortKey) -> npt.NDArray[np.float64]:
    """The number (N,) that `key` sorts by; the confidence gain is that of the true class."""
    values: npt.ArrayLike
    if key is SortKey.CONFIDENCE_GAIN:
        values = per_image.perturbed_true_probability - per_image.clean_true_probability
    elif key is SortKey.PERTURBED_CONFIDENCE:
        values = per_image.perturbed_confidence
    elif key is SortKey.L2:
        values = per_image.l2
    else:
        values = np.arange(len(per_image.labels))
    return np.asarray(values, dtype=np.float64)
