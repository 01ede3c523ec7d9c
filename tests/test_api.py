"""What `import pgn_studio` gives, from one end to the other on digits, and what it says of bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pgn_studio
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.events import EpochCompleted, Event, StepCompleted
from tests.test_architecture import HEAVY

REPOSITORY = Path(__file__).resolve().parent.parent
ENHANCE = trained_folder() / "digits-enhance.safetensors"
ADVERSARIAL = trained_folder() / "digits-adversarial.safetensors"
QUICK: dict[str, Any] = {
    "encoder": "small", "decoder_widths": (8, 8), "epochs": 1, "device": "cpu", "precision": "fp32",
}  # fmt: skip
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return pgn_studio.load_dataset("digits", image_size=16)


@pytest.fixture(scope="module")
def classifier() -> Any:
    return pgn_studio.load_classifier("demo:digits")


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return []


@pytest.fixture(scope="module")
def run(
    digits: ImageDataset, classifier: Any, events: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> pgn_studio.Run:
    out = tmp_path_factory.mktemp("api") / "run"
    return pgn_studio.train(digits, classifier, out=out, callbacks=[events.append], **QUICK)


@pytest.fixture
def adversarial() -> pgn_studio.LoadedPgn:
    return pgn_studio.load_pgn(ADVERSARIAL)


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = "import sys, pgn_studio; dir(pgn_studio); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not (HEAVY | {"numpy", "pydantic", "PySide6"}) & set(modules.split())


def test_every_name_is_there() -> None:
    for name in pgn_studio.__all__:
        assert getattr(pgn_studio, name)
        assert name in dir(pgn_studio)
    with pytest.raises(AttributeError, match="no_such_name"):
        pgn_studio.no_such_name  # type: ignore[attr-defined] # noqa: B018


# ---------------------------------------------------------------------- from one end to the other


def test_a_run_is_trained_and_told(run: pgn_studio.Run, events: list[Event]) -> None:
    folder = RunFolder.open(run.path)
    assert folder.status == "completed"
    assert run.metrics["perturbed_accuracy_8bit"] == folder.run_json["results"]["perturbed_accuracy_8bit"]
    assert run.metrics["reason"] == "completed"
    assert sum(isinstance(event, StepCompleted) for event in events) == run.metrics["step"] > 0
    assert sum(isinstance(event, EpochCompleted) for event in events) == 1
    assert run.history[-1]["event"] == "RunFinished"


def test_its_pgn_knows_its_classifier(run: pgn_studio.Run, digits: ImageDataset) -> None:
    assert run.pgn.info.told == "probabilities"
    images = digits.split("test").images(range(4))
    assert run.pgn(images).shape == images.shape


def test_a_run_finds_its_images_again(tmp_path: Path, classifier: Any) -> None:
    """With what load_dataset was told, which train is not."""
    data = pgn_studio.load_dataset("digits", image_size=16, split_seed=3)
    run = pgn_studio.train(data, classifier, out=tmp_path / "run", **QUICK)
    settings = RunFolder.open(run.path).settings
    assert (settings.split_seed, settings.image_size) == (3, 16)
    assert run.pgn.info.fingerprint == data.fingerprint


def test_everything_by_its_name(tmp_path: Path) -> None:
    settings = {**QUICK, "problem": "adversarial", "gamma": 3.0}
    run = pgn_studio.train("digits", "demo:digits", out=tmp_path / "run", **settings)
    found = pgn_studio.evaluate(run.path, "demo:digits", "digits", device="cpu")
    assert found.n > 300
    assert found.gamma == 3.0


def test_a_callback_stops_it(tmp_path: Path, digits: ImageDataset, classifier: Any) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, StepCompleted):
            raise pgn_studio.Canceled

    run = pgn_studio.train(digits, classifier, out=tmp_path / "run", callbacks=[stop], **QUICK)
    assert run.metrics["reason"] == "stopped"
    assert 0 < run.metrics["step"] < 5
    assert run.pgn.info.gamma > 0


def test_figures_are_those_of_the_command(
    run: pgn_studio.Run, digits: ImageDataset, classifier: Any, tmp_path: Path
) -> None:
    from pgn_studio.cli.main import main

    found = pgn_studio.evaluate(run.pgn, classifier, digits, device="cpu")
    file = tmp_path / "figures.json"
    assert main(["evaluate", str(run.path), "--device", "cpu", "--json", str(file)]) == 0
    figures = found.to_json()
    told = json.loads(file.read_text())
    assert told == json.loads(json.dumps({**figures, "pgn": told["pgn"]}))
    for name, value in figures.items():
        assert getattr(found, name) == value
    assert isinstance(found.clean_accuracy, float)
    with pytest.raises(AttributeError, match="clean_accuracy"):
        found.accuracy  # type: ignore[attr-defined] # noqa: B018


def test_at_another_gamma(run: pgn_studio.Run, digits: ImageDataset, classifier: Any) -> None:
    assert run.pgn.gammas is not None
    weak, strong = (
        pgn_studio.evaluate(run.pgn, classifier, digits, "val", gamma, device="cpu")
        for gamma in (run.pgn.gammas.high, run.pgn.gammas.low)
    )
    assert weak.gamma > strong.gamma
    assert weak.split == "val"


def test_a_report(adversarial: Any, digits: ImageDataset, classifier: Any, tmp_path: Path) -> None:
    page = pgn_studio.report(
        adversarial, classifier, digits, tmp_path / "report", resamples=100, device="cpu"
    )
    assert page == tmp_path / "report" / "report.html"
    assert page.stat().st_size > 10_000


def test_an_external_classifier_is_recorded(digits: ImageDataset, tmp_path: Path) -> None:
    from pgn_studio.core.classifiers.networks import build_network

    net = build_network("small", 10, image_size=16)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    f = pgn_studio.load_classifier(
        tmp_path / "net.pth", classes=digits.classes, arch="small", image_size=16, mean=[0.5] * 3
    )
    run = pgn_studio.train(digits, f, out=tmp_path / "run", problem="adversarial", **QUICK)
    facts = RunFolder.open(run.path).run_json["external_classifier"]
    assert (facts["arch"], facts["mean"]) == ("small", [0.5, 0.5, 0.5])
    from pgn_studio.core.project.opening import Opener

    opened = Opener().open_pgn(run.path)
    assert opened.classifier.info.mean == (0.5, 0.5, 0.5)


# ---------------------------------------------------------------------- images


def test_images_come_back_as_they_went_in(adversarial: pgn_studio.LoadedPgn, digits: ImageDataset) -> None:
    assert adversarial.info.told == "nothing"
    pictures = digits.split("test").images(range(70))  # more than are computed at a time
    floats = pictures.transpose(0, 3, 1, 2) / np.float32(255)
    perturbed = adversarial(pictures)
    assert perturbed.dtype == np.uint8
    assert perturbed.shape == pictures.shape
    assert (perturbed != pictures).any()
    for dtype in (np.float32, np.float64):
        of_floats = adversarial(floats.astype(dtype))
        assert of_floats.dtype == dtype
        assert of_floats.min() >= 0
        assert of_floats.max() <= 1
        assert np.abs(np.round(of_floats.transpose(0, 2, 3, 1) * 255) - perturbed).max() <= 1
    of_tensor = adversarial(torch.from_numpy(floats))
    assert of_tensor.dtype == torch.float32
    torch.testing.assert_close(of_tensor, torch.from_numpy(adversarial(floats)))
    of_bytes = adversarial(torch.from_numpy(pictures))
    assert of_bytes.dtype == torch.uint8
    assert np.array_equal(of_bytes.numpy(), perturbed)


def test_no_images_are_none(adversarial: pgn_studio.LoadedPgn) -> None:
    assert adversarial(np.zeros((0, 16, 16, 3), np.uint8)).shape == (0, 16, 16, 3)
    assert adversarial(torch.zeros(0, 3, 16, 16)).shape == (0, 3, 16, 16)


def test_a_pgn_that_is_told_needs_the_classifier(run: pgn_studio.Run, classifier: Any) -> None:
    images = np.zeros((2, 16, 16, 3), np.uint8)
    alone = pgn_studio.load_pgn(run.path)
    with pytest.raises(pgn_studio.PgnStudioError, match="classifier="):
        alone(images)
    given = alone(images, classifier=classifier)
    assert np.array_equal(given, pgn_studio.load_pgn(run.path, classifier=classifier)(images))
    with pytest.raises(pgn_studio.PgnStudioError, match="load_classifier"):
        alone(images, classifier="demo:digits")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.zeros((1, 3, 16, 16), np.uint8), "bytes are"),
        (np.zeros((1, 16, 16, 3), np.float32), "floats are"),
        (np.zeros((1, 3, 32, 32), np.float32), "16 px"),
        (np.zeros((3, 16, 16), np.float32), "(N, 3, 16, 16)"),
        (np.full((1, 3, 16, 16), 255.0), "Divide"),
        (np.full((1, 3, 16, 16), -0.1), "-0.1"),
        (np.full((1, 3, 16, 16), np.nan), "nan"),
        (np.zeros((1, 3, 16, 16), np.int64), "int64"),
        (np.array(["a"]), "<U1"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.int32), "int32"),
        ([[0.5]], "list"),
        (None, "NoneType"),
    ],
)
def test_images_of_another_kind(adversarial: Any, images: Any, said: str) -> None:
    with pytest.raises(pgn_studio.PgnStudioError) as error:
        adversarial(images)
    assert said in str(error.value)


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: pgn_studio.load_dataset("no such data"), "no such data"),
        (lambda: pgn_studio.load_dataset(5), "5"),  # type: ignore[arg-type]
        (lambda: pgn_studio.load_dataset("digits", colour="red"), "colour"),
        (lambda: pgn_studio.load_dataset("digits", image_size=3), "image_size"),
        (lambda: pgn_studio.load_classifier("nowhere.pth"), "nowhere.pth"),
        (lambda: pgn_studio.load_classifier("demo:nothing"), "demo:digits"),
        (lambda: pgn_studio.load_classifier(""), "classifier"),
        (lambda: pgn_studio.load_classifier("demo:digits", mean=(0.5,)), "mean"),
        (lambda: pgn_studio.load_classifier("demo:digits", std=("a", 1, 1)), "std"),  # type: ignore[arg-type]
        (lambda: pgn_studio.load_classifier("demo:digits", classes=("cat", "dog")), "10 classes"),
        (lambda: pgn_studio.load_pgn("no-such-run"), "no-such-run"),
        (lambda: pgn_studio.load_pgn(trained_folder() / "digits-classifier.safetensors"), "no PGN"),
        (lambda: pgn_studio.load_pgn(ADVERSARIAL).to("tpu"), "tpu"),
        (lambda: pgn_studio.load_pgn(ADVERSARIAL)(np.zeros((1, 3, 16, 16)), gamma="3"), "gamma"),  # type: ignore[arg-type]
        (lambda: pgn_studio.train("digits", "demo:digits", epoch=3), "epoch"),
        (lambda: pgn_studio.train("digits", "demo:digits", encoder="none-such"), "none-such"),
        (lambda: pgn_studio.train("digits", None), "None"),  # type: ignore[arg-type]
        (lambda: pgn_studio.evaluate(ADVERSARIAL, "demo:digits", "digits", batch_size=0), "above 0"),
        (lambda: pgn_studio.evaluate(ADVERSARIAL, "demo:digits", "digits", "dev"), "dev"),
        (lambda: pgn_studio.evaluate(ADVERSARIAL, "demo:digits", "digits", gamma=-1), "gamma"),
    ],
)
def test_bad_input_says_what_to_do(call: Callable[[], object], said: str) -> None:
    with pytest.raises(pgn_studio.PgnStudioError) as error:
        call()
    assert said in str(error.value)


def test_what_does_not_fit_together(digits: ImageDataset, classifier: Any, tmp_path: Path) -> None:
    two = pgn_studio.load_dataset("digits", num_classes=2, image_size=16)
    small = pgn_studio.load_dataset("digits", image_size=8)
    for call, said in (
        (lambda: pgn_studio.train(two, classifier, out=tmp_path / "run"), "class"),
        (lambda: pgn_studio.train(digits, classifier, num_classes=2), "num_classes"),
        (lambda: pgn_studio.evaluate(ENHANCE, classifier, two, device="cpu"), "class"),
        (lambda: pgn_studio.evaluate(ENHANCE, classifier, small, device="cpu"), "16 px"),
    ):
        with pytest.raises(pgn_studio.PgnStudioError) as error:
            call()
        assert said in str(error.value)
    assert not (tmp_path / "run").exists()


def test_settings_know_the_bundled_classifier() -> None:
    found = TrainingSettings.make(classifier="demo:digits").classifier
    assert found == str(trained_folder() / "digits-classifier.safetensors")
    with pytest.raises(pgn_studio.PgnStudioError, match="demo:digits"):
        TrainingSettings.make(classifier="demo:nothing")


def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import runpy

    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(REPOSITORY / "docs" / "examples" / "api_tutorial.py"))
    assert (tmp_path / "tutorial.png").stat().st_size > 500
    assert (tmp_path / "tutorial-run" / "pgn.safetensors").is_file()
