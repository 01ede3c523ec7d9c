"""Programs as real projects export them: what they take and give is found out, or refused with the reason."""

from __future__ import annotations

import collections
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree

from pgn_studio.core.classifiers import Classifier, load_classifier
from pgn_studio.core.errors import ClassifierError

CLASSES = ("red", "green", "blue")
SIZE = 16
BOTH = ("pt2", "pt")
Tail = Callable[[Tensor, Tensor], Any]


class Net(nn.Module):
    """A small network; `tail` makes its output of logits and features."""

    def __init__(
        self, tail: Tail = lambda logits, _: logits, *, channels: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm = nn.Conv2d(channels, 8, 3, 2), nn.BatchNorm2d(8)
        self.drop, self.fc, self.tail = nn.Dropout(dropout), nn.Linear(8, 3), tail

    def features(self, x: Tensor) -> Tensor:
        return self.drop(F.relu(self.norm(self.conv(x))).mean((2, 3)))

    def forward(self, x: Tensor) -> Any:
        features = self.features(x)
        return self.tail(self.fc(features), features)


class ChannelsLast(Net):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x.permute(0, 3, 1, 2))


class Bytes(Net):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x.float() / 255)


class BatchOfFour(Net):
    def features(self, x: Tensor) -> Tensor:
        return super().features(x).reshape(4, 8)


class WholeBatch(Net):
    def features(self, x: Tensor) -> Tensor:
        found = super().features(x)
        return (found - found.mean(0)) / (found.std(0, unbiased=False) + 1e-3)


class Gradientless(Net):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Any:
        return super().forward(x)


def exported(
    net: nn.Module, example: Tensor, path: Path, *, fixed: bool = False, train: bool = False
) -> Path:
    """As .pt2 or traced TorchScript, by suffix."""
    net.train(train)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".pt":
            torch.jit.trace(net, example, check_trace=False, strict=False).save(str(path))  # type: ignore[no-untyped-call]
        else:
            shapes = None if fixed else ({0: torch.export.Dim("batch", min=1, max=64)},)
            torch.export.save(torch.export.export(net, (example,), dynamic_shapes=shapes), path)
    return path


def opened(path: Path, **options: Any) -> Classifier:
    return load_classifier(path, **{"classes": CLASSES, "image_size": SIZE, **options})


def images(count: int = 5) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def gradient(classifier: Classifier) -> Tensor:
    pixels = images().requires_grad_()
    F.cross_entropy(classifier(pixels), torch.zeros(len(pixels), dtype=torch.int64)).backward()
    assert pixels.grad is not None
    return pixels.grad


EXAMPLE = torch.rand(2, 3, SIZE, SIZE)


@pytest.mark.parametrize("suffix", BOTH)
@pytest.mark.parametrize(
    "tail",
    [
        lambda logits, _: logits.softmax(1),
        lambda logits, _: F.softmax(logits, dim=-1),
        lambda logits, _: F.log_softmax(logits, 1),
        lambda logits, _: logits.exp() / logits.exp().sum(1, keepdim=True),
    ],
    ids=["softmax", "functional", "log-softmax", "by-hand"],
)
def test_probabilities_are_told_from_logits_and_gradients_are_the_same(
    tmp_path: Path, suffix: str, tail: Tail
) -> None:
    soft = opened(exported(Net(tail), EXAMPLE, tmp_path / f"soft.{suffix}"))
    plain = opened(exported(Net(), EXAMPLE, tmp_path / f"plain.{suffix}"))
    torch.testing.assert_close(soft(images()).softmax(1), plain(images()).softmax(1))
    torch.testing.assert_close(gradient(soft), gradient(plain))
    assert not plain.info.notices


@pytest.mark.parametrize("suffix", BOTH)
def test_a_saturated_softmax_still_has_a_gradient(tmp_path: Path, suffix: str) -> None:
    path = exported(Net(lambda logits, _: (logits * 1e4).softmax(1)), EXAMPLE, tmp_path / f"m.{suffix}")
    classifier = opened(path)
    assert classifier(images()).abs().max() > 200
    assert "softmax" in classifier.info.facts["Output"]
    assert any("softmax" in notice for notice in classifier.info.notices)


@pytest.mark.parametrize("suffix", BOTH)
def test_what_goes_into_a_sigmoid_is_taken(tmp_path: Path, suffix: str) -> None:
    net = Net(lambda logits, _: logits.sigmoid())
    classifier = opened(exported(net, EXAMPLE, tmp_path / f"m.{suffix}"))
    torch.testing.assert_close(classifier(images()).sigmoid(), net(images()))
    assert any("sigmoid" in notice for notice in classifier.info.notices)


class Digits(Net):
    """Ten classes."""

    def __init__(self, tail: Tail) -> None:
        super().__init__(tail)
        self.fc = nn.Linear(8, 10)


@pytest.mark.parametrize("suffix", BOTH)
@pytest.mark.parametrize(
    "tail",
    [
        lambda logits, _: logits.softmax(1).sort(1, descending=True).values,
        lambda logits, _: logits.topk(10).values,
        lambda logits, _: logits.sort(1).values,
    ],
    ids=["sorted probabilities", "topk", "rising"],
)
def test_scores_in_order_of_size_are_refused(tmp_path: Path, suffix: str, tail: Tail) -> None:
    path = exported(Digits(tail), EXAMPLE, tmp_path / f"m.{suffix}")
    with pytest.raises(ClassifierError, match="order of size"):
        opened(path, classes=tuple("abcdefghij"))


@pytest.mark.parametrize("suffix", BOTH)
def test_percentages_are_taken_as_probabilities(tmp_path: Path, suffix: str) -> None:
    net = Net(lambda logits, _: 100 * logits.softmax(1))
    classifier = opened(exported(net, EXAMPLE, tmp_path / f"m.{suffix}"))
    torch.testing.assert_close(100 * classifier(images()).softmax(1), net(images()))
    assert any("percentages" in notice for notice in classifier.info.notices)


@pytest.mark.parametrize("suffix", BOTH)
def test_the_same_for_every_image_is_told(tmp_path: Path, suffix: str) -> None:
    net = Net(lambda logits, _: 0 * logits + 1)
    classifier = opened(exported(net, EXAMPLE, tmp_path / f"m.{suffix}"))
    assert any("same for every image" in notice for notice in classifier.info.notices)
    plain = opened(exported(Net(), EXAMPLE, tmp_path / f"plain.{suffix}"))
    assert not any("same for every image" in notice for notice in plain.info.notices)


class Named(collections.OrderedDict[str, Tensor]):
    """As packages return: a class of their own."""


pytree.register_pytree_node(
    Named,
    lambda value: (list(value.values()), list(value.keys())),
    lambda values, keys: Named(zip(keys, values, strict=True)),
    serialized_type_name="tests.Named",
)
OUTPUTS: dict[str, Tail] = {
    "features-first": lambda logits, features: (features, logits),
    "dict": lambda logits, features: {"hidden": features, "logits": logits},
    "auxiliary": lambda logits, _: {"aux": 2 * logits, "logits": logits},
    "with-probabilities": lambda logits, _: (logits.softmax(1), logits),
    "maps": lambda logits, _: logits[:, :, None, None],
}


@pytest.mark.parametrize("suffix", BOTH)
@pytest.mark.parametrize("kind", OUTPUTS)
def test_logits_are_found_among_outputs(tmp_path: Path, suffix: str, kind: str) -> None:
    classifier = opened(exported(Net(OUTPUTS[kind]), EXAMPLE, tmp_path / f"m.{suffix}"))
    torch.testing.assert_close(classifier(images()), Net().eval()(images()))
    assert classifier.feature_dim == 8


def test_logits_are_found_in_a_class_that_is_not_known_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Net(lambda logits, features: Named(hidden=features, logits=logits, loss=2 * logits))
    path = exported(net, EXAMPLE, tmp_path / "m.pt2")
    monkeypatch.delitem(pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE, "tests.Named")
    pytree.treespec_loads.cache_clear()
    classifier = opened(path)
    torch.testing.assert_close(classifier(images()), Net().eval()(images()))
    assert "'logits'" in classifier.info.facts["Output"]


@pytest.mark.parametrize("suffix", BOTH)
def test_outputs_that_leave_a_choice_are_named(tmp_path: Path, suffix: str) -> None:
    path = exported(Net(lambda logits, _: (logits, 2 * logits)), EXAMPLE, tmp_path / f"m.{suffix}")
    with pytest.raises(ClassifierError, match=r"several outputs.*0 \(\d, 3\), 1 \(\d, 3\)"):
        opened(path)


@pytest.mark.parametrize("suffix", BOTH)
def test_one_channel_is_given_the_luminance(tmp_path: Path, suffix: str) -> None:
    net = Net(channels=1)
    classifier = opened(exported(net, torch.rand(2, 1, SIZE, SIZE), tmp_path / f"m.{suffix}"))
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    torch.testing.assert_close(classifier(images()), net((images() * weights).sum(1, keepdim=True)))
    assert (gradient(classifier).abs().sum((0, 2, 3)) > 0).all()
    assert any("luminance" in notice for notice in classifier.info.notices)


@pytest.mark.parametrize("suffix", BOTH)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_number_types(tmp_path: Path, suffix: str, dtype: torch.dtype) -> None:
    path = exported(Net().to(dtype), EXAMPLE.to(dtype), tmp_path / f"m.{suffix}")
    classifier = opened(path)
    logits, features = classifier.logits_and_features(images())
    assert logits.dtype == features.dtype == torch.float32
    torch.testing.assert_close(logits, Net().eval()(images()), atol=0.05, rtol=0.05)
    assert gradient(classifier).abs().sum() > 0
    with torch.autocast("cpu", torch.bfloat16):  # as training may be
        assert torch.equal(classifier(images()), logits)
    assert classifier.info.facts["Number type"] in str(dtype)


@pytest.mark.parametrize("suffix", BOTH)
def test_channels_last(tmp_path: Path, suffix: str) -> None:
    path = exported(ChannelsLast(), torch.rand(2, SIZE, SIZE, 3), tmp_path / f"m.{suffix}")
    torch.testing.assert_close(opened(path)(images()), Net().eval()(images()))


def test_bytes_give_no_gradient_and_are_normalized_by_nobody(tmp_path: Path) -> None:
    example = torch.randint(0, 256, (2, 3, SIZE, SIZE), dtype=torch.uint8)
    path = exported(Bytes(), example, tmp_path / "m.pt2")
    classifier = opened(path)
    rounded = images().mul(255).round() / 255
    torch.testing.assert_close(classifier(images()), Net().eval()(rounded))
    assert not classifier.has_features
    assert classifier.normalization is None
    with pytest.raises(ClassifierError, match="takes bytes"):
        opened(path, mean=(0.5, 0.5, 0.5))


@pytest.mark.parametrize("suffix", BOTH)
@pytest.mark.parametrize("net", [Net, BatchOfFour])
def test_a_fixed_batch_takes_any_number(tmp_path: Path, suffix: str, net: type[Net]) -> None:
    example = torch.rand(4, 3, SIZE, SIZE)
    classifier = opened(exported(net(), example, tmp_path / f"m.{suffix}", fixed=True))
    for count in (1, 4, 7):
        pixels = images(count).requires_grad_()
        logits, features = classifier.logits_and_features(pixels)
        torch.testing.assert_close(logits, Net().eval()(pixels))
        assert features.shape == (count, 8)
        (found,) = torch.autograd.grad(logits.sum(), pixels)
        assert (found.abs().sum((1, 2, 3)) > 0).all()
    assert ("Batches" in classifier.info.facts) == (net is BatchOfFour)


@pytest.mark.parametrize("suffix", BOTH)
def test_dropout_left_on_is_refused(tmp_path: Path, suffix: str) -> None:
    path = exported(Net(dropout=0.1), EXAMPLE, tmp_path / f"m.{suffix}", train=True)
    with pytest.raises(ClassifierError, match="training mode") as caught:
        opened(path)
    assert "model.eval()" in caught.value.hint


@pytest.mark.parametrize("suffix", BOTH)
def test_an_answer_that_depends_on_the_batch_is_refused(tmp_path: Path, suffix: str) -> None:
    path = exported(WholeBatch(), EXAMPLE, tmp_path / f"m.{suffix}")
    with pytest.raises(ClassifierError, match="comes with others"):
        opened(path)


@pytest.mark.parametrize("suffix", BOTH)
def test_features_are_what_the_last_layer_is_given(tmp_path: Path, suffix: str) -> None:
    net = Net(lambda logits, _: logits.softmax(1))
    classifier = opened(exported(net, EXAMPLE, tmp_path / f"m.{suffix}"))
    pixels = images().requires_grad_()
    logits, features = classifier.logits_and_features(pixels)
    assert torch.equal(logits, classifier(pixels))
    torch.testing.assert_close(features, net.features(pixels))
    torch.testing.assert_close(net.fc(features), logits)
    (found,) = torch.autograd.grad(features.sum(), pixels)
    assert found.abs().sum() > 0


@pytest.mark.parametrize("suffix", BOTH)
def test_without_a_last_linear_layer_logits_are_the_features(tmp_path: Path, suffix: str) -> None:
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier = opened(exported(net, EXAMPLE, tmp_path / f"m.{suffix}"))
    logits, features = classifier.logits_and_features(images())
    assert torch.equal(logits, features)
    assert "logits" in classifier.info.facts["Features"]


def test_without_gradients_there_are_no_features(tmp_path: Path) -> None:
    classifier = opened(exported(Gradientless(), EXAMPLE, tmp_path / "m.pt2"))
    assert not classifier.has_features
    assert "no gradient" in classifier.info.facts["Features"]


def test_a_scripted_network_in_training_mode_is_used_in_evaluation_mode(tmp_path: Path) -> None:
    class Scripted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.drop, self.fc = nn.BatchNorm2d(3), nn.Dropout(0.5), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return F.softmax(self.fc(self.drop(self.norm(x).mean((2, 3)))), dim=1)

    net = Scripted().train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(net).save(str(tmp_path / "m.pt"))
    classifier = opened(tmp_path / "m.pt")
    torch.testing.assert_close(classifier(images()).softmax(1), net.eval()(images()))
    assert classifier.feature_dim == 3


def flattening(size: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, 3))


@pytest.mark.parametrize("suffix", BOTH)
def test_another_image_size_is_named(tmp_path: Path, suffix: str) -> None:
    path = exported(flattening(32), torch.rand(2, 3, 32, 32), tmp_path / f"m.{suffix}")
    with pytest.raises(ClassifierError, match="it takes images of 32 px") as caught:
        opened(path)
    assert "image_size=32" in caught.value.hint


@pytest.mark.parametrize(
    ("net", "example", "match"),
    [
        (flattening(16), torch.rand(2, 3, 8, 32), "8 by 32 px; expected squares"),
        (Net(channels=4), torch.rand(2, 4, SIZE, SIZE), r"shape \(N, 4, 16, 16\)"),
        (nn.Linear(8, 3), torch.rand(2, 8), r"shape \(N, 8\)"),
    ],
)
def test_what_is_no_square_image_is_refused(
    tmp_path: Path, net: nn.Module, example: Tensor, match: str
) -> None:
    with pytest.raises(ClassifierError, match=match):
        opened(exported(net, example, tmp_path / "m.pt2"), image_size=8)


def test_what_a_script_complains_of_is_said(tmp_path: Path) -> None:
    path = exported(Net(channels=4), torch.rand(2, 4, SIZE, SIZE), tmp_path / "m.pt")
    with pytest.raises(ClassifierError, match="4 channels"):
        opened(path)


@pytest.mark.parametrize("suffix", BOTH)
def test_a_batch_larger_than_it_was_exported_for_is_divided(tmp_path: Path, suffix: str) -> None:
    classifier = opened(exported(Net(), EXAMPLE, tmp_path / f"m.{suffix}"))
    torch.testing.assert_close(classifier(images(70)), Net().eval()(images(70)))
