"""Whether a window can be shown here, found out without starting Qt (which aborts when it cannot)."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

INVISIBLE = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")  # work without a display server


@dataclass(frozen=True)
class Display:
    """`visible`: a person will see the window; `usable`: Qt will start. `reason` says why not."""

    visible: bool
    usable: bool
    platform: str
    reason: str = ""


def find_display() -> Display:
    """Look for PySide6, the platform plugin with its libraries, and the display server."""
    plugins = _plugin_folder()
    if plugins is None:
        return Display(False, False, "none", "PySide6 is not installed")
    if not sys.platform.startswith("linux"):
        return Display(True, True, {"darwin": "cocoa", "win32": "windows"}.get(sys.platform, "native"))
    chosen = os.environ.get("QT_QPA_PLATFORM", "").split(";")[0].split(":")[0]
    if chosen in INVISIBLE:
        return Display(False, True, chosen, f"QT_QPA_PLATFORM is {chosen}")
    return _linux_display(plugins, chosen)


def _linux_display(plugins: Path, chosen: str) -> Display:
    reasons = []
    for platform, variable in (("wayland", "WAYLAND_DISPLAY"), ("xcb", "DISPLAY")):
        if (chosen and platform != chosen) or not os.environ.get(variable):
            continue
        reason = _plugin_problem(plugins / f"libq{platform}.so") or _server_problem(platform)
        if not reason:
            return Display(True, True, platform)
        reasons.append(reason)
    return Display(
        False, False, chosen or "none", "; ".join(reasons) or "neither DISPLAY nor WAYLAND_DISPLAY is set"
    )


def _plugin_folder() -> Path | None:
    spec = importlib.util.find_spec("PySide6")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "Qt" / "plugins" / "platforms"


def _plugin_problem(plugin: Path) -> str:
    """Loading the plugin resolves every system library that it needs; the error names what is missing."""
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        return f"Qt's plugin {plugin.stem} does not load: {error}"
    return ""


def _server_problem(platform: str) -> str:
    if platform == "wayland":
        socket = Path(os.environ.get("XDG_RUNTIME_DIR", "/run")) / os.environ["WAYLAND_DISPLAY"]
        return "" if socket.exists() else f"there is no Wayland server at {socket}"
    name = ctypes.util.find_library("xcb")
    if name is None:
        return "libxcb is not installed"
    xcb = ctypes.CDLL(name)
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return f"the X server {os.environ['DISPLAY']} does not answer" if refused else ""
