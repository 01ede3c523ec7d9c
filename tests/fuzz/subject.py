"""What a kind of file that a user can open is to the corpus, and what its kinds share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutation import damaged_safetensors

CLASSES = tuple("ab")
SIZE = 8
Maker = Callable[[Random, Path], Path]
Opener = Callable[[Path], object]


@dataclass(frozen=True)
class Subject:
    """`make(random, folder)` writes one case and returns what is opened; `open` is the user's way to it."""

    name: str
    make: Maker
    open: Opener


class Mark:
    """Unpickled, it writes the file `path`: what no loader may let happen."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.path)!r}, 'w').write('code was run')",)


def link(path: Path, target: object) -> None:
    """A symbolic link, unless something is there already."""
    if not os.path.lexists(path):
        path.symlink_to(str(target))


def damaging_safetensors(good: bytes, *, entry: str) -> Maker:
    """Makes cases of a good file; `entry`: where its metadata hold ours."""

    def make(random: Random, folder: Path) -> Path:
        path = folder / f"{random.randrange(10**6)}.safetensors"
        path.write_bytes(damaged_safetensors(good, random, entry=entry))
        return path

    return make
