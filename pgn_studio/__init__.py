"""PGN Studio: small additive perturbations that raise or lower a frozen classifier's accuracy.

These names are the public API; torch is imported when the first of them is used. `pgn_studio.plugins` has
the bases of plug-ins.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Canceled",
    "LoadedPgn",
    "PgnStudioError",
    "Result",
    "Run",
    "evaluate",
    "load_classifier",
    "load_dataset",
    "load_pgn",
    "report",
    "train",
]

if TYPE_CHECKING:
    from pgn_studio.api import (
        LoadedPgn,
        Result,
        Run,
        evaluate,
        load_classifier,
        load_dataset,
        load_pgn,
        report,
        train,
    )
    from pgn_studio.core.errors import Canceled, PgnStudioError
else:

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if name == "plugins":
            return import_module("pgn_studio.plugins")
        if name in __all__:
            errors = name in ("Canceled", "PgnStudioError")
            return getattr(import_module("pgn_studio.core.errors" if errors else "pgn_studio.api"), name)
        raise AttributeError(f"module 'pgn_studio' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
