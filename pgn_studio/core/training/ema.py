"""A running average of G's weights: smoother than any single step of a two-player game."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from pgn_studio.core.perturbation.generator import Generator


class LatestWeights:
    """G as it is, where nothing is averaged."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator  # the one that is judged, shown and kept
        self.updates = 0

    def update(self, generator: Generator) -> None:
        """After a step of G."""

    def parts(self) -> dict[str, nn.Module]:
        """What a checkpoint holds of it beside G, by name."""
        return {}


class EMA(LatestWeights):
    """w ← d·w + (1 - d)·G, with d rising to `decay` over the first steps. Shares a frozen encoder with G."""

    def __init__(self, generator: Generator, *, decay: float) -> None:
        frozen = None if generator.encoder_trained else generator.encoder
        shared = {} if frozen is None else {id(frozen): frozen}
        super().__init__(copy.deepcopy(generator, memo=shared).requires_grad_(False).eval())
        self.decay = decay

    @torch.no_grad()
    def update(self, generator: Generator) -> None:
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9))
        mine, its = _state(self.generator), _state(generator)
        pairs = [(old, new) for old, new in zip(mine, its, strict=True) if old.is_floating_point()]
        torch._foreach_lerp_([old for old, _ in pairs], [new for _, new in pairs], 1 - decay)

    def parts(self) -> dict[str, nn.Module]:
        return {"averaged": learned_part(self.generator)}


def averaging(generator: Generator, *, decay: float) -> LatestWeights:
    """An average with this decay; none where it is 0."""
    return EMA(generator, decay=decay) if decay else LatestWeights(generator)


def learned_part(generator: Generator) -> nn.Module:
    """What of G learns; the rest stands still."""
    return generator if generator.encoder_trained else generator.decoder


def _state(generator: Generator) -> list[Tensor]:
    """Weights and batch statistics of what learns."""
    module = learned_part(generator)
    return [*module.parameters(), *module.buffers()]
