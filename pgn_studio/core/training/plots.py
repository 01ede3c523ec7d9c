"""The plots of a run: which columns of its events are drawn, in the window and in the exported curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Curve:
    """A column of the steps and, where there is one, of the epochs (validation)."""

    label: str
    color: Literal["first", "second", "good", "bad"]
    column: str  # of StepCompleted
    epoch_column: str = ""  # of EpochCompleted
    unit: Literal["plain", "share", "count"] = "plain"  # shares and counts are drawn in percent
    smooth: bool = True


@dataclass(frozen=True)
class Plot:
    name: str
    title: str
    curves: tuple[Curve, ...]
    logarithmic: bool = False  # can be

    @property
    def in_percent(self) -> bool:
        return any(curve.unit != "plain" for curve in self.curves)

    @property
    def has_validation(self) -> bool:
        return any(curve.epoch_column for curve in self.curves)


PLOTS = (
    Plot(
        "losses",
        "Losses",
        (Curve("generator", "first", "loss_g"), Curve("discriminator", "second", "loss_d")),
        logarithmic=True,
    ),
    Plot("l2", "L2", (Curve("mean p²", "first", "l2", smooth=False),), logarithmic=True),
    Plot(
        "flips",
        "Fixed and broken, %",
        (
            Curve("fixed", "good", "fixed", "fixed", unit="count"),
            Curve("broken", "bad", "broken", "broken", unit="count"),
        ),
    ),
    Plot(
        "accuracy",
        "Accuracy, %",
        (
            Curve("clean", "first", "clean_accuracy", "clean_accuracy", unit="share"),
            Curve("perturbed", "second", "perturbed_accuracy", "perturbed_accuracy", unit="share"),
        ),
    ),
)
CURVES = tuple(curve for plot in PLOTS for curve in plot.curves)
