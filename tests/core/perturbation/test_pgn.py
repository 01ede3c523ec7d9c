from __future__ import annotations

import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import ClassifierError, PgnFileError
from pgn_studio.core.files import sha256_of_file
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.pgn import (
    FORMAT,
    PgnInfo,
    build_generator,
    find_classifier,
    load_pgn,
    read_pgn_info,
    save_pgn,
)

SETTINGS = TrainingSettings.make(
    encoder="small", decoder_widths=(8, 8), gamma=1.0, classifier_conditioning=False
)


def make_info(**changes: object) -> PgnInfo:
    info = PgnInfo(
        name="test",
        problem="enhance",
        discriminator="shared",
        loss="least-squares",
        encoder="small",
        input_space="pixel",
        gamma=1.0,
        image_size=16,
        classes=("cat", "dog"),
        mean=(0.5, 0.5, 0.5),
        std=(0.2, 0.2, 0.2),
        classifier_path="clf.safetensors",
        classifier_sha256="0" * 64,
        dataset="pets",
        fingerprint="f" * 64,
        settings=SETTINGS.model_dump(mode="json"),
    )
    return replace(info, **changes)  # type: ignore[arg-type]


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    return build_generator(SETTINGS, image_size=16)


@pytest.fixture
def saved(tmp_path: Path, generator: Generator) -> Path:
    path = tmp_path / "pgn.safetensors"
    save_pgn(path, generator, make_info())
    return path


def test_a_saved_pgn_perturbs_as_before(saved: Path, generator: Generator) -> None:
    pgn = load_pgn(saved)
    pixels = torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        expected = generator.eval()(pixels)
    result = pgn.perturb(pixels)
    assert torch.equal(result.perturbation, expected)
    assert torch.equal(result.perturbed, pixels + expected)
    assert torch.equal(result.pixels, pixels + expected)
    assert pgn.info == make_info()
    assert not any(parameter.requires_grad for parameter in pgn.parameters())


def test_a_pgn_in_normalized_space(tmp_path: Path, generator: Generator) -> None:
    path = tmp_path / "pgn.safetensors"
    save_pgn(path, generator, make_info(input_space="normalized"))
    pixels = torch.rand(3, 3, 16, 16)
    result = load_pgn(path).perturb(pixels)
    torch.testing.assert_close(result.perturbed, (pixels - 0.5) / 0.2 + result.perturbation)
    torch.testing.assert_close(result.perturbation_pixels, result.perturbation * 0.2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("image_size", [16, 40, 96])
def test_a_file_keeps_the_widths_that_were_the_default_when_it_was_written(
    tmp_path: Path, image_size: int
) -> None:
    settings = SETTINGS.updated(decoder_widths=(24, 16, 8, 4))
    generator = build_generator(settings, image_size=image_size)
    unset = {**settings.model_dump(mode="json"), "decoder_widths": None}
    path = tmp_path / "pgn.safetensors"
    save_pgn(path, generator, make_info(settings=unset, image_size=image_size))
    pixels = torch.rand(2, 3, image_size, image_size)
    with torch.no_grad():
        expected = generator.eval()(pixels)
    assert torch.equal(load_pgn(path).perturb(pixels).perturbation, expected)


def test_a_file_of_another_encoder(tmp_path: Path) -> None:
    settings = TrainingSettings.make(
        encoder="efficientnet-lite2",
        encoder_weights="none",
        encoder_training="frozen",
        decoder_widths=(8, 8),
        gamma=3.0,
    )
    generator = build_generator(settings, image_size=16).eval()
    path = tmp_path / "pgn.safetensors"
    save_pgn(path, generator, make_info(encoder=settings.encoder, settings=settings.model_dump(mode="json")))
    pixels = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(load_pgn(path).perturb(pixels).perturbation, generator(pixels))


@pytest.mark.parametrize("learning", ["last-stage", "frozen"])
def test_a_file_with_and_without_a_last_stage_that_learned(tmp_path: Path, learning: str) -> None:
    """A file that says nothing of clipping, which its baselines use, is from before it was there."""
    settings = TrainingSettings.make(encoder_training=learning, decoder_widths=(8, 8), gamma=3.0)
    generator = build_generator(settings, image_size=16).eval()
    recorded = settings.model_dump(mode="json")
    if learning == "frozen":
        del recorded["clip"]
    path = tmp_path / "pgn.safetensors"
    save_pgn(path, generator, make_info(encoder=settings.encoder, settings=recorded))
    pixels = torch.rand(2, 3, 16, 16)
    pgn = load_pgn(path)
    with torch.no_grad():
        assert torch.equal(pgn.perturb(pixels).perturbation, generator(pixels))
    assert pgn.info.settings["encoder_training"] == learning
    assert pgn.info.settings["clip"] is (learning != "frozen")


def test_non_finite_weights_are_not_saved(tmp_path: Path, generator: Generator) -> None:
    with torch.no_grad():
        next(generator.parameters()).fill_(float("nan"))
    with pytest.raises(PgnFileError, match="non-finite"):
        save_pgn(tmp_path / "pgn.safetensors", generator, make_info())
    assert list(tmp_path.iterdir()) == []


def edit(path: Path, **changes: str) -> None:
    tensors = load_file(path)
    info = json.dumps(asdict(make_info()))
    save_file(tensors, path, metadata={"format": FORMAT, "version": "1", "info": info, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "another"}, "no PGN"),
        ({"version": "2"}, "version 2"),
        ({"info": "{"}, "damaged"),
        ({"info": "[]"}, "damaged"),
        ({"info": json.dumps({**asdict(make_info()), "std": [0, 1, 1]})}, "damaged"),
        ({"info": json.dumps({**asdict(make_info()), "image_size": 10**9})}, "damaged"),
        (
            {"info": json.dumps({**asdict(make_info()), "image_size": 32, "settings": {"encoder": "vgg"}})},
            "settings",
        ),
        ({"info": json.dumps({**asdict(make_info()), "input_space": "fourier"})}, "input space"),
    ],
)
def test_edited_metadata_is_refused(saved: Path, changes: dict[str, str], message: str) -> None:
    edit(saved, **changes)
    with pytest.raises(PgnFileError, match=message):
        load_pgn(saved)


def test_weights_of_other_settings_are_refused(saved: Path) -> None:
    settings = {**make_info().settings, "decoder_widths": [4, 4]}
    edit(saved, info=json.dumps({**asdict(make_info()), "settings": settings}))
    with pytest.raises(PgnFileError, match="do not fit"):
        load_pgn(saved)


def test_nan_in_a_file_is_refused(saved: Path) -> None:
    tensors = load_file(saved)
    tensors["decoder.output.bias"].fill_(float("nan"))
    info = json.dumps(asdict(make_info()))
    save_file(tensors, saved, metadata={"format": FORMAT, "version": "1", "info": info})
    with pytest.raises(PgnFileError, match="non-finite"):
        load_pgn(saved)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff" * 100, pickle.dumps({"a": 1})])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pgn.safetensors"
    path.write_bytes(content)
    with pytest.raises(PgnFileError, match="not a readable safetensors"):
        load_pgn(path)


def test_a_truncated_file_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(PgnFileError):
        read_pgn_info(saved)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PgnFileError, match=r"No PGN at .*nothing"):
        load_pgn(tmp_path / "nothing.safetensors")


class TestFindClassifier:
    def test_where_it_was_then_beside_then_trained(self, tmp_path: Path) -> None:
        home, beside, trained = (tmp_path / name for name in ("home", "run", "trained"))
        for folder in (home, beside, trained):
            folder.mkdir()
            (folder / "clf.safetensors").write_bytes(b"weights")
        info = make_info(
            classifier_path=str(home / "clf.safetensors"),
            classifier_sha256=sha256_of_file(home / "clf.safetensors"),
        )
        for folder in (home, beside, trained):
            assert find_classifier(info, beside=beside, trained=trained) == folder / "clf.safetensors"
            (folder / "clf.safetensors").unlink()
        with pytest.raises(ClassifierError, match="was not found"):
            find_classifier(info, beside=beside, trained=trained)

    def test_another_file_of_that_name_is_not_taken(self, tmp_path: Path) -> None:
        (tmp_path / "clf.safetensors").write_bytes(b"other weights")
        with pytest.raises(ClassifierError, match="hash differs"):
            find_classifier(make_info(), beside=tmp_path)
