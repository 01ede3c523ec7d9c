"""What a black box said, checked, in the order of the data set's classes."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.advice import Advice, Argument
from pgn_studio.core.class_names import composed
from pgn_studio.core.classifiers.outputs import log_probabilities
from pgn_studio.core.errors import BlackBoxError, ClassifierError
from pgn_studio.core.protocols import UInt8Images

_EXPECTED = "Expected a label (a number from 0, or a class's name) or a list of scores for each image."
Output = npt.NDArray[np.float32] | int  # scores (K,), or a label
_LIMIT_BYTES = 256 * 2**20
_OVERHEAD_BYTES = 250  # key, entry and object headers, measured on CPython 3.11


class OutputReader:
    """Turns raw outputs into labels or scores of the data set's classes.

    `own_classes` are the black box's, in its order, where that is another; there may be more of them.
    Raises ClassifierError when some class is not among them.
    """

    def __init__(self, name: str, classes: Sequence[str], own_classes: Sequence[str] | None) -> None:
        ours = [composed(label) for label in classes]
        own = [composed(label) for label in own_classes] if own_classes else ours
        if missing := sorted(set(ours) - set(own)):
            raise ClassifierError(
                f"The classes of {name} are not the data set's: {missing[0]!r} is not among its own.",
                hint=Advice(
                    "Name them with {} in the order that the classifier was trained with.",
                    Argument("classes"),
                ),
            )
        self.name = name
        self.classes = tuple(classes)
        self._number_of = {label: number for number, label in enumerate(ours)}
        self._columns = np.array([own.index(label) for label in ours])
        self._own = own

    def read(self, raw: Any, count: int) -> list[Output]:
        """`count` outputs. Raises BlackBoxError that says what was expected and what came."""
        try:
            array = np.asarray(raw)
        except (ValueError, TypeError, OverflowError) as error:
            raise self._wrong(f"answers of different kinds or lengths ({error})") from None
        if array.ndim == 0 or len(array) != count:
            came = "one value" if array.ndim == 0 else f"{len(array)} answers"
            raise self._wrong(f"{came} for {count} images")
        if array.ndim == 1 and array.dtype.kind in "iuU":
            return self._labels(array)
        if array.ndim == 2 and array.dtype.kind in "fiu":
            return self._scores(array)
        raise self._wrong(f"values of type {array.dtype} and shape {array.shape}")

    def in_own_order(self, scores: Tensor) -> Tensor:
        """Scores (N, K) in the black box's order of their classes."""
        return scores[:, np.argsort(self._columns)]

    def _labels(self, array: npt.NDArray[Any]) -> list[Output]:
        if array.dtype.kind == "U":
            named = [composed(str(name)) for name in array]
            unknown = [name for name in named if name not in self._number_of]
            if unknown:
                raise self._wrong(f"the class {unknown[0][:60]!r}, which is none of {len(self.classes)}")
            return [self._number_of[name] for name in named]
        lowest, highest = int(array.min()), int(array.max())
        if lowest < 0 or highest >= len(self._own):
            bad = lowest if lowest < 0 else highest
            raise self._wrong(f"the label {bad}; with {len(self._own)} classes they go from 0 to"
                              f" {len(self._own) - 1}")  # fmt: skip
        return self._labels(np.array([self._own[label] for label in array.tolist()]))

    def _scores(self, array: npt.NDArray[Any]) -> list[Output]:
        if array.shape[1] != len(self._own):
            raise self._wrong(f"{array.shape[1]} scores for {len(self._own)} classes")
        with np.errstate(over="ignore"):
            scores = array.astype(np.float32)[:, self._columns]
        if not np.isfinite(scores).all():
            raise self._wrong("scores that are not finite")
        return list(scores)

    def _wrong(self, came: str) -> BlackBoxError:
        return BlackBoxError(f"{self.name} gave {came}.", hint=_EXPECTED)


def logits_of(outputs: Sequence[Output], num_classes: int, *, probabilities: bool) -> npt.NDArray[np.float32]:
    """(N, K): one-hot for labels; scores as they are, or their logarithms where they are probabilities."""
    rows = np.zeros((len(outputs), num_classes), dtype=np.float32)
    for row, output in zip(rows, outputs, strict=True):
        if isinstance(output, int):
            row[output] = 1.0
        else:
            row[:] = output
    return log_probabilities(torch.from_numpy(rows)).numpy() if probabilities else rows


def scores_of(outputs: Sequence[Output]) -> Tensor:
    """(N, K) of outputs that are scores."""
    return torch.from_numpy(np.stack([np.asarray(output) for output in outputs]))


def moved(output: Output, other: Output) -> float:
    """How far apart two outputs for one image are, as a share of the largest score; infinite for labels."""
    if isinstance(output, int) or isinstance(other, int):
        return 0.0 if output is other or output == other else math.inf
    return float(np.abs(output - other).max() / max(float(np.abs(output).max()), 1e-12))


def key_of(image: UInt8Images) -> bytes:
    """Of one image (H, W, 3), contiguous."""
    return hashlib.blake2b(image.tobytes(), digest_size=16, person=str(image.shape[0]).encode()).digest()


class OutputCache:
    """Forgets what was not asked for longest, once it holds `limit_bytes`."""

    def __init__(self, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._held = 0
        self._outputs: OrderedDict[bytes, Output] = OrderedDict()

    def __len__(self) -> int:
        return len(self._outputs)

    def __contains__(self, key: bytes) -> bool:
        return key in self._outputs

    def get(self, key: bytes) -> Output | None:
        output = self._outputs.get(key)
        if output is not None:
            self._outputs.move_to_end(key)
        return output

    def put(self, key: bytes, output: Output) -> None:
        if key not in self._outputs:
            self._held += _size(output)
        self._outputs[key] = output
        while self._held > self._limit and len(self._outputs) > 1:
            _, oldest = self._outputs.popitem(last=False)
            self._held -= _size(oldest)


def _size(output: Output) -> int:
    return _OVERHEAD_BYTES + (output.nbytes if isinstance(output, np.ndarray) else 0)
