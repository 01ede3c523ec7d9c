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
from pgn_studio.core.perturbation.condition import OwnEncoder, PrincipalComponents
from pgn_studio.core.perturbation.discriminator import (
    Discriminator,
    NamingDiscriminator,
    OwnBackbone,
)
from pgn_studio.core.perturbation.feature_noise import FeatureNoise
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.losses import (
    discriminator_loss,
    generator_loss,
    l2_term,
    naming_loss,
    success_targets,
)
from pgn_studio.core.training.averaging import Averaged
from pgn_studio.core.training.feed import Batch, lasting_features
from pgn_studio.core.training.replay import Replay

_REHEARSED = 256  # examples in an extra update of D's head


@dataclass(frozen=True)
class Players:
    """Everything that takes part in a step. `backbone` is None where D looks through f itself."""

    classifier: Classifier
    space: InputSpace
    generator: Generator
    discriminator: Discriminator | NamingDiscriminator
    backbone: OwnBackbone | None
    condition: PrincipalComponents | OwnEncoder | None
    feature_noise: FeatureNoise | None = None

    @property
    def told_dim(self) -> int:
        """Width of what D is told beside x̃; 0 for the paper's D."""
        return self.discriminator.classes + (0 if self.condition is None else self.condition.dim)

    def names(self, features: Tensor) -> Tensor:
        """Which label f gives, by the features of D's own backbone that learns: logits (N, K)."""
        if isinstance(self.discriminator, NamingDiscriminator):
            return self.discriminator.names(features)
        assert self.backbone is not None
        assert self.backbone.namer is not None
        named: Tensor = self.backbone.namer(features)
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


class Seen(NamedTuple):
    """What f answers and D's backbone sees of a batch."""

    features: Tensor  # (N, F)
    answers: Tensor  # (N,) int64, f's labels; or (N, K), its probabilities, where targets are soft

    @property
    def predictions(self) -> Tensor:
        """f's labels, (N,) int64."""
        return self.answers if self.answers.dim() == 1 else self.answers.argmax(1)


class Examples(NamedTuple):
    """D's training examples: x̃, anchors, noise copies and mismatched pairs, one after another."""

    inputs: Tensor  # (rows, F) features, or (rows, 3, H, W) where D's own backbone learns too
    answers: Tensor  # (rows of inputs,) or (rows of inputs, K): what f says of them
    owners: Tensor  # (M,) the index of the clean image that each is judged for
    targets: Tensor  # (M,)


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
    d_spread: Tensor  # standard deviation of D's judgements (0…1) over all of its examples
    d_target_mean: Tensor  # mean target of D's examples
    d_target_var: Tensor  # its variance: the least-squares loss of the best constant
    d_doubt: Tensor  # L_G at temperature 1: how far D is from calling every x̃ a success


class TrainStep:
    """Callable: (batch, gamma, noise) → StepResult; updates D, then G."""

    def __init__(self, players: Players, settings: TrainingSettings, *, precision: str) -> None:
        self.players = players
        self.settings = settings
        self.precision = precision
        device = players.space.mean.device
        self.device = device
        fused = device.type in ("cpu", "cuda")
        self.adam_d = torch.optim.Adam(players.learning_in_d(), lr=settings.learning_rate_d, fused=fused)
        self.adam_g = torch.optim.Adam(players.learning_in_g(), lr=settings.learning_rate_g, fused=fused)
        self.soft = soft_targets(settings)
        self.weakest = min_scale(settings)
        self.replay: Replay | None = None
        moves = isinstance(players.condition, OwnEncoder) or self._backbone_learns
        if settings.replay_updates and players.told_dim and not moves:
            width = players.discriminator.feature_dim
            classes = players.classifier.num_classes if self.soft else 0
            replay = Replay(feature_dim=width, condition_dim=players.told_dim, classes=classes)
            self.replay = replay.to(device)
        self.averaged = Averaged(players.generator, decay=settings.ema_decay) if settings.ema_decay else None
        # fp16 gradients underflow without scaling; bf16 and fp32 do not
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    @property
    def result(self) -> Generator:
        """The generator that is judged, shown and kept."""
        return self.players.generator if self.averaged is None else self.averaged.generator

    def __call__(self, batch: Batch, *, gamma: float, noise: torch.Generator) -> StepResult:
        """`noise` draws that on G's features, the perturbations' strengths, and D's noise copies."""
        settings, players = self.settings, self.players
        pixels, labels, shown, encoded, answers = batch
        with autocast(self.precision, self.device):
            encoded = players.generator.encode(pixels) if encoded is None else encoded
            read = encoded if players.feature_noise is None else players.feature_noise(encoded, noise)
            perturbation = players.generator.decode(read)  # p = G(x)
            clean = players.space.enter(shown)
            perturbed = clean + self._held(pixels, self._applied(perturbation, noise))  # x̃, equation 1
            condition = self._condition(pixels, encoded, labels)
            seen = self._look(perturbed)  # one forward: t and D's features
            asks = settings.clean_examples or answers is None  # f about the clean images
            with torch.no_grad():
                others = self._others(pixels, clean, perturbation.detach(), noise, asks=asks)
                seen_others = self._look(others) if len(others) else Seen(seen.features[:0], seen.answers[:0])
            targets = success_targets(seen.answers, labels, settings.problem)
            unwanted = len(labels) if asks and not settings.clean_examples else 0
            examples = self._examples(seen, perturbed, seen_others, others, labels, skip=unwanted)

        if self.replay is not None and condition is not None:
            self._rehearse(condition, seen, seen_others, labels, noise)
        with autocast(self.precision, self.device):
            judged, naming = self._judge(examples, condition)
            loss_d = discriminator_loss(judged, examples.targets, settings.loss)
        self._update(self.adam_d, loss_d + naming)

        with autocast(self.precision, self.device):
            features = self._features(perturbed, steady=True) if self._backbone_learns else seen.features
            told = None if condition is None else condition.detach()
            logits = players.discriminator(features, told)  # the updated D on x̃
            loss_g = generator_loss(logits / settings.logit_temperature, settings.loss)
            l2 = l2_term(perturbation)
        self._update(self.adam_g, loss_g + gamma * l2)  # equation 9
        if self.averaged is not None:
            self.averaged.update(players.generator)

        right = seen.predictions == labels
        if answers is None or asks:
            answers = seen_others.predictions[: len(labels)]
        was_right = answers == labels
        return StepResult(
            loss_g=loss_g.detach(),
            loss_d=loss_d.detach(),
            l2=l2.detach(),
            target_mean=targets.mean(),
            fixed=(right & ~was_right).sum(),
            broken=(~right & was_right).sum(),
            clean_right=was_right.sum(),
            perturbed_right=right.sum(),
            d_spread=torch.sigmoid(judged.detach()).std(unbiased=False),
            d_target_mean=examples.targets.mean(),
            d_target_var=examples.targets.var(unbiased=False),
            d_doubt=generator_loss(logits.detach(), settings.loss),
        )

    @property
    def encode(self) -> Callable[[Tensor], Tensor] | None:
        """A frozen encoder's features of pixels, to be kept; None where they are not worth it."""
        return lasting_features(self.players.generator, Machine(self.device, self.precision))

    @property
    def answer(self) -> Callable[[Tensor], Tensor] | None:
        """f's labels of pixels, to be kept; None where the step asks about them anyway."""
        asks_anyway = self.settings.clean_examples or self.players.classifier.queries is not None
        return None if asks_anyway else self._answer

    def _answer(self, pixels: Tensor) -> Tensor:
        space = self.players.space
        with autocast(self.precision, self.device):
            logits = self.players.classifier.logits_normalized(space.normalized(space.enter(pixels)))
            return logits.argmax(1)

    @property
    def _backbone_learns(self) -> bool:
        return self.players.backbone is not None and self.players.backbone.trained

    def _applied(self, perturbation: Tensor, noise: torch.Generator) -> Tensor:
        """At strengths from the weakest to 1, one for each image."""
        if self.weakest == 1:
            return perturbation
        return _strengths(perturbation, noise, self.weakest, 1.0) * perturbation

    def _condition(self, pixels: Tensor, encoded: Tensor, labels: Tensor) -> Tensor | None:
        """What D is told: features of the clean image and its label, as the settings say."""
        condition, classes = self.players.condition, self.players.discriminator.classes
        told: list[Tensor] = []
        if isinstance(condition, OwnEncoder):
            told.append(condition(pixels))
        elif condition is not None:
            told.append(condition(encoded.detach()))
        if classes:
            told.append((labels.unsqueeze(1) == torch.arange(classes, device=labels.device)).float())
        return torch.cat([part.float() for part in told], dim=1) if told else None

    def _look(self, values: Tensor) -> Seen:
        """f's labels and D's features of images in the space of the perturbation."""
        players = self.players
        normalized = players.space.normalized(values)
        if players.backbone is None:
            logits, features = players.classifier.logits_and_features(normalized)
            return Seen(features, self._said(logits))
        with torch.no_grad():  # known, black box: f is only called, for labels unless targets are soft
            answers = self._said(players.classifier.logits_normalized(normalized))
        if self._backbone_learns:
            return Seen(values.new_empty(0), answers)
        return Seen(self._features(values), answers)

    def _said(self, logits: Tensor) -> Tensor:
        return logits.detach().float().softmax(1) if self.soft else logits.argmax(1)

    def _features(self, values: Tensor, *, steady: bool = False) -> Tensor:
        backbone = self.players.backbone
        assert backbone is not None
        pixels = self.players.space.to_pixels(values)
        features: Tensor = backbone.steady(pixels) if steady else backbone(pixels)
        return features

    def _held(self, pixels: Tensor, perturbation: Tensor) -> Tensor:
        return self.players.space.held(pixels, perturbation) if self.settings.clip else perturbation

    def _others(
        self, pixels: Tensor, clean: Tensor, perturbation: Tensor, noise: torch.Generator, *, asks: bool
    ) -> Tensor:
        """Images beside x̃ that f is asked about: the clean ones, and copies with other perturbations.

        A copy gets the perturbation of another image of the batch at a random strength: it shows D
        what such perturbations do where G did not mean them.
        """
        pictures = clean if asks else clean[:0]
        if not self.settings.shuffled_perturbations:
            return pictures
        strengths = _strengths(clean, noise, 0.0, 2.0)
        return torch.cat([pictures, clean + self._held(pixels, strengths * perturbation.roll(1, 0))])

    def _examples(
        self, seen: Seen, perturbed: Tensor, seen_others: Seen, others: Tensor, labels: Tensor, *, skip: int
    ) -> Examples:
        """x̃ and all others but the first `skip`."""
        count = len(labels)
        learns = self._backbone_learns
        first, rest = (perturbed, others) if learns else (seen.features, seen_others.features)
        inputs = torch.cat([first.detach(), rest[skip:]])
        answers = torch.cat([seen.answers, seen_others.answers[skip:]])
        rows = torch.arange(len(inputs), device=labels.device)
        shown, owners = answers, rows % count  # each picture judged for its own clean image
        if self.settings.mismatched_pairs and self.players.told_dim:
            shown = torch.cat([shown, shown])  # the same pictures, judged for a neighbour
            owners = torch.cat([owners, (rows + 1) % count])
        targets = success_targets(shown, labels[owners], self.settings.problem)
        return Examples(inputs, answers, owners, targets)

    def _rehearse(
        self, condition: Tensor, seen: Seen, others: Seen, labels: Tensor, noise: torch.Generator
    ) -> None:
        """Update D's head on what it saw before, half of it judged for other images; then remember."""
        replay, settings = self.replay, self.settings
        assert replay is not None
        for _ in range(settings.replay_updates if len(replay) else 0):
            shown = replay.draw(_REHEARSED, noise)
            owners = torch.cat([shown[: _REHEARSED // 2], replay.draw(_REHEARSED // 2, noise)])
            targets = success_targets(replay.answers[shown], replay.labels[owners], settings.problem)
            with autocast(self.precision, self.device):
                logits = self.players.discriminator(replay.features[shown], replay.conditions[owners])
                loss = discriminator_loss(logits, targets, settings.loss)
            self._update(self.adam_d, loss)
        times = 1 + len(others.answers) // len(labels)  # x̃, the clean images, and their copies if any
        replay.add(
            torch.cat([seen.features, others.features]),
            condition.repeat(times, 1),
            torch.cat([seen.answers, others.answers]),
            labels.repeat(times),
        )

    def _judge(self, examples: Examples, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """D's logits of all examples, and what its own backbone has yet to learn of f's labels (else 0)."""
        inputs, naming = examples.inputs, examples.targets.new_zeros(())
        backbone = self.players.backbone
        if backbone is not None and backbone.trained:
            inputs = self._features(inputs)
            naming = naming_loss(self.players.names(inputs), examples.answers)
        if condition is None:
            return self.players.discriminator(inputs), naming
        # Repeated and rolled rather than indexed by `owners`: the gradient of indexing adds up in the
        # order in which threads come, and one seed would no longer give one result.
        times = len(inputs) // len(condition)
        told = condition.repeat(times, 1)
        if len(examples.owners) > len(inputs):  # mismatched pairs follow
            inputs = torch.cat([inputs, inputs])
            told = torch.cat([told, condition.roll(-1, 0).repeat(times, 1)])
        return self.players.discriminator(inputs, told), naming

    def _update(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        learning = optimizer.param_groups[0]["params"]  # G's update needs no gradients of D's weights
        self.scaler.scale(loss).backward(inputs=learning)  # type: ignore[no-untyped-call]
        self.scaler.step(optimizer)
        self.scaler.update()


def _strengths(like: Tensor, noise: torch.Generator, low: float, high: float) -> Tensor:
    """Uniform from `low` to `high`, one for each image of `like`: (N, 1, 1, 1)."""
    drawn = torch.rand(len(like), generator=noise).mul_(high - low).add_(low)
    return drawn.view(-1, 1, 1, 1).to(like.device, non_blocking=True)
