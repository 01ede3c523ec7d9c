"""Writing puts a file in the place of a file: never of a link, a pipe or a device."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from pgn_studio.core.files import is_stdout, is_stream, replacing, write_json

if not hasattr(os, "mkfifo"):
    pytest.skip("no pipes with names here", allow_module_level=True)


def linked(folder: Path, target: Path, name: str = "link.json") -> Path:
    (folder / name).symlink_to(target)
    return folder / name


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "kept.dat"
    file.parent.mkdir()
    file.write_text("old")
    link = linked(tmp_path, linked(tmp_path, file, "between"))
    with replacing(link) as temporary:
        assert (temporary.parent, temporary.suffix) == (file.parent, ".json")
        temporary.write_text("new")
        assert file.read_text() == "old"
    assert link.is_symlink()
    assert not file.is_symlink()
    assert file.read_text() == "new"
    assert list(file.parent.iterdir()) == [file]


def test_a_link_to_nothing_makes_what_it_leads_to(tmp_path: Path) -> None:
    link = linked(tmp_path, tmp_path / "new.json")
    write_json(link, [1])
    assert link.is_symlink()
    assert json.loads((tmp_path / "new.json").read_text()) == [1]
    gone = linked(tmp_path, tmp_path / "no-folder" / "new.json", "gone.json")
    with pytest.raises(OSError, match="No such file"):
        write_json(gone, [1])
    assert gone.is_symlink()


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    link = linked(tmp_path, linked(tmp_path, tmp_path / "link.json", "other"))
    with pytest.raises(OSError, match="symbolic links"):
        write_json(link, [1])
    assert link.is_symlink()


def test_a_link_and_its_file_stay_as_they_are_when_writing_fails(tmp_path: Path) -> None:
    file = tmp_path / "kept.json"
    file.write_text("old")
    link = linked(tmp_path, file)
    with pytest.raises(ValueError, match="JSON"):
        write_json(link, float("nan"))
    with pytest.raises(FileNotFoundError), replacing(link) as temporary:
        temporary.unlink()  # so that it cannot be put in place
    assert {path.name for path in tmp_path.iterdir()} == {"kept.json", "link.json"}
    assert link.read_text() == "old"


@pytest.mark.parametrize("through_a_link", [False, True])
def test_json_flows_through_a_pipe(tmp_path: Path, through_a_link: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    path = linked(tmp_path, pipe) if through_a_link else pipe
    came: list[str] = []
    reader = threading.Thread(target=lambda: came.append(pipe.read_text()))
    reader.start()
    write_json(path, {"n": 3})
    reader.join()
    assert json.loads(came[0]) == {"n": 3}
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_nothing_takes_the_place_of_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "figure.png"
    os.mkfifo(pipe)
    for path in (pipe, linked(tmp_path, pipe, "link.png")):
        with pytest.raises(OSError, match="pipe"), replacing(path):
            raise AssertionError
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_flows_on(tmp_path: Path) -> None:
    assert is_stdout(Path("/dev/stdout"))
    assert is_stream(Path("/dev/stderr"))
    assert is_stream(Path("/dev/fd/9"))
    assert not is_stream(tmp_path)
    assert not is_stream(tmp_path / "new.json")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc")
def test_an_open_descriptor_goes_on_where_it_is(tmp_path: Path) -> None:
    """As when stdout is sent to a file: neither replaced nor emptied."""
    with (tmp_path / "output").open("w") as stream:
        stream.write("before\n")
        stream.flush()
        write_json(Path(f"/proc/self/fd/{stream.fileno()}"), [])
        stream.write("after\n")
    assert (tmp_path / "output").read_text().split() == ["before", "[]", "after"]
