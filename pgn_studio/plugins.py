"""The bases of plug-ins: classes that other packages add by entry points.

A package names its class in a group: `zero = "package:Zero"` in
`[project.entry-points."pgn_studio.baselines"]`. Importing this module imports no torch; `docs/examples` has
packages to start from.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pgn_studio.core.baselines import BASELINES
from pgn_studio.core.baselines.base import Baseline
from pgn_studio.core.data import DATASETS
from pgn_studio.core.data.arrays import ArrayPart, load_arrays
from pgn_studio.core.data.base import DataSource
from pgn_studio.core.encoder_base import ENCODERS, Encoder
from pgn_studio.core.export import EXPORTS
from pgn_studio.core.export.base import Export
from pgn_studio.core.plugins import Plugin, PluginError, Registry
from pgn_studio.core.trackers import TRACKERS, Tracker

if TYPE_CHECKING:
    from pgn_studio.core.baselines.context import BaselineContext
    from pgn_studio.core.classifiers.classifier import Classifier, ClassifierInfo
    from pgn_studio.core.classifiers.source import ClassifierRequest, ClassifierSource

__all__ = [
    "ArrayPart",
    "Baseline",
    "BaselineContext",
    "Classifier",
    "ClassifierInfo",
    "ClassifierRequest",
    "ClassifierSource",
    "DataSource",
    "Encoder",
    "Export",
    "Plugin",
    "PluginError",
    "Tracker",
    "load_arrays",
    "plugins",
]


_WITH_TORCH = {  # imported when they are asked for
    "BaselineContext": "baselines.context",
    "Classifier": "classifiers.classifier",
    "ClassifierInfo": "classifiers.classifier",
    "ClassifierRequest": "classifiers.source",
    "ClassifierSource": "classifiers.source",
}


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"pgn_studio.core.{_WITH_TORCH[name]}"), name)


def _registries() -> Iterator[Registry[Any]]:
    from pgn_studio.core.classifiers.source import CLASSIFIERS

    yield BASELINES
    yield DATASETS
    yield CLASSIFIERS
    yield ENCODERS
    yield EXPORTS
    yield TRACKERS


def plugins() -> list[Plugin]:
    """Every installed plug-in; imports them all. One that cannot be used has a `reason`; no list has it."""
    return [plugin for registry in _registries() for plugin in registry.plugins()]
