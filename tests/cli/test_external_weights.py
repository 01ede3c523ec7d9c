"""Weights of other programs on the command line: what was decided is said, and sizes and classes fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image

from pgn_studio.core.classifiers import ClassifierInfo, save_classifier
from pgn_studio.core.paths import trained_folder
from tests.cli.conftest import RunCommand

ARCH = ("--classifier-arch", "shufflenet_v2_x0_5")
TEST = ("--split", "test", "--device", "cpu")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    drawn = np.random.default_rng(0)
    for label in ("cat", "dog"):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for number in range(10):
            pixels = drawn.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    state = torchvision.models.shufflenet_v2_x0_5(num_classes=2).state_dict()
    behind = {f"module.{name}": value for name, value in state.items()}
    raw = {name: torch.zeros_like(value) for name, value in behind.items()}
    torch.save({"state_dict": raw, "state_dict_ema": behind}, tmp_path / "net.pth")
    return tmp_path / "net.pth"


def test_what_was_decided_is_said(pgn_studio: RunCommand, photos: Path, weights: Path) -> None:
    outcome = pgn_studio("classifier", weights, *ARCH, "--dataset", photos, *TEST, "--classes", "dog,cat")
    assert outcome.code == 0, outcome.err
    notes = [line for line in outcome.error_lines if line.startswith("note: ")]
    for said in ("EMA", "'module.'", "dog is number 0"):
        assert any(said in note for note in notes), (said, notes)


def test_classes_of_a_file_of_ours_are_its_own(pgn_studio: RunCommand) -> None:
    ours = trained_folder() / "digits-classifier.safetensors"
    outcome = pgn_studio("classifier", ours, *TEST, "--classes", "a,b")
    assert outcome.code == 2
    assert "--classes" in outcome.err


def test_images_are_resized_to_what_a_network_takes(
    pgn_studio: RunCommand, photos: Path, tmp_path: Path
) -> None:
    torch.save(timm.create_model("vit_tiny_patch16_224", num_classes=2).state_dict(), tmp_path / "vit.pth")
    torch.save(torchvision.models.alexnet(num_classes=2).state_dict(), tmp_path / "alexnet.pth")
    for name in ("vit_tiny_patch16_224", "alexnet"):
        given = ("--classifier-arch", name, "--dataset", photos)
        path = tmp_path / f"{name.partition('_')[0]}.pth"
        outcome = pgn_studio("classifier", path, *given, *TEST, "--json", tmp_path / "figures.json")
        assert outcome.code == 0, outcome.err
        assert json.loads((tmp_path / "figures.json").read_text())["image_size"] == 224
        run = tmp_path / "run"
        refused = pgn_studio("train", "--classifier", path, *given, "--image-size", "32", "--out", run)
        assert refused.code == 2
        assert "224" in refused.err
        assert not run.exists()


def test_a_classifier_is_not_trained_at_a_size_that_it_cannot_take(
    pgn_studio: RunCommand, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "made.safetensors"
    given = ("--arch", "vit_tiny_patch16_224", "--dataset", photos, "--out", out)
    outcome = pgn_studio("train-classifier", *given, "--image-size", "32")
    assert outcome.code == 2
    assert "224 px" in outcome.err
    assert not out.exists()


@pytest.mark.parametrize("name", ["efficientnet_lite0", "EfficientNet-Lite0", "resnet-50"])
def test_an_encoder_may_be_spelled_in_another_way(pgn_studio: RunCommand, name: str) -> None:
    outcome = pgn_studio("train", "--classifier", "nowhere.pth", "--encoder", name)
    assert "--encoder" not in outcome.err
    assert "nowhere.pth" in outcome.err


SMALL_RUN = (
    "--discriminator", "blackbox", "--encoder", "small", "--set", "decoder_widths=8,8", "--epochs", "1",
    "--augment", "none", "--device", "cpu",
)  # fmt: skip


def test_what_was_told_goes_with_the_run_and_its_pgn(
    pgn_studio: RunCommand, photos: Path, weights: Path, tmp_path: Path
) -> None:
    """Architecture, normalization and the order of the classes, unless others are given."""
    run, lone = tmp_path / "run", tmp_path / "elsewhere" / "lone.safetensors"
    told = (*ARCH, "--classes", "dog,cat", "--classifier-mean", "0.25,0.25,0.25")
    trained = pgn_studio(
        "train", "--dataset", photos, "--classifier", weights, *told, *SMALL_RUN, "--out", run
    )
    assert trained.code == 0, trained.err
    lone.parent.mkdir()
    lone.write_bytes((run / "pgn.safetensors").read_bytes())
    figures = []
    for target in (run, lone):
        for given in ((), ARCH, ("--classifier", weights), ("--classifier", weights, *ARCH)):
            outcome = pgn_studio("evaluate", target, *given, "--device", "cpu", "--json", tmp_path / "f.json")
            assert outcome.code == 0, outcome.err
            assert "dog is number 0" in outcome.err, given
            figures.append(json.loads((tmp_path / "f.json").read_text())["clean_accuracy"])
        other = pgn_studio("evaluate", target, "--classes", "cat,dog", "--device", "cpu")
        assert other.code == 0
        assert "dog is number 0" not in other.err
    assert len(set(figures)) == 1


def test_a_network_of_ours_is_held_to_the_sizes_that_it_takes(
    pgn_studio: RunCommand, photos: Path, weights: Path, tmp_path: Path
) -> None:
    own, run, at_32 = tmp_path / "own.safetensors", tmp_path / "run", tmp_path / "at-32"
    net = torchvision.models.alexnet(num_classes=2)
    info = ClassifierInfo("alexnet", ("cat", "dog"), (0.5,) * 3, (0.5,) * 3, 224)
    save_classifier(own, net, info)
    made = pgn_studio(
        "train", "--dataset", photos, "--classifier", weights, *ARCH, *SMALL_RUN, "--out", at_32
    )
    assert made.code == 0, made.err
    given = ("--dataset", photos, "--image-size", "32", "--classifier", own)
    for command in (
        ("classifier", own, "--dataset", photos, "--image-size", "32", *TEST),
        ("train", *given, *SMALL_RUN, "--out", run),
        ("sweep", *given, *SMALL_RUN, "--over", "seed=0,1", "--out", tmp_path / "sweep"),
        ("evaluate", at_32, "--classifier", own, "--device", "cpu"),
    ):
        outcome = pgn_studio(*command)
        assert outcome.code == 2, outcome.err
        assert "alexnet cannot take images of 32 px" in outcome.err
        assert "160, 224 px" in outcome.err  # those that it takes
        assert not run.exists()
        assert not list(tmp_path.glob("sweep/**/run.json"))


def test_weights_without_an_architecture_name_the_option_and_what_fits(
    pgn_studio: RunCommand, photos: Path, tmp_path: Path
) -> None:
    torch.save(torchvision.models.resnet18(num_classes=2).state_dict(), tmp_path / "net.pth")
    for command in (("classifier", tmp_path / "net.pth"), ("train", "--classifier", tmp_path / "net.pth")):
        outcome = pgn_studio(*command, "--dataset", photos, "--device", "cpu")
        assert outcome.code == 2
        assert "--classifier-arch resnet18" in outcome.err
