"""Algorithm 1, one step, with the least work: one forward of f gives t, D's examples and G's gradient.

With D's backbone shared and frozen, its features of x̃ serve D's update (detached) and, with the
updated head, G's (through the graph): no second forward is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import TrainingSettings, min_scale, soft_targets
from pgn_studio.core.device import Machine, autocast
from pgn_studio.core.perturbation.condition import ConditionEncoder, PrincipalComponents
from pgn_studio.core.perturbation.discriminator import (
    Discriminator,
    DiscriminatorBackbone,
    SurrogateDiscriminator,
)
from pgn_studio.core.perturbation.feature_noise import FeatureNoise
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.losses import (
    discriminator_loss,
    generator_losses,
    l2_terms,
    success_targets,
    surrogate_loss,
)
from pgn_studio.core.perturbation.modulation import drawn_gammas, one_hot
from pgn_studio.core.training.ema import EMA
from pgn_studio.core.training.loader import Batch, lasting_features


@dataclass(frozen=True)
class Networks:
    """Everything that takes part in a step. `backbone` is None where D looks through f itself."""

    classifier: Classifier
    space: InputSpace
    generator: Generator
    discriminator: Discriminator | SurrogateDiscriminator
    backbone: DiscriminatorBackbone | None
    condition: PrincipalComponents | ConditionEncoder | None
    feature_noise: FeatureNoise | None = None

    @property
    def told_dim(self) -> int:
        """Width of what D is told beside x̃; 0 for the paper's D."""
        return self.discriminator.classes + (0 if self.condition is None else self.condition.dim)

    def names(self, features: Tensor) -> Tensor:
        """Which label f gives, by the features of D's own backbone that learns: logits (N, K)."""
        if isinstance(self.discriminator, SurrogateDiscriminator):
            return self.discriminator.names(features)
        assert self.backbone is not None
        assert self.backbone.surrogate is not None
        named: Tensor = self.backbone.surrogate(features)
        return named.float()

    def learning_in_d(self) -> list[nn.Parameter]:
        modules = [self.discriminator, self.backbone, self.condition]
        parameters = (p for module in modules if module is not None for p in module.parameters())
        return [p for p in parameters if p.requires_grad]

    def learning_in_g(self) -> list[nn.Parameter]:
        return [p for p in self.generator.parameters() if p.requires_grad]

    def train(self, mode: bool) -> None:
        for module in (self.generator, self.discriminator, self.backbone, self.condition):
            if module is not None:
                module.train(mode)


class Observation(NamedTuple):
    """What f answers and D's backbone sees of a batch."""

    features: Tensor  # (N, F)
    answers: Tensor  # (N,) int64, f's labels; or (N, K), its probabilities, where targets are soft

    @property
    def predictions(self) -> Tensor:
        """f's labels, (N,) int64."""
        return _labels(self.answers)


class Judged(NamedTuple):
    """D's examples as it sees them before its update."""

    logits: Tensor  # (M,)
    targets: Tensor  # (M,)
    naming: Tensor  # how far its own backbone is from f's labels; 0 where that is frozen


class StepResult(NamedTuple):
    """Scalars of one step, still on the device so that nothing waits for it."""

    loss_g: Tensor
    loss_d: Tensor
    l2: Tensor
    target_mean: Tensor
    fixed: Tensor
    broken: Tensor
    clean_right: Tensor
    perturbed_right: Tensor
    d_spread: Tensor  # standard deviation of D's judgments (0…1) over all of its examples
    d_target_mean: Tensor  # mean target of D's examples
    d_target_var: Tensor  # its variance: the least-squares loss of the best constant
    d_doubt: Tensor  # L_G at temperature 1: how far D is from calling every x̃ a success


class TrainStep:
    """Callable: (batch, gamma, noise) → StepResult; updates D, then G."""

    def __init__(self, networks: Networks, settings: TrainingSettings, *, precision: str) -> None:
        self.networks = networks
        self.settings = settings
        self.precision = precision
        device = networks.space.mean.device
        self.device = device
        fused = device.type in ("cpu", "cuda")
        self.adam_d = torch.optim.Adam(networks.learning_in_d(), lr=settings.learning_rate_d, fused=fused)
        self.adam_g = torch.optim.Adam(networks.learning_in_g(), lr=settings.learning_rate_g, fused=fused)
        self.soft = soft_targets(settings)
        self.weakest = min_scale(settings)
        self.averaged = EMA(networks.generator, decay=settings.ema_decay) if settings.ema_decay else None
        # fp16 gradients underflow without scaling; bf16 and fp32 do not
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    @property
    def result(self) -> Generator:
        """The generator that is judged, shown and kept."""
        return self.networks.generator if self.averaged is None else self.averaged.generator

    def __call__(self, batch: Batch, *, gamma: float, noise: torch.Generator) -> StepResult:
        """`gamma` is that of all images, unless G serves a range: then each draws its own.

        `noise` draws these, the noise on G's features and the perturbations' strengths.
        """
        settings, networks = self.settings, self.networks
        pixels, labels, shown, encoded, before = batch
        gammas = self._gammas(len(labels), gamma, noise)
        with autocast(self.precision, self.device):
            encoded = networks.generator.encode(pixels) if encoded is None else encoded
            read = encoded if networks.feature_noise is None else networks.feature_noise(encoded, noise)
            clean = networks.space.enter(shown)
            before = self._answers(clean) if before is None else before  # of f about the clean images
            told_g = self._told_g(before)
            perturbation = networks.generator.decode(read, gammas, told_g)  # p = G(x)
            perturbed = clean + self._held(pixels, self._applied(perturbation, noise))  # x̃, equation 1
            condition = self._condition(pixels, encoded, labels)
            seen = self._look(perturbed)  # one forward: t and D's features
            targets = success_targets(seen.answers, labels, settings.problem)
            judged = self._judge(seen, targets, perturbed, clean, before, labels, condition)
            loss_d = discriminator_loss(judged.logits, judged.targets, settings.loss)
        self._update(self.adam_d, loss_d + judged.naming)

        with autocast(self.precision, self.device):
            features = (
                self._features(perturbed, forward_eval=True) if self._backbone_learns else seen.features
            )
            told_d = None if condition is None else condition.detach()
            logits = networks.discriminator(features, told_d)  # the updated D on x̃
            losses_g = generator_losses(logits / settings.logit_temperature, settings.loss)
            l2 = l2_terms(perturbation, settings.l2)
            objective = (losses_g + gammas * l2).mean()  # equation 9
        self._update(self.adam_g, objective)
        if self.averaged is not None:
            self.averaged.update(networks.generator)

        right, was_right = seen.predictions == labels, _labels(before) == labels
        return StepResult(
            loss_g=losses_g.detach().mean(),
            loss_d=loss_d.detach(),
            l2=l2.detach().mean(),
            target_mean=targets.mean(),
            fixed=(right & ~was_right).sum(),
            broken=(~right & was_right).sum(),
            clean_right=was_right.sum(),
            perturbed_right=right.sum(),
            d_spread=torch.sigmoid(judged.logits.detach()).std(unbiased=False),
            d_target_mean=judged.targets.mean(),
            d_target_var=judged.targets.var(unbiased=False),
            d_doubt=generator_losses(logits.detach(), settings.loss).mean(),
        )

    def _gammas(self, count: int, gamma: float, noise: torch.Generator) -> Tensor:
        """γ of each image: (count,)."""
        served = self.networks.generator.gammas
        if served is None:
            return torch.full((count,), gamma, device=self.device)
        return drawn_gammas(served, count, noise).to(self.device, non_blocking=True)

    def _told_g(self, answers: Tensor) -> Tensor | None:
        """f's answers about the clean images as G is told them: probabilities, or labels one-hot, (N, K)."""
        classes = self.networks.generator.classes
        if not classes:
            return None
        return answers if answers.dim() == 2 else one_hot(answers, classes)

    @torch.no_grad()
    def _answers(self, values: Tensor) -> Tensor:
        """What f says of images in the space of the perturbation: labels, or where soft its probabilities."""
        return self._said(self.networks.classifier.logits_normalized(self.networks.space.normalized(values)))

    @property
    def encode(self) -> Callable[[Tensor], Tensor] | None:
        """A frozen encoder's features of pixels, to be kept; None where they are not worth it."""
        return lasting_features(self.networks.generator, Machine(self.device, self.precision))

    @property
    def answer(self) -> Callable[[Tensor], Tensor] | None:
        """f's answers about pixels, to be kept; None of a black box, which remembers them itself."""
        return None if self.networks.classifier.queries is not None else self._kept_answers

    def _kept_answers(self, pixels: Tensor) -> Tensor:
        with autocast(self.precision, self.device):
            return self._answers(self.networks.space.enter(pixels))

    @property
    def _backbone_learns(self) -> bool:
        return self.networks.backbone is not None and self.networks.backbone.trained

    def _applied(self, perturbation: Tensor, noise: torch.Generator) -> Tensor:
        """At strengths from the weakest to 1, one for each image."""
        if self.weakest == 1:
            return perturbation
        drawn = torch.rand(len(perturbation), generator=noise).mul_(1 - self.weakest).add_(self.weakest)
        return drawn.view(-1, 1, 1, 1).to(perturbation.device, non_blocking=True) * perturbation

    def _condition(self, pixels: Tensor, encoded: Tensor, labels: Tensor) -> Tensor | None:
        """What D is told: features of the clean image and its label, as the settings say."""
        condition, classes = self.networks.condition, self.networks.discriminator.classes
        told: list[Tensor] = []
        if isinstance(condition, ConditionEncoder):
            told.append(condition(pixels))
        elif condition is not None:
            told.append(condition(encoded.detach()))
        if classes:
            told.append(one_hot(labels, classes))
        return torch.cat([part.float() for part in told], dim=1) if told else None

    def _look(self, values: Tensor) -> Observation:
        """f's labels and D's features of images in the space of the perturbation."""
        networks = self.networks
        if networks.backbone is None:
            logits, features = networks.classifier.logits_and_features(networks.space.normalized(values))
            return Observation(features, self._said(logits))
        # Known, black box: f is only called, for labels unless targets are soft.
        answers = self._answers(values)
        if self._backbone_learns:
            return Observation(values.new_empty(0), answers)
        return Observation(self._features(values), answers)

    def _said(self, logits: Tensor) -> Tensor:
        return logits.detach().float().softmax(1) if self.soft else logits.argmax(1)

    def _features(self, values: Tensor, *, forward_eval: bool = False) -> Tensor:
        backbone = self.networks.backbone
        assert backbone is not None
        pixels = self.networks.space.to_pixels(values)
        features: Tensor = backbone.forward_eval(pixels) if forward_eval else backbone(pixels)
        return features

    def _held(self, pixels: Tensor, perturbation: Tensor) -> Tensor:
        return self.networks.space.held(pixels, perturbation) if self.settings.clip else perturbation

    def _judge(
        self,
        seen: Observation,
        targets: Tensor,
        perturbed: Tensor,
        clean: Tensor,
        before: Tensor,
        labels: Tensor,
        condition: Tensor | None,
    ) -> Judged:
        """D's logits of x̃; of a backbone that learns also of the clean images, with f's answers `before`.

        f is asked about these anyway, and without them such a D lags behind: they are half of what it
        learns f's labels from.
        """
        if not self._backbone_learns:
            judged = self.networks.discriminator(seen.features.detach(), condition)
            return Judged(judged, targets, targets.new_zeros(()))
        features = self._features(torch.cat([perturbed.detach(), clean]))
        naming = surrogate_loss(self.networks.names(features), torch.cat([seen.answers, before]))
        told = None if condition is None else condition.repeat(2, 1)
        both = torch.cat([targets, success_targets(before, labels, self.settings.problem)])
        return Judged(self.networks.discriminator(features, told), both, naming)

    def _update(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        learning = optimizer.param_groups[0]["params"]  # G's update needs no gradients of D's weights
        self.scaler.scale(loss).backward(inputs=learning)  # type: ignore[no-untyped-call]
        self.scaler.step(optimizer)
        self.scaler.update()


def _labels(answers: Tensor) -> Tensor:
    return answers if answers.dim() == 1 else answers.argmax(1)
