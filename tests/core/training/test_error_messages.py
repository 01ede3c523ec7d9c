"""Full disks, lost folders, a lost GPU in the second epoch: said, kept, and gone on from."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import torch
from PIL import Image
from safetensors.torch import load_file

from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import RunError
from pgn_studio.core.perturbation.pgn import load_pgn
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training import checkpoint
from pgn_studio.core.training.error_messages import explained
from pgn_studio.core.training.events import RunFailed, RunFinished, RunStarted
from pgn_studio.core.training.step import TrainStep
from tests.core.training.conftest import Train

FAULT_AT = 12  # the second epoch's third step
Fault = Callable[[pytest.MonkeyPatch], None]
RUST = "Error while serializing: I/O error: No space left on device (os error 28)"


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    return fail


class HalfLine:
    """A stream on a disk that is full after ten bytes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __enter__(self) -> HalfLine:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def write(self, text: str) -> None:
        self._stream.write(text[:10])
        raise OSError(errno.ENOSPC, "No space left on device")


def full_in_a_line(patch: pytest.MonkeyPatch) -> None:
    really = Path.open

    def opened(path: Path, mode: str = "r", **named: Any) -> Any:
        stream = really(path, mode, **named)
        return HalfLine(stream) if mode == "a" else stream

    patch.setattr(Path, "open", opened)


def full_at_flushing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "fsync", raising(OSError(errno.ENOSPC, "No space left on device")))


def full_in_safetensors(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(checkpoint, "save_file", raising(safetensors.SafetensorError(RUST)))


def share_gone_in_a_line(patch: pytest.MonkeyPatch) -> None:
    really = Path.open

    def opened(path: Path, mode: str = "r", **named: Any) -> Any:
        if mode == "a":
            raise OSError(errno.ESTALE, "Stale file handle", str(path))
        return really(path, mode, **named)

    patch.setattr(Path, "open", opened)


def share_gone_at_flushing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "fsync", raising(OSError(errno.EIO, "Input/output error")))


def read_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tempfile, "mkstemp", raising(OSError(errno.EROFS, "Read-only file system")))


def step_raises(error: Exception) -> Fault:
    return lambda patch: patch.setattr(TrainStep, "__call__", raising(error))


@pytest.mark.parametrize(
    ("fault", "message", "hint"),
    [
        (full_in_a_line, "cannot be written (No space left", "free space"),
        (full_at_flushing, "cannot be written (No space left", "Make room"),
        (full_in_safetensors, "cannot be written (No space left", "Make room"),
        (read_only, "cannot be written (Read-only", "Bring the folder back"),
        (share_gone_in_a_line, "cannot be written (Stale file handle", "network share back"),
        (share_gone_at_flushing, "cannot be written (Input/output error", "Bring the folder back"),
        (step_raises(RuntimeError("CUDA error: launch failure")), "no longer answers", "another device"),
        (step_raises(OSError(errno.ENODEV, "No such device")), "No such device", "Bring the folder back"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_fault_ends_the_run_with_advice_and_loses_the_epoch_at_most(
    train: Train, settings: TrainingSettings, fault: Fault, message: str, hint: str
) -> None:
    whole, _ = train(settings, name="whole")
    with pytest.MonkeyPatch.context() as patch:
        folder, events = train(settings, name="faulty", at={FAULT_AT: lambda _control: fault(patch)})
    failed = events[-1]
    assert isinstance(failed, RunFailed)
    assert message in failed.message
    assert hint in failed.hint
    assert not list(folder.path.glob(".*"))
    again = RunFolder.open(folder.path)
    assert load_pgn(again.pgn_path).info.metrics
    again.read_metrics()

    resumed, more = train(settings, name="faulty", resume=True)
    assert isinstance(more[-1], RunFinished)
    start = next(event for event in events if isinstance(event, RunStarted))
    assert more[0].first_step == start.steps_per_epoch
    expected = load_file(whole.last_pgn_path)
    assert all(torch.equal(value, expected[name]) for name, value in load_file(resumed.last_pgn_path).items())


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO])
def test_images_on_a_share_that_vanishes_end_the_run_with_the_reason(
    train: Train, tmp_path: Path, settings: TrainingSettings, number: int
) -> None:
    random = np.random.default_rng(0)
    for label in range(10):
        (tmp_path / "set" / str(label)).mkdir(parents=True)
        for index in range(16):
            pixels = random.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / str(label) / f"{index}.png")
    dataset = load_dataset(DataSettings(dataset=str(tmp_path / "set"), image_size=8))
    dataset.split("train")._store._slots[:] = -1  # a cache without room

    def gone(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patch:
        at = {2: lambda _control: patch.setattr(Image, "open", gone)}
        folder, events = train(settings.updated(batch_size=8), at=at, dataset=dataset)
    failed = events[-1]
    assert isinstance(failed, RunFailed)
    assert "can no longer be read: " + os.strerror(number) in failed.message
    assert RunFolder.open(folder.path).run_json["status"] == "failed"


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_a_folder_that_goes_away_is_said_and_not_half_made_again(
    train: Train, settings: TrainingSettings, tmp_path: Path, how: str
) -> None:
    def lose(_control: object) -> None:
        if how == "deleted":
            shutil.rmtree(tmp_path / "run")
        else:
            (tmp_path / "run").rename(tmp_path / "elsewhere")

    _, events = train(settings, at={FAULT_AT: lose})
    failed = events[-1]
    assert isinstance(failed, RunFailed)
    assert "is gone: it was deleted or moved" in failed.message
    assert "Bring the disk back" in failed.hint
    assert not (tmp_path / "run").exists()
    if how == "moved":
        (tmp_path / "elsewhere").rename(tmp_path / "run")
        _, more = train(settings, resume=True)
        assert isinstance(more[-1], RunFinished)


def test_half_a_line_on_a_full_disk_is_cut_when_there_is_room_again(
    tmp_path: Path, settings: TrainingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder.create(tmp_path / "run", settings)
    run.append_metrics({"step": 1})
    full_in_a_line(monkeypatch)
    with pytest.raises(RunError, match="No space left"):
        run.append_metrics({"step": 2})
    monkeypatch.undo()
    run.append_metrics({"step": 3})
    assert run.read_metrics() == [{"step": 1}, {"step": 3}]


def test_what_nobody_foresaw_keeps_its_name() -> None:
    message, hint = explained(KeyError("x"), folder=Path("run"), batch_size=8)
    assert "KeyError" in message
    assert "bug report" in hint


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_classifier_that_gives_nan_is_named_and_not_the_losses(
    train: Train,
    settings: TrainingSettings,
    digits: ImageDataset,
    classifier: Classifier,
    split: str,
) -> None:
    last = to_pixels(digits.split(split).images([len(digits.split(split)) - 1]), torch.device("cpu"))[0]
    really = classifier.net.forward

    def forward(normalized: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = really(normalized)
        blank = (classifier.denormalize(normalized) - last).abs().amax((1, 2, 3)) < 1e-3
        return torch.where(blank[:, None], torch.nan, logits)

    classifier.net.forward = forward  # type: ignore[method-assign]
    _folder, events = train(settings, classifier=classifier)
    ending = events[-1]
    assert isinstance(ending, RunFailed)
    assert "classifier" in ending.message
    assert split in ending.message
    assert not any(isinstance(event, RunStarted) for event in events)
