from __future__ import annotations

import importlib
import json
import pickle
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pgn_studio.core.classifiers import (
    Access,
    Classifier,
    ClassifierInfo,
    SmallCNN,
    check_suits,
    load_classifier,
    save_classifier,
)
from pgn_studio.core.classifiers.loading import suitable_image_size
from pgn_studio.core.classifiers.networks import build_network
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.files import sha256_of_file

ARCH = "shufflenet_v2_x0_5"  # small
CLASSES = ("red", "green", "blue")
INFO = ClassifierInfo(
    "small", CLASSES, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), 16, training={"val_accuracy": 0.75, "epochs": 3}
)


class Payload:
    """A pickle that leaves a mark where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return torchvision.models.shufflenet_v2_x0_5(num_classes=3).state_dict()


def load_weights_only(path: Path) -> Classifier:
    return load_classifier(path, arch=ARCH, classes=CLASSES)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    net = SmallCNN(3, image_size=16).to(memory_format=torch.channels_last).eval()
    path = tmp_path / "deep" / "clf.safetensors"
    info = save_classifier(path, net, INFO)
    loaded = load_classifier(path)
    assert loaded.info == info
    assert info == replace(
        INFO,
        path=str(path),
        sha256=sha256_of_file(path),
        parameters=sum(p.numel() for p in net.parameters()),
    )
    assert all(torch.equal(loaded.net.state_dict()[k], v) for k, v in net.state_dict().items())
    pixels = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(loaded(pixels), net(loaded.normalize(pixels)))
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    net = SmallCNN(3, image_size=16)
    first = save_classifier(tmp_path / "a.safetensors", net, INFO)
    assert save_classifier(tmp_path / "b.safetensors", net, INFO).sha256 == first.sha256


def test_other_classes_than_the_files_are_refused(tmp_path: Path) -> None:
    save_classifier(tmp_path / "clf.safetensors", SmallCNN(3, image_size=16), INFO)
    with pytest.raises(ClassifierError, match="differ"):
        load_classifier(tmp_path / "clf.safetensors", classes=("red", "green", "cyan"))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"version": 99}, "version 99"),
        ({"format": "pgn-studio-pgn"}, "no classifier"),
        ({"classes": 3}, "damaged metadata"),
        ({"std": [0.0, 1.0, 1.0]}, "not positive"),
    ],
)
def test_damaged_metadata_is_refused(tmp_path: Path, change: dict[str, object], match: str) -> None:
    path = tmp_path / "clf.safetensors"
    net = SmallCNN(3, image_size=16)
    save_classifier(path, net, INFO)
    with safe_open(path, "pt") as opened:
        metadata = opened.metadata()
    content = json.loads(metadata["pgn-studio"])
    assert content["format"] == "pgn-studio-classifier"
    save_file(net.state_dict(), path, metadata={"pgn-studio": json.dumps({**content, **change})})
    with pytest.raises(ClassifierError, match=match):
        load_classifier(path)


def test_a_pgn_is_no_classifier(tmp_path: Path) -> None:
    path = tmp_path / "pgn.safetensors"
    save_file({"weight": torch.zeros(1)}, path, metadata={"format": "pgn-studio-pgn"})
    with pytest.raises(ClassifierError, match=r"no classifier \(pgn-studio-pgn\)"):
        load_classifier(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clf.safetensors"
    save_classifier(path, SmallCNN(3, image_size=16), INFO)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ClassifierError, match="no readable safetensors"):
        load_classifier(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_external_weights_load_with_arch_and_classes(
    tmp_path: Path, state: dict[str, Tensor], suffix: str
) -> None:
    path = tmp_path / f"net{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    classifier = load_weights_only(path)
    assert classifier.info.classes == CLASSES
    assert classifier.info.image_size == 224
    assert classifier.info.mean == (0.485, 0.456, 0.406)
    assert classifier.info.sha256 == sha256_of_file(path)
    assert torch.equal(classifier.net.fc.weight, state["fc.weight"])


@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model.", "_orig_mod."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_wrappers_and_prefixes_are_taken_off(
    tmp_path: Path, state: dict[str, Tensor], prefix: str, wrapper: str | None
) -> None:
    prefixed = {prefix + key: value for key, value in state.items()}
    torch.save({wrapper: prefixed, "epoch": 3} if wrapper else prefixed, tmp_path / "net.pth")
    assert torch.equal(load_weights_only(tmp_path / "net.pth").net.fc.weight, state["fc.weight"])


def test_given_normalization_and_size_are_used(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "net.pth")
    half = (0.5, 0.5, 0.5)
    classifier = load_classifier(
        tmp_path / "net.pth", arch=ARCH, classes=CLASSES, image_size=64, mean=half, std=half
    )
    assert (classifier.info.mean, classifier.info.std, classifier.info.image_size) == (half, half, 64)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    torch.save({"state_dict": Payload(mark)}, tmp_path / "net.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Payload(mark)))
    for name in ("net.pth", "plain.pth"):
        with pytest.raises(ClassifierError, match="refused") as caught:
            load_weights_only(tmp_path / name)
        assert "safetensors" in caught.value.hint
        assert name in caught.value.hint
    assert not mark.exists()


def test_the_tensors_of_a_whole_pickled_module_are_used(tmp_path: Path) -> None:
    net = torchvision.models.shufflenet_v2_x0_5(num_classes=3)
    for content in (net, {"model": nn.DataParallel(net), "epoch": 3}):
        torch.save(content, tmp_path / "net.pth")
        loaded = load_weights_only(tmp_path / "net.pth").net
        assert all(torch.equal(value, net.state_dict()[key]) for key, value in loaded.state_dict().items())


def test_a_pickled_module_of_an_unknown_class_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "their_network.py").write_text(
        "import torchvision\nclass Net(torchvision.models.ShuffleNetV2):\n    pass\n"
    )
    monkeypatch.syspath_prepend(package)
    module = importlib.import_module("their_network")
    torch.save(module.Net([4, 8, 4], [24, 48, 96, 192, 1024], num_classes=3), tmp_path / "net.pth")
    monkeypatch.delitem(sys.modules, "their_network")
    (package / "their_network.py").write_text("raise AssertionError('it was run')")
    assert load_weights_only(tmp_path / "net.pth").num_classes == 3


def test_missing_and_unexpected_keys_are_counted_and_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    state["stranger"] = state.pop("conv1.0.weight")
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ClassifierError, match=r"1 of 338 keys missing \(conv1.0.weight\), 1 unexp"):
        load_weights_only(tmp_path / "net.pth")


def test_another_architectures_weights_are_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    state["conv1.0.weight"] = state["conv1.0.weight"][:, :1]
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ClassifierError, match=r"conv1.0.weight: expected \(24, 3, 3, 3\), got \(24, 1, 3, 3"):
        load_weights_only(tmp_path / "net.pth")


def test_a_head_for_other_classes_is_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ClassifierError, match="last layer for 3 classes, but 2 classes were given"):
        load_classifier(tmp_path / "net.pth", arch=ARCH, classes=("red", "green"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(
    tmp_path: Path, state: dict[str, Tensor], value: float
) -> None:
    state["stage2.0.branch1.0.weight"][0, 0, 0, 0] = value
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ClassifierError, match=r"NaN or infinity in stage2.0.branch1.0.weight"):
        load_weights_only(tmp_path / "net.pth")


def test_weights_need_an_architecture_and_classes(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(ClassifierError, match="architecture"):
        load_classifier(tmp_path / "net.pth", classes=CLASSES)
    with pytest.raises(ClassifierError, match="classes"):
        load_classifier(tmp_path / "net.pth", arch=ARCH)


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "no readable weights"), (b"hello", "refused|no readable weights"), (b"PK\x03\x04", "no readable")],
)
def test_files_of_another_kind_are_refused(tmp_path: Path, content: bytes, match: str) -> None:
    (tmp_path / "net.pth").write_bytes(content)
    with pytest.raises(ClassifierError, match=match):
        load_weights_only(tmp_path / "net.pth")


def test_a_file_without_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "net.pth")
    with pytest.raises(ClassifierError, match=r"no state dict \(found: epoch\)"):
        load_weights_only(tmp_path / "net.pth")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="no classifier file"):
        load_classifier(tmp_path / "nothing.safetensors")


def test_names_give_random_networks() -> None:
    classifier = load_classifier(f"arch:{ARCH}", classes=CLASSES)
    assert classifier.backbone_name == ARCH
    assert classifier(torch.rand(2, 3, 64, 64)).shape == (2, 3)


def test_names_from_timm_are_found() -> None:
    classifier = load_classifier("arch:tf_efficientnet_lite0", classes=CLASSES, image_size=32)
    assert classifier.info.mean == pytest.approx((127 / 255,) * 3)
    assert classifier(torch.rand(1, 3, 32, 32)).shape == (1, 3)


def test_an_unknown_name_suggests_near_ones() -> None:
    with pytest.raises(ClassifierError, match="no architecture 'resnt50'") as caught:
        load_classifier("arch:resnt50", classes=CLASSES)
    assert "resnet50" in caught.value.hint


def test_weights_for_timms_network_of_a_name_that_both_libraries_have(tmp_path: Path) -> None:
    net = timm.create_model("efficientnet_b0", num_classes=3)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    classifier = load_classifier(tmp_path / "net.pth", arch="efficientnet_b0", classes=CLASSES, image_size=32)
    assert "timm" in " ".join(classifier.info.notices)
    kept = tmp_path / "kept.safetensors"
    save_classifier(kept, classifier.net, classifier.info)
    pixels = torch.rand(2, 3, 32, 32)
    again = load_classifier(kept)
    assert torch.equal(again(pixels), classifier(pixels))
    assert again.info.notices == ()
    with pytest.raises(ClassifierError, match="timm:efficientnet_b0"):
        load_classifier(tmp_path / "net.pth", arch="torchvision:efficientnet_b0", classes=CLASSES)


@pytest.mark.parametrize("arch", [ARCH, "resnet18"])
def test_the_outputs_of_imagenets_classes_are_found_by_synset_and_name(tmp_path: Path, arch: str) -> None:
    torch.manual_seed(0)
    net = torchvision.models.get_model(arch, weights=None, num_classes=1000).eval()
    torch.save(net.state_dict(), tmp_path / "net.pth")
    pixels = torch.rand(2, 3, 64, 64)
    columns = [217, 497, 0]
    for classes in (
        ("n02102040", "n03028079", "n01440764"),
        ("English_springer", "church building", "tench"),
        ("n02102040_English_springer", "Church", "Tinca tinca"),
    ):
        classifier = load_classifier(tmp_path / "net.pth", arch=arch, classes=classes, image_size=64)
        assert classifier.info.classes == classes
        assert "217" in " ".join(classifier.info.notices)
        normalized = classifier.normalize(pixels)
        with torch.no_grad():
            logits, features = classifier.logits_and_features(normalized)
            torch.testing.assert_close(logits, net(normalized)[:, columns])
        assert features.shape == (2, classifier.feature_dim)
        kept = save_classifier(tmp_path / "kept.safetensors", classifier.net, classifier.info)
        torch.testing.assert_close(load_classifier(kept.path)(pixels), classifier(pixels))


def test_classes_that_imagenet_has_only_in_part_are_refused_by_name(tmp_path: Path) -> None:
    net = torchvision.models.get_model(ARCH, weights=None, num_classes=1000)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    with pytest.raises(ClassifierError, match=r"not zorgon, n99999999\."):
        load_classifier(tmp_path / "net.pth", arch=ARCH, classes=("tench", "zorgon", "n99999999"))
    with pytest.raises(ClassifierError, match="same"):
        load_classifier(tmp_path / "net.pth", arch=ARCH, classes=("tench", "n01440764"))
    with pytest.raises(ClassifierError, match="1000 classes, but 2"):
        load_classifier(tmp_path / "net.pth", arch=ARCH, classes=("0", "1"))


def test_given_names_of_the_outputs_say_which_is_which(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, tmp_path / "net.pth")
    pixels = torch.rand(2, 3, 64, 64)
    straight = load_weights_only(tmp_path / "net.pth")(pixels)

    def load(classes: tuple[str, ...], *names: str) -> Classifier:
        access = Access(classes=names)
        return load_classifier(tmp_path / "net.pth", arch=ARCH, classes=classes, access=access)

    torch.testing.assert_close(load(CLASSES, "blue", "red", "green")(pixels), straight[:, [1, 2, 0]])
    torch.testing.assert_close(load(("green", "Blue"), "blue", "red", "green")(pixels), straight[:, [2, 0]])
    assert load(CLASSES, *CLASSES).info.notices == ()
    with pytest.raises(ClassifierError, match="3 outputs, but classes names 2"):
        load(CLASSES, "red", "green")
    with pytest.raises(ClassifierError, match="cyan"):
        load(("red", "cyan"), *CLASSES)
    path = tmp_path / "ours.safetensors"
    save_classifier(path, SmallCNN(3, image_size=16), INFO)
    with pytest.raises(ClassifierError, match="itself"):
        load_classifier(path, access=Access(classes=CLASSES))


@pytest.mark.parametrize("arch", ["vit_tiny_patch16_224", "inception_v3"])
def test_a_size_that_the_network_cannot_take_is_refused(tmp_path: Path, arch: str) -> None:
    torch.save(timm.create_model(arch, num_classes=3).state_dict(), tmp_path / "net.pth")
    for source in (f"arch:{arch}", tmp_path / "net.pth"):
        given = None if isinstance(source, str) else arch
        with pytest.raises(ClassifierError, match="cannot take images of 32 px"):
            load_classifier(source, arch=given, classes=CLASSES, image_size=32)
    own = load_classifier(tmp_path / "net.pth", arch=arch, classes=CLASSES).info.image_size
    assert own == (224 if arch.startswith("vit") else 299)
    assert suitable_image_size("net.pth", arch, 32) == own
    assert suitable_image_size(f"arch:{arch}", None, 32) == own
    assert suitable_image_size("net.pth", "small", 32) == 32


def test_weights_without_an_architecture_get_a_suggestion(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(num_classes=3).state_dict(), tmp_path / "net.pth")
    for arch in (None, "resnet34"):
        with pytest.raises(ClassifierError) as caught:
            load_classifier(tmp_path / "net.pth", arch=arch, classes=CLASSES)
        assert "resnet18" in caught.value.hint


def test_imagenet_weights_bring_their_classes() -> None:
    classifier = load_classifier("arch:efficientnet-lite0:pretrained")
    assert classifier.info.classes[0] == "tench"
    assert len(classifier.info.classes) == 1000
    with pytest.raises(ClassifierError, match="1000 classes, but 3"):
        load_classifier("arch:efficientnet-lite0:pretrained", classes=CLASSES)


def test_a_file_of_ours_can_be_given_images_in_another_way(tmp_path: Path) -> None:
    net, path = SmallCNN(3, image_size=16).eval(), tmp_path / "clf.safetensors"
    save_classifier(path, net, INFO)
    own, other = load_classifier(path), load_classifier(path, mean=(0.1,) * 3, channels="bgr")
    assert (other.info.mean, other.info.std, other.info.channels) == ((0.1,) * 3, INFO.std, "bgr")
    assert own.info.channels == "rgb"
    pixels = torch.rand(2, 3, 16, 16)
    std = torch.tensor(INFO.std).view(1, 3, 1, 1)
    torch.testing.assert_close(other(pixels), net(((pixels - 0.1) / std).flip(1)))
    logits, _ = other.logits_and_features(other.normalize(pixels))
    torch.testing.assert_close(logits, other(pixels))
    torch.testing.assert_close(other.denormalize(other.normalize(pixels)), pixels)
    save_classifier(path, net, other.info)
    assert load_classifier(path).info.channels == "bgr"
    with pytest.raises(ClassifierError, match="above 0"):
        load_classifier(path, std=(0.0, 1.0, 1.0))


def test_external_weights_take_the_order_of_channels(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    rgb, bgr = (load_classifier(path, arch=ARCH, classes=CLASSES, channels=how) for how in ("rgb", "bgr"))
    normalized = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(bgr.logits_normalized(normalized), rgb.logits_normalized(normalized.flip(1)))
    with pytest.raises(ClassifierError, match="8-bit images"):
        load_classifier("http://localhost:9/x", classes=CLASSES, channels="bgr")


def test_a_saved_network_is_held_to_the_sizes_that_it_takes(tmp_path: Path) -> None:
    classes = ("a", "b")
    net = build_network("alexnet", 2, image_size=224)
    info = ClassifierInfo("alexnet", classes, (0.5,) * 3, (0.5,) * 3, 224)
    save_classifier(tmp_path / "own.safetensors", net, info)
    own = load_classifier(tmp_path / "own.safetensors")
    check_suits(own, classes, 224)
    check_suits(own, classes, 64)
    with pytest.raises(ClassifierError, match="cannot take images of 32 px") as caught:
        check_suits(own, classes, 32)
    assert "224" in caught.value.hint
    with pytest.raises(ClassifierError, match="32 px") as caught:
        check_suits(own, classes, 32, hint="Another.")
    assert caught.value.hint == "Another."
    with pytest.raises(ClassifierError, match="differ"):
        check_suits(own, ("b", "a"), 224)


def test_what_no_library_knows_says_itself_what_it_takes() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))
    check_suits(Classifier(net, ClassifierInfo("mine", ("a", "b"), (0.5,) * 3, (0.5,) * 3, 8)), ("a", "b"), 9)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_found_in_either_unicode_form(form: str, tmp_path: Path) -> None:
    torch.save(torchvision.models.shufflenet_v2_x0_5(num_classes=2).state_dict(), tmp_path / "net.pth")
    other = "NFC" if form == "NFD" else "NFD"
    names = [unicodedata.normalize(form, name) for name in ("bébé", "âne")]  # type: ignore[arg-type]
    classes = [unicodedata.normalize(other, name) for name in ("âne", "bébé")]  # type: ignore[arg-type]
    access = Access(classes=tuple(names))
    found = load_classifier(tmp_path / "net.pth", arch=ARCH, classes=classes, image_size=32, access=access)
    assert found.info.classes == tuple(classes)
