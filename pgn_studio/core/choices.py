"""What settings choose by name. Listing the names imports nothing of what they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pgn_studio.core.plugins import Registry

_DISCRIMINATORS = "pgn_studio.core.perturbation.discriminators"


class DiscriminatorChoice(NamedTuple):
    """A kind of D, as settings and forms know it."""

    made_by: str  # "module:function" that takes a DiscriminatorPlan
    needs: Literal["features", "architecture", "labels"]  # of the classifier: what defaults go by
    title: str  # in forms
    summary: str  # in help texts
    own_backbone: bool = False  # which network it looks through, discriminator_backbone says


DISCRIMINATORS: Mapping[str, DiscriminatorChoice] = {
    "shared": DiscriminatorChoice(
        f"{_DISCRIMINATORS}.shared:SharedDiscriminator.build",
        "features",
        "Shared with the classifier",
        "the discriminator reuses the classifier's features",
    ),
    "known": DiscriminatorChoice(
        "pgn_studio.core.training.backbones:build_with_backbone",
        "architecture",
        "Known architecture",
        "its architecture with other weights",
        own_backbone=True,
    ),
    "blackbox": DiscriminatorChoice(
        "pgn_studio.core.training.backbones:build_with_backbone",
        "labels",
        "Black box (labels only)",
        "another network; the classifier is asked for labels only",
        own_backbone=True,
    ),
}

DATASETS: Registry[Any] = Registry(
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
