"""Packages as an installer leaves them: modules and a dist-info with entry points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def installed(
    folder: Path, name: str, modules: Mapping[str, str], points: Mapping[str, Mapping[str, str]]
) -> Path:
    """`folder` with the distribution `name`: source by module, and entry points by group."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = []
    for group, named in points.items():
        lines += [f"[{group}]", *(f"{point} = {value}" for point, value in named.items())]
    info.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n")
    for module, source in modules.items():
        folder.joinpath(f"{module}.py").write_text(source)
    return folder
