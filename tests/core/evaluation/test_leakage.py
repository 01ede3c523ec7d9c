"""Which of the images that are measured a network learned from, and what is called a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pgn_studio.core.classifiers import Classifier, ClassifierInfo
from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.data.splitting import Division
from pgn_studio.core.evaluation.leakage import classifier_learned, divided_as_learned, find_leakage
from pgn_studio.core.learned_images import packed
from tests.core.evaluation.samples import MEAN, STD, BrightestChannel, Shift, make_pgn

Load = Callable[..., ImageDataset]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """A folder of 60 different pictures of two classes, without splits; load(count) has so many of each."""
    monkeypatch.setenv("PGN_STUDIO_HOME", str(tmp_path / "home"))
    random = np.random.default_rng(0)

    def load_with(count: int = 30, **settings: Any) -> ImageDataset:
        root = tmp_path / f"pets{count}"
        for title in ("cat", "dog"):
            (root / title).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                file = root / title / f"{number:02d}.png"
                if not file.exists():
                    Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(file)
        return load_dataset(DataSettings.make(dataset=str(root), image_size=8, **settings))

    return load_with


def trained_on(dataset: ImageDataset, **facts: Any) -> Classifier:
    """A classifier whose file says that it learned from the training images of `dataset`."""
    training = {
        "dataset_fingerprint": dataset.fingerprint,
        "learned_from": packed(dataset.split("train").pixel_hashes),
        "settings": {**asdict(dataset.division), "dataset": dataset.root},
        **facts,
    }
    info = ClassifierInfo("small", dataset.classes, MEAN, STD, 8, training=training)
    return Classifier(BrightestChannel(), info)


def of_before(dataset: ImageDataset) -> Classifier:
    """The same from a version that recorded neither its images nor how they were divided."""
    return trained_on(dataset, learned_from="", settings={"split_seed": dataset.division.split_seed})


def test_of_its_own_data_nothing_in_test_was_learned_from(load: Load) -> None:
    dataset = load()
    learned = classifier_learned(trained_on(dataset), dataset, "test")
    assert learned is not None
    assert (learned.count, learned.same_data) == (0, True)
    assert learned.sentence("test") == ""
    assert learned.title("test") == "test"
    train = classifier_learned(trained_on(dataset), dataset, "train")
    assert train is not None
    assert train.count == len(dataset.split("train"))


def test_of_other_data_it_is_counted_and_not_called_a_test(load: Load) -> None:
    learned_from, now = load(split_seed=1), load(split_seed=2)
    shared = set(learned_from.split("train").names) & set(now.split("test").names)
    learned = classifier_learned(trained_on(learned_from), now, "test")
    assert learned is not None
    assert learned.count == len(shared) > 0
    assert f"learned from {len(shared)} of the {len(now.split('test'))} test images" in learned.sentence(
        "test"
    )
    assert "no test" in learned.title("test")


def test_images_that_were_renamed_and_moved_are_known_again(load: Load, tmp_path: Path) -> None:
    dataset = load()
    split = dataset.split("train")
    for part in ("train", "test"):
        for index, (name, label) in enumerate(zip(split.names, split.labels, strict=True)):
            to = tmp_path / "moved" / part / dataset.classes[label] / f"{index}.bmp"
            to.parent.mkdir(parents=True, exist_ok=True)
            Image.open(Path(dataset.root) / name).save(to)
    moved = load_dataset(DataSettings.make(dataset=str(tmp_path / "moved"), image_size=8))
    learned = classifier_learned(trained_on(dataset), moved, "test")
    assert learned is not None
    assert learned.count == len(split)


def test_pictures_that_changed_behind_their_names_are_found(load: Load) -> None:
    """Files of one size, renumbered: the fingerprint knows names and sizes."""
    dataset = load()
    classifier = trained_on(dataset)
    root = Path(dataset.root)
    for title in ("cat", "dog"):
        pictures = [Image.open(file).copy() for file in sorted((root / title).iterdir())]
        for number, picture in enumerate(pictures):
            picture.save(root / title / f"{(number + 11) % len(pictures):02d}.bmp")
            (root / title / f"{number:02d}.png").unlink()
    renumbered = load_dataset(DataSettings.make(dataset=str(root), image_size=8))
    renumbered = replace(renumbered, fingerprint=dataset.fingerprint)
    learned = classifier_learned(classifier, renumbered, "test")
    assert learned is not None
    assert learned.count
    assert "no test" in learned.title("test")
    assert learned.sentence("test")


def test_changed_data_that_it_did_not_learn_from_are_a_test(load: Load) -> None:
    learned = classifier_learned(trained_on(load(30)), load(20), "test")
    assert learned is not None
    assert learned.count == 0
    assert "learned from 0 of" in learned.sentence("test")
    assert learned.title("test") == "test"


def test_a_file_of_before_says_nothing_of_changed_data(load: Load) -> None:
    assert classifier_learned(of_before(load(30)), load(30), "test").count == 0  # type: ignore[union-attr]
    learned = classifier_learned(of_before(load(30)), load(20), "test")
    assert learned is not None
    assert learned.count is None
    assert "does not say which images" in learned.sentence("test")


def test_another_programs_classifier_says_nothing_at_all(load: Load) -> None:
    external = Classifier(BrightestChannel(), ClassifierInfo("resnet18", ("cat", "dog"), MEAN, STD, 8))
    assert classifier_learned(external, load(), "test") is None


@pytest.mark.parametrize("method", ["permutation", "hash"])
def test_the_division_of_the_training_is_followed(load: Load, method: str) -> None:
    """By its fingerprint, where the file is from before its images were recorded."""
    learned_from = load(split_method=method, split_seed=3)
    classifier = trained_on(learned_from) if method == "hash" else of_before(learned_from)
    divided = divided_as_learned(load(), classifier)
    assert divided.fingerprint == learned_from.fingerprint
    assert divided.division == learned_from.division
    assert len(divided.notices) == 1
    assert divided_as_learned(divided, classifier) is divided


def test_a_chosen_division_and_an_unspoiled_one_are_left(load: Load) -> None:
    classifier = trained_on(load(split_seed=3))
    chosen = load(split_seed=5)
    assert divided_as_learned(chosen, classifier) is chosen
    same = load()
    assert divided_as_learned(same, trained_on(same)) is same
    external = Classifier(BrightestChannel(), ClassifierInfo("resnet18", ("cat", "dog"), MEAN, STD, 8))
    assert divided_as_learned(same, external) is same


@pytest.mark.parametrize("settings", [{"split_seed": "x"}, {"test_fraction": 7}, "none"])
def test_damaged_settings_change_nothing(load: Load, settings: Any) -> None:
    dataset = load()
    classifier = trained_on(load(split_seed=3), settings=settings)
    assert divided_as_learned(dataset, classifier) is dataset


def test_the_pgn_counts_too(load: Load) -> None:
    learned_from, now = load(split_seed=1), load()
    pgn = make_pgn(Shift())
    info = replace(
        pgn.info,
        fingerprint=learned_from.fingerprint,
        learned_from=packed(learned_from.split("train").pixel_hashes),
    )
    pgn.info = info
    leakage = find_leakage(pgn, trained_on(now), now, "test")
    counts = leakage.to_json()
    assert counts["classifier"] == 0
    assert counts["pgn"] > 0
    assert "no test: the PGN learned" in leakage.title("test")
    assert leakage.title("train") == "train"
    (told,) = leakage.sentences("test")
    assert told in leakage.warnings
    assert Division() == now.division
