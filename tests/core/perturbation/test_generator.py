from __future__ import annotations

from typing import Any

import pytest
import torch

from pgn_studio.core.config import TrainingSettings, encoder_training
from pgn_studio.core.encoders import with_encoder_view
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.perturbation.generator import (
    PAPER_WIDTHS,
    Decoder,
    DecoderShape,
    Generator,
)

RESNET_PARAMETERS = {"resnet50": 25_557_032 - 2_049_000, "resnet101": 44_549_160 - 2_049_000}  # without fc


def decoder_parameters(inputs: int, widths: tuple[int, ...]) -> int:
    """Counted layer by layer from §3.4: 4×4, 3×3, 3×3 with batch norm, then a final 4×4 with bias."""
    total, channels = 0, inputs
    for width in widths:
        total += channels * width * 16 + 2 * width * width * 9 + 3 * 2 * width
        channels = width
    return total + channels * 3 * 16 + 3


@pytest.mark.parametrize("encoder", ["resnet50", "resnet101"])
def test_the_paper_size_generator(encoder: str) -> None:
    with torch.device("meta"):
        generator = Generator(encoder=encoder, image_size=224, encoder_weights="none")
    count = sum(parameter.numel() for parameter in generator.parameters())
    assert count == RESNET_PARAMETERS[encoder] + decoder_parameters(2048, PAPER_WIDTHS)
    assert generator.decoder.grid == 7
    assert generator.encoder_size == 224


def test_one_forward_at_paper_size() -> None:
    generator = Generator(encoder="resnet50", image_size=224, encoder_weights="none").eval()
    with torch.no_grad():
        features = generator.encode(torch.rand(1, 3, 224, 224))
        perturbation = generator.decode(features)
    assert features.shape == (1, 2048, 7, 7)
    assert perturbation.shape == (1, 3, 224, 224)


@pytest.mark.parametrize(
    ("size", "grid", "blocks"),
    [(224, 7, 4), (96, 6, 3), (64, 4, 3), (32, 4, 2), (16, 4, 1), (8, 2, 1), (100, 4, 4)],
)
def test_the_decoder_fits_any_size(size: int, grid: int, blocks: int) -> None:
    assert DecoderShape.fitting(size) == DecoderShape(grid=grid, blocks=blocks)
    assert grid * 2 ** (blocks + 1) >= size
    decoder = Decoder(8, image_size=size, widths=(8, 8, 4, 4)).eval()
    for side in (1, 3, 9):  # whatever the encoder's stride
        assert decoder(torch.rand(2, 8, side, side)).shape == (2, 3, size, size)


def test_a_resolution_has_the_same_width_at_every_image_size() -> None:
    assert Decoder(8, image_size=16, widths=(32, 16, 8, 4)).output.in_channels == 4
    assert Decoder(8, image_size=224, widths=(32, 16, 8, 4)).output.in_channels == 4


def test_training_starts_from_nearly_no_perturbation() -> None:
    torch.manual_seed(0)
    generator = Generator(encoder="small", image_size=32)
    perturbation = generator(torch.rand(8, 3, 32, 32))
    assert perturbation.square().mean().sqrt() < 0.01
    assert perturbation.abs().max() > 0  # or nothing would learn


def test_a_frozen_encoder_gets_no_gradient_and_keeps_its_statistics() -> None:
    generator = Generator(encoder="small", image_size=16, encoder_trained=False).train()
    before = {name: value.clone() for name, value in generator.encoder.state_dict().items()}
    generator(torch.rand(4, 3, 16, 16)).square().sum().backward()
    assert all(parameter.grad is None for parameter in generator.encoder.parameters())
    assert all(parameter.grad is not None for parameter in generator.decoder.parameters())
    for name, value in generator.encoder.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_lite0_looks_at_a_larger_copy_of_a_small_image() -> None:
    generator = Generator(encoder="efficientnet-lite0", image_size=32).eval()
    assert generator.encoder_size == 128
    assert not generator.encoder_trained
    with torch.no_grad():
        assert generator.encode(torch.rand(1, 3, 32, 32)).shape == (1, 1280, 4, 4)
        assert generator(torch.rand(1, 3, 32, 32)).shape == (1, 3, 32, 32)


def test_the_last_stage_learns_with_the_decoder() -> None:
    torch.manual_seed(0)
    frozen = Generator(encoder="efficientnet-lite0", image_size=32).eval()
    torch.manual_seed(0)
    generator = Generator(encoder="efficientnet-lite0", image_size=32, last_stage=True).eval()
    pixels = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(generator(pixels), frozen(pixels))  # until it has learned: the same network
        assert generator.encode(pixels).shape == (4, 192, 4, 4)  # what is left of the encoder
    assert generator.encoder.feature_dim == 192
    before = {name: value.clone() for name, value in generator.encoder.state_dict().items()}
    generator.train()(pixels).square().sum().backward()
    assert all(parameter.grad is None for parameter in generator.encoder.parameters())
    assert all(parameter.grad is not None for parameter in generator.decoder.parameters())
    for name, value in generator.encoder.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_last_stage_of_a_resnet() -> None:
    def build(last_stage: bool) -> Generator:
        torch.manual_seed(0)
        generator = Generator(
            encoder="resnet50",
            image_size=32,
            encoder_size=64,
            encoder_trained=False,
            last_stage=last_stage,
            encoder_weights="none",
            decoder_widths=(8, 8),
        )
        return generator.eval()

    pixels = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert build(True).encode(pixels).shape == (1, 1024, 4, 4)
        assert torch.equal(build(True)(pixels), build(False)(pixels))


def test_an_encoder_without_a_last_stage_is_refused() -> None:
    with pytest.raises(ConfigError, match="small encoder has no last stage"):
        Generator(encoder="small", image_size=16, encoder_trained=False, last_stage=True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "last-stage"),
        ({"encoder_training": "frozen"}, "frozen"),
        ({"encoder": "efficientnet-lite2"}, "last-stage"),
        ({"encoder": "resnet50"}, "frozen"),  # its last stage is not measured
        ({"encoder": "resnet50", "encoder_training": "last-stage"}, "last-stage"),
        ({"encoder": "small"}, "full"),
        ({"encoder": "small", "encoder_training": "frozen"}, "frozen"),
        ({"encoder_weights": "none"}, "full"),
        ({"recipe": "paper"}, "full"),
    ],
)
def test_which_part_of_the_encoder_learns(changes: dict[str, Any], expected: str) -> None:
    assert encoder_training(TrainingSettings.make(**changes)) == expected


def test_features_are_no_finer_than_the_decoder_reads() -> None:
    generator = Generator(encoder="efficientnet-lite0", image_size=32, encoder_size=224).eval()
    with torch.no_grad():
        features = generator.encode(torch.rand(1, 3, 32, 32))
    assert features.shape == (1, 1280, 4, 4)


@pytest.mark.parametrize(
    ("image_size", "changes", "expected"),
    [
        (16, {}, 128),  # so many positions at least
        (20, {}, 140),
        (32, {}, 224),  # what the weights learned at
        (96, {}, 224),
        (224, {}, None),  # as it is
        (320, {}, None),
        (16, {"encoder": "efficientnet-lite2"}, 130),
        (32, {"encoder": "efficientnet-lite2"}, 260),  # its weights learned there
        (224, {"encoder": "efficientnet-lite2"}, 260),
        (260, {"encoder": "efficientnet-lite2"}, None),
        (32, {"encoder_input_size": 64}, 64),
        (32, {"encoder": "small"}, None),
        (32, {"encoder": "resnet50"}, 224),
        (32, {"recipe": "paper"}, None),  # every step pays for an encoder that learns
        (32, {"encoder_weights": "none"}, None),
    ],
)
def test_a_frozen_encoder_looks_at_an_enlarged_image(
    image_size: int, changes: dict[str, Any], expected: int | None
) -> None:
    settings = with_encoder_view(TrainingSettings.make(**changes), image_size=image_size)
    assert settings.encoder_input_size == expected
