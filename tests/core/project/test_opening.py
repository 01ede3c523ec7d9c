"""Opening without a terminal or a window: what is read, what is reused, and what is told."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pgn_studio.core.classifiers import ClassifierInfo, save_classifier
from pgn_studio.core.classifiers.networks import build_network
from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.errors import ClassifierError, PgnFileError, PgnStudioError
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.pgn import load_pgn, save_pgn
from pgn_studio.core.project.opening import Opener, data_of, measure
from pgn_studio.core.project.resolve import find_pgn, find_run, resolve_classifier
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.core.runs import RunFolder

DEMO = trained_folder() / "digits-classifier.safetensors"
PGN = trained_folder() / "digits-enhance.safetensors"


def opener(reads: list[DataSettings], notes: list[str]) -> Opener:
    def read(settings: DataSettings) -> ImageDataset:
        reads.append(settings)
        return load_dataset(settings)

    return Opener(read=read, note=notes.append)


@pytest.fixture
def reads() -> list[DataSettings]:
    return []


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    drawn = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(10):
            pixels = drawn.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Of another program: they say neither their architecture nor their classes."""
    torch.save(build_network("small", 2, image_size=24).state_dict(), tmp_path / "net.pth")
    return tmp_path / "net.pth"


def test_our_classifier_says_at_which_size_images_are_read(
    reads: list[DataSettings], notes: list[str]
) -> None:
    settings = TrainingSettings.make(dataset="digits", classifier=str(DEMO))
    classifier, dataset = opener(reads, notes).open_both(settings)
    assert [item.image_size for item in reads] == [classifier.info.image_size] == [dataset.image_size]
    assert type(reads[0]) is DataSettings


def test_an_external_one_takes_the_data_sets_classes_and_size(
    reads: list[DataSettings], notes: list[str], photos: Path, weights: Path
) -> None:
    settings = TrainingSettings.make(dataset=str(photos), classifier=str(weights))
    classifier, dataset = opener(reads, notes).open_both(settings, ClassifierSource(arch="small"))
    assert classifier.info.classes == dataset.classes == ("cat", "dog")
    assert classifier.info.image_size == dataset.image_size
    assert classifier.info.told["arch"] == "small"
    with pytest.raises(ClassifierError, match="architecture"):
        Opener().open_both(settings)


def test_what_is_loaded_is_neither_read_nor_loaded_again(reads: list[DataSettings], notes: list[str]) -> None:
    settings = TrainingSettings.make(dataset="digits", classifier=str(DEMO))
    both = Opener().open_both(settings)
    assert opener(reads, notes).open_both(settings, loaded=both) == both
    assert not reads


def test_a_pgn_comes_with_its_classifier_and_images(reads: list[DataSettings], notes: list[str]) -> None:
    subject = opener(reads, notes).open_pgn(PGN)
    assert subject.source.path == subject.classifier.info.path == str(DEMO)
    assert (subject.run, notes) == (None, [])
    assert subject.dataset.fingerprint == subject.pgn.info.fingerprint
    again = opener(reads, notes).open_pgn(PGN, loaded=(None, subject.dataset))
    assert again.dataset is subject.dataset
    other = load_dataset(DataSettings(dataset="digits", image_size=8))
    assert opener(reads, notes).open_pgn(PGN, loaded=(None, other)).dataset is not other
    assert len(reads) == 2


def test_other_data_keeps_the_runs_division(photos: Path) -> None:
    info = load_pgn(PGN).info
    info = replace(info, settings={**info.settings, "split_seed": 5, "data_root": "/nowhere"})
    asked = data_of(info, {"dataset": str(photos)})
    assert (asked.split_seed, asked.image_size, asked.data_root) == (5, info.image_size, None)
    assert str(data_of(info, {}).data_root) == "/nowhere"


def test_a_lone_pgn_gives_images_as_when_it_was_trained(tmp_path: Path) -> None:
    demo = load_pgn(PGN)
    shutil.copy(DEMO, tmp_path)
    save_pgn(tmp_path / "p.safetensors", demo.generator, replace(demo.info, mean=(0.25, 0.5, 0.75)))
    subject = Opener().open_pgn(tmp_path / "p.safetensors")
    assert subject.classifier.info.mean == subject.source.mean == (0.25, 0.5, 0.75)
    given = Opener().open_pgn(tmp_path / "p.safetensors", ClassifierSource(mean=(0.5, 0.5, 0.5)))
    assert given.classifier.info.mean == (0.5, 0.5, 0.5)


def test_what_is_known_of_a_file_is_used_where_nothing_is_recorded(tmp_path: Path) -> None:
    demo = load_pgn(PGN)
    shutil.copy(DEMO, tmp_path / DEMO.name)
    info = replace(demo.info, classifier_path=str(tmp_path / DEMO.name), std=(0.5, 0.5, 0.5))
    save_pgn(tmp_path / "p.safetensors", demo.generator, info)
    known = ClassifierSource(str(tmp_path / DEMO.name), std=(0.25, 0.25, 0.25))
    subject = Opener().open_pgn(tmp_path / "p.safetensors", known={known.path: known})
    assert subject.classifier.info.std == (0.25, 0.25, 0.25)


def test_a_lone_pgn_starts_no_request(tmp_path: Path) -> None:
    demo = load_pgn(PGN)
    info = replace(demo.info, classifier_path="http://127.0.0.1:9/ask", classifier_sha256="")
    save_pgn(tmp_path / "p.safetensors", demo.generator, info)
    with pytest.raises(ClassifierError, match="would be sent the images"):
        Opener().open_pgn(tmp_path / "p.safetensors")


def test_another_classifier_is_taken_if_its_classes_fit(tmp_path: Path) -> None:
    net = build_network("small", 10, image_size=8)
    classes = load_pgn(PGN).info.classes
    info = ClassifierInfo("small", classes, (0.0,) * 3, (1.0,) * 3, 8)
    save_classifier(tmp_path / "other.safetensors", net, info)
    subject = Opener().open_pgn(PGN, ClassifierSource(str(tmp_path / "other.safetensors")))
    assert subject.classifier.info.path.endswith("other.safetensors")  # the small network takes any size
    with pytest.raises(PgnStudioError, match="class"):
        Opener().open_pgn(PGN, ClassifierSource("arch:small"), data={"num_classes": 3})


def test_measured_at_each_gamma_or_at_its_own() -> None:
    subject = Opener().open_pgn(PGN)
    parts = subject.pgn, subject.classifier, subject.dataset
    own = measure(*parts, "val", device="cpu")
    at_each = measure(*parts, "val", gammas=[subject.pgn.gamma], device="cpu")
    assert own[0].metrics == at_each[0].metrics
    assert own[0].leakage is not None


def test_a_run_is_opened_with_what_it_was_begun_with(
    tmp_path: Path, reads: list[DataSettings], notes: list[str]
) -> None:
    shutil.copy(DEMO, tmp_path / "c.safetensors")
    settings = TrainingSettings.make(
        dataset="digits", image_size=16, split_seed=2, classifier=str(tmp_path / "away.safetensors")
    )
    sha256 = load_pgn(PGN).info.classifier_sha256
    recorded = {"path": settings.classifier, "sha256": sha256}
    run = RunFolder.create(
        tmp_path / "run", settings, extra={"classifier": recorded, "dataset": {"fingerprint": "other"}}
    )
    shutil.move(tmp_path / "c.safetensors", tmp_path / "away.safetensors")
    opened = opener(reads, notes).open_run(run)
    assert opened.settings == run.settings
    assert reads[0].split_seed == 2
    assert opened.warning
    run.update(dataset={"fingerprint": opened.dataset.fingerprint})
    again = opener(reads, notes).open_run(run, loaded=(opened.classifier, opened.dataset))
    assert (again.dataset, again.classifier) == (opened.dataset, opened.classifier)
    assert again.warning == ""
    assert len(reads) == 1
    run.update(classifier={**recorded, "sha256": "0" * 64})
    with pytest.raises(ClassifierError, match="hash"):
        opener(reads, notes).open_run(run)


def test_a_run_without_a_pgn_says_why(tmp_path: Path) -> None:
    settings = TrainingSettings.make(classifier=str(DEMO))
    run = RunFolder.create(tmp_path / "run", settings)
    with pytest.raises(PgnFileError, match="no PGN yet"):
        find_pgn(str(run.path))
    run.take()
    try:
        with pytest.raises(PgnStudioError, match="is being trained"):
            find_pgn(str(run.path))
    finally:
        run.release()
    shutil.copy(PGN, run.last_pgn_path)
    assert find_pgn(str(run.path))[0] == run.last_pgn_path
    assert find_run(str(run.path)).path == run.path


@pytest.mark.parametrize("given", ["", "no/such/file.pth", "."])
def test_what_is_no_classifier(given: str) -> None:
    with pytest.raises(ClassifierError):
        resolve_classifier(given)
