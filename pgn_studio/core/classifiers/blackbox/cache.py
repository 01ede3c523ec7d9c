"""The same picture is not asked about twice: answers by the hash of the 8-bit image."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from pgn_studio.core.protocols import UInt8Images

Answer = npt.NDArray[np.float32] | int  # scores (K,), or a label
_LIMIT_BYTES = 256 * 2**20
_OVERHEAD_BYTES = 250  # key, entry and object headers, measured on CPython 3.11


def key_of(image: UInt8Images) -> bytes:
    """Of one image (H, W, 3), contiguous."""
    return hashlib.blake2b(image.tobytes(), digest_size=16, person=str(image.shape[0]).encode()).digest()


class AnswerCache:
    """Forgets what was not asked for longest, once it holds `limit_bytes`."""

    def __init__(self, limit_bytes: int = _LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._held = 0
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, key: bytes) -> bool:
        return key in self._answers

    def get(self, key: bytes) -> Answer | None:
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def put(self, key: bytes, answer: Answer) -> None:
        if key not in self._answers:
            self._held += _size(answer)
        self._answers[key] = answer
        while self._held > self._limit and len(self._answers) > 1:
            _, oldest = self._answers.popitem(last=False)
            self._held -= _size(oldest)


def _size(answer: Answer) -> int:
    return _OVERHEAD_BYTES + (answer.nbytes if isinstance(answer, np.ndarray) else 0)
