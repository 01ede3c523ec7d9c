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

from pgn_studio.core.config import TrainingSettings, min_scale
from pgn_studio.core.device import Machine, autocast
from pgn_studio.core.perturbation.discriminators.base import (
    Discriminator,
    DiscriminatorBatch,
    DiscriminatorLoss,
    FrozenClassifier,
    Observation,
    predicted_labels,
)
from pgn_studio.core.perturbation.feature_noise import NoFeatureNoise
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.losses import generator_losses, l2_terms, success_targets
from pgn_studio.core.perturbation.modulation import step_gammas, told_outputs
from pgn_studio.core.training.ema import averaging
from pgn_studio.core.training.loader import Batch, lasting_features


@dataclass(frozen=True)
class Networks:
    """Everything that takes part in a step."""

    f: FrozenClassifier
    generator: Generator
    discriminator: Discriminator
    feature_noise: NoFeatureNoise

    def learning_in_g(self) -> list[nn.Parameter]:
        return [p for p in self.generator.parameters() if p.requires_grad]

    def train(self, mode: bool) -> None:
        self.generator.train(mode)
        self.discriminator.train(mode)


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
        self.device = device = networks.f.space.mean.device
        fused = device.type in ("cpu", "cuda")
        learning_d, learning_g = networks.discriminator.learning(), networks.learning_in_g()
        self.adam_d = torch.optim.Adam(learning_d, lr=settings.learning_rate_d, fused=fused)
        self.adam_g = torch.optim.Adam(learning_g, lr=settings.learning_rate_g, fused=fused)
        self.min_scale = min_scale(settings)
        self.ema = averaging(networks.generator, decay=settings.ema_decay)
        # fp16 gradients underflow without scaling; bf16 and fp32 do not
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def __call__(self, batch: Batch, *, gamma: float, noise: torch.Generator) -> StepResult:
        """`gamma` is that of all images, unless G serves a range: then each draws its own.

        `noise` draws these, the noise on G's features and the perturbations' scales.
        """
        settings, f, labels = self.settings, self.networks.f, batch.labels
        generator, discriminator = self.networks.generator, self.networks.discriminator
        gammas = step_gammas(generator.gammas, gamma, len(labels), noise, self.device)  # (B,)
        with autocast(self.precision, self.device):
            encoded = self._encoded(batch)  # (B, C, h, w)
            noisy = self.networks.feature_noise(encoded, noise)
            clean = f.space.from_pixels(batch.classifier_input)  # (B, 3, H, W)
            outputs = self._clean_outputs(batch, clean)  # (B,), or probabilities (B, K)
            told = told_outputs(outputs, generator.classes)
            perturbation = generator.decode(noisy, gammas, told)  # p = G(x), (B, 3, H, W)
            perturbed = clean + self._applied(perturbation, batch.pixels, noise)  # x̃, equation 1
            about = DiscriminatorBatch(batch.pixels, labels, encoded.detach(), clean, outputs)
            seen = discriminator.observe(perturbed, about)  # the one forward of f about x̃
            targets = success_targets(seen.outputs, labels, settings.problem)  # (B,)
            judged = discriminator.loss(seen.detach(), targets, about)
        self._minimize(self.adam_d, judged.total)

        with autocast(self.precision, self.device):
            logits = discriminator.judge(seen)  # (B,), by the updated D
            losses_g = generator_losses(logits / settings.logit_temperature, settings.loss)
            l2 = l2_terms(perturbation, settings.l2)
            objective = (losses_g + gammas * l2).mean()  # equation 9
        self._minimize(self.adam_g, objective)
        self.ema.update(generator)
        return self._result(seen, about, judged, targets, losses_g=losses_g, l2=l2, logits=logits)

    @property
    def result(self) -> Generator:
        """The generator that is judged, shown and kept."""
        return self.ema.generator

    @property
    def encode(self) -> Callable[[Tensor], Tensor] | None:
        """A frozen encoder's features of pixels, to be kept; None where they are not worth it."""
        return lasting_features(self.networks.generator, Machine(self.device, self.precision))

    def outputs(self, pixels: Tensor) -> Tensor:
        """f's outputs for pixels, to be kept."""
        with autocast(self.precision, self.device):
            return self.networks.f.outputs(self.networks.f.space.from_pixels(pixels))

    def parts(self) -> dict[str, nn.Module]:
        """All that a checkpoint holds beside the optimizers, by name."""
        networks = self.networks
        return {
            "generator": networks.generator,
            **networks.discriminator.parts(),
            "feature_noise": networks.feature_noise,
            **self.ema.parts(),  # of a frozen encoder nothing: it is in `generator`
        }

    def _encoded(self, batch: Batch) -> Tensor:
        return self.networks.generator.encode(batch.pixels) if batch.encoded is None else batch.encoded

    def _clean_outputs(self, batch: Batch, clean: Tensor) -> Tensor:
        return self.networks.f.outputs(clean) if batch.outputs is None else batch.outputs

    def _applied(self, perturbation: Tensor, pixels: Tensor, noise: torch.Generator) -> Tensor:
        """p as it is added: at scales from `min_scale` to 1, one for each image, and clipped to the image."""
        if self.min_scale < 1:
            scales = torch.rand(len(perturbation), generator=noise)
            scales = scales.mul_(1 - self.min_scale).add_(self.min_scale).view(-1, 1, 1, 1)
            perturbation = scales.to(perturbation.device, non_blocking=True) * perturbation
        return self.networks.f.space.clip(pixels, perturbation) if self.settings.clip else perturbation

    def _minimize(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        learning = optimizer.param_groups[0]["params"]  # G's update needs no gradients of D's weights
        self.scaler.scale(loss).backward(inputs=learning)  # type: ignore[no-untyped-call]
        self.scaler.step(optimizer)
        self.scaler.update()

    def _result(
        self,
        seen: Observation,
        about: DiscriminatorBatch,
        judged: DiscriminatorLoss,
        targets: Tensor,
        *,
        losses_g: Tensor,
        l2: Tensor,
        logits: Tensor,
    ) -> StepResult:
        right = seen.predictions == about.labels
        was_right = predicted_labels(about.outputs) == about.labels
        return StepResult(
            loss_g=losses_g.detach().mean(),
            loss_d=judged.adversarial.detach(),
            l2=l2.detach().mean(),
            target_mean=targets.mean(),
            fixed=(right & ~was_right).sum(),
            broken=(~right & was_right).sum(),
            clean_right=was_right.sum(),
            perturbed_right=right.sum(),
            d_spread=torch.sigmoid(judged.logits.detach()).std(unbiased=False),
            d_target_mean=judged.targets.mean(),
            d_target_var=judged.targets.var(unbiased=False),
            d_doubt=generator_losses(logits.detach(), self.settings.loss).mean(),
        )
