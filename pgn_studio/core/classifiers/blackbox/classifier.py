"""A classifier that only answers, in the place of one that can be looked into."""

from __future__ import annotations

import threading
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from pgn_studio.core.classifiers.blackbox.answers import AnswerReader, logits_of
from pgn_studio.core.classifiers.blackbox.cache import Answer, AnswerCache, key_of
from pgn_studio.core.classifiers.blackbox.meter import QueryMeter
from pgn_studio.core.classifiers.classifier import Classifier, ClassifierInfo
from pgn_studio.core.classifiers.normalisation import Normalisation
from pgn_studio.core.errors import BlackBoxError, ClassifierError
from pgn_studio.core.protocols import UInt8Images

_CHECK_IMAGES = 3  # one, then two in a batch where batches are taken


class Oracle(Protocol):
    """What answers. Called by one thread at a time."""

    name: str  # how errors call it
    largest_batch: int  # images in one call; may grow once the oracle has said more

    def ask(self, images: UInt8Images, meter: QueryMeter) -> Any:
        """Labels (B,) or scores (B, K) for images (B, S, S, 3); tells `meter` before it sends."""


@runtime_checkable
class NormalisingOracle(Protocol):
    """An oracle that is not handed the 8-bit images themselves."""

    normalisation: Normalisation | None  # None: it is, after all

    def normalised(self, normalisation: Normalisation) -> Oracle: ...


class BlackBoxClassifier(Classifier):
    """Asks an oracle about images at 8 bits: what a saved file would hold.

    Images are given in [0, 1]; there is no other input space, so `normalize` changes nothing. There
    are no features, no weights and no gradient. The same image is asked about once, while the
    answer is in memory: the oracle is taken to answer always alike.
    """

    queries: QueryMeter

    def __init__(
        self, oracle: Oracle, info: ClassifierInfo, *, reader: AnswerReader, meter: QueryMeter
    ) -> None:
        super().__init__(nn.Identity(), info)
        self.queries = meter
        self._oracle = oracle
        self._reader = reader
        self._cache = AnswerCache()
        self._lock = threading.RLock()  # the window's threads ask, too
        self._scores: bool | None = None

    @property
    def gives_scores(self) -> bool:
        """Whether it answers with scores of all classes; known from its first answer on."""
        return bool(self._scores)

    @property
    def normalisation(self) -> Normalisation | None:
        return self._oracle.normalisation if isinstance(self._oracle, NormalisingOracle) else None

    def normalised(self, normalisation: Normalisation) -> BlackBoxClassifier:
        """The same black box given images in another way; what it is asked counts here too.

        Raises ClassifierError where it is handed 8-bit images.
        """
        if not isinstance(self._oracle, NormalisingOracle) or self.normalisation is None:
            raise ClassifierError(
                f"{self._oracle.name} is given 8-bit images and normalises them itself, if at all.",
                hint="There is nothing to choose here.",
            )
        oracle = self._oracle.normalised(normalisation)
        return BlackBoxClassifier(oracle, self.info, reader=self._reader, meter=self.queries)

    def check(self, image_size: int) -> None:
        """Ask about a few made-up images. Raises ClassifierError when the answers are of no use."""
        shape = (_CHECK_IMAGES, image_size, image_size, 3)
        self.answers(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))

    def logits_normalized(self, normalized: Tensor) -> Tensor:
        """Images (N, 3, H, W) to scores as logits (N, K), or one-hot rows where it gives labels."""
        logits = torch.from_numpy(logits_of(self.answers(to_bytes(normalized)), self.num_classes))
        return logits.to(normalized.device)

    def unknown(self, images: UInt8Images) -> int:
        """How many of `images` (B, S, S, 3) would have to be asked about."""
        with self._lock:
            return len({key for key in map(key_of, images) if key not in self._cache})

    def answers(self, images: UInt8Images) -> list[Answer]:
        """For each of (B, S, S, 3) a label or scores (K,).

        Raises BlackBoxError, or QueryBudgetError before anything is sent.
        """
        with self._lock:
            keys = [key_of(image) for image in images]
            known = {key: answer for key in keys if (answer := self._cache.get(key)) is not None}
            missing = {key: index for index, key in enumerate(keys) if key not in known}
            known.update(self._asked(images, missing))
            return [known[key] for key in keys]

    def _asked(self, images: UInt8Images, missing: dict[bytes, int]) -> dict[bytes, Answer]:
        self.queries.require(len(missing))
        keys, answered = list(missing), dict[bytes, Answer]()
        while len(answered) < len(keys):
            part = keys[len(answered) : len(answered) + self._oracle.largest_batch]
            chosen = images[[missing[key] for key in part]]
            answers = self._reader.read(self._oracle.ask(chosen, self.queries), len(part))
            self._settle_kind(answers)
            for key, answer in zip(part, answers, strict=True):
                answered[key] = answer
                self._cache.put(key, answer)
        return answered

    def _settle_kind(self, answers: list[Answer]) -> None:
        scores = not isinstance(answers[0], int)
        if self._scores is not None and scores != self._scores:
            before, now = ("scores", "a label") if self._scores else ("labels", "scores")
            raise BlackBoxError(f"{self._oracle.name} gave {before} before and {now} now.")
        self._scores = scores


def to_bytes(pixels: Tensor) -> UInt8Images:
    """(N, 3, H, W) in [0, 1] to uint8 (N, H, W, 3), clamped and rounded; NaN is black.

    NaN comes only from a generator that diverged, which its losses tell better than an answer.
    """
    whole = pixels.detach().float().nan_to_num(0.0).clamp(0.0, 1.0).mul(255.0).round().to(torch.uint8)
    return np.ascontiguousarray(whole.permute(0, 2, 3, 1).cpu().numpy())
