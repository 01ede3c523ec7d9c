"""All perturbed images of a split as PNG files, with a manifest of what the classifier says of each."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.base import Export, Source, Written, unwritable, writing

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.evaluation.batch import ClassifiedBatch
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.protocols import LabeledImages, Progress, UInt8Images

MANIFEST = "manifest.csv"
COLUMNS = (
    "file",
    "source",
    "label",
    "clean_prediction",
    "clean_confidence",
    "perturbed_prediction_8bit",
    "perturbed_confidence_8bit",
    "l2",
    "rms",
    "linf",
)
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
_SUFFIX = re.compile(r"\.\w{1,5}$")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")  # Windows keeps these names
_WRITERS = min(4, os.cpu_count() or 1)  # zlib works without the interpreter's lock
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ImagesExport(Export):
    name = "images"
    title = "Perturbed images as PNG, with a manifest"
    summary = "every perturbed image as PNG"
    chooses_images = True

    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        split = source.dataset.split(source.split_name).subset(np.sort(np.asarray(source.indices())))
        export_images(path, source.pgn, source.classifier, split, progress=progress)
        return Written(path, f"Images written to {path}")


def export_images(
    folder: Path,
    pgn: Pgn,
    classifier: Classifier,
    split: LabeledImages,
    *,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> None:
    """Write class/name.png for every image of `split`, and manifest.csv, into `folder`.

    Predictions in the manifest are those for the files themselves (8 bits). `progress(images done,
    images)` comes once per batch; when it raises Canceled, whole files and a manifest that lists
    them stay. Files of an earlier export into the same folder are replaced or removed. Raises
    PgnStudioError when the folder holds anything else, or cannot be written.
    """
    folder = Path(folder)
    earlier = _earlier_rows(folder)
    names = _file_names(split, classifier.info.classes)
    rows: list[Row] = []
    try:
        _write_manifest(folder, earlier)  # from now on the folder is known as ours
        _write_all(folder, pgn, classifier, split, names, rows, batch_size, progress)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        if (folder / MANIFEST).exists():
            _finish(folder, earlier, rows, complete=len(rows) == len(split))


def _write_all(
    folder: Path,
    pgn: Pgn,
    classifier: Classifier,
    split: LabeledImages,
    names: Sequence[str],
    rows: list[Row],
    batch_size: int,
    progress: Progress | None,
) -> None:
    """Fill `rows` batch by batch, each batch after its files are written."""
    from pgn_studio.core.device import to_pixels
    from pgn_studio.core.evaluation.batch import classify_batch, to_uint8
    from pgn_studio.core.evaluation.evaluate import place

    device = place(pgn, classifier, None)
    for parent in {(folder / name).parent for name in names}:
        parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_WRITERS) as pool:
        for start in range(0, len(split), batch_size):
            chosen = np.arange(start, min(start + batch_size, len(split)))
            batch = classify_batch(pgn, classifier, to_pixels(split.images(chosen), device))
            paths = [folder / names[int(index)] for index in chosen]
            list(pool.map(_write_png, paths, to_uint8(batch.pixels_8bit)))
            rows += _manifest_rows(batch, chosen, names, split, classifier.info.classes)
            if progress is not None:
                progress(len(rows), len(split))


def _manifest_rows(
    batch: ClassifiedBatch,
    chosen: npt.NDArray[np.int64],
    names: Sequence[str],
    split: LabeledImages,
    classes: Sequence[str],
) -> list[Row]:
    from pgn_studio.core.evaluation.batch import perturbation_sizes

    clean, perturbed = batch.clean.cpu().numpy(), batch.perturbed_8bit.cpu().numpy()
    l2, rms, linf = perturbation_sizes(batch.perturbation)
    known = batch.has_probabilities
    return [
        {
            "file": names[int(index)],
            "source": split.names[int(index)],
            "label": classes[split.labels[index]],
            "clean_prediction": classes[clean[i].argmax()],
            "clean_confidence": f"{clean[i].max():.6f}" if known else "",
            "perturbed_prediction_8bit": classes[perturbed[i].argmax()],
            "perturbed_confidence_8bit": f"{perturbed[i].max():.6f}" if known else "",
            "l2": f"{l2[i]:.6g}",
            "rms": f"{rms[i]:.6g}",
            "linf": f"{linf[i]:.6g}",
        }
        for i, index in enumerate(chosen)
    ]


def _write_png(path: Path, pixels: UInt8Images) -> None:
    """Encode, then put in place. Not flushed to the disk one by one: an export can be repeated."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(stream.getvalue())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _earlier_rows(folder: Path) -> list[Row]:
    """The manifest of an earlier export. Raises PgnStudioError for a folder that holds anything else."""
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return []
        with (folder / MANIFEST).open(encoding="utf-8", newline="") as stream:
            table = csv.DictReader(stream)
            if tuple(table.fieldnames or ()) == COLUMNS:
                return [{name: row[name] or "" for name in COLUMNS} for row in table]
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PgnStudioError(
            f"{folder} cannot be used for the images ({error}).", hint="Choose a new or empty folder."
        ) from error
    raise PgnStudioError(
        f"{folder} is not empty and holds no export of images.", hint="Choose a new or empty folder."
    )


def _finish(folder: Path, earlier: Sequence[Row], rows: Sequence[Row], *, complete: bool) -> None:
    """List what is there: the new rows, and after a canceled export the earlier files not reached."""
    written = {row["file"] for row in rows}
    left = [row for row in earlier if row["file"] not in written]
    if complete:
        for row in left:
            _remove(folder, row["file"])
    _write_manifest(folder, [*rows, *([] if complete else left)])


def _remove(folder: Path, name: str) -> None:
    """Delete a PNG of an earlier export; a manifest may have been edited, so only below `folder`."""
    path = (folder / name).resolve()
    if path.suffix == ".png" and path.is_relative_to(folder.resolve()):
        path.unlink(missing_ok=True)


def _write_manifest(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with writing(folder / MANIFEST) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, COLUMNS, restval="")
        table.writeheader()
        table.writerows(rows)


def _file_names(split: LabeledImages, classes: Sequence[str]) -> list[str]:
    """A relative path class/name.png for each image, fit for any file system and different for each."""
    folders = _Names()
    class_folders = [folders.new(name) for name in classes]
    files = [_Names() for _ in classes]
    result = []
    for name, label in zip(split.names, split.labels, strict=True):
        inner = _SUFFIX.sub("", name).removeprefix(f"{classes[label]}/").replace("/", "-")
        result.append(f"{class_folders[label]}/{files[label].new(inner)}.png")
    return result


class _Names:
    """Turns any text into a file name that has not been given out, upper and lower case being one."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, text: str) -> str:
        stem = _NOT_IN_NAMES.sub("_", text)[:120].strip(". ") or "_"
        if _RESERVED.match(stem):
            stem = f"_{stem}"
        name, number = stem, 2
        while name.lower() in self._taken:
            name, number = f"{stem}-{number}", number + 1
        self._taken.add(name.lower())
        return name
