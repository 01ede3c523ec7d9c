"""Vanilla training of a classifier: cross-entropy, AdamW, one cycle of the learning rate."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.augment import augment
from pgn_studio.core.classifiers.accuracy import Indices, accuracy_of, evenly_spaced
from pgn_studio.core.classifiers.classifier import Classifier, ClassifierInfo
from pgn_studio.core.classifiers.loading import load_classifier
from pgn_studio.core.classifiers.networks import (
    build_network,
    check_image_size,
    default_normalization,
    start_weights,
)
from pgn_studio.core.classifiers.saved import save_classifier
from pgn_studio.core.classifiers.small_cnn import SMALL
from pgn_studio.core.config import ClassifierSettings, with_augmentation
from pgn_studio.core.device import autocast, pick_device, resolve_precision, seed_everything, to_pixels
from pgn_studio.core.errors import ClassifierError, PgnStudioError
from pgn_studio.core.files import reason_of, way_out
from pgn_studio.core.learned_images import packed
from pgn_studio.core.prefetch import prefetched
from pgn_studio.core.pretrained import Triple
from pgn_studio.core.protocols import LabeledImages, Labels
from pgn_studio.core.training_loop import train_epochs

_WARM_UP = 0.3  # share of the steps in which the learning rate rises
_STATISTICS_IMAGES = 2_000  # enough for mean and std to three digits
_TRAIN_ACCURACY_IMAGES = 10_000


@dataclass(frozen=True)
class ClassifierProgress:
    """One training step; `val_accuracy` only at the end of an epoch, where there is a val split."""

    step: int  # 1-based
    total_steps: int
    epoch: int  # 1-based
    loss: float
    train_accuracy: float  # over this epoch so far, on augmented images
    val_accuracy: float | None
    images_per_second: float


def train_classifier(
    dataset_train: LabeledImages,
    dataset_val: LabeledImages,
    classes: Sequence[str],
    settings: ClassifierSettings,
    *,
    out: Path,
    fingerprint: str,
    mirrorable: bool | None,
    on_progress: Callable[[ClassifierProgress], None],
    stop: Callable[[], bool] | None = None,
) -> Classifier:
    """Train the named architecture, save it to `out` and return it, frozen, on the CPU.

    `fingerprint` and `mirrorable` are the data set's. The last weights are kept. `stop` is asked
    after every step; what was learned so far is then saved all the same. The same seed gives the
    same weights on a CPU. Raises ClassifierError when the loss diverges, or the images do not suit
    the architecture.
    """
    settings = with_augmentation(settings, mirrorable)
    seed_everything(settings.seed)
    indices = _training_indices(dataset_train.labels, len(classes), settings)
    device = pick_device(settings.device)
    image_size = int(dataset_train.images(indices[:1]).shape[1])
    check_image_size(settings.arch, image_size)
    net = build_network(settings.arch, len(classes), image_size=image_size)
    origin = start_weights(net, settings.arch, settings.weights)
    mean, std = _normalization(settings.arch, dataset_train, indices)
    run = _Run(
        net,
        mean,
        std,
        settings,
        device,
        images=dataset_train,
        indices=indices,
        val=dataset_val,
        on_progress=on_progress,
        stop=stop or (lambda: False),
    )
    stopped = not train_epochs(run, range(settings.epochs))
    facts: dict[str, Any] = {
        "settings": settings.model_dump(mode="json"),
        "dataset_fingerprint": fingerprint,
        "train_images": len(indices),
        "learned_from": packed(dataset_train.pixel_hashes[indices]),
        "train_accuracy": run.accuracy(dataset_train, evenly_spaced(indices, _TRAIN_ACCURACY_IMAGES)),
        "val_accuracy": run.val_accuracy(),
        "steps": run.taken,
        "stopped": stopped,
        "start_weights": origin,
    }
    info = ClassifierInfo(settings.arch, tuple(classes), mean, std, image_size, training=facts)
    return _saved(out, net, info)


class UnsavedClassifierError(ClassifierError):
    """It is trained, but its file cannot be written; `save` tries it elsewhere."""

    def __init__(self, out: Path, error: OSError, save: Callable[[Path], Classifier]) -> None:
        told = f"The trained classifier cannot be saved as {out}: {reason_of(error)}."
        super().__init__(told, hint=way_out(error))
        self.save = save


def _saved(out: Path, net: nn.Module, info: ClassifierInfo) -> Classifier:
    try:
        save_classifier(out, net, info)
        return load_classifier(out)
    except OSError as error:
        raise UnsavedClassifierError(out, error, partial(_saved, net=net, info=info)) from error


class _Run:
    """A `Learner`: the network that is trained, its optimizer and generators, and the step that it is at."""

    def __init__(
        self,
        net: nn.Module,
        mean: Triple,
        std: Triple,
        settings: ClassifierSettings,
        device: torch.device,
        *,
        images: LabeledImages,
        indices: Indices,
        val: LabeledImages,
        on_progress: Callable[[ClassifierProgress], None],
        stop: Callable[[], bool],
    ) -> None:
        """`indices`: of the `images` that are learned from."""
        self.net = net.to(device).to(memory_format=torch.channels_last)
        self.settings = settings
        self.device = device
        self.precision = resolve_precision(settings.precision, device)
        self.taken = 0
        self._mean = torch.tensor(mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(std, device=device).view(1, 3, 1, 1)
        self._optimizer = _adamw(net, settings, device)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")
        self._order = np.random.default_rng(settings.seed)
        self._augment = settings.augment
        self._augmentation = torch.Generator().manual_seed(settings.seed)
        self._images, self._indices, self._val = images, indices, val
        self._on_progress, self._stop = on_progress, stop
        self._batches_per_epoch = math.ceil(len(indices) / settings.batch_size)
        self._total = self._batches_per_epoch * settings.epochs

    def logits(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.net((pixels - self._mean) / self._std)
        return logits

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """uint8 images (B, H, W, 3) and labels (B,), for the network in training mode."""
        self._epoch, self._seen, self._right, self._began = epoch, 0, 0, time.perf_counter()
        shuffled = self._order.permutation(self._indices)
        self.net.train()
        return prefetched(self._images, np.array_split(shuffled, self._batches_per_epoch))

    def proceed(self) -> bool:
        return not (self.taken and self._stop())

    def step(self, batch: tuple[Tensor, Tensor]) -> None:
        loss, right = self._learn(*batch)
        self._seen, self._right = self._seen + len(batch[1]), self._right + right
        self._on_progress(
            ClassifierProgress(
                step=self.taken,
                total_steps=self._total,
                epoch=self._epoch + 1,
                loss=loss,
                train_accuracy=self._right / self._seen,
                images_per_second=self._seen / (time.perf_counter() - self._began),
                val_accuracy=self.val_accuracy() if self._seen == len(self._indices) else None,
            )
        )

    def end_epoch(self, epoch: int) -> None:
        """The last weights are kept, whatever validation says."""

    def _learn(self, images: Tensor, labels: Tensor) -> tuple[float, int]:
        """Returns the loss and how many were right."""
        for group in self._optimizer.param_groups:
            group["lr"] = one_cycle_rate(self.taken, self._total, peak=self.settings.learning_rate)
        targets = labels.to(self.device)
        with _explained(self.settings, images.shape[1]):
            pixels = augment(to_pixels(images, self.device), self._augment, self._augmentation)
            with autocast(self.precision, self.device):
                logits = self.logits(pixels)  # (B, K)
            loss = F.cross_entropy(logits.float(), targets)
            self._optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(self._scaler.scale(loss))
            self._scaler.step(self._optimizer)
            self._scaler.update()
        self.taken += 1
        value = float(loss.detach())  # waits for the GPU
        if not math.isfinite(value):
            raise ClassifierError(
                f"The training diverged at step {self.taken}: the loss is {value}.",
                hint=Advice(
                    "Lower {} (now {:g}), or use {}.",
                    Setting("learning_rate"),
                    self.settings.learning_rate,
                    Setting("precision", "fp32"),
                ),
            )
        return value, int((logits.argmax(dim=1) == targets).sum())

    def accuracy(self, images: LabeledImages, indices: Indices) -> float:
        """On images as they are, without augmentation, in evaluation mode."""
        self.net.eval()
        return accuracy_of(self.logits, images, indices, batch_size=256, device=self.device)

    def val_accuracy(self) -> float | None:
        return self.accuracy(self._val, np.arange(len(self._val))) if len(self._val) else None


def balanced_subset(labels: Labels, limit: int, seed: int) -> Indices:
    """Indices of `limit` images, sorted, with classes as equal as they allow, chosen by `seed`."""
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    rank = np.empty(len(labels), dtype=np.int64)  # an image's turn within its class
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        rank[members] = np.arange(len(members))
    by_turn = shuffled[np.argsort(rank[shuffled], kind="stable")]
    return np.sort(by_turn[:limit])


def one_cycle_rate(step: int, total: int, *, peak: float) -> float:
    """Learning rate at a 0-based step: from peak/25 up in a line, then down by a cosine toward 0."""
    done = (step + 0.5) / total
    if done < _WARM_UP:
        return peak * (0.04 + 0.96 * done / _WARM_UP)
    return peak * 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


def _training_indices(labels: Labels, num_classes: int, settings: ClassifierSettings) -> Indices:
    if len(labels) == 0 or int(labels.max()) >= num_classes:
        raise ClassifierError(
            f"Expected training images of {num_classes} classes, got {len(labels)} images with labels"
            f" up to {int(labels.max()) if len(labels) else 'none'}."
        )
    if settings.max_train_images is None or settings.max_train_images >= len(labels):
        return np.arange(len(labels))
    if settings.max_train_images < num_classes:
        raise ClassifierError(
            f"Expected at least one training image for each of {num_classes} classes, got"
            f" {settings.max_train_images}.",
            hint=Advice("Raise {}.", Setting("max_train_images")),
        )
    return balanced_subset(labels, settings.max_train_images, settings.seed)


def _normalization(arch: str, images: LabeledImages, indices: Indices) -> tuple[Triple, Triple]:
    """The training images' own mean and std for the small network, ImageNet's for the others."""
    if arch != SMALL:
        return default_normalization(arch)
    values = images.images(evenly_spaced(indices, _STATISTICS_IMAGES)).reshape(-1, 3) / np.float32(255)
    mean = values.mean(axis=0, dtype=np.float64)
    std = values.std(axis=0, dtype=np.float64).clip(min=1e-2)  # blank channels
    return _rounded(mean), _rounded(std)


def _rounded(values: Any) -> Triple:
    red, green, blue = (round(float(value), 4) for value in values)
    return red, green, blue


def _adamw(net: nn.Module, settings: ClassifierSettings, device: torch.device) -> torch.optim.AdamW:
    """AdamW that leaves biases and batch norms undecayed."""
    parameters = list(net.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=device.type in ("cpu", "cuda"))


@contextmanager
def _explained(settings: ClassifierSettings, image_size: int) -> Iterator[None]:
    """Turn torch's errors in a step into ones that say what to change."""
    try:
        yield
    except PgnStudioError:
        raise
    except torch.OutOfMemoryError as error:
        raise ClassifierError(
            f"The device has too little memory for batches of {settings.batch_size} at {image_size} px.",
            hint=Advice("Lower {} or {}.", Setting("batch_size"), Setting("image_size")),
            details=str(error),
        ) from error
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ClassifierError(
            f"{settings.arch} cannot be trained on images of {image_size} px in batches of"
            f" {settings.batch_size}: {str(error).splitlines()[0] if str(error) else 'torch refused'}",
            hint=Advice(
                "Choose another {} (224 suits most architectures) or a larger {}.",
                Setting("image_size"),
                Setting("batch_size"),
            ),
            details=str(error),
        ) from error
