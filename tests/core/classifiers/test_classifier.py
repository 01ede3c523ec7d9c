from __future__ import annotations

import threading
import unicodedata
from dataclasses import replace

import pytest
import torch
import torchvision
from torch import nn

from pgn_studio.core.classifiers import Classifier, ClassifierInfo, SmallCNN, check_classes, load_classifier
from pgn_studio.core.errors import ClassifierError

CLASSES = ("red", "green", "blue")
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def make(net: nn.Module | None = None, *, size: int = 8) -> Classifier:
    info = ClassifierInfo("small", CLASSES, MEAN, STD, size)
    return Classifier(net or SmallCNN(3, image_size=size), info)


def resnet() -> nn.Module:
    return torchvision.models.resnet18(num_classes=3)


@pytest.mark.parametrize("net", [SmallCNN(3, image_size=32), resnet()], ids=["small", "resnet18"])
def test_it_stays_frozen_through_train_forward_and_backward(net: nn.Module) -> None:
    classifier = make(net, size=32)
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    classifier.train()
    nn.Sequential(classifier).train()
    assert not any(module.training for module in classifier.modules())
    assert not any(parameter.requires_grad for parameter in classifier.parameters())

    pixels = torch.rand(4, 3, 32, 32, requires_grad=True)
    logits, features = classifier.logits_and_features(classifier.normalize(pixels))
    (logits.sum() + features.sum()).backward()
    assert pixels.grad is not None
    assert pixels.grad.abs().sum() > 0
    after = classifier.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_logits_are_of_normalized_pixels() -> None:
    classifier = make()
    pixels = torch.rand(2, 3, 8, 8)
    by_hand = torch.stack([(pixels[:, c] - MEAN[c]) / STD[c] for c in range(3)], dim=1)
    torch.testing.assert_close(classifier.normalize(pixels), by_hand)
    torch.testing.assert_close(classifier.denormalize(by_hand), pixels)
    torch.testing.assert_close(classifier(pixels), classifier.net(by_hand))
    torch.testing.assert_close(classifier.logits_normalized(by_hand), classifier(pixels))


@pytest.mark.parametrize(("net", "dim"), [(SmallCNN(3, image_size=8), 128), (resnet(), 512)])
def test_features_are_what_the_last_layer_sees(net: nn.Module, dim: int) -> None:
    classifier = make(net, size=32)
    normalized = torch.randn(3, 3, 32, 32)
    logits, features = classifier.logits_and_features(normalized)
    assert classifier.has_features
    assert features.shape == (3, dim)
    assert classifier.feature_dim == dim
    torch.testing.assert_close(net.fc(features), logits)
    torch.testing.assert_close(logits, classifier.logits_normalized(normalized))


def test_features_flow_back_to_the_input_without_the_logits() -> None:
    classifier = make()
    normalized = torch.randn(2, 3, 8, 8, requires_grad=True)
    _, features = classifier.logits_and_features(normalized)
    features.sum().backward()
    assert normalized.grad is not None
    assert normalized.grad.abs().sum() > 0


def test_features_of_two_threads_do_not_mix() -> None:
    classifier = make()
    inputs = [torch.randn(count, 3, 8, 8) for count in (1, 2, 3, 4)]
    expected = [classifier.logits_and_features(each)[1] for each in inputs]
    wrong: list[int] = []

    def work(index: int) -> None:
        for _ in range(20):
            got = classifier.logits_and_features(inputs[index])[1]
            if got.shape != expected[index].shape or not torch.allclose(got, expected[index], atol=1e-5):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_network_without_a_linear_layer_has_no_features() -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier = make(net)
    assert not classifier.has_features
    with pytest.raises(ClassifierError, match="features") as caught:
        classifier.logits_and_features(torch.rand(1, 3, 8, 8))
    assert "blackbox" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (("red", "green"), "3 classes, the data set has 2"),
        (("red", "blue", "green"), "in order: number 1 is 'green' for the classifier, 'blue'"),
        (("red", "green", "cyan"), "differ: number 2 is 'blue' for the classifier, 'cyan'"),
    ],
)
def test_other_classes_are_named(given: tuple[str, ...], match: str) -> None:
    with pytest.raises(ClassifierError, match=match):
        check_classes(make(), given)


def test_the_same_classes_pass() -> None:
    check_classes(make(), list(CLASSES))


def test_the_unicode_form_of_a_class_does_not_matter() -> None:
    classifier = make()
    names = ("red", "vert foncé", "blue")
    for kept, given in (("NFC", "NFD"), ("NFD", "NFC")):
        own = tuple(unicodedata.normalize(kept, name) for name in names)
        classifier.info = replace(classifier.info, classes=own)
        check_classes(classifier, [unicodedata.normalize(given, name) for name in names])


@pytest.mark.parametrize("size", [8, 11, 32, 96, 224])
def test_the_small_network_takes_any_size_from_8_up(size: int) -> None:
    net = SmallCNN(10, image_size=size).eval()
    assert net(torch.rand(2, 3, size, size)).shape == (2, 10)
    assert sum(p.numel() for p in net.parameters()) < 300_000


def test_images_too_small_for_the_small_network_are_refused() -> None:
    with pytest.raises(ClassifierError, match="at least 8 px, got 4"):
        load_classifier("arch:small", classes=CLASSES, image_size=4)
