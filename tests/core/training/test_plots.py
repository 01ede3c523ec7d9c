"""What is drawn of a run: each plot's columns are there in its events."""

from __future__ import annotations

from dataclasses import fields

from pgn_studio.core.training.events import EpochCompleted, StepCompleted
from pgn_studio.core.training.plots import CURVES, PLOTS


def test_each_column_is_one_of_the_events() -> None:
    assert {curve.column for curve in CURVES} <= {item.name for item in fields(StepCompleted)}
    validated = {curve.epoch_column for curve in CURVES if curve.epoch_column}
    assert validated <= {item.name for item in fields(EpochCompleted)}


def test_plots_are_told_apart() -> None:
    assert len({plot.name for plot in PLOTS}) == len(PLOTS)
    for plot in PLOTS:
        assert plot.title
        assert len({curve.unit == "plain" for curve in plot.curves}) == 1  # one axis
