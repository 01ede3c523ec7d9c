"""Registries: built-ins and plug-ins by name, imported when used; the broken ones disturb no other."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgn_studio.core import plugins
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.plugins import PluginError, Registry
from tests.installed import installed

GROUP = "pgn_studio.shapes"
BASE = "tests.core.test_plugins:Shape"


class Shape(ABC):
    @abstractmethod
    def sides(self) -> int: ...


class Square(Shape):
    def sides(self) -> int:
        return 4


def registry(**builtins: str) -> Registry[Shape]:
    return Registry("shapes", BASE, builtins or {"square": "tests.core.test_plugins:Square"})


TRIANGLE = """
from tests.core.test_plugins import Shape
class Triangle(Shape):
    def sides(self):
        return 3
class Half(Shape):
    pass
class Stranger:
    pass
"""


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No plug-ins but those in tmp_path, read anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins._installed.cache_clear()
    yield
    plugins._installed.cache_clear()
    for name in ("plugin_shapes", "plugin_broken"):
        sys.modules.pop(name, None)


def test_a_plugin_is_listed_without_being_imported_and_imported_when_used(tmp_path: Path) -> None:
    points = {GROUP: {"triangle": "plugin_shapes:Triangle"}}
    installed(tmp_path, "more_shapes", {"plugin_shapes": TRIANGLE}, points)
    shapes = registry()
    assert shapes.names() == ("square", "triangle")
    assert "triangle" in shapes
    assert "plugin_shapes" not in sys.modules
    assert shapes.load("triangle")().sides() == 3
    assert list(shapes.available()) == ["square", "triangle"]
    assert shapes.problems() == []


def test_builtins_are_not_imported_either() -> None:
    assert registry(ghost="no_such_module:Ghost").names() == ("ghost",)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        registry().load("sqare")
    assert "shape" in caught.value.message
    assert "square" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("plugin_broken:Any", "boom"),
        ("plugin_exits:Any", "SystemExit"),
        ("not_there:Any", "not_there"),
        ("plugin_shapes:Missing", "Missing"),
        ("plugin_shapes:Stranger", "Shape"),
        ("plugin_shapes:Half", "sides"),
    ],
)
def test_one_that_cannot_be_used_is_reported_and_disturbs_no_other(
    tmp_path: Path, value: str, reason: str
) -> None:
    modules = {
        "plugin_shapes": TRIANGLE,
        "plugin_broken": "raise ValueError('boom')",
        "plugin_exits": "raise SystemExit(3)",
    }
    installed(tmp_path, "faulty", modules, {GROUP: {"odd": value, "triangle": "plugin_shapes:Triangle"}})
    shapes = registry()
    assert list(shapes.available()) == ["square", "triangle"]
    (problem,) = shapes.problems()
    assert (problem.name, problem.group) == ("odd", "shapes")
    assert "faulty" in problem.source
    assert reason in problem.reason
    with pytest.raises(PluginError, match="odd"):
        shapes.load("odd")


def test_builtin_names_win_and_so_does_the_first_of_two_plugins(tmp_path: Path) -> None:
    points = {GROUP: {"square": "plugin_shapes:Triangle", "triangle": "plugin_shapes:Triangle"}}
    installed(tmp_path, "first", {"plugin_shapes": TRIANGLE}, points)
    installed(tmp_path, "second", {}, {GROUP: {"triangle": "plugin_shapes:Half"}})
    shapes = registry()
    assert shapes.load("square") is Square
    assert shapes.names() == ("square", "triangle")
    assert {problem.name for problem in shapes.problems()} == {"square", "triangle"}


def test_entry_points_that_cannot_be_read_mean_no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged() -> None:
        raise TypeError("a dist-info without a name")

    monkeypatch.setattr(plugins, "entry_points", damaged)
    assert registry().names() == ("square",)
