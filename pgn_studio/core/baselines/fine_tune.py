"""What a user would do instead: f's own weights trained further on the same images."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from pgn_studio.core.augment import augment
from pgn_studio.core.baselines.base import Baseline
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.classifiers import Classifier, measure_accuracy
from pgn_studio.core.classifiers.programs.network import ExportedNetwork
from pgn_studio.core.classifiers.training import one_cycle_rate
from pgn_studio.core.config import augmentation
from pgn_studio.core.device import autocast, seed_everything, to_pixels, training_machine
from pgn_studio.core.errors import ClassifierError, ConfigError
from pgn_studio.core.prefetch import prefetched
from pgn_studio.core.protocols import Progress
from pgn_studio.core.training.loader import AUGMENTATION
from pgn_studio.core.training.model_selection import BestWeights
from pgn_studio.core.training.schedule import epoch_batches, generator_for, steps_per_epoch, training_epochs
from pgn_studio.core.training_loop import train_epochs

_RATE = 5e-4  # AdamW's peak
_WEIGHT_DECAY = 0.01


def fine_tune(context: BaselineContext, progress: Progress | None = None) -> Classifier:
    """A copy of f trained with AdamW and one cycle of the rate; the best epoch by validation is returned.

    Images, augmentation, order, batch size, epochs and the rule for the best of them are the PGN's; f
    itself is never touched, counts as the first, and is what is returned where no epoch is as good.
    `progress(steps done, steps)`. Raises ClassifierError for networks that cannot learn (exported
    programs), ConfigError for settings that do not train here.
    """
    run = _Run(context, progress)
    if run.total_steps == 0:
        raise ConfigError("The training split needs at least two images.", hint="Use more training images.")
    best = run.best
    best.offer(run.accuracy())
    train_epochs(run, range(run.epochs))
    best.restore()
    return run.tuned


class _Run:
    """A `Learner`: a copy of f."""

    def __init__(self, context: BaselineContext, progress: Progress | None) -> None:
        settings, device = context.settings, context.device
        self.context, self.progress = context, progress
        self.precision = training_machine(str(device), context.precision).precision
        seed_everything(context.seed)
        self.tuned = _copy(context.classifier.to(device))
        self.optimizer = torch.optim.AdamW(self.tuned.net.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")
        self.changes = augmentation(settings.augment, settings.dataset)
        self.epochs = training_epochs(settings, len(context.train))
        self.total_steps = self.epochs * steps_per_epoch(len(context.train), settings.batch_size)
        self.best = BestWeights(self.tuned.net, "enhance", images=len(context.val))
        self._steps = 0

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """uint8 images (B, H, W, 3) and labels (B,), for the network in training mode."""
        context = self.context
        count, batch_size = len(context.train), context.settings.batch_size
        batches = epoch_batches(count, batch_size, seed=context.seed, epoch=epoch)
        self.tuned.net.requires_grad_(True).train()
        return prefetched(context.train, batches, pin=context.device.type == "cuda")

    def proceed(self) -> bool:
        return True  # until `progress` raises

    def step(self, batch: tuple[Tensor, Tensor]) -> None:
        images, labels = batch
        device = self.context.device
        for group in self.optimizer.param_groups:
            group["lr"] = one_cycle_rate(self._steps, self.total_steps, peak=_RATE)
        draws = generator_for(self.context.seed, self._steps, AUGMENTATION)
        pixels = augment(to_pixels(images, device), self.changes, draws)  # (B, 3, H, W)
        with autocast(self.precision, device):
            logits = self.tuned(pixels)  # (B, K)
        loss = F.cross_entropy(logits.float(), labels.to(device))
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.scaler.scale(loss))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self._steps += 1
        if self.progress is not None:
            self.progress(self._steps, self.total_steps)

    def end_epoch(self, epoch: int) -> None:
        """The network is frozen again, and kept if best."""
        self.tuned.net.requires_grad_(False).eval()
        self.best.offer(self.accuracy())

    def accuracy(self) -> float:
        context = self.context
        return measure_accuracy(self.tuned, context.val, device=context.device)


def _copy(classifier: Classifier) -> Classifier:
    """f again, with weights of its own; it belongs to no file."""
    weights = [parameter for parameter in classifier.net.parameters() if parameter.is_floating_point()]
    if not weights or isinstance(classifier.net, (ExportedNetwork, torch.jit.ScriptModule)):
        raise ClassifierError(
            f"{classifier.info.arch} cannot be trained further: it is no network with weights to move.",
            hint="Give the classifier as weights with their architecture, or leave fine-tune out.",
        )
    return Classifier(copy.deepcopy(classifier.net), replace(classifier.info, path="", sha256=""))


class FineTune(Baseline):
    """Nothing is perturbed: a copy of f that was trained further answers."""

    title = "Fine-tuned f"
    description = "no perturbation: a copy of f trained further on the same images"
    needs_training = True
    problems = ("enhance",)
    strength = "none"

    def prepare(self, context: BaselineContext, progress: Progress | None = None) -> None:
        self._tuned = fine_tune(context, progress)

    def perturb(self, images: Tensor, labels: Tensor | None, context: BaselineContext) -> Tensor:
        return torch.zeros_like(images)

    def classifier(self, context: BaselineContext) -> Classifier:
        return self._tuned
