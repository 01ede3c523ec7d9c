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


SYSTEM_FOLDERS = [
    *("@eaDir", "@EADIR", "@tmp", "@Recycle", "@Recently-Snapshot", "#recycle", "#snapshot", "~snapshot"),
    *("$RECYCLE.BIN", "System Volume Information", "FOUND.001", "lost+found", "__MACOSX", "__macosx"),
    *(".Trash-1000", ".git", ".AppleDouble", ".ipynb_checkpoints", "__pycache__", "Network Trash Folder"),
]


@pytest.mark.parametrize("name", SYSTEM_FOLDERS)
def test_folders_of_systems_are_passed_over_at_any_depth(root: Path, name: str) -> None:
    around = [root / name / "one", root / "cat" / name, root / "cat" / "deep" / name / "b.jpg"]
    for number, folder in enumerate(around):
        folder.mkdir(parents=True)
        put(folder / f"{number}.jpg")
    (root / "cat" / "deep" / "deeper" / name).mkdir()  # without images: nothing is lost
    scan = FolderScan(root)
    assert scan.folders() == ["cat"]
    assert found(scan) == []
    assert sorted(scan.passed_over) == sorted([name, f"cat/{name}", f"cat/deep/{name}"])
    assert scan.skipped == []


def test_thumbnails_are_those_beside_their_images(root: Path) -> None:
    for name in ("a.jpg", "thumbs/a.jpg", "deep/Thumbnails/b.jpg"):
        (root / "cat" / name).parent.mkdir(exist_ok=True)
        put(root / "cat" / name)
    scan = FolderScan(root)
    assert found(scan) == ["cat/a.jpg", "cat/deep/Thumbnails/b.jpg"]
    assert scan.passed_over == ["cat/thumbs"]


def test_loose_images_are_counted(root: Path) -> None:
    (root / "folder.jpg").mkdir()
    for name in ("a.jpg", "b.PNG", "._a.jpg", "Thumbs.db", "notes.txt"):
        put(root / name)
    scan = FolderScan(root)
    assert scan.loose_images() == 2
    assert scan.folders() == ["cat", "folder.jpg"]
