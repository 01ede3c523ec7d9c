"""Every kind of file that a user can open: good ones to start from, ways to break them, and its loader."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import torch

from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.images import read_image
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.gui.opening import kind_of
from tests.fuzz.images import good_pictures, picture_trap
from tests.fuzz.kept import checkpoint_subject, pgn_subject, run_subject
from tests.fuzz.mutation import damaged
from tests.fuzz.subject import Mark, Subject, link
from tests.fuzz.weights import program_subject, pth_subject, safetensors_subject


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
            link(place / "link.png", random.choice(links))
        elif way == 1:
            link(place / "linked", random.choice((root, place, outside, "/proc/self", "/dev", "/", "linked")))
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


def _quietly(work: Callable[[], object]) -> None:
    """Some systems do not take such a name, some places no file."""
    try:
        work()
    except OSError:
        return


def settings_subject(folder: Path, mark: Path) -> Subject:
    from PySide6.QtCore import QSettings
    from PySide6.QtWidgets import QApplication, QMainWindow

    from pgn_studio.gui.preferences import Preferences, default_settings

    def state_of(path: Path) -> Preferences:
        os.environ["PGN_STUDIO_HOME"] = str(path.parent)
        return Preferences(default_settings())

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
        hidden = random.choice(
            (b"@Variant(", b"\\x40Variant(", b"@V\\x61riant(", b"\\100Variant(", b'@V""ariant(')
        )
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
