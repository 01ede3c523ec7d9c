"""The export dialog: what is offered, what is written, and that the command does the same."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QLabel,
    QPushButton,
    QSpinBox,
    QToolButton,
)

from pgn_studio.core.classifiers.loading import load_classifier
from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.evaluation.abstention import abstain
from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.evaluation.selection import Outcome, Range, Selection, SortKey, select
from pgn_studio.core.export.figure import FigureExport
from pgn_studio.core.export.image_table import ImageTableExport
from pgn_studio.core.export.images import ImagesExport
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.pgn import load_pgn
from pgn_studio.gui.pages.inspect.command import ExportChoice, export_command
from pgn_studio.gui.pages.inspect.export_dialog import ExportDialog
from pgn_studio.gui.pages.inspect.page import InspectPage
from pgn_studio.gui.pages.inspect.subject import Subject
from tests.studies import CLASSES, COUNT, Study

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot


@pytest.fixture(scope="module")
def demo_subject() -> Subject:
    """The bundled PGN on the digits' validation images."""
    dataset = load_dataset(DataSettings.make(dataset="digits"))
    classifier = load_classifier(trained_folder() / "digits-classifier.safetensors")
    pgn = load_pgn(trained_folder() / "digits-enhance.safetensors")
    evaluation = evaluate(pgn, classifier, dataset.split("val"), split_name="val", dataset_name="digits")
    return Subject(pgn, classifier, dataset, "val", evaluation)


def open_dialog(page: InspectPage) -> ExportDialog:
    page.findChild(QPushButton, "export-figure").click()
    dialog = page.export_flow.dialog
    assert dialog is not None
    return dialog


def choose(dialog: ExportDialog, name: str, data: str) -> None:
    combo = dialog.findChild(QComboBox, name)
    combo.setCurrentIndex(combo.findData(data))


def export(
    qtbot: QtBot, page: InspectPage, dialog: ExportDialog, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(path), ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args: str(path))
    with qtbot.waitSignal(page._exporter.ended, timeout=60_000):
        dialog.findChild(QPushButton, "export-now").click()


def test_figure_of_some_of_each_class_at_a_size(
    qtbot: QtBot, page: InspectPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = open_dialog(page)
    choose(dialog, "export-which", "per class")
    dialog.findChild(QSpinBox, "export-per-class").setValue(2)
    dialog.findChild(QDoubleSpinBox, "export-width_mm").setValue(127)
    dialog.findChild(QSpinBox, "export-dpi").setValue(100)
    export(qtbot, page, dialog, monkeypatch, tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.width == 500
        assert picture.height > 3 * 2 * 120  # six rows


def test_images_of_the_selection_and_the_list_of_what_is_shown(
    qtbot: QtBot, page: InspectPage, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.findChild(QToolButton, "outcome-fixed").click()
    page.gallery.view.selectAll()
    dialog = open_dialog(page)
    choose(dialog, "export-what", "images")
    export(qtbot, page, dialog, monkeypatch, tmp_path / "images")
    assert len(list((tmp_path / "images").rglob("*.png"))) == study.evaluation.metrics.fixed
    dialog = open_dialog(page)
    choose(dialog, "export-what", "list")
    choose(dialog, "export-which", "shown")
    export(qtbot, page, dialog, monkeypatch, tmp_path / "list.csv")
    with (tmp_path / "list.csv").open(newline="") as stream:
        assert {row["outcome"] for row in csv.DictReader(stream)} == {"fixed"}


def test_a_figure_of_too_many_is_refused_before_it_starts(qtbot: QtBot, page: InspectPage) -> None:
    dialog = open_dialog(page)
    choose(dialog, "export-which", "per class")
    dialog.findChild(QSpinBox, "export-per-class").setValue(40)
    assert dialog.findChild(QPushButton, "export-now").isEnabled()  # there are no more than 40
    page.findChild(QLabel)  # the page goes on living behind the dialog
    dialog.reject()
    page.gallery.filters.set_selection(Selection(text="no such file"))
    dialog = open_dialog(page)
    assert "shows no image" in dialog.findChild(QLabel, "export-hint").text()
    assert not dialog.findChild(QPushButton, "export-now").isEnabled()
    choose(dialog, "export-what", "table")
    assert dialog.findChild(QPushButton, "export-now").isEnabled()
    dialog.reject()


def test_the_command_is_copied(qtbot: QtBot, page: InspectPage) -> None:
    page.findChild(QToolButton, "outcome-broken").click()
    dialog = open_dialog(page)
    choose(dialog, "export-which", "shown")
    dialog.findChild(QPushButton, "copy-command").click()
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[:2] == ["pgn-studio", "export"]
    assert words[words.index("--outcome") + 1] == "broken"
    assert words[words.index("--out") + 1] == "brighten-test-figure.png"
    dialog.reject()


def test_the_command_does_what_the_window_does(qapp: object, tmp_path: Path) -> None:
    """The whole filter as options, on the bundled demo: the same images in the same order."""
    from pgn_studio.cli.evaluate import measure
    from pgn_studio.cli.main import main
    from pgn_studio.cli.signals import Interruption
    from pgn_studio.core.paths import trained_folder
    from pgn_studio.core.project.opening import Opener

    stop = Interruption()
    target = str(trained_folder() / "digits-enhance.safetensors")
    opened = Opener().open_pgn(target)
    evaluation = measure(opened, "test", device="cpu", batch_size=64, stop=stop)
    subject = Subject(opened.pgn, opened.classifier, opened.dataset, "test", evaluation)
    chosen = Selection(
        outcome=Outcome.BOTH_RIGHT, label=3, text="digit/", ranges=(Range(SortKey.L2, 0.5, None),),
        sort=SortKey.MARGIN_AFTER, descending=True,
    )  # fmt: skip
    out = tmp_path / "list.csv"
    words = shlex.split(export_command(subject, ExportChoice(ImageTableExport(), selection=chosen), str(out)))
    assert main([*words[1:], "--device", "cpu"]) == 0
    with out.open(newline="") as stream:
        found = [int(row["index"]) for row in csv.DictReader(stream)]
    assert found == select(evaluation.per_image, subject.split.names, chosen).indices.tolist() != []


def test_every_filter_is_in_the_command(study: Study) -> None:
    subject = Subject(study.pgn, study.classifier, study.dataset, "test", study.evaluation)  # type: ignore[arg-type]
    chosen = Selection(label=0, before=1, after=2, text="a b", sort=SortKey.RMS)
    text = export_command(
        subject,
        ExportChoice(FigureExport(dpi=300, width_mm=85), selection=chosen, per_class=3),
        "f.pdf",
    )
    for part in (
        f"--true-class {CLASSES[0]}", f"--class-before {CLASSES[1]}", f"--class-after {CLASSES[2]}",
        "--name-contains 'a b'", "--sort rms", "--per-class 3", "--dpi 300", "--width-mm 85",
    ):  # fmt: skip
        assert part in text
    some = export_command(subject, ExportChoice(ImagesExport(), indices=(3, 7)), "folder")
    assert some.endswith("--index 3 --index 7")
    assert COUNT > 7


def test_a_comparison_of_the_chosen_image_is_written(
    qtbot: QtBot, page: InspectPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "comparison.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(path), ""))
    with qtbot.waitSignal(page._exporter.ended, timeout=60_000):
        page.findChild(QPushButton, "export_comparison_button").click()
    with Image.open(path) as picture:
        assert picture.width > 600  # this PGN, random signs, FGSM


def test_a_pgn_that_abstains_is_written(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_subject: Subject
) -> None:
    """The dialog says what the share does; the file, measured, does that."""
    page = InspectPage()
    qtbot.addWidget(page)
    page.show()
    shown = (getattr(demo_subject, name) for name in ("pgn", "classifier", "dataset"))
    page.show_evaluation(*shown, demo_subject.split_name, demo_subject.evaluation)
    dialog = open_dialog(page)
    share, hint = dialog.findChild(QSpinBox, "export-share"), dialog.findChild(QLabel, "export-hint")
    assert not share.isEnabled()
    choose(dialog, "export-what", "abstaining")
    assert share.isEnabled()
    share.setValue(60)
    said = hint.text()  # the dialog is gone with the export
    expected = abstain(demo_subject.evaluation, share=0.6)
    assert f"{expected.abstained} of {len(demo_subject.split)} images" in said
    whole = demo_subject.evaluation.metrics
    assert f"{whole.fixed_8bit} fixed, {whole.broken_8bit} broken" in said
    assert f"{expected.fixed_8bit}, {expected.broken_8bit}." in said
    path = tmp_path / "mine.safetensors"
    export(qtbot, page, dialog, monkeypatch, path)
    held = load_pgn(path)
    found = evaluate(
        held, demo_subject.classifier, demo_subject.split, split_name="val", dataset_name="digits"
    )
    assert f"become {100 * found.metrics.perturbed_accuracy_8bit:.1f} %" in said
    assert found.per_image.abstained == expected.abstained > 0

    page.show_evaluation(held, demo_subject.classifier, demo_subject.dataset, "val", found)
    title = page.findChild(QLabel, "inspection-title").text()
    assert f"abstained on {expected.abstained} image" in title
    dialog = open_dialog(page)
    assert dialog.findChild(QComboBox, "export-what").findData("abstaining") == -1  # it does already
    dialog.reject()


def test_abstaining_where_all_perturbations_are_alike_says_why_not(page: InspectPage) -> None:
    dialog = open_dialog(page)
    choose(dialog, "export-what", "abstaining")
    assert "of one size" in dialog.findChild(QLabel, "export-hint").text()
    assert not dialog.findChild(QPushButton, "export-now").isEnabled()
    dialog.findChild(QSpinBox, "export-share").setValue(0)
    assert dialog.findChild(QPushButton, "export-now").isEnabled()
    dialog.reject()
