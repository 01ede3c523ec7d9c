"""What packages build on that add to PGN Studio, by entry points that name a class:

    [project.entry-points."pgn_studio.baselines"]
    zero = "package:Zero"

Importing this module imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pgn_studio.core.baselines import BASELINES
from pgn_studio.core.baselines.base import Baseline
from pgn_studio.core.data import DATASETS
from pgn_studio.core.data.arrays import ArrayPart, load_arrays
from pgn_studio.core.data.base import DataSource
from pgn_studio.core.encoder_base import ENCODERS, Encoder
from pgn_studio.core.plugins import Plugin, PluginError, Registry
from pgn_studio.core.trackers import TRACKERS, Tracker

__all__ = [
    "ArrayPart",
    "Baseline",
    "DataSource",
    "Encoder",
    "Plugin",
    "PluginError",
    "Tracker",
    "load_arrays",
    "plugins",
]


def _registries() -> Iterator[Registry[Any]]:
    yield BASELINES
    yield DATASETS
    yield ENCODERS
    yield TRACKERS


def plugins() -> list[Plugin]:
    """Every installed plug-in; imports them all. One that cannot be used has a `reason`, and is left out."""
    return [plugin for registry in _registries() for plugin in registry.plugins()]
