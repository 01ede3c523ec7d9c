"""A tiny data set, classifier and PGN, real ones of the core, small enough to run in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pgn_studio.core.classifiers import Classifier, ClassifierInfo
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.evaluation.evaluate import Evaluation, PerImage, evaluate
from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo
from pgn_studio.gui.pages.inspect.page import InspectPage

CLASSES = ("red", "green", "blue")
SIZE = 8
COUNT = 40
HALVES = (0.5, 0.5, 0.5)


class ArraySplit:
    """Implements protocols.LabeledImages on an array."""

    name = "test"

    def __init__(self, pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> None:
        self.pixels = pixels
        self.labels = labels
        self.names = tuple(f"{CLASSES[k]}/image{i:03d}.png" for i, k in enumerate(labels))

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        return self.pixels[np.asarray(indices)]

    def subset(self, indices: Sequence[int]) -> ArraySplit:
        chosen = np.asarray(indices)
        return ArraySplit(self.pixels[chosen], self.labels[chosen])


@dataclass(frozen=True)
class ArrayDataset:
    test: ArraySplit
    name: str = "colors"
    classes: tuple[str, ...] = CLASSES
    image_size: int = SIZE
    fingerprint: str = "f" * 64

    def split(self, name: str) -> ArraySplit:
        assert name == "test"
        return self.test


class MeanColor(nn.Module):
    """Logits are the mean of each channel, scaled: red, green or blue."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 3, bias=False)
        self.last.weight.data = 12 * torch.eye(3)

    def forward(self, normalized: Tensor) -> Tensor:
        logits: Tensor = self.last(normalized.mean(dim=(2, 3)))
        return logits


class Brighten(nn.Module):
    """A generator that always adds some green: fixes green images, breaks others.

    Of a range of γ the smallest adds `amount`, others less, as one over the root of γ.
    """

    classes = 0  # it is told nothing of the classifier's outputs

    def __init__(self, amount: float, gammas: GammaRange | None = None) -> None:
        super().__init__()
        self.amount = nn.Parameter(torch.tensor(amount))
        self.gammas = gammas
        self.encoded = 0  # images so far

    def encode(self, pixels: Tensor) -> Tensor:
        self.encoded += len(pixels)
        return pixels

    def decode(self, features: Tensor, gamma: Tensor | None = None, outputs: Tensor | None = None) -> Tensor:
        p = torch.zeros_like(features)
        weaker = 1.0 if gamma is None or self.gammas is None else (self.gammas.low / gamma).sqrt()
        p[:, 1] = self.amount * (weaker if isinstance(weaker, float) else weaker[:, None, None])
        return p


@dataclass(frozen=True)
class Study:
    """Everything that a page is shown."""

    pgn: Pgn
    classifier: Classifier
    dataset: ArrayDataset
    evaluation: Evaluation

    @property
    def per_image(self) -> PerImage:
        return self.evaluation.per_image

    def show_on(self, page: InspectPage) -> None:
        page.show_evaluation(self.pgn, self.classifier, self.dataset, "test", self.evaluation)  # type: ignore[arg-type]


def make_study(amount: float = 0.15, gammas: GammaRange | None = None) -> Study:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, COUNT)
    pixels = rng.integers(60, 160, (COUNT, SIZE, SIZE, 3))
    for index, label in enumerate(labels):
        pixels[index, ..., label] += rng.integers(-20, 40)
    split = ArraySplit(np.clip(pixels, 0, 255).astype(np.uint8), labels.astype(np.int64))
    classifier = Classifier(MeanColor(), ClassifierInfo("mean-color", CLASSES, HALVES, HALVES, SIZE))
    settings = TrainingSettings.make(precision="fp32", image_size=SIZE).model_dump(mode="json")
    info = PgnInfo(
        name="brighten", problem="enhance", discriminator="shared", loss="least-squares", encoder="small",
        input_space="pixel", gamma=1.0 if gammas is None else gammas.middle, image_size=SIZE,
        classes=CLASSES, mean=HALVES, std=HALVES,
        classifier_path="", classifier_sha256="", dataset="colors", fingerprint="", settings=settings,
    )  # fmt: skip
    pgn = Pgn(Brighten(amount, gammas), info).eval()  # type: ignore[arg-type]
    dataset = ArrayDataset(split)
    return Study(
        pgn, classifier, dataset, evaluate(pgn, classifier, split, split_name="test", dataset_name="colors")
    )
