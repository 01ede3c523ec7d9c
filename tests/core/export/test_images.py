from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pgn_studio.core.device import to_pixels
from pgn_studio.core.errors import Canceled, PgnStudioError
from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.export.images import export_images
from tests.core.evaluation.samples import ArraySplit, Shift, make_classifier, make_pgn, make_split


def manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_files_are_what_the_evaluation_measured_at_8_bits(tmp_path: Path) -> None:
    split, classifier, pgn = make_split(20), make_classifier(), make_pgn(Shift(red=0.03, noise=0.3))
    export_images(tmp_path / "out", pgn, classifier, split, batch_size=8)
    rows = manifest(tmp_path / "out")
    assert files(tmp_path / "out") == {row["file"] for row in rows} | {"manifest.csv"}
    pictures = np.stack([np.asarray(Image.open(tmp_path / "out" / row["file"])) for row in rows])
    scores = classifier(to_pixels(pictures, torch.device("cpu"))).softmax(1)
    classes = classifier.info.classes
    image = evaluate(pgn, classifier, split, split_name="test", dataset_name="").per_image
    for i, row in enumerate(rows):
        assert row["source"] == split.names[i]
        assert row["label"] == classes[split.labels[i]]
        assert row["file"] == f"{row['label']}/{i:03d}.png"
        assert row["perturbed_prediction_8bit"] == classes[int(scores[i].argmax())]
        assert row["perturbed_prediction_8bit"] == classes[image.perturbed_prediction_8bit[i]]
        assert float(row["perturbed_confidence_8bit"]) == pytest.approx(scores[i].max().item(), abs=1e-4)
        assert row["clean_prediction"] == classes[image.clean_prediction[i]]
        assert float(row["l2"]) == pytest.approx(image.l2[i], rel=1e-4)


def test_the_model_runs_batch_by_batch(tmp_path: Path) -> None:
    split, seen = make_split(20), []
    export_images(
        tmp_path, make_pgn(Shift()), make_classifier(), split, batch_size=8,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(8, 20), (16, 20), (20, 20)]
    assert split.calls == 3


def test_cancel_leaves_whole_files_that_the_manifest_lists(tmp_path: Path) -> None:
    def cancel(done: int, total: int) -> None:
        if done == 16:
            raise Canceled

    pgn, classifier, split = make_pgn(Shift()), make_classifier(), make_split(20)
    with pytest.raises(Canceled):
        export_images(tmp_path, pgn, classifier, split, batch_size=8, progress=cancel)
    listed = {row["file"] for row in manifest(tmp_path)}
    assert len(listed) == 16
    assert files(tmp_path) == listed | {"manifest.csv"}
    for name in listed:
        Image.open(tmp_path / name).load()
    export_images(tmp_path, pgn, classifier, split)  # goes on into the same folder
    assert len(manifest(tmp_path)) == 20


def test_an_earlier_export_is_replaced_and_what_it_had_more_removed(tmp_path: Path) -> None:
    pgn, classifier = make_pgn(Shift()), make_classifier()
    export_images(tmp_path, pgn, classifier, make_split(20))
    (tmp_path / "notes.txt").write_text("mine")
    export_images(tmp_path, pgn, classifier, make_split(6))
    assert files(tmp_path) == {row["file"] for row in manifest(tmp_path)} | {"manifest.csv", "notes.txt"}
    assert len(manifest(tmp_path)) == 6


def test_an_edited_manifest_deletes_nothing_outside(tmp_path: Path) -> None:
    pgn, classifier, folder = make_pgn(Shift()), make_classifier(), tmp_path / "out"
    export_images(folder, pgn, classifier, make_split(3))
    (tmp_path / "precious.png").write_bytes(b"x")
    with (folder / "manifest.csv").open("a") as stream:
        stream.write("../precious.png,,,,,,,,,\n")
    export_images(folder, pgn, classifier, make_split(3))
    assert (tmp_path / "precious.png").exists()


@pytest.mark.parametrize("name", ["photo.jpg", "manifest.csv"])
def test_a_folder_with_anything_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"file,other\n\xff")
    with pytest.raises(PgnStudioError, match="new or empty folder"):
        export_images(tmp_path, make_pgn(Shift()), make_classifier(), make_split(3))
    assert files(tmp_path) == {name}


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(PgnStudioError, match="new or empty folder"):
        export_images(tmp_path / "out", make_pgn(Shift()), make_classifier(), make_split(3))


def test_names_that_would_meet_or_leave_the_folder_are_kept_apart(tmp_path: Path) -> None:
    names = ["../x/a.jpg", "../x/a.png", "../x/A.jpg", "b/c.jpg", "b\\c.jpg", "CON.jpg", "..", "a:b?.jpg"]
    split = ArraySplit(np.zeros((8, 8, 8, 3), np.uint8), [0, 0, 0, 1, 1, 2, 2, 2], names)
    classifier = make_classifier(("../x", "con", "Con"))
    export_images(tmp_path / "out", make_pgn(Shift()), classifier, split)
    assert set(tmp_path.iterdir()) == {tmp_path / "out"}
    listed = [row["file"] for row in manifest(tmp_path / "out")]
    assert len({name.lower() for name in listed}) == 8
    assert files(tmp_path / "out") == {*listed, "manifest.csv"}
    assert not any(set(name) & set("\\:?") for name in listed)
