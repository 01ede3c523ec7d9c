"""Data sets: image folders and named sets as uint8 RGB squares in train, val and test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgn_studio.core.plugins import Registry

if TYPE_CHECKING:
    from pgn_studio.core.data.base import DataSource

DATASETS: Registry[DataSource] = Registry(
    "datasets",
    "pgn_studio.core.data.base:DataSource",
    {
        "digits": "pgn_studio.core.data.named:Digits",
        "stl10": "pgn_studio.core.data.stl10:Stl10",
        "cifar10": "pgn_studio.core.data.named:Cifar10",
        "fashion-mnist": "pgn_studio.core.data.named:FashionMnist",
        "imagenette": "pgn_studio.core.data.named:Imagenette",
    },
    noun="data set",
)
