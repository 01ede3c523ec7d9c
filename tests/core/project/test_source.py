"""Where a classifier comes from: what was said of it, recorded and found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pgn_studio.core.classifiers import Access, load_classifier
from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.project.source import ClassifierSource

OURS = trained_folder() / "digits-classifier.safetensors"
CLASSES = ("a", "b")


def test_one_fact_given_leaves_the_others_as_recorded() -> None:
    recorded = ClassifierSource("c.pth", "resnet18", 16, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bgr")
    for given in (
        ClassifierSource(arch="resnet34"),
        ClassifierSource(mean=(0.5, 0.5, 0.5)),
        ClassifierSource(std=(0.5, 0.5, 0.5)),
        ClassifierSource(channels="rgb"),
        ClassifierSource("d.pth"),
    ):
        both = given.over(recorded)
        for name in ("path", "arch", "mean", "std", "channels", "image_size"):
            assert getattr(both, name) == (getattr(given, name) or getattr(recorded, name))


def test_how_to_ask_is_given_anew_or_as_recorded() -> None:
    recorded = ClassifierSource("http://x", access=Access(per_second=5, timeout_s=9))
    both = ClassifierSource(access=Access(timeout_s=2, trust_code=True)).over(recorded)
    assert both.access == Access(per_second=5, timeout_s=2, trust_code=True)
    assert ClassifierSource().over(recorded).access == recorded.access


def test_what_was_said_is_what_a_run_records() -> None:
    said = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25), "channels": "bgr"}
    classifier = load_classifier(OURS, **said)  # type: ignore[arg-type]
    facts = json.loads(json.dumps(classifier.info.told))
    source = ClassifierSource.recorded(str(OURS), facts, 16)
    assert source == ClassifierSource(str(OURS), image_size=16, access=Access(), **said)  # type: ignore[arg-type]
    assert source.load().info == classifier.info


def test_of_a_file_that_says_all_nothing_is_recorded() -> None:
    assert ClassifierSource(str(OURS)).load(CLASSES, 8).info.told == {}
    assert ClassifierSource("arch:small").load(CLASSES, 8).info.told == {}


def test_the_bundled_classifier_has_a_name() -> None:
    assert ClassifierSource("demo:digits").load().info.path == str(OURS)
    with pytest.raises(ClassifierError, match="demo:digits"):
        ClassifierSource("demo:nothing").load()


def test_what_can_be_loaded_before_its_data_set(tmp_path: Path) -> None:
    assert ClassifierSource(str(OURS)).stands_alone
    assert ClassifierSource(str(OURS), mean=(0.5, 0.5, 0.5)).stands_alone
    assert not ClassifierSource("arch:small").stands_alone
    (tmp_path / "c.pth").write_bytes(b"weights")
    assert not ClassifierSource(str(tmp_path / "c.pth")).stands_alone


def test_stored_sources_are_read_leniently() -> None:
    source = ClassifierSource("c.pth", arch="small", image_size=16, mean=(0.5, 0.5, 0.5))
    assert ClassifierSource.from_json(json.loads(json.dumps(source.to_json()))) == source
    told = {"path": "c.pth", "foreign": True, "arch": 5, "mean": [1], "classes": "ab"}
    assert ClassifierSource.from_json(told) == ClassifierSource("c.pth")
    assert ClassifierSource.from_json({"arch": "small"}) is None
