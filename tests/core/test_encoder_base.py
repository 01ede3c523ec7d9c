"""An encoder of another package, under its name, wherever torchvision's and timm's are."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import torch
from torch import nn

from pgn_studio.core import plugins
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.encoder_base import ENCODERS, Encoder
from pgn_studio.core.encoders import check_encoder, default_size, find_encoder, with_encoder_view
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.perturbation.pgn import build_generator
from pgn_studio.core.plugins import PluginError
from pgn_studio.core.protocols import Progress


class Mine(Encoder):
    image_size = 64

    def build(self, weights: str, *, size: int, progress: Progress | None = None) -> tuple[nn.Module, str]:
        layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.Conv2d(16, 32, 3, 2, 1)]
        return nn.Sequential(*layers), "mine.pth"


class Faulty(Mine):
    def build(self, weights: str, *, size: int, progress: Progress | None = None) -> tuple[nn.Module, str]:
        raise KeyError("layers")


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = tuple(
        EntryPoint(name, f"{kind.__module__}:{kind.__name__}", "pgn_studio.encoders")
        for name, kind in (("mine", Mine), ("faulty", Faulty))
    )
    monkeypatch.setattr(plugins, "_installed", lambda: {"encoders": points})


def test_a_generator_is_built_on_it() -> None:
    settings = TrainingSettings.make(encoder="mine", decoder_widths=(8, 8), encoder_training="frozen")
    check_encoder(settings)
    assert find_encoder("mine").name == "mine"
    assert with_encoder_view(settings, image_size=32).encoder_input_size == 128
    generator = build_generator(settings, image_size=32, classes=4)
    assert generator.encoder.weights_source == "mine.pth"
    assert generator.encode(torch.rand(2, 3, 32, 32)).shape[:2] == (2, 32)


def test_one_that_fails_is_blamed() -> None:
    with pytest.raises(PluginError, match="faulty"):
        check_encoder(TrainingSettings.make(encoder="faulty"))


def test_known_names_and_any_other_of_the_libraries() -> None:
    assert list(ENCODERS)[0] == "efficientnet-lite0"
    assert find_encoder("resnet50").image_size == 224
    assert default_size("resnet18", 32) == 128
    with pytest.raises(ClassifierError, match="no architecture"):
        find_encoder("resnet5000")
