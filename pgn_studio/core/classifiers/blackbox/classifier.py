"""A classifier that only answers, in the place of one that can be looked into."""

from __future__ import annotations

import threading
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from pgn_studio.core.classifiers.blackbox.meter import QueryMeter
from pgn_studio.core.classifiers.blackbox.outputs import (
    Output,
    OutputCache,
    OutputReader,
    key_of,
    logits_of,
    moved,
    scores_of,
)
from pgn_studio.core.classifiers.classifier import Classifier, ClassifierInfo
from pgn_studio.core.classifiers.normalization import Normalization
from pgn_studio.core.classifiers.outputs import (
    SUM_SLACK,
    are_alike,
    are_sorted,
    look_like_sigmoids,
    probabilities_as,
)
from pgn_studio.core.errors import BlackBoxError, ClassifierError
from pgn_studio.core.protocols import UInt8Images

CHECK_QUERIES = 3


class Oracle(Protocol):
    """What answers. Called by one thread at a time."""

    name: str  # how errors call it
    largest_batch: int  # images in one call; may grow once the oracle has said more

    def ask(self, images: UInt8Images, meter: QueryMeter) -> Any:
        """Labels (B,) or scores (B, K) for images (B, S, S, 3); tells `meter` before it sends."""


@runtime_checkable
class NormalizingOracle(Protocol):
    """An oracle that is not handed the 8-bit images themselves."""

    normalization: Normalization | None  # None: it is, after all

    def normalized(self, normalization: Normalization) -> Oracle: ...


class BlackBoxClassifier(Classifier):
    """Asks an oracle about images at 8 bits: what a saved file would hold.

    Images are given in [0, 1]; there is no other input space, so `normalize` changes nothing. There
    are no features, no weights and no gradient. The same image is asked about once, while the
    answer is in memory: the oracle is taken to answer always alike.
    """

    queries: QueryMeter

    def __init__(
        self, oracle: Oracle, info: ClassifierInfo, *, reader: OutputReader, meter: QueryMeter
    ) -> None:
        super().__init__(nn.Identity(), info)
        self.queries = meter
        self._oracle = oracle
        self._reader = reader
        self._cache = OutputCache()
        self._lock = threading.RLock()  # the window's threads ask, too
        self._scores: bool | None = None
        self._probabilities: str | None = None  # how its scores are called, "" if logits; decided once
        self.like_sigmoids = self.are_sorted = self.are_alike = False  # of its scores, from `check` on

    @property
    def gives_scores(self) -> bool:
        """Whether it answers with scores of all classes; known from its first answer on."""
        return bool(self._scores)

    @property
    def normalization(self) -> Normalization | None:
        return self._oracle.normalization if isinstance(self._oracle, NormalizingOracle) else None

    def normalized(self, normalization: Normalization) -> BlackBoxClassifier:
        """The same black box given images in another way; what it is asked counts here too.

        Raises ClassifierError where it is handed 8-bit images.
        """
        if not isinstance(self._oracle, NormalizingOracle) or self.normalization is None:
            raise ClassifierError(
                f"{self._oracle.name} is given 8-bit images and normalizes them itself, if at all.",
                hint="There is nothing to choose here.",
            )
        oracle = self._oracle.normalized(normalization)
        other = BlackBoxClassifier(oracle, self.info, reader=self._reader, meter=self.queries)
        other._probabilities = self._probabilities
        return other

    def check(self, image_size: int) -> float:
        """Ask about a few made-up images, one of them twice: alone, and with another where batches are taken.

        How far its two answers are apart (`moved`). Raises ClassifierError when the answers are of no use.
        """
        shape = (CHECK_QUERIES - 1, image_size, image_size, 3)
        images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        images[0] = 32 + images[0] // 8 * np.array([1, 2, 4], np.uint8)  # dull, so that the other one shows
        self.queries.require(CHECK_QUERIES)
        with self._lock:
            alone, beside = self._ask(images[:1]), self._ask(images[[1, 0]])
            if self._scores:
                scores = scores_of([*alone, beside[0]])
                self._probabilities = probabilities_as(scores)
                self.like_sigmoids = look_like_sigmoids(scores)
                self.are_sorted = are_sorted(self._reader.in_own_order(scores))
                self.are_alike = are_alike(scores)
        return moved(alone[0], beside[-1])

    def sorts(self, images: UInt8Images) -> bool:
        """Whether a score's place is its rank for all of `images`, which are not counted as queries."""
        with self._lock:
            outputs: list[Output] = []
            while len(outputs) < len(images):
                part = images[len(outputs) : len(outputs) + self._oracle.largest_batch]
                outputs += self._reader.read(self._oracle.ask(part, QueryMeter()), len(part))
        return are_sorted(self._reader.in_own_order(scores_of(outputs)))

    @property
    def output(self) -> str:
        """What it answers with, for a person; known from its first answer on."""
        if not self._scores:
            return "labels"
        return f"gives {self._probabilities}" if self._probabilities else "logits"

    def logits_normalized(self, normalized: Tensor) -> Tensor:
        """Images (N, 3, H, W) to scores as logits (N, K), or one-hot rows where it gives labels."""
        outputs = self.outputs(to_bytes(normalized))
        if self._scores and self._probabilities is None:
            self._probabilities = probabilities_as(scores_of(outputs))
        logits = logits_of(outputs, self.num_classes, probabilities=bool(self._probabilities))
        return torch.from_numpy(logits).to(normalized.device)

    def unknown(self, images: UInt8Images) -> int:
        """How many of `images` (B, S, S, 3) would have to be asked about."""
        with self._lock:
            return len({key for key in map(key_of, images) if key not in self._cache})

    def outputs(self, images: UInt8Images) -> list[Output]:
        """For each of (B, S, S, 3) a label or scores (K,).

        Raises BlackBoxError, or QueryBudgetError before anything is sent.
        """
        with self._lock:
            keys = [key_of(image) for image in images]
            known = {key: output for key in keys if (output := self._cache.get(key)) is not None}
            missing = {key: index for index, key in enumerate(keys) if key not in known}
            known.update(self._asked(images, missing))
            return [known[key] for key in keys]

    def _asked(self, images: UInt8Images, missing: dict[bytes, int]) -> dict[bytes, Output]:
        self.queries.require(len(missing))
        keys, found = list(missing), dict[bytes, Output]()
        while len(found) < len(keys):
            part = keys[len(found) : len(found) + self._oracle.largest_batch]
            for key, output in zip(part, self._ask(images[[missing[key] for key in part]]), strict=True):
                found[key] = output
                self._cache.put(key, output)
        return found

    def _ask(self, images: UInt8Images) -> list[Output]:
        """In parts that the oracle takes, whatever is in memory."""
        outputs: list[Output] = []
        while len(outputs) < len(images):
            part = images[len(outputs) : len(outputs) + self._oracle.largest_batch]
            outputs += self._reader.read(self._oracle.ask(part, self.queries), len(part))
            self._settle_kind(outputs)
        return outputs

    def _settle_kind(self, outputs: list[Output]) -> None:
        scores = not isinstance(outputs[0], int)
        if self._scores is not None and scores != self._scores:
            before, now = ("scores", "a label") if self._scores else ("labels", "scores")
            raise BlackBoxError(f"{self._oracle.name} gave {before} before and {now} now.")
        self._scores = scores
        if self._probabilities and scores and float(scores_of(outputs).min()) < -SUM_SLACK:
            raise BlackBoxError(f"{self._oracle.name} gave probabilities before and scores below 0 now.")


def to_bytes(pixels: Tensor) -> UInt8Images:
    """(N, 3, H, W) in [0, 1] to uint8 (N, H, W, 3), clamped and rounded; NaN is black.

    NaN comes only from a generator that diverged, which its losses tell better than an answer.
    """
    whole = pixels.detach().float().nan_to_num(0.0).clamp(0.0, 1.0).mul(255.0).round().to(torch.uint8)
    return np.ascontiguousarray(whole.permute(0, 2, 3, 1).cpu().numpy())
