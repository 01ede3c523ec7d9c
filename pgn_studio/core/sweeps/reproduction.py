"""From a table of the paper to cells that can be run, at the paper's scale or at a small one.

Our copy of the paper omits rates, epochs and batch sizes: they are the product's defaults. The small scale
has a stand-in for everything: it shows that a row runs and how its columns compare, not the
paper's numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from pgn_studio.core.advice import Advice, Argument
from pgn_studio.core.classifiers import Classifier, balanced_subset
from pgn_studio.core.config import ClassifierSettings, LossName, Problem, Recipe, TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import full_precision, to_pixels
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.evaluation.metrics import accuracy, macro_average_precision
from pgn_studio.core.paths import resources_folder
from pgn_studio.core.protocols import LabeledImages, Progress
from pgn_studio.core.sweeps.jobs import Figures

Scale = Literal["paper", "small"]
Start = Literal["scratch", "pretrained"]
Kind = Literal["vanilla", "pgn", "baseline"]

ARCHITECTURES = {
    "ResNet50": "resnet50", "ResNet101": "resnet101", "VGG16": "vgg16", "DenseNet169": "densenet169",
}  # fmt: skip
# At the small scale, each another kind of network and all of them tiny.
STAND_INS = {
    "ResNet50": "test_resnet",
    "ResNet101": "test_byobnet",
    "VGG16": "small",
    "DenseNet169": "test_efficientnet",
}
PAPER_SIZE = 224
SMALL_SIZE = 32
SMALL_IMAGES = {"train": 320, "val": 100, "test": 250}
_SMALL_SCRATCH_IMAGES = 100  # few enough that the classifier is left with something to gain
_SUBSETS = {"ImageNet-10": 10, "ImageNet-50": 50}
_SMALL_RATES = {"small": 2e-3}  # the tiny networks of timm learn at 5e-3
_FINE_TUNING_RATE = 1e-4
_SCRATCH_RATES = {"vgg16": 1e-4}  # no batch norm: it diverges at more
_BATCH = 64


@dataclass(frozen=True)
class Column:
    """What stands in a column: a vanilla classifier, a PGN against it, or a baseline."""

    kind: Kind
    start: Start  # of the classifier
    problem: Problem = "enhance"
    discriminator: Literal["shared", "known", "blackbox"] = "shared"
    loss: LossName = "least-squares"
    encoder: Literal["50", "101"] = "50"
    baseline: str = ""


# Table 3's numbers equal those of tables 1 and 2 where they overlap, which says what its columns are.
# Which encoder Proposed-B has, the text does not say; ResNet-101 is taken.
COLUMNS: Mapping[int, Mapping[str, Column]] = {
    1: {
        "vanilla_scratch": Column("vanilla", "scratch"),
        "proposed_50_scratch": Column("pgn", "scratch"),
        "proposed_101_scratch": Column("pgn", "scratch", encoder="101"),
        "vanilla_pretrained": Column("vanilla", "pretrained"),
        "proposed_101_pretrained": Column("pgn", "pretrained", encoder="101"),
    },
    2: {
        "vanilla": Column("vanilla", "pretrained"),
        "proposed_50": Column("pgn", "pretrained", "adversarial", "known"),
        "proposed_101": Column("pgn", "pretrained", "adversarial", "known", encoder="101"),
        "proposed_blackbox": Column("pgn", "pretrained", "adversarial", "blackbox", encoder="101"),
        "uap": Column("baseline", "pretrained", "adversarial", baseline="uap"),
        "eha": Column("baseline", "pretrained", "adversarial", baseline="fgsm"),
    },
    3: {
        "vanilla_scratch": Column("vanilla", "scratch"),
        "enhance_ls": Column("pgn", "scratch"),
        "enhance_lr": Column("pgn", "scratch", loss="logistic"),
        "vanilla_pretrained": Column("vanilla", "pretrained"),
        "adversarial_blackbox_ls": Column("pgn", "pretrained", "adversarial", "blackbox", encoder="101"),
        "adversarial_blackbox_lr": Column("pgn", "pretrained", "adversarial", "blackbox", "logistic", "101"),
    },
}


@dataclass(frozen=True)
class Wishes:
    """What the user may choose. `None` leaves it to the scale or to the paper."""

    scale: Scale
    out: Path
    dataset: str = "digits"  # small: any; paper: not used
    dataset_classes: int = 10  # how many `dataset` has
    imagenet: Path | None = None  # paper: an ImageNet folder
    data_root: Path | None = None  # paper: where STL-10 lies
    download: bool = False
    recipe: Recipe = "paper"
    gamma: float | None = None
    epochs: int | None = None
    classifier_epochs: int | None = None
    batch_size: int | None = None
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class Cell:
    """One number of a table: how to get it, and the paper's own."""

    name: str  # its folder; equal cells of several tables have one name
    row: PaperRow
    column: str
    what: Column
    paper: PaperFigure
    classifier: ClassifierSettings
    classifier_path: Path
    settings: TrainingSettings  # of a baseline: whose size it takes
    needs: str = ""  # why it cannot be run, known beforehand


def make_cells(table: PaperTable, wishes: Wishes) -> list[Cell]:
    """All cells, row by row, so that each classifier comes before what is trained against it."""
    return [
        _cell(table, row, column, paper, wishes)
        for row in table.rows
        for column, paper in row.results.items()
    ]


def stand_ins(wishes: Wishes, row: PaperRow) -> str:
    """What stands for what in a row of the small scale."""
    data = _data(wishes, row.dataset)
    space = "pixel" if row.dataset == "STL-10" else "normalized"
    return (
        f"{row.dataset}: {data['num_classes']} classes of {Path(wishes.dataset).name}, {space} space; "
        f"{row.classifier}: {STAND_INS[row.classifier]}"
    )


SMALL_NOTES = (
    f"Small scale: {SMALL_IMAGES['train']} training and {SMALL_IMAGES['test']} test images at most, "
    f"{SMALL_SIZE} px.",
    f"From scratch stands for a classifier trained on {_SMALL_SCRATCH_IMAGES} of them, from ImageNet "
    "weights for one trained on all.",
    "Encoder ResNet-50: small, from scratch. ResNet-101: EfficientNet-Lite0 with ImageNet weights, frozen.",
    "D's own backbone (known, black box): small, trained by D's loss.",
)


def _cell(table: PaperTable, row: PaperRow, column: str, paper: PaperFigure, wishes: Wishes) -> Cell:
    what = COLUMNS[table.number][column]
    classifier = _classifier(row, what.start, wishes)
    stem = f"{row.dataset}_{row.classifier}_{what.start}".lower()
    path = wishes.out / "classifiers" / f"{stem}.safetensors"
    parts = {
        "vanilla": "vanilla",
        "pgn": f"{what.problem}-{what.discriminator}-{what.loss}-{what.encoder}",
        "baseline": what.baseline,
    }
    needs: str = ""
    if wishes.scale == "paper" and row.dataset != "STL-10" and wishes.imagenet is None:
        needs = Advice(
            "data: {} needs an ImageNet folder ({}: train|val/class/…)", row.dataset, Argument("imagenet")
        )
    return Cell(
        name=f"{stem}_{parts[what.kind]}",
        row=row,
        column=column,
        what=what,
        paper=paper,
        classifier=classifier,
        classifier_path=path,
        settings=_training(table, row, what, path, wishes),
        needs=needs,
    )


def _data(wishes: Wishes, dataset: str) -> dict[str, Any]:
    """The data fields of a row's settings."""
    if wishes.scale == "small":
        whole = wishes.dataset_classes
        most = {"STL-10": 10, "ImageNet-10": max(2, whole // 2), "ImageNet-50": 50}[dataset]
        return {
            "dataset": wishes.dataset, "data_root": wishes.data_root, "download": wishes.download,
            "num_classes": min(most, whole, SMALL_IMAGES["val"] // 2), "image_size": SMALL_SIZE,
        }  # fmt: skip
    if dataset == "STL-10":
        root, download = wishes.data_root, wishes.download
        return {"dataset": "stl10", "data_root": root, "download": download, "image_size": PAPER_SIZE}
    folder = str(wishes.imagenet or "imagenet")
    return {"dataset": folder, "num_classes": _SUBSETS[dataset], "image_size": PAPER_SIZE}


def _classifier(row: PaperRow, start: Start, wishes: Wishes) -> ClassifierSettings:
    common = {**_data(wishes, row.dataset), "seed": wishes.seed, "device": wishes.device}
    if wishes.scale == "small":
        arch = STAND_INS[row.classifier]
        return ClassifierSettings.make(
            **common,
            arch=arch,
            epochs=wishes.classifier_epochs or 8,
            batch_size=32,
            learning_rate=_SMALL_RATES.get(arch, 5e-3),
            max_train_images=_SMALL_SCRATCH_IMAGES if start == "scratch" else None,
        )
    arch = ARCHITECTURES[row.classifier]
    pretrained = start == "pretrained"
    return ClassifierSettings.make(
        **common,
        arch=arch,
        weights="pretrained" if pretrained else "none",
        epochs=wishes.classifier_epochs or (15 if pretrained else 60),
        learning_rate=_FINE_TUNING_RATE if pretrained else _SCRATCH_RATES.get(arch, 1e-3),
    )


def _training(
    table: PaperTable, row: PaperRow, what: Column, classifier: Path, wishes: Wishes
) -> TrainingSettings:
    gamma = table.gamma[what.problem] if what.kind != "vanilla" else 0.0
    values: dict[str, Any] = {
        **_data(wishes, row.dataset),
        "classifier": str(classifier),
        "recipe": wishes.recipe,
        "problem": what.problem,
        "discriminator": what.discriminator,
        "loss": what.loss,
        "input_space": "pixel" if row.dataset == "STL-10" else "normalized",
        "gamma": gamma if wishes.gamma is None else wishes.gamma,
        "seed": wishes.seed,
        "device": wishes.device,
    }
    if wishes.scale == "paper":
        values["encoder"] = f"resnet{what.encoder}"
        values["discriminator_backbone"] = "resnet101" if what.discriminator == "blackbox" else "auto"
        values["batch_size"] = wishes.batch_size or 32
        values["epochs"] = wishes.epochs or 15
        return TrainingSettings.make(**values)
    values["encoder"] = "small" if what.encoder == "50" else "efficientnet-lite0"
    values["encoder_input_size"] = SMALL_SIZE if what.encoder == "50" else 48
    spared = "frozen" if wishes.recipe == "paper" else "last-stage"  # all of it would take most of the time
    values["encoder_training"] = "full" if what.encoder == "50" else spared
    values["decoder_widths"] = (64, 32)
    if what.discriminator != "shared":
        values["discriminator_backbone"], values["discriminator_weights"] = "small", "none"
    values["batch_size"] = wishes.batch_size or 32
    values["epochs"] = wishes.epochs or 4
    return TrainingSettings.make(**values)


@dataclass(frozen=True)
class PaperFigure:
    accuracy: float  # 0…1
    average_precision: float  # the paper's second number, taken to be the macro average precision


@dataclass(frozen=True)
class PaperRow:
    dataset: str  # STL-10, ImageNet-10 or ImageNet-50
    classifier: str  # ResNet50, ResNet101, VGG16 or DenseNet169
    results: Mapping[str, PaperFigure]  # by column


@dataclass(frozen=True)
class PaperTable:
    number: int
    title: str
    gamma: Mapping[str, float]  # by problem
    columns: Mapping[str, str]  # name to what it means
    rows: tuple[PaperRow, ...]


def load_table(number: int) -> PaperTable:
    """Table 1, 2 or 3. Raises PgnStudioError in a broken installation."""
    path = resources_folder() / "paper_tables.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return next(_table(item) for item in content["tables"] if item["number"] == number)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise PgnStudioError(
            f"The paper's table {number} cannot be read from {path}.",
            hint="The installation is incomplete: install PGN Studio again.",
            details=str(error),
        ) from error


def _table(item: Mapping[str, Any]) -> PaperTable:
    gamma = item["gamma"]
    return PaperTable(
        number=item["number"],
        title=item["title"],
        gamma=dict(gamma) if isinstance(gamma, dict) else {item["problem"]: float(gamma)},
        columns=dict(item["columns"]),
        rows=tuple(
            PaperRow(
                row["dataset"],
                row["classifier"],
                {
                    name: PaperFigure(round(value["accuracy_percent"] / 100, 6), value["average_precision"])
                    for name, value in row["results"].items()
                },
            )
            for row in item["rows"]
        ),
    )


@torch.inference_mode()
def measure_vanilla(
    classifier: Classifier,
    split: LabeledImages,
    *,
    device: torch.device,
    progress: Progress | None = None,
) -> Figures:
    """clean_accuracy and map_clean of images as they are; brings the classifier to `device`."""
    classifier.to(device)
    scores = []
    for start in range(0, len(split), _BATCH):
        chosen = np.arange(start, min(start + _BATCH, len(split)))
        with full_precision(device):
            logits = classifier(to_pixels(split.images(chosen), device))
        scores.append(torch.softmax(logits.float(), dim=1).cpu().numpy())
        if progress is not None:
            progress(int(chosen[-1]) + 1, len(split))
    whole = np.concatenate(scores)
    labels = np.asarray(split.labels, dtype=np.int64)
    return {
        "precision": "fp32",
        "n": len(labels),
        "clean_accuracy": accuracy(whole.argmax(1), labels),
        "map_clean": macro_average_precision(whole, labels),
    }


def limited(dataset: ImageDataset, images: Mapping[str, int], *, seed: int) -> ImageDataset:
    """At most so many images of each split, class-balanced, the same ones for the same seed.

    The fingerprint stays that of the whole: the choice is in the seed and the numbers.
    """
    splits = {
        name: split.subset(balanced_subset(split.labels, images[name], seed)) if name in images else split
        for name, split in dataset.splits.items()
    }
    return replace(dataset, splits=splits)
