"""Baselines: other ways to perturb, or to do without, measured in the PGN's harness at its strength.

Importing this package imports no torch. One baseline is one file with a subclass of `base.Baseline`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pgn_studio.core.legacy import BASELINE_NAMES
from pgn_studio.core.plugins import Registry

if TYPE_CHECKING:
    from pgn_studio.core.baselines.base import Baseline

# In the order of tables.
BASELINES: Registry[Baseline] = Registry(
    "baselines",
    "pgn_studio.core.baselines.base:Baseline",
    {
        "random-sign": "pgn_studio.core.baselines.random_sign:RandomSign",
        "fgsm": "pgn_studio.core.baselines.fgsm:Fgsm",
        "uap": "pgn_studio.core.baselines.universal:Universal",
        "white-box": "pgn_studio.core.baselines.white_box:WhiteBox",
        "fgsm-oracle": "pgn_studio.core.baselines.fgsm:FgsmOracle",
        "pgd-oracle": "pgn_studio.core.baselines.pgd:PgdOracle",
        "fine-tune": "pgn_studio.core.baselines.fine_tune:FineTune",
    },
)

DEFAULT_BASELINES = ("random-sign", "fgsm")  # in a comparison of one image: they cost next to nothing


def baseline_name(name: str) -> str:
    """The name of today for an old one; any other stays."""
    return name if name in BASELINES else BASELINE_NAMES.get(name, name)


def baseline_names(names: Sequence[str]) -> tuple[str, ...]:
    """As `baseline_name`, each once."""
    return tuple(dict.fromkeys(map(baseline_name, names)))
