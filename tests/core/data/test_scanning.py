"""Finding files: what counts, what is passed over, what is listed as skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgn_studio.core.data.scanning import FolderScan
from pgn_studio.core.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "cat" / "deep" / "deeper").mkdir(parents=True)
    return folder


def put(path: Path, content: bytes = b"x") -> None:
    path.write_bytes(content)


def found(scan: FolderScan) -> list[str]:
    return [file.name for file in scan.images("cat")]


def test_images_at_any_depth_in_order(root: Path) -> None:
    for name in ("b.png", "a.JPG", "deep/z.webp", "deep/deeper/y.Jpeg", "c.tif"):
        put(root / "cat" / name)
    scan = FolderScan(root)
    assert found(scan) == ["cat/a.JPG", "cat/b.png", "cat/c.tif", "cat/deep/deeper/y.Jpeg", "cat/deep/z.webp"]
    assert scan.skipped == []
    assert scan.images("cat")[0].size == 1


def test_other_files_and_hidden_ones_are_passed_over(root: Path) -> None:
    (root / "cat" / ".thumbnails").mkdir()
    (root / "cat" / "__MACOSX").mkdir()
    others = (
        "notes.txt",
        ".DS_Store",
        "Thumbs.db",
        "._a.jpg",
        ".a.jpg",
        "jpg",
        ".thumbnails/a.jpg",
        "__MACOSX/a.jpg",
    )
    for name in others:
        put(root / "cat" / name)
    scan = FolderScan(root)
    assert found(scan) == []
    assert scan.skipped == []


def test_what_cannot_be_an_image_is_listed(root: Path) -> None:
    put(root / "cat" / "empty.png", b"")
    os.mkfifo(root / "cat" / "pipe.png")
    (root / "cat" / "broken.png").symlink_to(root / "nowhere.png")
    (root / "cat" / "itself.png").symlink_to(root / "cat" / "itself.png")
    scan = FolderScan(root)
    assert found(scan) == []
    reasons = {item.path: item.reason for item in scan.skipped}
    assert reasons["cat/empty.png"] == "empty file"
    assert reasons["cat/pipe.png"] == "not a regular file"
    assert reasons["cat/broken.png"] == "No such file or directory"
    assert "symbolic links" in reasons["cat/itself.png"]
    assert len(scan.skipped) == 4


def test_linked_files_and_folders_count_and_loops_end(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    put(tmp_path / "elsewhere" / "a.png")
    (root / "cat" / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "cat" / "deep" / "up").symlink_to(root / "cat")
    (root / "cat" / "self").symlink_to(root / "cat" / "self")
    scan = FolderScan(root)
    assert found(scan) == ["cat/linked/a.png"]
    reasons = {item.path: item.reason for item in scan.skipped}
    assert reasons["cat/deep/up"] == "a link back to a folder around it"
    assert "symbolic links" in reasons["cat/self"]


def test_a_folder_without_permission_is_listed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(root / "cat" / "a.png")
    put(root / "cat" / "deep" / "b.png")
    scandir = os.scandir

    def refusing(path: Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "deep":  # the tests may run as root, whom chmod does not stop
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    scan = FolderScan(root)
    assert found(scan) == ["cat/a.png"]
    assert [(item.path, item.reason) for item in scan.skipped] == [("cat/deep", "Permission denied")]
    with pytest.raises(DataError, match="Permission denied"):
        scan.folders("cat/deep")


def test_folders_are_sorted_and_visible(root: Path) -> None:
    (root / "ant").mkdir()
    (root / ".git").mkdir()
    put(root / "file")
    assert FolderScan(root).folders() == ["ant", "cat"]
