"""Which images of an evaluation, in which order: computed on arrays (100,000 rows in milliseconds).

Without torch: the window's gallery and the command line's options choose with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pgn_studio.core.errors import ConfigError

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


class Versus(Enum):
    """What became of an image under this PGN and under another one; the values are the command's words."""

    FIXED_HERE = "fixed-here-only"
    FIXED_THERE = "fixed-there-only"
    BROKEN_HERE = "broken-here-only"
    BROKEN_THERE = "broken-there-only"
    DIFFERENT = "different"

    @property
    def title(self) -> str:
        return _VERSUS_TITLES[self]


_VERSUS_TITLES = {
    Versus.FIXED_HERE: "Fixed by this PGN only",
    Versus.FIXED_THERE: "Fixed by the other only",
    Versus.BROKEN_HERE: "Broken by this PGN only",
    Versus.BROKEN_THERE: "Broken by the other only",
    Versus.DIFFERENT: "Predictions differ",
}


class SortKey(Enum):
    """What images can be ordered by; the values are the command line's words."""

    FILE = "file"
    NAME = "name"
    TRUE = "class"
    BEFORE = "before"
    AFTER = "after"
    CONFIDENCE_BEFORE = "confidence-before"
    CONFIDENCE_AFTER = "confidence-after"
    CONFIDENCE_GAIN = "gain"
    MARGIN_BEFORE = "margin-before"
    MARGIN_AFTER = "margin-after"
    L2 = "l2"
    RMS = "rms"
    LINF = "linf"

    @property
    def title(self) -> str:
        return _TITLES[self]


_TITLES = {
    SortKey.FILE: "File order",
    SortKey.NAME: "File name",
    SortKey.TRUE: "True class",
    SortKey.BEFORE: "Class before",
    SortKey.AFTER: "Class after",
    SortKey.CONFIDENCE_BEFORE: "Confidence before",
    SortKey.CONFIDENCE_AFTER: "Confidence after",
    SortKey.CONFIDENCE_GAIN: "Confidence gain",
    SortKey.MARGIN_BEFORE: "Margin before",
    SortKey.MARGIN_AFTER: "Margin after",
    SortKey.L2: "L2 of perturbation",
    SortKey.RMS: "RMS per value",
    SortKey.LINF: "Largest |p|",
}
# Numbers that a range can be asked of.
MEASURES = tuple(key for key in SortKey if key not in (SortKey.FILE, SortKey.NAME, SortKey.TRUE,
                                                       SortKey.BEFORE, SortKey.AFTER))  # fmt: skip


@dataclass(frozen=True)
class Range:
    """Images whose `measure` is from `low` to `high`, both included; None is open."""

    measure: SortKey
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """As `parse_range` reads it."""
        low, high = ("" if end is None else f"{end:g}" for end in (self.low, self.high))
        return f"{self.measure.value}={low}..{high}"


def parse_range(text: str) -> Range:
    """`l2=0.5..2`, `margin-after=..0`, `confidence-before=0.9..`. Raises ConfigError."""
    name, _, ends = text.partition("=")
    names = [measure.value for measure in MEASURES]
    low, dots, high = ends.partition("..")
    try:
        if name not in names or not dots:
            raise ValueError
        values = [float(end) if end.strip() else None for end in (low, high)]
        if any(value is not None and math.isnan(value) for value in values):
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"Expected a range as MEASURE=LOW..HIGH, got {text!r}.",
            hint=f"For example l2=0.5..2 or margin-after=..0; the measures are {', '.join(names)}.",
        ) from None
    return Range(SortKey(name), *values)


@dataclass(frozen=True)
class Selection:
    """Filters and order. None means any; `text` is looked for in the file name, any case."""

    outcome: Outcome | None = None
    label: int | None = None
    before: int | None = None  # predicted class of the clean image
    after: int | None = None  # of the perturbed image
    text: str = ""
    ranges: tuple[Range, ...] = ()
    versus: Versus | None = None  # needs what another PGN made of the images
    sort: SortKey = SortKey.FILE
    descending: bool = False

    @property
    def narrows(self) -> bool:
        """Whether anything but the outcome limits what is chosen."""
        classes = (self.label, self.before, self.after)
        limits = bool(self.text) or bool(self.ranges) or self.versus is not None
        return limits or any(value is not None for value in classes)


@dataclass(frozen=True)
class Selected:
    indices: Indices  # image indices in the split, in order
    counts: dict[Outcome | None, int]  # per outcome under the other filters; None: all of them


def select(
    per_image: PerImage, names: Sequence[str], selection: Selection, other: PerImage | None = None
) -> Selected:
    """Filter and sort; images that tie keep their file order in both directions.

    `other`: the same images under another PGN; without it `selection.versus` limits nothing.
    """
    mask = _narrowed(per_image, names, selection)
    if selection.versus is not None and other is not None:
        mask &= _mask_of_versus(selection.versus, per_image, other)
    before = per_image.clean_prediction == per_image.labels
    after = per_image.perturbed_prediction == per_image.labels
    counts: dict[Outcome | None, int] = {None: int(mask.sum())}
    for outcome in Outcome:
        counts[outcome] = int((mask & _mask_of_outcome(outcome, before, after)).sum())
    if selection.outcome is not None:
        mask &= _mask_of_outcome(selection.outcome, before, after)
    return Selected(_sorted(np.flatnonzero(mask), per_image, names, selection), counts)


def first_of_each_class(labels: npt.NDArray[np.int64], indices: Indices, count: int) -> Indices:
    """Of `indices`, in their order, the first `count` of each true class; classes in their own order."""
    own = labels[indices]
    chosen = [indices[own == label][:count] for label in np.unique(own)]
    return np.concatenate(chosen) if chosen else indices[:0]


def _narrowed(per_image: PerImage, names: Sequence[str], selection: Selection) -> Mask:
    mask = np.ones(len(per_image.labels), dtype=bool)
    if selection.label is not None:
        mask &= per_image.labels == selection.label
    if selection.before is not None:
        mask &= per_image.clean_prediction == selection.before
    if selection.after is not None:
        mask &= per_image.perturbed_prediction == selection.after
    for item in selection.ranges:
        values = values_of(per_image, item.measure)
        if item.low is not None:
            mask &= values >= item.low  # false for NaN: an unknown confidence is in no range
        if item.high is not None:
            mask &= values <= item.high
    if needle := selection.text.strip().casefold():
        for index in np.flatnonzero(mask).tolist():
            mask[index] = needle in names[index].casefold()
    return mask


def _mask_of_outcome(outcome: Outcome, before: Mask, after: Mask) -> Mask:
    return np.asarray((before == outcome.right_before) & (after == outcome.right_after), dtype=bool)


def _mask_of_versus(versus: Versus, here: PerImage, there: PerImage) -> Mask:
    if versus is Versus.DIFFERENT:
        return np.asarray(here.perturbed_prediction != there.perturbed_prediction, dtype=bool)
    before = here.clean_prediction == here.labels
    after = here.perturbed_prediction == here.labels
    other = there.perturbed_prediction == here.labels
    return np.asarray(
        {
            Versus.FIXED_HERE: ~before & after & ~other,
            Versus.FIXED_THERE: ~before & ~after & other,
            Versus.BROKEN_HERE: before & ~after & other,
            Versus.BROKEN_THERE: before & after & ~other,
        }[versus],
        dtype=bool,
    )


def _sorted(indices: Indices, per_image: PerImage, names: Sequence[str], selection: Selection) -> Indices:
    if selection.sort is SortKey.FILE:
        return indices[::-1].copy() if selection.descending else indices
    if selection.sort is SortKey.NAME:
        order = sorted(indices.tolist(), key=names.__getitem__, reverse=selection.descending)
        return np.asarray(order, dtype=np.int64)
    values = values_of(per_image, selection.sort)[indices]
    order_of = np.argsort(-values if selection.descending else values, kind="stable")
    return np.asarray(indices[order_of], dtype=np.int64)


def values_of(per_image: PerImage, key: SortKey) -> npt.NDArray[np.float64]:
    """The number (N,) that `key` stands for (all but NAME); the gain is that of the true class."""
    if key is SortKey.CONFIDENCE_GAIN:
        gain = per_image.perturbed_true_probability - per_image.clean_true_probability
        return np.asarray(gain, dtype=np.float64)
    if key is SortKey.FILE:
        return np.arange(len(per_image.labels), dtype=np.float64)
    return np.asarray(getattr(per_image, _COLUMNS[key]), dtype=np.float64)


_COLUMNS = {
    SortKey.TRUE: "labels",
    SortKey.BEFORE: "clean_prediction",
    SortKey.AFTER: "perturbed_prediction",
    SortKey.CONFIDENCE_BEFORE: "clean_confidence",
    SortKey.CONFIDENCE_AFTER: "perturbed_confidence",
    SortKey.MARGIN_BEFORE: "clean_margin",
    SortKey.MARGIN_AFTER: "perturbed_margin",
    SortKey.L2: "l2",
    SortKey.RMS: "rms",
    SortKey.LINF: "linf",
}
