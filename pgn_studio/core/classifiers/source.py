"""What a classifier is loaded from: a file, or a name before a colon (`arch:resnet50`, `python:module:f`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgn_studio.core.advice import Advice, Argument
from pgn_studio.core.classifiers.blackbox.access import Access
from pgn_studio.core.config import ChannelOrder
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.plugins import Registry
from pgn_studio.core.pretrained import Triple

if TYPE_CHECKING:
    from pgn_studio.core.classifiers.classifier import Classifier


@dataclass(frozen=True)
class ClassifierRequest:
    """What the caller said about a classifier that cannot say it itself."""

    classes: Sequence[str] | None = None  # the data set's, in order
    arch: str | None = None
    image_size: int | None = None
    mean: Triple | None = None
    std: Triple | None = None
    channels: ChannelOrder | None = None
    access: Access = Access()

    def __post_init__(self) -> None:
        if self.std is not None and min(self.std) <= 0:
            raise ClassifierError(
                f"A std must be above 0, got {self.std}.",
                hint=Advice("Check {}.", Argument("classifier_std")),
            )

    @property
    def names(self) -> Sequence[str] | None:
        """Of the classifier's outputs, in its order."""
        return self.access.classes

    @property
    def normalization(self) -> dict[str, Any]:
        """Of mean, std and channels those that were given."""
        given = {"mean": self.mean, "std": self.std, "channels": self.channels}
        return {name: value for name, value in given.items() if value is not None}

    def needed_classes(self, name: str) -> tuple[str, ...]:
        """Raises ClassifierError where none are given."""
        if not self.classes:
            raise ClassifierError(
                f"{name} does not say its classes.",
                hint="Load a data set first, or give the classes in order.",
            )
        return tuple(self.classes)


class ClassifierSource(ABC):
    """Where the classifiers of a scheme come from: `--classifier NAME:rest`."""

    @abstractmethod
    def load(self, source: str, request: ClassifierRequest) -> Classifier:
        """The classifier of the whole text NAME:rest, frozen. Raises ClassifierError.

        `request.classes` are the data set's: logits must come in their order.
        """


CLASSIFIERS: Registry[ClassifierSource] = Registry(
    "classifiers",
    "pgn_studio.core.classifiers.source:ClassifierSource",
    {
        "file": "pgn_studio.core.classifiers.loading:FromFile",
        "arch": "pgn_studio.core.classifiers.loading:FromName",
        "python": "pgn_studio.core.classifiers.loading:FromOracle",
        "http": "pgn_studio.core.classifiers.loading:FromOracle",
        "https": "pgn_studio.core.classifiers.loading:FromOracle",
    },
    noun="classifier source",
)


def scheme_of(source: str) -> str:
    """The name in CLASSIFIERS that decides; "file" where none stands before a colon."""
    name, colon, _ = source.partition(":")
    return name if colon and name in CLASSIFIERS else "file"
