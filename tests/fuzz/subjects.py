"""Every kind of file that a user can open: good ones to start from, ways to break them, and its loader."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import nn

from pgn_studio.core.classifiers import load_classifier, save_classifier
from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.data.images import read_image
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.pgn import build_generator, load_pgn, read_pgn_info, save_pgn
from pgn_studio.core.run_list import list_runs
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.checkpoints import Position, load_checkpoint, save_checkpoint
from pgn_studio.core.training.setup import build_players
from pgn_studio.core.training.step import TrainStep
from pgn_studio.gui.opening import kind_of
from tests.fuzz.images import good_pictures, picture_trap
from tests.fuzz.mutation import (
    damaged,
    damaged_json,
    damaged_safetensors,
    damaged_zip,
    json_text,
    zipped,
)

CLASSES = tuple("ab")
SIZE = 8
Opener = Callable[[Path], object]


@dataclass(frozen=True)
class Subject:
    """`make(random, folder)` writes one case and returns what is opened; `open` is the user's way to it."""

    name: str
    make: Callable[[Random, Path], Path]
    open: Opener


class Mark:
    """Unpickled, it writes the file `path`: what no loader may let happen."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.path)!r}, 'w').write('code was run')",)


# ---------------------------------------------------------------------- images and folders


def image_subject() -> Subject:
    good = good_pictures()

    def make(random: Random, folder: Path) -> Path:
        suffix, content = picture_trap(random) if random.random() < 0.15 else random.choice(good)
        path = folder / f"{random.randrange(10**6)}.{suffix if random.random() < 0.9 else 'png'}"
        path.write_bytes(damaged(content, random) if random.random() < 0.9 else content)
        return path

    def look(path: Path) -> None:
        for size in (16, None):
            pixels = read_image(path, size=size)
            if pixels.dtype != "uint8" or pixels.shape[2:] != (3,):
                raise AssertionError(f"no picture: {pixels.dtype} {pixels.shape}")

    return Subject("image", make, look)


def folder_subject(outside: Path) -> Subject:  # noqa: C901 - one trick after another
    good = good_pictures()
    outside.mkdir(parents=True)
    (outside / "picture.png").write_bytes(good[0][1])
    odd_names = ("..png", "a\nb.png", "ü\u202e.png", "x" * 250 + ".png", "-rf.png", "$(id).png", "%n.png")

    def make(random: Random, folder: Path) -> Path:
        root = folder / f"set-{random.randrange(10**6)}"
        splits = random.choice(((".",), ("train", "val", "test"), ("train",)))
        classes = random.choice((("a", "b"), ("a", "b", "c d"), ("a",), ("a", "train"), ("0", "1")))
        for split in splits:
            for name in classes:
                place = root / split / name
                place.mkdir(parents=True, exist_ok=True)
                for number in range(random.choice((0, 3, 6))):
                    suffix, content = random.choice(good)
                    if random.random() < 0.3:
                        content = damaged(content, random)
                    (place / f"{number}.{suffix}").write_bytes(content)
        root.mkdir(exist_ok=True)
        for _ in range(random.randrange(3)):
            place = random.choice([root, *[item for item in root.rglob("*") if item.is_dir()]])
            _quietly(partial(_trick, random, root, place))  # a linked place may take no files
        return root

    def _trick(random: Random, root: Path, place: Path) -> None:
        name = random.choice(odd_names)
        way = random.randrange(9)
        if way == 0:
            links = (outside / "picture.png", "/etc/passwd", "/dev/zero", root / "none")
            _link(place / "link.png", random.choice(links))
        elif way == 1:
            _link(place / "linked", random.choice((root, place, outside, "/proc/self", "/dev", "/", "linked")))  # noqa: E501
        elif way == 2 and hasattr(os, "mkfifo") and not (place / "pipe.png").exists():
            os.mkfifo(place / "pipe.png")
        elif way == 3:
            deep = place
            for _ in range(random.choice((50, 400))):
                deep = deep / "d"
            _quietly(lambda: deep.mkdir(parents=True, exist_ok=True))
        elif way == 4:
            _quietly(lambda: (place / name).write_bytes(good[0][1]))
        elif way == 5:
            (place / "folder.png").mkdir(exist_ok=True)
        elif way == 6:
            _quietly(lambda: Path(os.fsdecode(os.fsencode(place) + b"/\xff\xfe.png")).write_bytes(good[0][1]))
        elif way == 7:
            (place / "huge.png").write_bytes(picture_trap(random)[1])
        else:
            (place / "run.json").write_text("{")

    def look(path: Path) -> None:
        kind_of(path)
        dataset = load_dataset(DataSettings(dataset=str(path), image_size=16))
        for split in ("train", "val", "test"):
            part = dataset.split(split)
            part.images(torch.arange(min(2, len(part))).numpy())

    return Subject("folder", make, look)


def _link(path: Path, target: object) -> None:
    if not os.path.lexists(path):
        path.symlink_to(str(target))


def _quietly(work: Callable[[], object]) -> None:
    """Some systems do not take such a name, some places no file."""
    try:
        work()
    except OSError:
        return


# ---------------------------------------------------------------------- weights


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
        payload = random.choice((Mark(mark), {"a": Mark(mark)}, {**state, "fc.bias": Mark(mark)}, [Mark(mark)]))  # noqa: E501
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

    def make(random: Random, folder: Path) -> Path:
        path = folder / f"{random.randrange(10**6)}.safetensors"
        path.write_bytes(damaged_safetensors(good, random, entry="pgn-studio"))
        return path

    def look(path: Path) -> None:
        kind_of(path)
        load_classifier(path, classes=CLASSES, arch="small", image_size=SIZE)

    return Subject("safetensors", make, look)


# ---------------------------------------------------------------------- programs


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


# ---------------------------------------------------------------------- PGNs, runs, checkpoints


def small_settings() -> TrainingSettings:
    return TrainingSettings.make(
        dataset="digits", encoder="small", decoder_widths=(8,), classifier="c.safetensors", device="cpu"
    )


def _small_pgn(path: Path) -> bytes:
    from dataclasses import replace

    info = read_pgn_info(trained_folder() / "digits-enhance.safetensors")
    settings = small_settings()
    generator: Generator = build_generator(settings, image_size=SIZE)
    small = replace(info, settings=settings.model_dump(mode="json"), image_size=SIZE)
    save_pgn(path, generator, small)
    return path.read_bytes()


def pgn_subject(folder: Path) -> Subject:
    good = _small_pgn(folder / "pgn.safetensors")

    def make(random: Random, folder: Path) -> Path:
        path = folder / f"{random.randrange(10**6)}.safetensors"
        path.write_bytes(damaged_safetensors(good, random, entry="info"))
        return path

    def look(path: Path) -> None:
        kind_of(path)
        pgn = load_pgn(path)
        pgn.perturb(torch.rand(1, 3, pgn.info.image_size, pgn.info.image_size))

    return Subject("pgn", make, look)


def run_subject(folder: Path) -> Subject:
    good = RunFolder.create(folder / "good-run", small_settings())
    for step in range(1, 6):
        good.append_metrics({"event": "StepCompleted", "step": step, "loss_g": 1 / step, "gamma": 1.0})
    shutil.copyfile(folder / "pgn.safetensors", good.pgn_path)

    def make(random: Random, folder: Path) -> Path:
        path = folder / f"run-{random.randrange(10**6)}"
        shutil.copytree(good.path, path)
        run_json, metrics = path / "run.json", path / "metrics.jsonl"
        way = random.random()
        if way < 0.5:
            run_json.write_bytes(json_text(damaged_json(json.loads(run_json.read_text()), random), random))
        elif way < 0.6:
            run_json.write_bytes(damaged(run_json.read_bytes(), random))
        elif way < 0.8:
            metrics.write_bytes(damaged(metrics.read_bytes(), random))
        elif way < 0.9:
            lines = [json_text(damaged_json({"step": 1, "gamma": 1.0}, random), random) for _ in range(4)]
            metrics.write_bytes(b"\n".join(lines) + b"\n")
        elif way < 0.95:  # as large as a disk, and empty
            with random.choice((run_json, metrics, path / "pgn.safetensors")).open("r+b") as stream:
                stream.truncate(40 * 2**30)
        else:
            run_json.unlink()
            _link(run_json, random.choice(("/dev/zero", "/etc/passwd", "run.json", "..")))
        return path

    def look(path: Path) -> None:
        list_runs(path.parent)
        kind_of(path)
        run = RunFolder.open(path)
        _ = run.settings
        load_pgn(run.pgn_path)
        from pgn_studio.gui.training.history import RunHistory

        RunHistory().replay(run.read_metrics())

    return Subject("run", make, look)


def checkpoint_subject(folder: Path) -> Subject:
    classifier = load_classifier("arch:small", classes=CLASSES, image_size=SIZE)
    settings = small_settings()
    players = build_players(settings, classifier, image_size=SIZE, device=torch.device("cpu"))
    step = TrainStep(players, settings, precision="fp32")
    save_checkpoint(folder / "checkpoint.safetensors", step, Position.start(gamma=1.0))
    good = (folder / "checkpoint.safetensors").read_bytes()

    def make(random: Random, folder: Path) -> Path:
        path = folder / f"{random.randrange(10**6)}.safetensors"
        path.write_bytes(damaged_safetensors(good, random, entry="position"))
        return path

    def look(path: Path) -> None:
        kind_of(path)
        load_checkpoint(path, step)

    return Subject("checkpoint", make, look)


# ---------------------------------------------------------------------- the window's settings


def settings_subject(folder: Path, mark: Path) -> Subject:
    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication, QMainWindow

    from pgn_studio.gui.state import SessionState, default_settings

    def state_of(path: Path) -> SessionState:
        os.environ["PGN_STUDIO_HOME"] = str(path.parent)
        return SessionState(default_settings())

    _ = QApplication.instance() or QApplication([])
    good_file = folder / "window" / "window.ini"
    good_file.parent.mkdir()
    state = state_of(good_file)
    state.theme = "dark"
    state.add_recent("pgns", "/a")
    state.add_recent("pgns", "/b")
    state.save_layout(QMainWindow())
    good = good_file.read_bytes()

    def evil(random: Random) -> bytes:
        """What PySide writes for a Python object is a pickle, here also in other spellings."""
        file = folder / "evil.ini"
        writing = QSettings(str(file), QSettings.Format.IniFormat)
        writing.setValue("theme", Mark(mark))
        writing.sync()
        line = file.read_bytes().split(b"\n", 1)[1]
        file.unlink()
        hidden = random.choice((b"@Variant(", b"\\x40Variant(", b"@V\\x61riant(", b"\\100Variant(", b'@V""ariant('))  # noqa: E501
        return line.replace(b"@Variant(", hidden) + good.replace(b"theme=dark", b"")

    def make(random: Random, folder: Path) -> Path:
        path = folder / f"home-{random.randrange(10**6)}" / "window.ini"
        path.parent.mkdir()
        way = random.random()
        if way < 0.1:
            path.write_bytes(evil(random))
        elif way < 0.15:
            path.mkdir()
        elif way < 0.3:
            odd = ("@Variant(\\0\\0\\0\\x9)", "@ByteArray(\\xff)", "@Invalid()", "@Rect(1 2)", "x" * 10**6)
            value = random.choice(odd).encode()
            path.write_bytes(good.replace(b"theme=dark", b"theme=" + value) + b"\ngeometry=" + value)
        else:
            path.write_bytes(damaged(good, random))
        return path

    def look(path: Path) -> None:
        window = QMainWindow()
        state = state_of(path)
        if state.theme not in ("system", "light", "dark"):
            raise AssertionError(state.theme)
        state.restore_layout(window)
        for kind in ("datasets", "classifiers", "pgns"):
            state.recent(kind)
        state.add_recent("pgns", path)
        window.deleteLater()

    return Subject("settings", make, look)


def all_subjects(place: Path, mark: Path) -> dict[str, Subject]:
    """Made once; a child of this process makes and opens the cases."""
    subjects = (
        image_subject(),
        folder_subject(place / "outside"),
        pth_subject(mark),
        safetensors_subject(place),
        program_subject(place, mark),
        pgn_subject(place),
        run_subject(place),
        checkpoint_subject(place),
        settings_subject(place, mark),
    )
    return {subject.name: subject for subject in subjects}
