from __future__ import annotations

import argparse
import asyncio
import collections
import datetime
import gzip
import os
import pdb
import random
import subprocess
import sys
import tempfile
import timeit
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from pgn_studio.core.errors import ClassifierError
from pgn_studio.core.weight_files import WeightsFile, read_weights


class Runs:
    """Runs a command where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


class Settings(dict[str, Any]):
    pass


def read(tmp_path: Path, content: Any, *, legacy: bool = False) -> WeightsFile:
    path = tmp_path / "net.pth"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return read_weights(path)


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_training_checkpoint_is_read_whatever_lies_beside_its_weights(tmp_path: Path, legacy: bool) -> None:
    net = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    beside = {
        "epoch": 3,
        "acc": np.float64(93.1),
        "curve": np.arange(3.0),
        "args": argparse.Namespace(model="resnet18", data=Path("/photos")),
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1),
        "history": collections.defaultdict(list, {"loss": [1.0]}),
        "config": Settings(lr=0.1),
        "started": datetime.datetime(2024, 1, 1),
        "random": (random.getstate(), np.random.RandomState(0).get_state()),
    }
    weights = read(tmp_path, {"state_dict": net.state_dict(), **beside}, legacy=legacy)
    assert torch.equal(weights.states["state_dict"]["weight"], net.weight)
    assert weights.arch == "resnet18"


@pytest.mark.parametrize("place", ["x", "args", "state_dict"])
def test_a_file_that_asks_for_code_is_refused_and_nothing_is_run(tmp_path: Path, place: str) -> None:
    mark = tmp_path / "mark"
    content = {"state_dict": nn.Linear(3, 2).state_dict(), place: Runs(mark)}
    with pytest.raises(ClassifierError, match="refused"):
        read(tmp_path, content)
    assert not mark.exists()


def test_averaged_weights_come_first(tmp_path: Path) -> None:
    state = nn.Linear(3, 2).state_dict()
    content = {"model": state, "optimizer": {}, "callbacks": {"EMA": {"ema_state_dict": dict(state)}}}
    assert list(read(tmp_path, content).states) == ["callbacks.EMA.ema_state_dict", "model"]


def test_a_module_that_claims_to_hold_itself_ends(tmp_path: Path) -> None:
    net = nn.Linear(3, 2)
    net._modules["again"] = net
    assert "weight" in read(tmp_path, net).states[""]


@pytest.mark.parametrize("kind", ["checkpoint", "module"])
def test_the_offered_conversion_works(tmp_path: Path, kind: str) -> None:
    net = torchvision.models.resnet18(num_classes=2)
    path = tmp_path / "it's mine.pth"
    odd = {"state_dict": net.state_dict(), "args": argparse.Namespace(a=1), "call": getattr, "epoch": 3}
    torch.save(odd if kind == "checkpoint" else {"model": net, "call": getattr}, path)
    with pytest.raises(ClassifierError, match="refused") as caught:
        read_weights(path)
    command = caught.value.hint[caught.value.hint.index("python -c") :]
    subprocess.run(command.replace("python", sys.executable, 1), shell=True, check=True, cwd="/")
    weights = read_weights(tmp_path / "it's mine-weights.pth")
    (state,) = weights.states.values()
    assert torch.equal(state["fc.weight"], net.fc.weight)


class Names:
    """Names a function where it is pickled, with arguments for it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "function",
    [
        *(open, subprocess.getoutput, pdb.run, timeit.timeit, asyncio.run, urllib.request.urlretrieve),
        *(tempfile.mktemp, np.save, np.load, torch.load, torch.save, torch.hub.load),
    ],
    ids=lambda function: f"{function.__module__}.{function.__name__}",
)
def test_what_runs_code_is_refused_by_its_name(tmp_path: Path, function: Any, protocol: int) -> None:
    content = {**nn.Linear(3, 2).state_dict(), "x": Names(function, str(tmp_path / "mark"))}
    torch.save(content, tmp_path / "net.pth", pickle_protocol=protocol)
    with pytest.raises(ClassifierError, match="could run code"):
        read_weights(tmp_path / "net.pth")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("protocol", [4, 5])
def test_a_later_pickle_protocol_is_called_so(tmp_path: Path, protocol: int, legacy: bool) -> None:
    path = tmp_path / "net.pth"
    state = nn.Linear(3, 2).state_dict()
    torch.save(state, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ClassifierError, match=f"protocol {protocol}") as caught:
        read_weights(path)
    assert "could run code" not in caught.value.message


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors", "net.SAFETENSORS"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n<html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (gzip.compress(b"weights", mtime=0), "gzip"),
    ],
)
def test_what_is_no_weights_file_is_called_what_it_is(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ClassifierError, match=said):
        read_weights(tmp_path / name)


def test_text_is_no_pickle(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_text("Not found")
    with pytest.raises(ClassifierError, match="neither") as caught:
        read_weights(tmp_path / "net.pth")
    assert "could run code" not in str(caught.value)


@pytest.mark.parametrize("name", ["net.SAFETENSORS", "net.bin", "net.pth", "net.safetensors"])
def test_formats_are_told_by_content(tmp_path: Path, name: str) -> None:
    state = nn.Linear(3, 2).state_dict()
    save_file(state, tmp_path / name)
    assert torch.equal(read_weights(tmp_path / name).states[""]["weight"], state["weight"])
    torch.save(state, tmp_path / name)
    assert torch.equal(read_weights(tmp_path / name).states[""]["weight"], state["weight"])
