"""Data sets: image folders and named sets as uint8 RGB squares in train, val and test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgn_studio.core import choices
from pgn_studio.core.plugins import Registry

if TYPE_CHECKING:
    from pgn_studio.core.data.base import DataSource

DATASETS: Registry[DataSource] = choices.DATASETS


def dataset_title(name: str) -> str:
    """As people read it. A plug-in is not imported to be listed: its name must do, as a folder's."""
    return (DATASETS.load(name).title if name in DATASETS.built_in else "") or name
