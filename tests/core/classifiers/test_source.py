"""A classifier of another package, by the name that it has before a colon."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pgn_studio.core import plugins
from pgn_studio.core.classifiers import load_classifier
from pgn_studio.core.classifiers.classifier import Classifier, ClassifierInfo
from pgn_studio.core.classifiers.source import ClassifierRequest, ClassifierSource, scheme_of
from pgn_studio.core.config import is_black_box, names_file
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.plugins import PluginError


class Means(nn.Module):
    def forward(self, normalized: Tensor) -> Tensor:
        return normalized.mean((2, 3))


class Channels(ClassifierSource):
    """`channels:SIZE`: the brightest channel is the class."""

    def load(self, source: str, request: ClassifierRequest) -> Classifier:
        size = int(source.partition(":")[2])
        classes = request.needed_classes(source)
        info = ClassifierInfo("channels", classes, (0.0,) * 3, (1.0,) * 3, request.image_size or size)
        return Classifier(Means(), info)


class Nothing(ClassifierSource):
    def load(self, source: str, request: ClassifierRequest) -> Classifier:
        return None  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = tuple(
        EntryPoint(name, f"{kind.__module__}:{kind.__name__}", "pgn_studio.classifiers")
        for name, kind in (("channels", Channels), ("nothing", Nothing))
    )
    monkeypatch.setattr(plugins, "_installed", lambda: {"classifiers": points})


def test_it_is_found_by_its_scheme() -> None:
    classifier = load_classifier("channels:8", classes=("red", "green", "blue"))
    assert classifier.info.image_size == 8
    image = torch.zeros(1, 3, 8, 8)
    image[:, 1] = 1
    assert classifier(image).argmax(1).tolist() == [1]
    assert not names_file("channels:8")
    assert not is_black_box("channels:8")


def test_what_fails_in_it_is_blamed_on_it() -> None:
    with pytest.raises(PluginError, match="channels"):
        load_classifier("channels:big", classes=("red", "green", "blue"))
    with pytest.raises(PluginError, match="nothing"):
        load_classifier("nothing:", classes=("red", "green", "blue"))
    with pytest.raises(ClassifierError, match="classes"):
        load_classifier("channels:8")


def test_schemes_and_files(tmp_path: Path) -> None:
    found = {text: scheme_of(text) for text in ("arch:resnet18", "https://host/f", "python:m:f", "C:/f.pth")}
    assert list(found.values()) == ["arch", "https", "python", "file"]
    assert names_file(str(tmp_path / "channels.safetensors"))
