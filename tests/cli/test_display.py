"""Whether a window can be shown is found out without starting Qt."""

from __future__ import annotations

import sys

import pytest

from pgn_studio.cli.display import find_display

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@linux
def test_no_display_server() -> None:
    display = find_display()
    assert not display.visible
    assert not display.usable
    assert "DISPLAY" in display.reason


@linux
def test_offscreen_is_usable_but_nobody_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    display = find_display()
    assert display.usable
    assert not display.visible


@linux
def test_a_display_that_does_not_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    display = find_display()
    assert not display.usable
    assert display.reason  # the plugin's missing library, or the server's silence


@linux
def test_a_wayland_name_without_a_server(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-9")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert not find_display().usable


def test_without_pyside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "PySide6" in find_display().reason
