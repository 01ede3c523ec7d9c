"""The paper's tables as cells: what each column is, at both scales."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.paper_table import reasons, table_rows
from pgn_studio.core.sweeps.jobs import Outcome
from pgn_studio.core.sweeps.reproduction import COLUMNS, Cell, Wishes, load_table, make_cells

PAPER = Wishes(scale="paper", out=Path("/out"), imagenet=Path("/imagenet"))
SMALL = Wishes(scale="small", out=Path("/out"), dataset="digits", dataset_classes=10)
ROWS = {1: 12, 2: 12, 3: 4}


def cell(number: int, dataset: str, classifier: str, column: str, wishes: Wishes = PAPER) -> Cell:
    return next(
        cell
        for cell in make_cells(load_table(number), wishes)
        if (cell.row.dataset, cell.row.classifier, cell.column) == (dataset, classifier, column)
    )


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("wishes", [PAPER, SMALL], ids=["paper", "small"])
def test_every_number_of_the_paper_has_a_cell(number: int, wishes: Wishes) -> None:
    table = load_table(number)
    assert set(COLUMNS[number]) == set(table.columns)
    assert len(table.rows) == ROWS[number]
    cells = make_cells(table, wishes)
    assert len(cells) == ROWS[number] * len(table.columns)
    assert len({cell.name for cell in cells}) == len(cells)


def test_a_table_that_there_is_not() -> None:
    with pytest.raises(PgnStudioError, match="table 4"):
        load_table(4)


def test_numbers_of_the_text() -> None:
    assert cell(1, "STL-10", "VGG16", "proposed_50_scratch").paper.accuracy == pytest.approx(0.924)
    assert cell(2, "ImageNet-50", "ResNet101", "uap").paper.average_precision == pytest.approx(0.074)


def test_the_paper_scale_has_the_papers_settings() -> None:
    ours = cell(1, "STL-10", "VGG16", "proposed_101_pretrained")
    assert (ours.classifier.arch, ours.classifier.weights, ours.classifier.image_size) == (
        "vgg16", "pretrained", 224,
    )  # fmt: skip
    settings = ours.settings
    assert (settings.encoder, settings.gamma, settings.input_space) == ("resnet101", 1e-4, "pixel")
    assert (settings.dataset, settings.image_size, settings.recipe) == ("stl10", 224, "paper")
    assert (settings.discriminator, settings.head, settings.encoder_training) == ("shared", "linear", "full")
    ours = cell(2, "ImageNet-50", "ResNet50", "proposed_blackbox")
    settings = ours.settings
    assert (settings.discriminator, settings.discriminator_backbone) == ("blackbox", "resnet101")
    assert (settings.gamma, settings.num_classes, settings.input_space) == (3.0, 50, "normalized")
    assert cell(2, "STL-10", "ResNet50", "proposed_50").settings.discriminator == "known"
    assert cell(3, "ImageNet-50", "ResNet50", "enhance_lr").settings.loss == "logistic"


def test_table_3_shares_what_it_has_in_common_with_the_others() -> None:
    """The paper's own numbers are equal there, which is how its columns were told."""
    pairs = [
        (("enhance_ls", 3), ("proposed_50_scratch", 1)),
        (("adversarial_blackbox_ls", 3), ("proposed_blackbox", 2)),
        (("vanilla_scratch", 3), ("vanilla_scratch", 1)),
    ]
    for (here, number), (there, other) in pairs:
        first = cell(number, "ImageNet-50", "VGG16", here)
        second = cell(other, "ImageNet-50", "VGG16", there)
        assert (first.name, first.paper, first.settings) == (second.name, second.paper, second.settings)


def test_without_an_imagenet_folder_its_rows_say_so() -> None:
    wishes = replace(PAPER, imagenet=None)
    assert "imagenet" in cell(1, "ImageNet-10", "VGG16", "vanilla_scratch", wishes).needs
    assert cell(1, "STL-10", "VGG16", "vanilla_scratch", wishes).needs == ""


def test_the_small_scale_needs_no_download() -> None:
    for number in (1, 2, 3):
        for small in make_cells(load_table(number), SMALL):
            assert small.classifier.weights == "none"
            assert small.settings.encoder in ("small", "efficientnet-lite0")
            assert small.settings.discriminator_backbone in ("auto", "small")
            assert small.settings.image_size == 32
            assert small.needs == ""
    assert cell(1, "ImageNet-10", "VGG16", "vanilla_scratch", SMALL).settings.num_classes == 5


def test_the_table_shows_ours_beside_the_papers_and_marks_the_rest() -> None:
    table = replace(load_table(1), rows=load_table(1).rows[:1])
    cells = make_cells(table, SMALL)
    done = {"clean_accuracy": 0.5, "map_clean": 0.4, "perturbed_accuracy": 0.75, "map_perturbed": 0.7}
    outcomes = [Outcome(cells[0].name, "done", done), Outcome(cells[1].name, "done", done)]
    outcomes += [Outcome(cells[2].name, "not run", error="a GPU"), Outcome(cells[3].name, "waiting")]
    outcomes.append(Outcome(cells[4].name, "failed", error="It broke."))
    assert table_rows(table, cells, outcomes)[1] == [
        "STL-10", "ResNet50", "50.0 / 0.400 (61.0 / 0.588)", "75.0 / 0.700 (78.1 / 0.760)",
        "[a] (84.9 / 0.826)", "waiting (92.0 / 0.883)", "[b] (93.6 / 0.890)",
    ]  # fmt: skip
    assert reasons(outcomes) == [("a", "not run: a GPU"), ("b", "failed: It broke.")]
