from __future__ import annotations

import pytest
import torch

from pgn_studio.core.architectures import (
    architectures_called,
    check_size,
    create_network,
    find_architecture,
    fixed_size,
    suitable_size,
    takes_size,
)
from pgn_studio.core.errors import ClassifierError


@pytest.mark.parametrize(
    ("name", "own", "fixed", "least"),
    [
        ("vit_tiny_patch16_224", 224, True, None),
        ("swin_tiny_patch4_window7_224", 224, True, None),
        ("vit_b_16", 224, True, None),
        ("inception_v3", 299, False, 75),
        ("alexnet", 224, False, 64),
        ("resnet18", 224, False, 32),
    ],
)
def test_a_network_says_which_sizes_it_takes(name: str, own: int, fixed: bool, least: int | None) -> None:
    assert fixed_size(name) == (own if fixed else None)
    assert suitable_size(name, 32) == (32 if least == 32 else own)
    if least is None:
        with pytest.raises(ClassifierError, match=f"{own} px only"):
            check_size(name, 33)
    else:
        assert takes_size(name, least)
        assert least == 32 or not takes_size(name, least - 11)


def test_sizes_that_work_are_named() -> None:
    with pytest.raises(ClassifierError, match=r"takes 75, 96") as caught:
        check_size("inception_v3", 64)
    assert "299" in caught.value.hint


def test_the_library_can_be_chosen() -> None:
    assert [found.name for found in architectures_called("vgg11")] == ["vgg11", "timm:vgg11"]
    assert find_architecture("torchvision:vgg11").library == "torchvision"
    for name in ("timm:resnet18", "timm/resnet18", "hf_hub:timm/resnet18"):
        assert find_architecture(name).library == "timm"
    with pytest.raises(ClassifierError, match="torchvision"):
        find_architecture("torchvision:resnet50d")


@pytest.mark.parametrize("name", ["ResNet-18", "resnet_18", "RESNET18"])
def test_other_spellings_are_understood(name: str) -> None:
    assert find_architecture(name).name == "resnet18"


def test_a_plan_costs_no_random_numbers() -> None:
    torch.manual_seed(0)
    takes_size("shufflenet_v2_x0_5", 40)
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(1), drawn)


def test_what_is_found_is_found_again_by_its_name() -> None:
    for found in architectures_called("resnet18"):
        assert find_architecture(found.name) == found
        assert create_network(found.name, 2).eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 2)
