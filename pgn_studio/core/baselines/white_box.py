"""The upper reference: the PGN's generator trained on cross-entropy straight through f, without a D."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from pgn_studio.core.baselines.base import Baseline
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.baselines.gradients import check_differentiable
from pgn_studio.core.baselines.matching import BATCH, matched
from pgn_studio.core.classifiers import measure_accuracy
from pgn_studio.core.config import Problem
from pgn_studio.core.device import autocast, seed_everything, training_machine
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.evaluation.evaluate import clean_scores, evaluate_perturber
from pgn_studio.core.evaluation.metrics import Scores
from pgn_studio.core.evaluation.perturber import Perturber, added
from pgn_studio.core.perturbation.feature_noise import NoFeatureNoise
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.losses import l2_term
from pgn_studio.core.perturbation.pgn import Perturbation, as_told, build_generator
from pgn_studio.core.protocols import Progress
from pgn_studio.core.training.builders import build_feature_noise, pooled_features, sampled
from pgn_studio.core.training.ema import averaging, learned_part
from pgn_studio.core.training.feature_cache import FeatureCache
from pgn_studio.core.training.input_mixup import chosen_share, unseen_accuracy
from pgn_studio.core.training.loader import NOISE, Batch, Loader, feature_cache_for, lasting_features
from pgn_studio.core.training.model_card import told_to_g
from pgn_studio.core.training.model_selection import BestWeights
from pgn_studio.core.training.schedule import generator_for, training_epochs
from pgn_studio.core.training_loop import train_epochs

Outputs = Callable[[Tensor], "Tensor | None"]  # of f for images, as G is told them, if it is


class Generated:
    """p = G(x), or of x and what f says of it."""

    def __init__(self, generator: Generator, space: InputSpace, outputs: Outputs) -> None:
        self.generator = generator
        self.space = space
        self.outputs = outputs

    @torch.no_grad()
    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        return added(self.space, pixels, self.generator(pixels, outputs=self.outputs(pixels)))


def train_white_box(context: BaselineContext, progress: Progress | None = None) -> tuple[Perturber, float]:
    """Train and return the best perturber by 8-bit validation accuracy, and its mean RMS there.

    Data, augmentation, input mixup, order, γ, L2, rate, clip, epochs, EMA and what G is told of f are the
    PGN's. Where p is larger than the target, in a batch as on validation, it is scaled down as a whole: G
    learns what it will be used for. It is never enlarged. `progress(steps done, steps)`.
    Raises ConfigError for settings that do not train here, ClassifierError for a classifier that
    gives no gradients.
    """
    run = _Run(context, progress)
    if run.total_steps == 0:
        raise ConfigError("The training split needs at least two images.", hint="Use more training images.")
    train_epochs(run, range(run.epochs))
    return run.best()


class _Run:
    """A `Learner`: G alone."""

    def __init__(self, context: BaselineContext, progress: Progress | None) -> None:
        settings, device = context.settings, context.device
        self.context, self.progress = context, progress
        machine = training_machine(str(device), context.precision)
        self.precision = machine.precision
        context.classifier.to(device)
        context.space.to(device)
        seed_everything(context.seed)
        classes = len(context.classifier.info.classes)
        generator = build_generator(settings, image_size=context.image_size, classes=classes)
        self.generator = generator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        learning = [parameter for parameter in generator.parameters() if parameter.requires_grad]
        fused = device.type in ("cpu", "cuda")
        self.adam = torch.optim.Adam(learning, lr=settings.learning_rate_g, fused=fused)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == "fp16")
        self.ema = averaging(generator, decay=settings.ema_decay)
        self.epochs = training_epochs(settings, len(context.train))
        encoded = feature_cache_for(context.train, lasting_features(generator, machine), settings)
        self.loader = Loader(
            context.train,
            settings,
            encoded=encoded,
            outputs=None,
            seed=context.seed,
            input_mixup=_input_mixup(context),
            device=device,
        )
        self.feature_noise = self._fitted_noise(encoded)
        self.total_steps = self.loader.steps_per_epoch * self.epochs
        self._steps = 0
        self._clean: Scores | None = None  # f's scores of the clean validation images: they never change
        learned = learned_part(self.result)
        self._best = BestWeights(learned, context.problem, images=len(context.val))

    def _fitted_noise(self, encoded: FeatureCache | None) -> NoFeatureNoise:
        """As the trainer fits it."""
        context, generator = self.context, self.generator
        noise = build_feature_noise(context.settings, generator)
        if not noise.reads_encoder:
            return noise
        images = sampled(context.train, seed=context.seed, device=context.device)
        with torch.no_grad():
            pooled = [
                pooled_features(generator, sample, precision=self.precision, memory=encoded)
                for sample in images
            ]
        noise.to(context.device).fit(torch.cat(pooled))
        return noise

    @property
    def result(self) -> Generator:
        return self.ema.generator

    def batches(self, epoch: int) -> Iterator[Batch]:
        self.generator.train()
        return self.loader.epoch(epoch)

    def proceed(self) -> bool:
        return True  # until `progress` raises

    def step(self, batch: Batch) -> None:
        context = self.context
        with autocast(self.precision, context.device):
            encoded = self.generator.encode(batch.pixels) if batch.encoded is None else batch.encoded
            encoded = self.feature_noise(encoded, generator_for(context.seed, self._steps, NOISE))
            told = self._outputs(batch.classifier_input)
            perturbation = _at_most(self.generator.decode(encoded, outputs=told), context.rms)
            clip = context.settings.clip
            kept = context.space.clip(batch.pixels, perturbation) if clip else perturbation
            normalized = context.space.normalized(context.space.from_pixels(batch.classifier_input) + kept)
            logits = context.classifier.logits_normalized(normalized)
        check_differentiable(context.classifier, logits)
        loss = white_box_loss(logits.float(), batch.labels, context.problem)
        loss = loss + context.settings.first_gamma * l2_term(perturbation, context.settings.l2)
        self.adam.zero_grad(set_to_none=True)
        torch.autograd.backward(self.scaler.scale(loss))
        self.scaler.step(self.adam)
        self.scaler.update()
        self._steps += 1
        self.ema.update(self.generator)
        if self.progress is not None:
            self.progress(self._steps, self.total_steps)

    @torch.no_grad()
    def _outputs(self, pixels: Tensor) -> Tensor | None:
        if not self.generator.classes:
            return None
        told = told_to_g(self.context.settings)
        return as_told(self.context.classifier(pixels).float().softmax(1), told)

    def end_epoch(self, epoch: int) -> None:
        """Kept if best: by validation accuracy after 8 bits at the strength that it will have."""
        context = self.context
        self.result.eval()
        perturber, _ = matched(self._generated(), context, enlarge=False)
        if self._clean is None:
            self._clean = clean_scores(context.classifier, context.val, batch_size=BATCH)
        accuracy = evaluate_perturber(
            perturber,
            context.classifier,
            context.val,
            split_name="val",
            dataset_name="",
            space=context.space,
            batch_size=BATCH,
            clean=self._clean,
        ).metrics.perturbed_accuracy_8bit
        self._best.offer(accuracy)

    def best(self) -> tuple[Perturber, float]:
        self._best.restore()
        self.result.requires_grad_(False).eval()
        return matched(self._generated(), self.context, enlarge=False)

    def _generated(self) -> Generated:
        return Generated(self.result, self.context.space, self._outputs)


def white_box_loss(logits: Tensor, labels: Tensor, problem: Problem) -> Tensor:
    """enhance: cross-entropy, -log P(y). adversarial: -log(1 - P(y)), the cross-entropy of "not y".

    Unlike -cross-entropy the latter is bounded below: an image that is fooled for good pulls no more.
    """
    if problem == "enhance":
        return F.cross_entropy(logits, labels)
    own = F.one_hot(labels, logits.shape[1]).bool()
    others = logits.masked_fill(own, -math.inf)
    return (logits.logsumexp(1) - others.logsumexp(1)).mean()


def _at_most(perturbation: Tensor, rms: float) -> Tensor:
    """The batch scaled down as a whole where its mean RMS is above `rms`."""
    own = perturbation.flatten(1).norm(dim=1).mean() / perturbation[0].numel() ** 0.5
    factor: Tensor = (rms / own.clamp_min(1e-12)).clamp_max(1.0)
    return perturbation * factor


def _input_mixup(context: BaselineContext) -> float:
    """The share that the trainer would choose."""
    train, val = (
        measure_accuracy(context.classifier, split, device=context.device)
        for split in (context.train, context.val)
    )
    wanted = unseen_accuracy(train, val, context.settings)
    return chosen_share(context.settings, context.classifier, context.train, wanted=wanted)


class WhiteBox(Baseline):
    """G trained through f, at the PGN's strength: `train_white_box` sees to it."""

    title = "White-box"
    description = "the same generator, trained by gradients through f without a discriminator"
    needs_training = True
    needs_gradients = True
    strength = "own"

    def prepare(self, context: BaselineContext, progress: Progress | None = None) -> None:
        self._trained, _ = train_white_box(context, progress)

    def perturb(self, images: Tensor, labels: Tensor | None, context: BaselineContext) -> Tensor:
        return self._trained.perturb(images, torch.empty(0)).perturbation  # it looks at no label
