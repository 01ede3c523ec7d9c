"""Classifiers' files: weights as pickles and as safetensors, exported programs."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import nn

from pgn_studio.core.classifiers import load_classifier, save_classifier
from pgn_studio.gui.opening import kind_of
from tests.fuzz.mutation import damaged, damaged_zip, zipped
from tests.fuzz.subject import CLASSES, SIZE, Mark, Subject, damaging_safetensors


def small_network() -> nn.Module:
    return load_classifier("arch:small", classes=CLASSES, image_size=SIZE).net


def pth_subject(mark: Path) -> Subject:  # noqa: C901 - one trick after another
    network = small_network()
    state = network.state_dict()
    good = [_pickled(state), _pickled({"state_dict": state, "epoch": 3}), _pickled(state, legacy=True)]

    def odd(random: Random) -> Any:
        key = random.choice(list(state))
        value = state[key]
        odd_values = (
            torch.full_like(value, float("nan"), dtype=torch.float32),
            torch.tensor(float("inf")).expand(value.shape),
            torch.zeros(1).expand(10**6, 10**6),
            torch.zeros(1).as_strided((2**31, 2**10), (0, 0)),
            torch.sparse_coo_tensor(torch.zeros(1, 1, dtype=torch.long), torch.ones(1), (2**40,)),
            value.to(torch.complex64),
            value.to(torch.int8),
            value.double(),
            torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8),
            torch.empty(2**40, device="meta"),
            value[..., None],
            nn.Parameter(value.float()),
            "text",
            None,
            [value],
        )
        return {**state, key: random.choice(odd_values)}

    def evil(random: Random) -> bytes:
        payload = random.choice(
            (Mark(mark), {"a": Mark(mark)}, {**state, "fc.bias": Mark(mark)}, [Mark(mark)])
        )
        protocol = random.randrange(6)
        way = random.randrange(4)
        if way == 0:
            return pickle.dumps(payload, protocol=min(protocol, 5))
        if way == 1:
            return zipped([("archive/data.pkl", pickle.dumps(payload, 2)), ("archive/version", b"3\n")])
        if way == 2:
            line = f"open({str(mark)!r},'w')"
            return b"cbuiltins\neval\n(S" + repr(line).encode() + b"\ntR."
        return _pickled(payload, legacy=random.random() < 0.5)

    def make(random: Random, folder: Path) -> Path:
        path = folder / f"{random.randrange(10**6)}.{random.choice(('pth', 'pth', 'bin', 'ckpt', 'pt'))}"
        way = random.random()
        if way < 0.25:
            content = evil(random)
        elif way < 0.5:
            content = _pickled(odd(random), legacy=random.random() < 0.3)
        elif way < 0.75:
            content = damaged_zip(random.choice(good[:2]), random)
        else:
            content = damaged(random.choice(good), random)
        path.write_bytes(content)
        return path

    def look(path: Path) -> None:
        kind_of(path)
        load_classifier(path, arch="small", classes=CLASSES, image_size=SIZE)

    return Subject("pth", make, look)


def _pickled(value: Any, *, legacy: bool = False) -> bytes:
    stream = BytesIO()
    try:
        torch.save(value, stream, _use_new_zipfile_serialization=not legacy)
    except (RuntimeError, AttributeError, TypeError):  # some tensors have no old form
        return _pickled({"state": "none"})
    return stream.getvalue()


def safetensors_subject(folder: Path) -> Subject:
    made = load_classifier("arch:small", classes=CLASSES, image_size=SIZE)
    path = folder / "good.safetensors"
    save_classifier(path, made.net, made.info)
    good = path.read_bytes()

    def look(path: Path) -> None:
        kind_of(path)
        load_classifier(path, classes=CLASSES, arch="small", image_size=SIZE)

    return Subject("safetensors", damaging_safetensors(good, entry="pgn-studio"), look)


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.linear = nn.Linear(4, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.relu(self.convolution(x)).mean((2, 3)))


def write_programs(folder: Path) -> None:
    """Exporting starts threads, which a process that forks must not have: call this in a child."""
    network, example = Tiny().eval(), torch.rand(2, 3, SIZE, SIZE)
    batch = torch.export.Dim("batch")
    exported = torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
    torch.export.save(exported, folder / "good.pt2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; its files are still about
        torch.jit.save(torch.jit.trace(network, example), str(folder / "good.pt"))


def program_subject(folder: Path, mark: Path) -> Subject:
    good = {suffix: (folder / f"good.{suffix}").read_bytes() for suffix in ("pt2", "pt")}

    def evil(content: bytes, random: Random) -> bytes:
        """A record that is a pickle, or a line of code, put where the format has one."""
        with zipfile.ZipFile(BytesIO(content)) as archive:
            records = [(info.filename, archive.read(info)) for info in archive.infolist()]
        top = records[0][0].split("/", 1)[0]
        line = f"__import__('pathlib').Path({str(mark)!r}).touch()"
        way = random.randrange(3)
        if way == 0:
            pickles = [name for name, _ in records if name.endswith((".pt", ".pkl"))]
            name = random.choice([*pickles, f"{top}/data/constants/x.pt", f"{top}/data.pkl"])
            records = [(n, d) for n, d in records if n != name] + [(name, pickle.dumps(Mark(mark)))]
        elif way == 1:
            swap = random.choice((b"torch.ops.aten.relu.default", b"torch.ops.aten.mean.dim"))
            records = [(n, d.replace(swap, b"os.system")) for n, d in records]
        else:
            records = [(n, _with_line(n, d, line)) for n, d in records]
        return zipped(records)

    def make(random: Random, folder: Path) -> Path:
        suffix = random.choice(("pt2", "pt2", "pt"))
        path = folder / f"{random.randrange(10**6)}.{suffix}"
        content = evil(good[suffix], random) if random.random() < 0.3 else damaged_zip(good[suffix], random)
        path.write_bytes(content)
        return path

    def look(path: Path) -> None:
        kind_of(path)
        load_classifier(path, classes=CLASSES, image_size=SIZE)

    return Subject("program", make, look)


def _with_line(name: str, data: bytes, line: str) -> bytes:
    if not name.endswith(".json"):
        return data
    return data.replace(b'"expr_str": "', b'"expr_str": "' + line.encode() + b" or ")
