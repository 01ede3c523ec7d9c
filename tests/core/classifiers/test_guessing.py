from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import Tensor

from pgn_studio.core.classifiers.guessing import guess_architecture
from pgn_studio.core.weight_files import WeightsFile


def state_of(name: str, library: str) -> dict[str, Tensor]:
    with torch.device("meta"):
        if library == "timm":
            net = timm.create_model(name, num_classes=7)
        else:
            net = torchvision.models.get_model(name, weights=None, num_classes=7)
    return {f"module.{key}": torch.zeros(v.shape, dtype=v.dtype) for key, v in net.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "library", "expected"),
    [
        ("resnet18", "torchvision", "resnet18"),
        ("resnet10t", "timm", "timm:resnet10t"),
        ("densenet121", "torchvision", "densenet121"),
        ("efficientnet_b0", "torchvision", "efficientnet_b0"),
        ("efficientnet_b0", "timm", "timm:efficientnet_b0"),
        ("mobilenet_v3_small", "torchvision", "mobilenet_v3_small"),
        ("squeezenet1_1", "torchvision", "squeezenet1_1"),
        ("vit_tiny_patch16_224", "timm", "vit_tiny_patch16_224"),
        ("convnext_atto", "timm", "timm:convnext_atto"),
        ("regnety_002", "timm", "regnety_002"),
        ("shufflenet_v2_x0_5", "torchvision", "shufflenet_v2_x0_5"),
    ],
)
def test_usual_networks_are_known_by_their_tensors(name: str, library: str, expected: str) -> None:
    assert guess_architecture(state_of(name, library)) == (expected, 7)


def test_the_name_in_the_file_is_believed_where_it_fits() -> None:
    state = state_of("ghostnet_050", "timm")
    assert guess_architecture(state) is None
    assert guess_architecture(WeightsFile("net.pth", {"": state}, "ghostnet_050")) == ("ghostnet_050", 7)
    assert guess_architecture(WeightsFile("net.pth", {"": state}, "resnet18")) is None
    assert guess_architecture({"a.weight": torch.zeros(2, 2)}) is None
