"""A linear classifier, on which steps and boundaries have closed forms, and one that only answers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.classifiers import Classifier, ClassifierInfo
from pgn_studio.core.config import Problem, TrainingSettings
from pgn_studio.core.perturbation.input_space import InputSpace
from tests.core.evaluation.samples import ArraySplit

SIZE, CLASSES = 4, 5
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


def linear_classifier(seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE * SIZE, CLASSES))
    return Classifier(net, _info("linear"))


class OnlyAnswers(nn.Module):
    """Logits without a graph, as what comes back from a server has none."""

    def forward(self, normalized: Tensor) -> Tensor:
        return normalized.detach().mean((2, 3)) * 9


def answering_classifier() -> Classifier:
    return Classifier(OnlyAnswers(), _info("server"))


def _info(arch: str) -> ClassifierInfo:
    return ClassifierInfo(arch, tuple("abcde"), MEAN, STD, SIZE)


def space_of(name: str) -> InputSpace:
    return InputSpace(name, mean=MEAN, std=STD)  # type: ignore[arg-type]


def weights_in(classifier: Classifier, space: InputSpace) -> Tensor:
    """d logits / d values in `space`, (K, 3·S·S)."""
    weight = classifier.net[1].weight.detach()  # type: ignore[index]
    if space.name == "normalized":
        return weight
    return (weight.view(CLASSES, 3, SIZE, SIZE) / torch.tensor(STD).view(1, 3, 1, 1)).flatten(1)


def pixels(count: int, seed: int = 1) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def context_of(
    classifier: Classifier, space: InputSpace, problem: Problem, *, rms: float = 0.1, seed: int = 0
) -> BaselineContext:
    """For baselines that learn nothing: there are no images."""
    none = ArraySplit(np.zeros((0, SIZE, SIZE, 3), dtype=np.uint8), [])
    settings = TrainingSettings.make(problem=problem)
    return BaselineContext(
        classifier, space, problem, none, none, SIZE, rms, settings, seed, torch.device("cpu"), "fp32"
    )


def gradient_by_hand(classifier: Classifier, space: InputSpace, x: Tensor, labels: Tensor) -> Tensor:
    """Wᵀ (softmax - one-hot)."""
    error = classifier(x).detach().softmax(1) - F.one_hot(labels, CLASSES)
    return (error @ weights_in(classifier, space)).view_as(x)
