"""The base class of baselines. Importing it imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from pgn_studio.core.config import Problem

if TYPE_CHECKING:
    from torch import Tensor

    from pgn_studio.core.baselines.context import BaselineContext
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.evaluation.perturber import Perturber
    from pgn_studio.core.protocols import Progress

Strength = Literal["matched", "own", "none"]


class Baseline(ABC):
    """Another way to change the same images; a subclass writes only what it does to them.

    An instance serves one comparison: `prepare`, where it `needs_training`, then `perturb` batch by batch,
    on validation to match its strength and on the split that is measured.
    """

    title: ClassVar[str]  # in tables
    description: ClassVar[str]  # one line
    oracle: ClassVar[bool] = (
        False  # is given the true label of the image that it perturbs: a bound, no method
    )
    needs_training: ClassVar[bool] = False  # has a `prepare`, which learns from the training images
    needs_gradients: ClassVar[bool] = False  # through f: not for classifiers that only answer
    problems: ClassVar[tuple[Problem, ...]] = ("enhance", "adversarial")
    # matched: one factor for all images gives p the PGN's mean RMS on validation. own: p stays as it is.
    # none: nothing is perturbed; `classifier` answers in f's place.
    strength: ClassVar[Strength] = "matched"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("title", "description"):
            text = getattr(cls, name, None)
            if not isinstance(text, str) or not text or "\n" in text:
                raise TypeError(f"{cls.__name__}.{name}: expected one line of text, got {text!r}")
        if not cls.problems or not set(cls.problems) <= set(get_args(Problem)):
            raise TypeError(f"{cls.__name__}.problems: expected some of {get_args(Problem)}")
        if cls.strength not in get_args(Strength):
            raise TypeError(f"{cls.__name__}.strength: expected one of {get_args(Strength)}")
        if cls.prepare is not Baseline.prepare and not cls.needs_training:
            raise TypeError(f"{cls.__name__}: prepare is only called where needs_training is True")

    def prepare(  # noqa: B027 - optional
        self, context: BaselineContext, progress: Progress | None = None
    ) -> None:
        """Train or fit on `context.train`; `progress(done, total)`, whose Canceled must pass through."""

    @abstractmethod
    def perturb(self, images: Tensor, labels: Tensor | None, context: BaselineContext) -> Tensor:
        """p (N, 3, H, W), in `context.space`, for images (N, 3, H, W) in [0, 1] on `context.device`.

        `labels` (N,) int64 are the true ones for an `oracle`, else None. p of an image must not depend on
        the rest of its batch. Called in float32 without autocast.
        """

    def classifier(self, context: BaselineContext) -> Classifier:
        """Whose answers count: f itself, unless the baseline has made another."""
        return context.classifier


@dataclass(frozen=True)
class PreparedBaseline:
    """Ready to be measured with `evaluate_perturber`."""

    name: str
    title: str
    oracle: bool
    perturber: Perturber
    classifier: Classifier  # whose answers count
    rms: float | None  # what its p has on validation; None where nothing is perturbed
