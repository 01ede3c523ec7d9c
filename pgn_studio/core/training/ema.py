"""A running average of G's weights: smoother than any single step of a two-player game."""

from __future__ import annotations

import copy

import torch

from pgn_studio.core.perturbation.generator import Generator


class EMA:
    """w ← d·w + (1 - d)·G, with d rising to `decay` over the first steps. Shares a frozen encoder with G."""

    def __init__(self, generator: Generator, *, decay: float) -> None:
        frozen = None if generator.encoder_trained else generator.encoder
        shared = {} if frozen is None else {id(frozen): frozen}
        self.generator = copy.deepcopy(generator, memo=shared).requires_grad_(False).eval()
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, generator: Generator) -> None:
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9))
        mine, its = _state(self.generator), _state(generator)
        pairs = [(old, new) for old, new in zip(mine, its, strict=True) if old.is_floating_point()]
        torch._foreach_lerp_([old for old, _ in pairs], [new for _, new in pairs], 1 - decay)


def _state(generator: Generator) -> list[torch.Tensor]:
    """Weights and batch statistics of what learns."""
    module = generator if generator.encoder_trained else generator.decoder
    return [*module.parameters(), *module.buffers()]
