"""What G is told beside the image: γ, where one network serves all of a range, and f's outputs for it.

Loss-conditional training (Dosovitskiy and Djolonga, ICLR 2020): while it trains each image draws its own γ,
and feature-wise scales and shifts (FiLM: Perez et al. 2018) behind the decoder's norms read it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgn_studio.core.gamma import GammaRange

_HIDDEN = 64


def drawn_gammas(gammas: GammaRange, count: int, draws: torch.Generator) -> Tensor:
    """γ of `count` images, log-uniform: (count,) on the CPU."""
    return torch.exp(torch.rand(count, generator=draws) * math.log(gammas.high / gammas.low)) * gammas.low


def step_gammas(
    gammas: GammaRange | None, gamma: float, count: int, draws: torch.Generator, device: torch.device
) -> Tensor:
    """γ of each of a step's images, (count,): drawn from the range that G serves, else `gamma`."""
    if gammas is None:
        return torch.full((count,), gamma, device=device)
    return drawn_gammas(gammas, count, draws).to(device, non_blocking=True)


def scaled_log(gammas: GammaRange, values: Tensor) -> Tensor:
    """log γ (N,), the range as −1…1."""
    return 2 * torch.log(values / gammas.low) / math.log(gammas.high / gammas.low) - 1


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Labels (N,) as (N, classes) float32; nothing comes to the host."""
    return (labels.unsqueeze(1) == torch.arange(classes, device=labels.device)).float()


def told_outputs(outputs: Tensor, classes: int) -> Tensor | None:
    """f's outputs, labels (N,) or probabilities (N, K), as G is told them: (N, K); None where it is not."""
    if not classes:
        return None
    return outputs if outputs.dim() == 2 else one_hot(outputs, classes)


class Modulation(nn.Module):
    """Scales and shifts of normalized layers of these `widths`, and a gain on p; at first the identity.

    It reads γ of `gammas`, if given, and f's outputs of `classes` classes (probabilities, or its label
    one-hot), if not 0.
    """

    def __init__(self, widths: Sequence[int], *, gammas: GammaRange | None, classes: int) -> None:
        super().__init__()
        self.gammas = gammas
        self.classes = classes
        self.embed = nn.Linear((gammas is not None) + classes, _HIDDEN)
        self.layers = nn.ModuleList(nn.Linear(_HIDDEN, 2 * width) for width in widths)
        self.gain = nn.Linear(_HIDDEN, 1)
        for layer in (*self.layers, self.gain):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, gamma: Tensor | None, outputs: Tensor | None) -> tuple[Iterator[Tensor], Tensor]:
        """γ (N,) and f's outputs (N, K) to each layer's scale and shift (N, 2·width), and the gain (N, 1)."""
        told = []
        if self.gammas is not None:
            assert gamma is not None
            told.append(scaled_log(self.gammas, gamma.float()).unsqueeze(1))
        if self.classes:
            assert outputs is not None
            told.append(outputs.float())
        hidden = F.silu(self.embed(torch.cat(told, dim=1)))
        return (layer(hidden) for layer in self.layers), torch.exp(self.gain(hidden))


def modulated(values: Tensor, scale_and_shift: Tensor) -> Tensor:
    """Values (N, C, h, w), with 1 + scale and the shift of (N, 2·C)."""
    scale, shift = scale_and_shift.to(values.dtype)[:, :, None, None].chunk(2, dim=1)
    return torch.addcmul(shift, values, 1 + scale)
