"""Registries: named classes, the built-in ones beside those that other packages add by entry points."""

from __future__ import annotations

import difflib
import inspect
import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from pgn_studio.core.errors import Canceled, ConfigError, PgnStudioError

log = logging.getLogger(__name__)

PREFIX = "pgn_studio."  # of the groups of entry points: pgn_studio.baselines, …

T = TypeVar("T")


class PluginError(PgnStudioError):
    """An installed plug-in cannot be used."""


@dataclass(frozen=True)
class Plugin:
    """An installed plug-in, as `doctor` and Help, About tell of it."""

    group: str  # "baselines"
    name: str
    source: str  # "package:Class (distribution)"
    reason: str = ""  # why it cannot be used

    def __str__(self) -> str:
        return f"{self.group}: {self.name} from {self.source} cannot be used: {self.reason}"


class Registry(Generic[T]):
    """Classes by name. Names are known without importing anything; a class is imported when it is used.

    `builtins` and `base`, which every class must be a subclass of, are given as "module:Class".
    Plug-ins are the entry points of the group "pgn_studio.{group}"; one that cannot be used is found by
    `problems` and disturbs no other. Built-in names win.
    """

    def __init__(self, group: str, base: str, builtins: Mapping[str, str], *, noun: str = "") -> None:
        self.group = group
        self.noun = noun or group.removesuffix("s")  # "baseline", for messages
        self._base = base
        self._builtins = {name: EntryPoint(name, value, group) for name, value in builtins.items()}
        self._found: dict[EntryPoint, type[T] | Plugin] = {}

    def names(self) -> tuple[str, ...]:
        """The built-in names in their order, then those of plug-ins."""
        return (*self._builtins, *sorted(self._plugins()))

    @property
    def built_in(self) -> tuple[str, ...]:
        return tuple(self._builtins)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self._builtins or name in self._plugins()

    def load(self, name: str) -> type[T]:
        """The class of this name. Raises ConfigError for an unknown one, PluginError for a broken plug-in."""
        point = self._builtins.get(name) or self._plugins().get(name)
        if point is None:
            close = difflib.get_close_matches(name, self.names(), n=1)
            meant = f"Did you mean {close[0]}? " if close else ""
            raise ConfigError(
                f"Unknown {self.noun} {name!r}.", hint=f"{meant}Choose one of: {', '.join(self)}."
            )
        found = self._loaded(point)
        if isinstance(found, Plugin):
            raise PluginError(
                f"The plug-in {name} ({found.source}) cannot be used: {found.reason}.",
                hint="Update or uninstall the package that it comes from.",
            )
        return found

    def available(self) -> dict[str, type[T]]:
        """Every class that can be used, in the order of `names`; imports them all."""
        classes: dict[str, type[T]] = {}
        for name in self:
            found = self._loaded(self._builtins.get(name) or self._plugins()[name])
            if not isinstance(found, Plugin):
                classes[name] = found
        return classes

    def plugins(self) -> list[Plugin]:
        """All that are installed; imports them. One that cannot be used has a reason."""
        taken = self._plugins()
        found = []
        for point in installed(self.group):
            reason = ""
            if point.name in self._builtins:
                reason = f"the name {point.name} is built in"
            elif taken[point.name] != point:
                reason = f"{_source(taken[point.name])} has the same name"
            elif isinstance(loaded := self._loaded(point), Plugin):
                reason = loaded.reason
            found.append(Plugin(self.group, point.name, _source(point), reason))
        return found

    def problems(self) -> list[Plugin]:
        """Of `plugins` those that cannot be used."""
        return [plugin for plugin in self.plugins() if plugin.reason]

    @contextmanager
    def blaming(self, name: str) -> Iterator[None]:
        """Calls to the class of this name: whatever a plug-in raises becomes a PluginError.

        The errors of this package and Canceled pass through; so does all that another class raises.
        """
        try:
            yield
        except (PgnStudioError, Canceled):
            raise
        except Exception as error:
            if name not in self._plugins():
                raise
            raise PluginError(
                f"The {self.noun} {name}, a plug-in, failed: {type(error).__name__}: {error}.",
                hint="Update or uninstall the package that it comes from.",
                details="".join(traceback.format_exception(error)),
            ) from error

    def _plugins(self) -> dict[str, EntryPoint]:
        """Of several with one name the first."""
        plugins: dict[str, EntryPoint] = {}
        for point in installed(self.group):
            if point.name not in self._builtins:
                plugins.setdefault(point.name, point)
        return plugins

    def _loaded(self, point: EntryPoint) -> type[T] | Plugin:
        if point not in self._found:
            self._found[point] = self._import(point)
        return self._found[point]

    def _import(self, point: EntryPoint) -> type[T] | Plugin:
        if point.name in self._builtins:
            found: type[T] = point.load()
            return found
        try:
            loaded = point.load()
        except (Exception, SystemExit) as error:  # another's code may raise anything
            log.warning("plug-in %s of %s", point.name, self.group, exc_info=True)
            return self._problem(point, f"{type(error).__name__}: {error}")
        if reason := self._unfit(loaded):
            log.warning("plug-in %s of %s: %s", point.name, self.group, reason)
            return self._problem(point, reason)
        plugin: type[T] = loaded
        return plugin

    def _unfit(self, loaded: Any) -> str:
        base = EntryPoint("base", self._base, self.group).load()
        if not (isinstance(loaded, type) and issubclass(loaded, base)):
            return f"it is no subclass of pgn_studio.plugins.{base.__name__}"
        if inspect.isabstract(loaded):
            missing = ", ".join(sorted(getattr(loaded, "__abstractmethods__", ())))
            return f"it does not define {missing}"
        return ""

    def _problem(self, point: EntryPoint, reason: str) -> Plugin:
        return Plugin(self.group, point.name, _source(point), reason)


def installed(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of other packages in the group, nothing imported."""
    return _installed().get(group, ())


@cache
def _installed() -> Mapping[str, tuple[EntryPoint, ...]]:
    """The entry points of other packages by group, each group in the order of names and sources."""
    try:
        every = entry_points()
        groups = [group for group in every.groups if group.startswith(PREFIX)]
        return {
            group.removeprefix(PREFIX): tuple(
                sorted(every.select(group=group), key=lambda point: (point.name, point.value))
            )
            for group in groups
        }
    except Exception:  # a damaged dist-info of any package
        log.warning("entry points cannot be read; no plug-ins", exc_info=True)
        return {}


def _source(point: EntryPoint) -> str:
    """As "package:Class (distribution)"."""
    distribution = getattr(point, "dist", None)
    return point.value if distribution is None else f"{point.value} ({distribution.metadata['Name']})"
