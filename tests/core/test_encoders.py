"""Any network as an encoder: its map, the cut before its last stage, its size, its weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from pgn_studio.core.architectures import planning, torchvision_weights
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.encoders import check_encoder, imagenet_backbone, with_encoder_view
from pgn_studio.core.errors import ClassifierError, ConfigError, WeightsError
from pgn_studio.core.perturbation.generator import Generator

# Name, size, the map's channels and side, and those of what the last stage reads: (C, h, w).
FAMILIES = [
    ("alexnet", 64, (256, 1), (192, 3, 3)),
    ("resnet18", 64, (512, 2), (256, 4, 4)),
    ("vgg11", 64, (512, 2), (512, 4, 4)),
    ("densenet121", 64, (1024, 2), (1024, 4, 4)),
    ("mobilenet_v3_small", 64, (576, 2), (48, 4, 4)),
    ("shufflenet_v2_x0_5", 64, (1024, 2), (192, 2, 2)),
    ("mnasnet0_5", 64, (1280, 2), (160, 2, 2)),
    ("squeezenet1_1", 64, (512, 3), (256, 3, 3)),
    ("regnet_y_400mf", 64, (440, 2), (208, 4, 4)),
    ("inception_v3", 96, (2048, 1), (768, 4, 4)),
    ("convnext_tiny", 64, (768, 2), (768, 2, 2)),
    ("swin_t", 64, (768, 2), (768, 2, 2)),
    ("vit_b_32", 224, (768, 7), (768, 50, 1)),
    ("resnet10t", 64, (512, 2), (256, 4, 4)),
    ("test_convnext", 64, (64, 2), (48, 4, 4)),
    ("test_nfnet", 64, (192, 2), (96, 4, 4)),
    ("test_vit", 160, (64, 10), (64, 101, 1)),
    ("test_vit2", 96, (64, 6), (64, 37, 1)),
    ("deit_tiny_distilled_patch16_224", 64, (192, 4), (192, 18, 1)),
    ("vit_small_patch14_reg4_dinov2", 56, (384, 4), (384, 21, 1)),
    ("swin_tiny_patch4_window7_224", 96, (768, 3), (384, 6, 6)),
    ("mambaout_femto", 64, (288, 2), (192, 4, 4)),
]


@pytest.mark.parametrize(("name", "size", "whole", "before"), FAMILIES)
def test_a_network_is_the_same_once_its_last_stage_is_cut_off(
    name: str, size: int, whole: tuple[int, int], before: tuple[int, int, int]
) -> None:
    torch.manual_seed(0)
    backbone = imagenet_backbone(name, "none", size=size).eval()
    channels, side = whole
    assert backbone.feature_dim == channels
    images = torch.rand(2, 3, size, size)
    with torch.no_grad():
        expected = backbone(images)
        stage = backbone.cut_last_stage().eval()
        kept = backbone(images)
        assert torch.equal(stage(kept), expected)
    assert expected.shape == (2, channels, side, side)
    assert expected.std() > 0
    assert kept.shape == (2, *before)
    assert backbone.feature_dim == before[0]
    parameters = [sum(p.numel() for p in part.parameters()) for part in (backbone, stage)]
    assert parameters[1] > sum(parameters) / 10
    assert not {id(p) for p in backbone.parameters()} & {id(p) for p in stage.parameters()}


def seen_by(network: nn.Module, module: nn.Module, images: Tensor) -> Tensor:
    seen: list[Tensor] = []
    module.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    with torch.no_grad():
        network(images)
    return seen[0]


@pytest.mark.parametrize("name", ["resnet18", "regnet_y_400mf", "swin_t", "vgg11"])
def test_torchvisions_map_is_what_its_network_pools(name: str) -> None:
    from pgn_studio.core.architectures import create_network

    torch.manual_seed(0)
    network = create_network(name, 1000).eval()
    torch.manual_seed(0)
    backbone = imagenet_backbone(name, "none", size=64).eval()
    images = torch.rand(1, 3, 64, 64)
    pooled = seen_by(network, network.get_submodule("avgpool"), images)
    with torch.no_grad():
        assert torch.equal(backbone(images), pooled)


def test_a_transformers_tokens_lie_where_the_image_has_them() -> None:
    torch.manual_seed(0)
    backbone = imagenet_backbone("test_vit", "none").eval()
    network = backbone.features.network
    tokens = network.forward_intermediates(  # type: ignore[operator,union-attr]
        torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(1)),
        indices=1,
        norm=True,
        intermediates_only=True,
    )[-1]
    with torch.no_grad():
        made = backbone(torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(made, tokens)


@pytest.mark.parametrize("name", ["eva02_tiny_patch14_224", "cait_xxs24_224", "efficientformer_l1"])
def test_a_network_without_a_last_stage_is_refused_by_name(name: str) -> None:
    with planning():
        backbone = imagenet_backbone(name, "none")
        with pytest.raises(ConfigError, match=f"{name} has no last stage") as caught:
            backbone.cut_last_stage()
    assert "encoder_training='frozen'" in caught.value.hint


def test_a_network_without_a_map_is_refused() -> None:
    with planning(), pytest.raises(ClassifierError, match="no feature map"):
        imagenet_backbone("crossvit_tiny_240", "none")


def test_timms_metadata_says_how_a_network_is_fed() -> None:
    with planning():
        backbone = imagenet_backbone("vit_tiny_patch16_384", "none")
    assert (backbone.size, backbone.mean, backbone.std) == (384, (0.5,) * 3, (0.5,) * 3)
    settings = TrainingSettings.make(encoder="vit_tiny_patch16_384")
    assert with_encoder_view(settings, image_size=32).encoder_input_size == 384


@pytest.mark.parametrize(
    ("changes", "image_size", "expected"),
    [
        ({"encoder": "inception_v3"}, 32, 299),
        ({"encoder": "vit_b_16"}, 32, 224),
        ({"encoder": "vit_b_16"}, 256, 224),  # it takes no other
        ({"encoder": "vit_b_16", "encoder_weights": "none"}, 32, None),  # the generator knows
        ({"encoder": "test_vit"}, 8, 128),
        ({"encoder": "resnet18", "encoder_weights": "none"}, 32, None),
        ({"encoder": "resnet18"}, 16, 128),
    ],
)
def test_at_what_size_an_encoder_looks(
    changes: dict[str, str], image_size: int, expected: int | None
) -> None:
    settings = with_encoder_view(TrainingSettings.make(**changes), image_size=image_size)
    assert settings.encoder_input_size == expected


def test_another_spelling_becomes_the_name() -> None:
    settings = with_encoder_view(TrainingSettings.make(encoder="ResNet-18"), image_size=32)
    assert settings.encoder == "resnet18"


def test_torchvisions_weights_are_those_for_its_default_size() -> None:
    assert [str(weights.name) for weights in torchvision_weights("vit_b_16")][0] == "IMAGENET1K_V1"
    assert [weights.transforms().crop_size[0] for weights in torchvision_weights("vit_h_14")] == [224]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "resnet5"}, "Did you mean"),
        ({"encoder": "bert-base-uncased"}, "no architecture 'bert-base-uncased'"),
        ({"encoder": "timm:resnet18.no_such_tag"}, "no_such_tag"),
        ({"encoder": "inception_v3", "encoder_input_size": 32}, "cannot take images of 32 px"),
        ({"encoder": "vit_b_16", "encoder_input_size": 96}, "it takes 224 px only"),
        ({"encoder": "vit_tiny_patch16_224", "encoder_input_size": 8}, "cannot take images of 8 px"),
        ({"encoder": "crossvit_tiny_240"}, "no feature map"),
        ({"encoder": "eva02_tiny_patch14_224", "encoder_training": "last-stage"}, "no last stage"),
    ],
)
def test_what_cannot_be_an_encoder_is_said_before_there_are_weights(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises((ClassifierError, ConfigError), match=message):
        check_encoder(TrainingSettings.make(**changes))


def test_sizes_that_timm_fits_a_network_to_are_taken() -> None:
    check_encoder(TrainingSettings.make(encoder="vit_tiny_patch16_224", encoder_input_size=96))


def test_a_checkpoint_of_a_transformer_fits_at_another_size(tmp_path: Path) -> None:
    """Its position embeddings are of the size that it learned at."""
    torch.manual_seed(0)
    network = timm.create_model("test_vit", num_classes=7)
    save_file({f"model.{k}": v for k, v in network.state_dict().items()}, tmp_path / "vit.safetensors")
    backbone = imagenet_backbone("test_vit", str(tmp_path / "vit.safetensors"), size=96).eval()
    assert backbone.weights_source.startswith("vit.safetensors sha256:")
    images = torch.rand(1, 3, 96, 96)
    network.set_input_size((96, 96))
    with torch.no_grad():
        maps = network.eval().forward_features(images)[:, 1:].transpose(1, 2).reshape(1, 64, 6, 6)
        assert torch.equal(backbone(images), maps)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(ClassifierError, match="does not fit"):
        imagenet_backbone("test_vit", str(tmp_path / "resnet18.pth"))


def test_timms_weights_that_cannot_be_had_name_the_offline_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_args: object, **_more: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("timm.models._builder.load_pretrained", offline)
    with pytest.raises(WeightsError, match="weights of test_vit") as caught:
        imagenet_backbone("test_vit")
    assert "encoder_weights" in caught.value.hint


@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "swin_tiny_patch4_window7_224"])
def test_the_last_stage_learns_behind_kept_features(name: str) -> None:
    def build(last_stage: bool) -> Generator:
        torch.manual_seed(0)
        return Generator(
            encoder=name,
            image_size=16,
            encoder_size=96,
            encoder_trained=False,
            last_stage=last_stage,
            encoder_weights="none",
            decoder_widths=(8,),
        )

    generator = build(True)
    pixels = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(generator.eval()(pixels), build(False).eval()(pixels))
    generator.train()(pixels).square().sum().backward()
    assert all(parameter.grad is None for parameter in generator.encoder.parameters())
    assert all(parameter.grad is not None for parameter in generator.decoder.parameters())
