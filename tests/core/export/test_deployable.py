"""The PGN as a file for other programs: what comes back is what the PGN makes; nothing else is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import Canceled, ConfigError, PgnStudioError
from pgn_studio.core.export import deployable
from pgn_studio.core.export.deployable import GAMMA, INPUT, OUTPUT, OUTPUTS, Restraint, export_deployable
from pgn_studio.core.perturbation.pgn import Pgn, Told, build_generator, load_pgn
from tests.core.evaluation.samples import make_dial


@pytest.fixture(scope="module")
def pgn() -> Pgn:
    return load_pgn(Path(__file__).parents[2] / "files" / "digits-enhance-of-before.safetensors")


IMAGES = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


def run(path: Path, pixels: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """As a program would that knows nothing of this one."""
    if path.suffix == ".pt2":
        result: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = (
            torch.export.load(path).module()(pixels).detach().numpy()
        )
        return result
    import onnxruntime

    return np.asarray(onnxruntime.InferenceSession(str(path)).run([OUTPUT], {INPUT: pixels.numpy()})[0])


@pytest.mark.parametrize("name", ["model.pt2", "model.onnx"])
def test_the_file_makes_the_same_images(pgn: Pgn, tmp_path: Path, name: str) -> None:
    told: list[tuple[int, int]] = []
    checked = export_deployable(
        tmp_path / name, pgn, IMAGES, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert checked.images == 5
    assert checked.largest_difference < 1e-4
    pixels = to_pixels(IMAGES[:3], torch.device("cpu")).contiguous()
    expected = pgn.perturb(pixels).pixels.clamp(0, 1).numpy()
    assert np.abs(run(tmp_path / name, pixels) - expected).max() < 1e-4
    assert np.abs(expected - pixels.numpy()).max() > 0.01


@pytest.mark.parametrize("name", ["model.pt2", "model.onnx"])
def test_an_encoder_that_sees_more_places_than_the_decoder_reads(pgn: Pgn, tmp_path: Path, name: str) -> None:
    finer_view = {"encoder_input_size": 28, "decoder_widths": (8,)}  # 7x7 to 4x4
    settings = TrainingSettings.make(encoder="small", gamma=3, **finer_view)
    torch.manual_seed(0)
    finer = Pgn(build_generator(settings, image_size=16), pgn.info).eval()
    torch.nn.init.normal_(finer.generator.decoder.output.weight, std=20)  # its p would hardly show
    export_deployable(tmp_path / name, finer, IMAGES)
    pixels = to_pixels(IMAGES[:3], torch.device("cpu")).contiguous()
    expected = finer.perturb(pixels).pixels.clamp(0, 1).numpy()
    assert np.abs(run(tmp_path / name, pixels) - expected).max() < 1e-4
    assert np.abs(expected - pixels.numpy()).max() > 0.01


@pytest.mark.parametrize("name", ["model.pt2", "model.onnx"])
def test_a_restrained_model_adds_less_and_leaves_some_images_alone(
    pgn: Pgn, tmp_path: Path, name: str
) -> None:
    pixels = to_pixels(IMAGES, torch.device("cpu")).contiguous()
    p = pgn.perturb(pixels).perturbation
    rms = p.square().mean((1, 2, 3)).sqrt()
    least = float(rms.sort().values[1:3].mean())  # between the second and the third
    export_deployable(tmp_path / name, pgn, IMAGES, restraint=Restraint(0.5, least))
    used = (rms > least).view(-1, 1, 1, 1)
    expected = (pixels + 0.5 * p * used).clamp(0, 1).numpy()  # its space is that of pixels
    found = run(tmp_path / name, pixels)
    assert np.abs(found - expected).max() < 1e-4
    unchanged = np.abs(found - pixels.numpy()).max((1, 2, 3)) == 0
    assert unchanged.tolist() == (~used).flatten().tolist()
    assert unchanged.sum() == 2


def call(path: Path, **inputs: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A .pt2 by the order of its inputs, an ONNX by their names."""
    if path.suffix == ".pt2":
        return np.asarray(torch.export.load(path).module()(*inputs.values()).detach().numpy())
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    assert [one.name for one in session.get_inputs()] == list(inputs)
    return np.asarray(session.run([OUTPUT], {name: value.numpy() for name, value in inputs.items()})[0])


@pytest.mark.parametrize("told", ["nothing", "label", "probabilities"])
@pytest.mark.parametrize("name", ["model.pt2", "model.onnx"])
def test_gamma_and_what_it_is_told_are_inputs(tmp_path: Path, name: str, told: Told) -> None:
    pgn = make_dial(told=told)
    images = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    checked = export_deployable(tmp_path / name, pgn, images)
    wanted = [INPUT, GAMMA] if told == "nothing" else [INPUT, GAMMA, OUTPUTS]
    assert list(checked.inputs) == wanted
    pixels = to_pixels(images, torch.device("cpu")).contiguous()
    answers = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).softmax(1)
    outputs = pgn.as_told(answers)
    gammas = torch.tensor([0.3, 1.0, 30.0, 0.001, 1e5])  # the last two are outside of the range
    given = {INPUT: pixels, GAMMA: gammas} | ({} if told == "nothing" else {OUTPUTS: outputs})
    found = call(tmp_path / name, **given)
    features = pgn.generator.encode(pixels)
    for row, gamma in enumerate((0.3, 1.0, 30.0, 0.3, 30.0)):
        expected = pgn.at(gamma).perturb_encoded(pixels, features, outputs).pixels[row].clamp(0, 1)
        assert np.abs(found[row] - expected.numpy()).max() < 1e-4
    alone = call(tmp_path / name, **{key: value[:1] for key, value in given.items()})
    assert np.abs(alone - found[:1]).max() < 1e-5
    assert np.abs(found[2] - found[0]).max() > 0.01


@pytest.mark.parametrize("told", ["nothing", "probabilities"])
@pytest.mark.parametrize("name", ["model.pt2", "model.onnx"])
def test_a_gamma_that_is_baked_in_is_no_input(tmp_path: Path, name: str, told: Told) -> None:
    pgn = make_dial(told=told)
    images = np.random.default_rng(1).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    checked = export_deployable(tmp_path / name, pgn, images, gamma=10.0)
    assert list(checked.inputs) == ([INPUT] if told == "nothing" else [INPUT, OUTPUTS])
    pixels = to_pixels(images, torch.device("cpu")).contiguous()
    outputs = torch.full((3, 3), 1 / 3)
    given = {INPUT: pixels} | ({} if told == "nothing" else {OUTPUTS: outputs})
    expected = pgn.at(10.0).perturb_encoded(pixels, pgn.generator.encode(pixels), outputs).pixels.clamp(0, 1)
    assert np.abs(call(tmp_path / name, **given) - expected.numpy()).max() < 1e-4


def test_a_program_says_how_it_is_called(tmp_path: Path) -> None:
    images = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    said = []
    for name, gamma in (("dial.pt2", None), ("baked.pt2", 3.0)):
        export_deployable(tmp_path / name, make_dial(told="label"), images, gamma=gamma)
        extra = {"pgn-studio.json": ""}
        torch.export.load(tmp_path / name, extra_files=extra)
        said.append(json.loads(extra["pgn-studio.json"]))
    assert [one["gamma"] for one in said] == [None, 3.0]
    assert said[0]["gamma_range"] == [0.3, 30.0]
    assert said[0]["classes"] == ["cat", "dog", "owl"]
    assert "one-hot" in said[0]["inputs"][OUTPUTS]
    assert GAMMA not in said[1]["inputs"]


def test_a_gamma_that_is_not_served_is_refused(tmp_path: Path) -> None:
    images = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    for pgn in (make_dial(), make_dial(gamma=3.0)):
        with pytest.raises(ConfigError, match="gamma"):
            export_deployable(tmp_path / "model.pt2", pgn, images, gamma=50.0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_fails_its_check_is_not_kept(
    pgn: Pgn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployable, "_program_runner", lambda _path, _inputs: lambda pixels: pixels.numpy())
    with pytest.raises(PgnStudioError, match="other images than the PGN"):
        export_deployable(tmp_path / "model.pt2", pgn, IMAGES)
    assert list(tmp_path.iterdir()) == []


def test_canceling_leaves_nothing(pgn: Pgn, tmp_path: Path) -> None:
    def cancel(done: int, _total: int) -> None:
        if done == 2:
            raise Canceled

    with pytest.raises(Canceled):
        export_deployable(tmp_path / "model.pt2", pgn, IMAGES, progress=cancel)
    assert list(tmp_path.iterdir()) == []


def test_other_suffixes_and_a_missing_runtime_are_refused(
    pgn: Pgn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    with pytest.raises(PgnStudioError, match=r"\.pt2, \.onnx"):
        export_deployable(tmp_path / "model.pth", pgn, IMAGES)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PgnStudioError, match="onnxruntime"):
        export_deployable(tmp_path / "model.onnx", pgn, IMAGES)


@pytest.mark.parametrize("name", ["model.pt2", "model.onnx"])
def test_a_full_disk_is_told_as_such(pgn: Pgn, tmp_path: Path, name: str) -> None:
    resource = pytest.importorskip("resource", reason="a limit on files stands for a full disk")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # bytes
    try:
        with pytest.raises(PgnStudioError, match="free space") as caught:
            export_deployable(tmp_path / name, pgn, IMAGES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "other format" not in str(caught.value)
    assert not list(tmp_path.iterdir())
