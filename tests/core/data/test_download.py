"""Downloads: put in place when complete, one clear error otherwise, stopped when canceled."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pgn_studio.core.data import download as download_module
from pgn_studio.core.data.download import download
from pgn_studio.core.errors import Canceled, DataError

FetchedBy = Callable[[str], None]


@pytest.fixture
def fetched_by(monkeypatch: pytest.MonkeyPatch) -> FetchedBy:
    """Let a few lines of Python stand for torchvision; `folder` is where to download to."""

    def use(script: str) -> None:
        def command(kind: str, folder: Path, options: Sequence[str]) -> list[str]:
            lines = f"import sys, time, pathlib; folder = pathlib.Path(sys.argv[2])\n{script}"
            return [sys.executable, "-I", "-S", "-c", lines, kind, str(folder), *options]

        monkeypatch.setattr(download_module, "_command", command)

    return use


def ignore(done: int, total: int) -> None:
    assert total == 0


def test_files_are_put_in_place_and_archives_dropped(tmp_path: Path, fetched_by: FetchedBy) -> None:
    (tmp_path / "stl").mkdir()
    (tmp_path / "stl" / "old.bin").write_text("half", encoding="utf-8")
    fetched_by(
        "(folder / 'stl').mkdir(); (folder / 'stl' / 'old.bin').write_text('whole')\n"
        "(folder / 'stl.tar.gz').write_text('x'); (folder / 'stl' / 'options').write_text(sys.argv[3])"
    )
    download("STL10", tmp_path, ignore, options=["split=train"], offline="by hand")
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert files == {"stl", "stl/old.bin", "stl/options"}
    assert (tmp_path / "stl" / "old.bin").read_text(encoding="utf-8") == "whole"
    assert (tmp_path / "stl" / "options").read_text(encoding="utf-8") == "split=train"


def test_a_failing_download_is_one_clear_error(tmp_path: Path, fetched_by: FetchedBy) -> None:
    fetched_by("(folder / 'half.bin').write_text('x'); print('50%')\nsys.exit('URLError: no route to host')")
    with pytest.raises(DataError, match="STL10.*URLError: no route") as caught:
        download("STL10", tmp_path / "new", ignore, offline="Put the files there by hand.")
    assert caught.value.hint == "Put the files there by hand."
    assert list((tmp_path / "new").iterdir()) == []


def test_a_download_that_says_nothing(tmp_path: Path, fetched_by: FetchedBy) -> None:
    fetched_by("sys.exit(3)")
    with pytest.raises(DataError, match="exit code 3"):
        download("STL10", tmp_path, ignore, offline="by hand")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="failed"):
        download("STL10", tmp_path / "file" / "inside", ignore, offline="by hand")


def test_canceling_stops_the_process_and_leaves_nothing(tmp_path: Path, fetched_by: FetchedBy) -> None:
    fetched_by("(folder / 'half.bin').write_bytes(bytes(3 << 20)); time.sleep(60)")
    seen: list[int] = []

    def cancel(done: int, total: int) -> None:
        seen.append(done)
        if done == 3:
            raise Canceled

    begin = time.monotonic()
    with pytest.raises(Canceled):
        download("STL10", tmp_path, cancel, offline="by hand")
    assert time.monotonic() - begin < 20
    assert list(tmp_path.iterdir()) == []


def test_the_real_command_names_torchvisions_class(tmp_path: Path) -> None:
    command = download_module._command("Imagenette", tmp_path, ["size=160px"])
    assert command[0] == sys.executable
    assert command[-3:] == ["Imagenette", str(tmp_path), "size=160px"]
    compile(command[2], "fetch", "exec")
