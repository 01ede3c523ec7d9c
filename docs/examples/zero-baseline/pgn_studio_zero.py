"""The smallest baseline: p = 0, what every other way has to beat."""

from __future__ import annotations

import torch

from pgn_studio.plugins import Baseline


class Zero(Baseline):
    title = "Zero"
    description = "no perturbation at all"
    strength = "own"  # no factor makes 0 as strong as the PGN

    def perturb(self, images, labels, context):
        return torch.zeros_like(images)
