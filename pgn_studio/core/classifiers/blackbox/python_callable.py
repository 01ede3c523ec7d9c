"""A Python function as a classifier: code of the user's own, run only when it is trusted."""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from pgn_studio.core.classifiers.blackbox.access import Access
from pgn_studio.core.classifiers.blackbox.meter import QueryMeter
from pgn_studio.core.errors import BlackBoxError, ClassifierError
from pgn_studio.core.protocols import UInt8Images

_FORM = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_BATCH = 128


class CallableOracle:
    """`module:function`, given uint8 (B, S, S, 3) and returning labels (B,) or scores (B, K)."""

    def __init__(self, form: str, access: Access) -> None:
        """Import the module, from the current folder too. Raises ConfigError unless it is trusted."""
        if not _FORM.fullmatch(form):
            raise ClassifierError(
                f"Expected python:module:function, got python:{form}.",
                hint="For example python:my_model:predict, with my_model.py in the current folder.",
            )
        self.name = f"python:{form}"
        access.require_trust(self.name)
        self.largest_batch = _BATCH
        module, _, attributes = form.partition(":")
        self._function = self._found(module, attributes)

    def ask(self, images: UInt8Images, meter: QueryMeter) -> Any:
        meter.send(len(images))
        try:
            return np.asarray(self._function(images.copy()))  # its own, to change as it likes
        except (Exception, SystemExit) as error:  # the user's code fails in its own ways
            raise BlackBoxError(
                f"{self.name} failed: {type(error).__name__}: {error}",
                hint="The log holds its traceback.",
                details=traceback.format_exc(),
            ) from error

    def _found(self, module: str, attributes: str) -> Callable[[UInt8Images], Any]:
        here = os.getcwd()
        if here not in sys.path:  # as `python -m` does
            sys.path.insert(0, here)
        try:
            found: Any = importlib.import_module(module)
            for attribute in attributes.split("."):
                found = getattr(found, attribute)
        except (Exception, SystemExit) as error:  # importing runs code, which fails in its own ways
            raise ClassifierError(
                f"{self.name} cannot be imported: {type(error).__name__}: {error}",
                hint=f"Start from the folder that holds {module.partition('.')[0]}, or install it.",
                details=traceback.format_exc(),
            ) from error
        if not callable(found):
            raise ClassifierError(f"{self.name} is a {type(found).__name__}; expected a function.")
        return found  # type: ignore[no-any-return]
