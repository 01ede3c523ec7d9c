"""What a user would do instead: f's own weights trained further on the same images."""

from __future__ import annotations

import copy
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
from pgn_studio.core.training.batches import epoch_batches, generator_for, steps_per_epoch, training_epochs
from pgn_studio.core.training.choosing import as_good, higher
from pgn_studio.core.training.loader import AUGMENTATION

_RATE = 5e-4  # AdamW's peak
_WEIGHT_DECAY = 0.01


def fine_tune(context: BaselineContext, progress: Progress | None = None) -> Classifier:
    """A copy of f trained with AdamW and one cycle of the rate; the best epoch by validation is returned.

    Images, augmentation, order, batch size, epochs and the rule for the best of them are the PGN's; f
    itself is never touched, counts as the first, and is what is returned where no epoch is as good.
    `progress(steps done, steps)`. Raises ClassifierError for networks that cannot learn (exported
    programs), ConfigError for settings that do not train here.
    """
    run = _Run(context)
    epochs = training_epochs(context.settings, len(context.train))
    total = run.steps_per_epoch * epochs
    if total == 0:
        raise ConfigError("The training split needs at least two images.", hint="Use more training images.")
    top, best_weights = run.accuracy(), copy.deepcopy(run.tuned.net.state_dict())
    for epoch in range(epochs):
        run.train_epoch(epoch, total, progress)
        accuracy = run.accuracy()
        top = higher("enhance", accuracy, top)
        if as_good("enhance", accuracy, top, images=len(context.val)):
            best_weights = copy.deepcopy(run.tuned.net.state_dict())
    run.tuned.net.load_state_dict(best_weights)
    return run.tuned


class _Run:
    def __init__(self, context: BaselineContext) -> None:
        settings, device = context.settings, context.device
        self.context = context
        self.precision = training_machine(str(device), context.precision).precision
        seed_everything(context.seed)
        self.tuned = _copy(context.classifier.to(device))
        self.optimizer = torch.optim.AdamW(self.tuned.net.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")
        self.changes = augmentation(settings.augment, settings.dataset)
        self.steps_per_epoch = steps_per_epoch(len(context.train), settings.batch_size)

    def train_epoch(self, epoch: int, total: int, progress: Progress | None) -> None:
        """One pass in training mode; the network is frozen again afterwards."""
        context, device = self.context, self.context.device
        batch_size = context.settings.batch_size
        batches = epoch_batches(len(context.train), batch_size, seed=context.seed, epoch=epoch)
        step = epoch * self.steps_per_epoch
        self.tuned.net.requires_grad_(True).train()
        for images, labels in prefetched(context.train, batches, pin=device.type == "cuda"):
            for group in self.optimizer.param_groups:
                group["lr"] = one_cycle_rate(step, total, peak=_RATE)
            draws = generator_for(context.seed, step, AUGMENTATION)
            self._step(augment(to_pixels(images, device), self.changes, draws), labels.to(device))
            step += 1
            if progress is not None:
                progress(step, total)
        self.tuned.net.requires_grad_(False).eval()

    def _step(self, pixels: Tensor, labels: Tensor) -> None:
        with autocast(self.precision, self.context.device):
            logits = self.tuned(pixels)
        loss = F.cross_entropy(logits.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(self.scaler.scale(loss))
        self.scaler.step(self.optimizer)
        self.scaler.update()

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
