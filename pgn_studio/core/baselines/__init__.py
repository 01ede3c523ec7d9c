"""Baselines: other ways to perturb, or to do without, measured in the PGN's harness at its strength."""

from pgn_studio.core.baselines.catalog import BASELINES, make_baseline, names_for
from pgn_studio.core.baselines.context import Baseline, BaselineContext, BaselineKind, settings_in_force
from pgn_studio.core.baselines.measuring import measure_baseline

__all__ = [
    "BASELINES",
    "Baseline",
    "BaselineContext",
    "BaselineKind",
    "make_baseline",
    "measure_baseline",
    "names_for",
    "settings_in_force",
]
