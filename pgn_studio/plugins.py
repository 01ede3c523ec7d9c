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
from pgn_studio.core.plugins import Plugin, PluginError, Registry

__all__ = ["Baseline", "Plugin", "PluginError", "plugins"]


def _registries() -> Iterator[Registry[Any]]:
    yield BASELINES


def plugins() -> list[Plugin]:
    """Every installed plug-in; imports them all. One that cannot be used has a `reason`, and is left out."""
    return [plugin for registry in _registries() for plugin in registry.plugins()]
