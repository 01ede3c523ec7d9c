"""A tiny classifier, a PGN whose perturbations a test chooses, and a split in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pgn_studio.core.classifiers import Classifier, ClassifierInfo
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo, Told, build_generator

SIZE = 8
CLASSES = ("cat", "dog", "owl")
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


class ArraySplit:
    """Images in memory; counts the calls that ask for pixels."""

    def __init__(
        self, images: npt.NDArray[np.uint8], labels: Sequence[int], names: Sequence[str] = ()
    ) -> None:
        self._images = images
        self.labels = np.asarray(labels, dtype=np.int64)
        self.names = list(names) or [f"{CLASSES[label]}/{i:03d}.jpg" for i, label in enumerate(self.labels)]
        self.calls = 0

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        self.calls += 1
        return self._images[np.asarray(indices)]


class BrightestChannel(nn.Module):
    """Logits are the mean red, green and blue: which class an image is can be seen and steered."""

    def __init__(self, sharpness: float = 20.0) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.tensor(sharpness))

    def forward(self, normalized: Tensor) -> Tensor:
        pixels = normalized * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)
        return self.sharpness * pixels.float().mean((2, 3))


class ImageGenerator(nn.Module):
    """What a PGN asks of its generator, for one whose p comes from the image alone: `forward` says how."""

    gammas, classes = None, 0

    def encode(self, pixels: Tensor) -> Tensor:
        return pixels

    def decode(self, features: Tensor, gamma: Tensor | None = None, outputs: Tensor | None = None) -> Tensor:
        perturbation: Tensor = self(features)
        return perturbation


class Shift(ImageGenerator):
    """A generator that moves every pixel of a channel by a fixed amount, or by noise of the image."""

    def __init__(self, red: float = 0.0, green: float = 0.0, blue: float = 0.0, noise: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("amount", torch.tensor([red, green, blue]).view(1, 3, 1, 1))
        self.noise = noise

    def forward(self, pixels: Tensor) -> Tensor:
        # Depends on the image alone, not on its place in the batch.
        return self.amount + self.noise * torch.sin(37.0 * pixels + torch.arange(SIZE).view(1, 1, 1, -1))


def make_classifier(classes: Sequence[str] = CLASSES) -> Classifier:
    info = ClassifierInfo("test", tuple(classes), MEAN, STD, SIZE, path="clf.safetensors", sha256="c0ffee")
    return Classifier(BrightestChannel(), info)


def make_pgn(generator: nn.Module, *, input_space: str = "pixel", path: Path | None = None) -> Pgn:
    info = PgnInfo(
        name="test",
        problem="enhance",
        discriminator="shared",
        loss="least-squares",
        encoder="small",
        input_space=input_space,
        gamma=1.0,
        image_size=SIZE,
        classes=CLASSES,
        mean=MEAN,
        std=STD,
        classifier_path="clf.safetensors",
        classifier_sha256="c0ffee",
        dataset="test",
        fingerprint="",
        settings=TrainingSettings.make(seed=7).model_dump(mode="json"),
    )
    return Pgn(generator, info, path=path).eval()


def make_dial(
    *, gamma: float | tuple[float, float] = (0.3, 30.0), told: Told = "nothing", path: Path | None = None
) -> Pgn:
    """A real generator of random weights, to which γ and what it is told make a difference."""
    settings = TrainingSettings.make(
        encoder="small",
        decoder_widths=(8,),
        gamma=gamma,
        classifier_conditioning=told != "nothing",
        soft_targets=told == "probabilities",
    )
    torch.manual_seed(0)
    generator = build_generator(settings, image_size=SIZE, classes=len(CLASSES))
    with torch.no_grad():
        generator.decoder.output.weight.mul_(30)
        if (modulation := generator.decoder.modulation) is not None:
            for layer in (*modulation.layers, modulation.gain):
                layer.weight.normal_(std=0.5)  # type: ignore[operator, union-attr]
    recorded = settings.model_dump(mode="json")
    info = replace(make_pgn(generator).info, gamma=settings.first_gamma, told=told, settings=recorded)
    return Pgn(generator.requires_grad_(False), info, path=path).eval()


def make_split(count: int = 30, *, seed: int = 0, labels: Sequence[int] | None = None) -> ArraySplit:
    """Noise, a little brighter in the labeled channel: the classifier is right on most, not on all."""
    rng = np.random.default_rng(seed)
    chosen = np.arange(count) % 3 if labels is None else np.asarray(labels)
    images = rng.integers(60, 180, size=(len(chosen), SIZE, SIZE, 3))
    images[np.arange(len(chosen)), :, :, chosen] += 5
    return ArraySplit(images.astype(np.uint8), chosen)
