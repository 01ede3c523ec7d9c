"""Python functions: only when trusted, whatever they do."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pgn_studio.core.classifiers import Access, Classifier, load_classifier
from pgn_studio.core.errors import ConfigError, PgnStudioError

MODULE = """
import numpy as np

def labels(images):
    assert images.dtype == np.uint8 and images.shape[1:] == (8, 8, 3)
    result = (images.mean((1, 2, 3)) > 127).astype(int)
    images[:] = 0  # its own copy
    return result

def scores(images):
    return np.stack([1 - images.mean((1, 2, 3)) / 255, images.mean((1, 2, 3)) / 255], 1)

def names(images):
    return ["caf\\u00e9" if bright else "the\\u0301" for bright in labels(images)]

def fails(images):
    raise KeyError("lost")

def exits(images):
    raise SystemExit("no weights")

def ranks(images):
    scores = images.reshape(len(images), -1)[:, :6] / 255.0
    return -np.sort(-scores, axis=1) + np.arange(6, 0, -1)

def one(images):
    return 1

def nan(images):
    return np.full((len(images), 2), np.nan)

constant = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "my_black_box.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "breaks_black_box.py").write_text("raise SystemExit(3)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("my_black_box", None)


def opened(form: str, *, trust: bool = True) -> Classifier:
    access = Access(trust_code=trust)
    return load_classifier(f"python:{form}", classes=("dark", "bright"), image_size=8, access=access)


PIXELS = torch.tensor([0.0, 1.0, 0.2]).view(3, 1, 1, 1).expand(3, 3, 8, 8)


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_any_unicode_form(form: str) -> None:
    """The data set's, the black box's answers, and those given in its own order."""
    ours = tuple(unicodedata.normalize(form, name) for name in ("thé", "café"))
    theirs = tuple(unicodedata.normalize("NFD", name) for name in ("café", "thé"))
    access = Access(trust_code=True, classes=theirs)
    classifier = load_classifier("python:my_black_box:names", classes=ours, image_size=8, access=access)
    assert classifier(PIXELS).argmax(1).tolist() == [0, 1, 0]


@pytest.mark.usefixtures("module")
def test_labels_and_scores() -> None:
    labels, scores = opened("my_black_box:labels"), opened("my_black_box:scores")
    assert labels(PIXELS).argmax(1).tolist() == scores(PIXELS).argmax(1).tolist() == [0, 1, 0]
    assert (labels.gives_scores, scores.gives_scores) == (False, True)
    torch.testing.assert_close(torch.softmax(scores(PIXELS), 1)[2, 1], torch.tensor(0.2))


@pytest.mark.usefixtures("module")
def test_nothing_is_imported_without_trust() -> None:
    with pytest.raises(ConfigError, match="trust_code"):
        opened("my_black_box:labels", trust=False)
    assert "my_black_box" not in sys.modules


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("my_black_box:fails", "failed: KeyError: 'lost'"),
        ("my_black_box:exits", "failed: SystemExit: no weights"),
        ("my_black_box:one", "gave one value for"),
        ("my_black_box:nan", "scores that are not finite"),
        ("my_black_box:constant", "is a int; expected a function"),
        ("my_black_box:missing", "cannot be imported: AttributeError"),
        ("no_such_black_box:f", "cannot be imported: ModuleNotFoundError"),
        ("breaks_black_box:f", "cannot be imported: SystemExit"),
        ("my_black_box", "Expected python:module:function"),
        ("os:system; ls", "Expected python:module:function"),
    ],
)
def test_what_goes_wrong(form: str, said: str) -> None:
    with pytest.raises(PgnStudioError) as caught:
        opened(form)
    assert said in str(caught.value)


TAIL = """
import numpy as np

draws = np.random.default_rng(0)

def unlike(images):  # logits, of which a dark image's happen to sum to 1
    bright = images.mean((1, 2, 3)) / 255
    return np.stack([1 - 4 * bright, bright], 1)

def guesses(images):
    return draws.random((len(images), 2)) * 5

def sigmoids(images):
    bright = images.mean((1, 2, 3)) / 255
    return np.stack([0.9 + 0 * bright, bright], 1)
"""


@pytest.fixture
def others(module: None, tmp_path: Path) -> Iterator[None]:
    (tmp_path / "my_other_box.py").write_text(TAIL, encoding="utf-8")
    yield
    sys.modules.pop("my_other_box", None)


@pytest.mark.usefixtures("others")
def test_whether_scores_are_probabilities_is_decided_once() -> None:
    classifier = opened("my_other_box:unlike")
    torch.testing.assert_close(classifier(PIXELS[:1]), torch.tensor([[1.0, 0.0]]))
    assert classifier.info.facts["Output"] == "logits"
    assert not classifier.info.notices
    assert "probabilities" in opened("my_black_box:scores").info.facts["Output"]


@pytest.mark.usefixtures("others")
def test_what_answers_by_chance_or_with_sigmoids_is_told() -> None:
    assert any("chance" in notice for notice in opened("my_other_box:guesses").info.notices)
    assert any("between 0 and 1" in notice for notice in opened("my_other_box:sigmoids").info.notices)


@pytest.mark.usefixtures("module")
def test_scores_in_order_of_size_are_told() -> None:
    access = Access(trust_code=True)
    classes = ("a", "b", "c", "d", "e", "f")
    classifier = load_classifier("python:my_black_box:ranks", classes=classes, image_size=8, access=access)
    assert any("order of size" in notice for notice in classifier.info.notices)
    assert not opened("my_black_box:scores").info.notices[1:]
