"""The generator G = decoder ∘ encoder, p = G(x): §3.4 of the paper, fitted to any image size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.config import DecoderNorm
from pgn_studio.core.encoders import SMALL, Backbone, default_size, imagenet_backbone
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.perturbation.modulation import Modulation, modulated

PAPER_WIDTHS = (1024, 512, 256, 128)
NARROW_WIDTHS = (256, 128, 64, 32)
_SMALLEST_GRID = 4  # fewer cells than 4×4 to start from would lose where things are
_LARGE_FOR_CPU = 48
_LAYERS_IN_BLOCK = 9  # three times transposed convolution, norm, ReLU
_NORM_GROUPS = 8
_OUTPUT_GAIN = 0.01  # training starts from x̃ ≈ x


class SmallEncoder(nn.Module):
    """A few strided convolutions, trained from scratch: (N, 3, S, S) to (N, C, g, g)."""

    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    def __init__(self, *, image_size: int, halvings: int, base_width: int = 32, widest: int = 128) -> None:
        super().__init__()
        stem_stride = 2 if image_size > _LARGE_FOR_CPU else 1  # full resolution would cost most of the time
        layers: list[nn.Module] = [*_convolution(3, base_width, stride=stem_stride)]
        channels = base_width
        for _ in range(halvings - stem_stride + 1):
            wider = min(channels * 2, widest)
            layers += [*_convolution(channels, wider, stride=2), *_convolution(wider, wider, stride=1)]
            channels = wider
        self.layers = nn.Sequential(*layers)
        self.feature_dim = channels

    def cut_last_stage(self) -> nn.Module:
        raise ConfigError(
            "The small encoder has no last stage that could learn alone.",
            hint=Advice(
                "Use {} or {}.", Setting("encoder_training", "frozen"), Setting("encoder_training", "full")
            ),
        )

    @classmethod
    def fitting(cls, image_size: int) -> SmallEncoder:
        """One whose features lie on the grid that a decoder for this image size starts from."""
        return cls(image_size=image_size, halvings=DecoderShape.fitting(image_size).blocks + 1)

    def feature_map(self, normalized: Tensor) -> Tensor:
        features: Tensor = self.layers(normalized)
        return features


def _convolution(inputs: int, outputs: int, *, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


@dataclass(frozen=True)
class DecoderShape:
    """How many blocks bring which starting grid up to the image: grid · 2^(blocks + 1) >= image size."""

    grid: int
    blocks: int

    @classmethod
    def fitting(cls, image_size: int, *, most_blocks: int = 4) -> DecoderShape:
        """The paper's 7 → 224 in four blocks and a final layer; fewer blocks where images are smaller."""
        for blocks in range(most_blocks, 1, -1):
            grid = math.ceil(image_size / 2 ** (blocks + 1))
            if grid >= _SMALLEST_GRID:
                return cls(grid=grid, blocks=blocks)
        return cls(grid=math.ceil(image_size / 4), blocks=1)


class Decoder(nn.Module):
    """Blocks of three transposed convolutions (the first of stride 2), then a final one to 3 channels.

    `stage` comes before them: the encoder's last stage, where it learns with the decoder. `gammas` and
    `classes`: what `Modulation` reads, if anything. `damped`: the output starts near 0; the paper's does not.
    """

    def __init__(
        self,
        inputs: int,
        *,
        image_size: int,
        widths: Sequence[int],
        stage: nn.Module | None = None,
        norm: DecoderNorm = "batch",
        gammas: GammaRange | None = None,
        classes: int = 0,
        damped: bool = True,
    ) -> None:
        super().__init__()
        self.stage = stage
        shape = DecoderShape.fitting(image_size, most_blocks=len(widths))
        self.grid, self.image_size = shape.grid, image_size
        layers: list[nn.Module] = []
        normalized: list[int] = []
        channels = inputs
        for width in widths[-shape.blocks :]:  # a resolution has the same width at every image size
            for kernel, stride in ((4, 2), (3, 1), (3, 1)):
                deconvolution = nn.ConvTranspose2d(
                    channels, width, kernel, stride=stride, padding=1, bias=False
                )
                layers += [deconvolution, _norm(norm, width), nn.ReLU(inplace=True)]
                normalized.append(width)
                channels = width
        self.blocks = nn.Sequential(*layers)
        self.output = nn.ConvTranspose2d(channels, 3, 4, stride=2, padding=1)
        told = gammas is not None or classes > 0
        self.modulation = Modulation(normalized, gammas=gammas, classes=classes) if told else None
        if damped:
            with torch.no_grad():
                self.output.weight.mul_(_OUTPUT_GAIN)
                if self.output.bias is not None:
                    self.output.bias.zero_()

    @staticmethod
    def widths_in(tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
        """The widths of the blocks whose weights these are, first to last; `tensors` of a Generator."""
        found: list[int] = []
        while (weight := tensors.get(f"decoder.blocks.{len(found) * _LAYERS_IN_BLOCK}.weight")) is not None:
            found.append(int(weight.shape[1]) if weight.dim() == 4 else 0)
        return tuple(found)

    def forward(self, features: Tensor, gamma: Tensor | None = None, outputs: Tensor | None = None) -> Tensor:
        """Features (N, C, h, w) of any h, w to p (N, 3, S, S); γ (N,) and f's outputs (N, K) where read."""
        if self.stage is not None:
            features = self.stage(features)
        features = _no_finer(features, self.grid)
        if features.shape[-1] < self.grid:
            size = (self.grid, self.grid)
            features = F.interpolate(features, size=size, mode="bilinear", align_corners=False)
        perturbation = self._perturbation(features, gamma, outputs)
        margin = perturbation.shape[-1] - self.image_size  # sizes that are no multiple of the stride
        start = margin // 2
        return perturbation[..., start : start + self.image_size, start : start + self.image_size]

    def _perturbation(self, values: Tensor, gamma: Tensor | None, outputs: Tensor | None) -> Tensor:
        if self.modulation is None:
            whole: Tensor = self.output(self.blocks(values))
            return whole
        layers, gain = self.modulation(gamma, outputs)
        for layer in self.blocks:
            values = layer(values)
            if isinstance(layer, _NORMS):
                values = modulated(values, next(layers))
        perturbation: Tensor = self.output(values)
        scaled: Tensor = perturbation * gain.to(perturbation.dtype)[:, :, None, None]
        return scaled


_NORMS = (nn.BatchNorm2d, nn.GroupNorm)


def _norm(name: DecoderNorm, width: int) -> nn.Module:
    return nn.BatchNorm2d(width) if name == "batch" else nn.GroupNorm(math.gcd(width, _NORM_GROUPS), width)


def _no_finer(features: Tensor, grid: int) -> Tensor:
    if features.shape[-1] <= grid:
        return features
    if torch.onnx.is_in_onnx_export():  # it knows no pooling into bins that overlap
        bins = _bins(int(features.shape[-1]), grid).to(features)
        return bins @ features @ bins.T
    return F.adaptive_avg_pool2d(features, grid)


def _bins(places: int, grid: int) -> Tensor:
    """Adaptive average pooling along one side as a matrix (grid, places)."""
    matrix = torch.zeros(grid, places)
    for row in range(grid):
        first, end = row * places // grid, -(-(row + 1) * places // grid)
        matrix[row, first:end] = 1 / (end - first)
    return matrix


class Generator(nn.Module):
    """p = G(x). Call with pixels (N, 3, S, S) in [0, 1]; p comes back in float32."""

    encoder: Backbone | SmallEncoder
    encoder_mean: Tensor
    encoder_std: Tensor

    def __init__(
        self,
        *,
        encoder: str,
        image_size: int,
        encoder_size: int | None = None,
        encoder_trained: bool | None = None,
        last_stage: bool = False,
        encoder_weights: str = "auto",
        decoder_widths: Sequence[int] | None = None,
        decoder_norm: DecoderNorm = "batch",
        gammas: GammaRange | None = None,
        classes: int = 0,
        damped: bool = True,
    ) -> None:
        super().__init__()
        widths = tuple(decoder_widths or (PAPER_WIDTHS if encoder.startswith("resnet") else NARROW_WIDTHS))
        if encoder == SMALL:
            halvings = DecoderShape.fitting(image_size, most_blocks=len(widths)).blocks + 1
            self.encoder = SmallEncoder(image_size=encoder_size or image_size, halvings=halvings)
            self.encoder_size = encoder_size or image_size
            from_scratch = True
        else:
            self.encoder_size = encoder_size or default_size(encoder, image_size)
            self.encoder = imagenet_backbone(encoder, encoder_weights, size=self.encoder_size)
            from_scratch = encoder_weights == "none"
        self.encoder_trained = from_scratch if encoder_trained is None else encoder_trained
        self.encoder.requires_grad_(self.encoder_trained)
        inputs, stage = self.encoder.feature_dim, None
        if last_stage:
            stage = self.encoder.cut_last_stage().requires_grad_(True)
        self.decoder = Decoder(
            inputs,
            image_size=image_size,
            widths=widths,
            stage=stage,
            norm=decoder_norm,
            gammas=gammas,
            classes=classes,
            damped=damped,
        )
        self.register_buffer(
            "encoder_mean", torch.tensor(self.encoder.mean).view(1, 3, 1, 1), persistent=False
        )
        self.register_buffer("encoder_std", torch.tensor(self.encoder.std).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> Generator:
        """A frozen encoder stays in evaluation mode: its batch statistics are part of what it knows."""
        super().train(mode)
        self.encoder.train(mode and self.encoder_trained)
        return self

    def encode(self, pixels: Tensor) -> Tensor:
        """The encoder's view of the image: features (N, C, h, w); no graph where it is frozen.

        No finer than what the decoder reads: they are kept for many images.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.encoder_trained):
            if pixels.shape[-1] != self.encoder_size:
                size = (self.encoder_size, self.encoder_size)
                shrinks = self.encoder_size < pixels.shape[-1]
                pixels = F.interpolate(
                    pixels, size=size, mode="bilinear", align_corners=False, antialias=shrinks
                )
            features: Tensor = self.encoder.feature_map((pixels - self.encoder_mean) / self.encoder_std)
        return features if self.decoder.stage is not None else _no_finer(features, self.decoder.grid)

    def decode(self, features: Tensor, gamma: Tensor | None = None, outputs: Tensor | None = None) -> Tensor:
        perturbation: Tensor = self.decoder(features, gamma, outputs)
        return perturbation.float()

    def forward(self, pixels: Tensor, gamma: Tensor | None = None, outputs: Tensor | None = None) -> Tensor:
        """Equation 2: p (N, 3, S, S) from images (N, 3, S, S).

        With γ (N,) where G serves a range of it, and f's outputs (N, K) for the images where G is told them.
        """
        return self.decode(self.encode(pixels), gamma, outputs)

    @property
    def gammas(self) -> GammaRange | None:
        """The range of γ that it serves; None where it has one alone."""
        return None if self.decoder.modulation is None else self.decoder.modulation.gammas

    @property
    def classes(self) -> int:
        """How many classes f's outputs have that it is told; 0: it is told nothing of f."""
        return 0 if self.decoder.modulation is None else self.decoder.modulation.classes
