"""The chosen image under other PGNs and baselines, their difference, and the filters against another PGN."""

from __future__ import annotations

import shlex
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QFileDialog, QPushButton, QTabWidget
from torch import Tensor

from pgn_studio.core import plugins
from pgn_studio.core.baselines.base import Baseline
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.evaluation.selection import Versus
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.gui.pages.inspect.comparison_panel import ComparisonPanel
from pgn_studio.gui.pages.inspect.page import InspectPage
from tests.studies import Study, make_study

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

FILE = Path("/somewhere/other.safetensors")


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Pgn:
    """What every file holds: a PGN that brightens less."""
    pgn = make_study(0.05).pgn
    pgn.info = replace(pgn.info, name="dimmer", gamma=30.0)
    pgn.gamma = 30.0
    monkeypatch.setattr("pgn_studio.core.perturbation.pgn.load_pgn", lambda _path: pgn)
    return pgn


@pytest.fixture
def panel(page: InspectPage) -> ComparisonPanel:
    tabs = page.findChild(QTabWidget, "image-tabs")
    assert isinstance(tabs, QTabWidget)
    tabs.setCurrentWidget(page.comparison)
    return page.comparison


def titles(panel: ComparisonPanel) -> list[str]:
    return [column.title for column in panel.view.columns]


def choose_other(qtbot: QtBot, panel: ComparisonPanel, monkeypatch: pytest.MonkeyPatch, *files: Path) -> None:
    names = [str(file) for file in files or (FILE,)]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_args: (names, ""))
    panel.open_button.click()
    qtbot.waitUntil(lambda: bool(panel.others.pgns) and not panel.others.doing, timeout=20_000)


def test_baselines_of_the_same_strength_follow_image_and_ticks(
    qtbot: QtBot, page: InspectPage, panel: ComparisonPanel, study: Study
) -> None:
    qtbot.waitUntil(lambda: titles(panel) == ["Original", "γ 1 (this)", "Random signs", "FGSM"])
    sizes = {column.size for column in panel.view.columns[1:]}
    assert len(sizes) == 1  # one RMS
    panel.ticks["fgsm-oracle"].click()
    qtbot.waitUntil(lambda: titles(panel)[-1] == "FGSM (oracle)")
    panel.ticks["random-sign"].click()
    qtbot.waitUntil(lambda: titles(panel) == ["Original", "γ 1 (this)", "FGSM", "FGSM (oracle)"])
    assert not panel.ticks["uap"].isEnabled()  # for attacks
    page.gallery.view.choose(5)
    assert panel.view.columns == []  # those of another image are gone at once
    qtbot.waitUntil(lambda: len(titles(panel)) == 4)
    said = panel.view.columns[1].said
    assert said.startswith(study.dataset.classes[study.per_image.perturbed_prediction[5]])
    assert said[-1] == ("✓" if study.per_image.perturbed_prediction[5] == study.per_image.labels[5] else "✗")
    assert "RMS" in panel.view.accessibleDescription()
    assert not panel.view.grab().isNull()


def test_nothing_is_asked_for_while_it_is_hidden(qtbot: QtBot, page: InspectPage) -> None:
    page.gallery.view.choose(3)
    assert page.comparison._shown == ()
    assert page.comparison.view.columns == []


def test_the_difference_of_two_pgns(
    qtbot: QtBot, panel: ComparisonPanel, other: Pgn, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_other(qtbot, panel, monkeypatch)
    expected = ["Original", "γ 1 (this)", "γ 30 (other)", "Difference", "Random signs", "FGSM"]
    qtbot.waitUntil(lambda: titles(panel) == expected)
    assert panel.name.text() == "dimmer"
    this, there, apart = panel.view.columns[1:4]
    values = [float(column.size.removeprefix("RMS ")) for column in (this, there, apart)]
    assert values[2] == pytest.approx(values[0] - values[1], abs=0.002)  # both brighten green alike
    assert apart.perturbed is None
    assert apart.said == ""
    assert apart.perturbation is not None
    red, green, _blue, _alpha = apart.perturbation.pixelColor(0, 0).getRgb()
    assert red == 128 < green
    panel.close_button.click()
    qtbot.waitUntil(lambda: titles(panel) == ["Original", "γ 1 (this)", "Random signs", "FGSM"])


def test_the_gallery_is_filtered_by_where_the_two_disagree(
    qtbot: QtBot, page: InspectPage, panel: ComparisonPanel, study: Study, other: Pgn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    combo = page.findChild(QComboBox, "versus-filter")
    assert isinstance(combo, QComboBox)
    page.gallery.filters._more.setChecked(True)
    assert not combo.isVisible()
    choose_other(qtbot, panel, monkeypatch)
    assert combo.isVisible()
    split = study.dataset.test
    there = evaluate(other, study.classifier, split, split_name="test", dataset_name="x").per_image
    here = study.per_image
    wrong = here.clean_prediction != here.labels
    fixed = wrong & (here.perturbed_prediction == here.labels) & (there.perturbed_prediction != here.labels)
    combo.setCurrentIndex(combo.findData(Versus.FIXED_HERE.value))
    assert page.gallery.model.shown.tolist() == np.flatnonzero(fixed).tolist() != []
    assert "1" in page.gallery.filters._more.text()  # a filter is at work
    different = here.perturbed_prediction != there.perturbed_prediction
    combo.setCurrentIndex(combo.findData(Versus.DIFFERENT.value))
    assert page.gallery.model.shown.tolist() == np.flatnonzero(different).tolist()
    page.findChild(QPushButton, "export-figure").click()
    dialog = page.export_flow.dialog
    assert dialog is not None
    which = dialog.findChild(QComboBox, "export-which")
    assert isinstance(which, QComboBox)
    which.setCurrentIndex(which.findData("shown"))
    words = shlex.split(dialog._command.text())
    assert words[words.index("--against") + 1] == str(FILE)
    assert words[words.index("--versus") + 1] == "different"
    dialog.reject()
    panel.close_button.click()
    assert not combo.isVisible()
    assert page.gallery.model.rowCount() == len(here)
    assert page.gallery.filters._more.text() == "Filters"


def test_a_pgn_that_does_not_fit_is_refused_plainly(
    qtbot: QtBot, page: InspectPage, panel: ComparisonPanel, other: Pgn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for change, said in (
        ({"input_space": "normalized"}, "normalized space"),
        ({"classes": ("a", "b")}, "2 classes"),
        ({"image_size": 16}, "16 px"),
    ):
        monkeypatch.setattr(other, "info", replace(make_study().pgn.info, **change))
        with qtbot.waitSignal(panel.failed, timeout=20_000) as failed:
            panel.others.open([FILE])
        assert said in str(failed.args[0])
        assert panel.others.first is None
        qtbot.waitUntil(lambda: not panel.others.doing)
    assert "another PGN" in panel.name.text()


def test_a_file_that_is_no_pgn_is_refused_plainly(
    qtbot: QtBot, page: InspectPage, panel: ComparisonPanel, tmp_path: Path
) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    for path in (tmp_path / "bad.safetensors", tmp_path):
        with qtbot.waitSignal(panel.failed, timeout=20_000):
            panel.others.open([path])
        qtbot.waitUntil(lambda: not panel.others.doing)


def test_another_evaluation_forgets_the_others(
    qtbot: QtBot, page: InspectPage, panel: ComparisonPanel, other: Pgn, study: Study,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    choose_other(qtbot, panel, monkeypatch, FILE, Path("/somewhere/third.safetensors"))
    assert panel.name.text() == "dimmer, with dimmer"
    study.show_on(page)
    assert panel.others.pgns == ()
    assert page.gallery.model.other is None


class Red(Baseline):
    title = "Red"
    description = "more red"

    def perturb(self, images: Tensor, labels: Tensor | None, context: BaselineContext) -> Tensor:
        return torch.cat([torch.ones_like(images[:, :1]), torch.zeros_like(images[:, 1:])], dim=1)


@pytest.fixture
def red(monkeypatch: pytest.MonkeyPatch) -> None:
    """A baseline of another package."""
    point = EntryPoint("red", f"{Red.__module__}:{Red.__name__}", "pgn_studio.baselines")
    monkeypatch.setattr(plugins, "_installed", lambda: {"baselines": (point,)})


@pytest.mark.usefixtures("red")
def test_a_baseline_of_another_package_is_offered(qtbot: QtBot, panel: ComparisonPanel) -> None:
    panel.ticks["red"].click()
    qtbot.waitUntil(lambda: titles(panel)[1:] == ["γ 1 (this)", "Random signs", "FGSM", "Red"])
    assert not panel.ticks["fine-tune"].isVisible()  # perturbs no image


def test_the_comparison_is_written_and_its_command_says_the_same(
    qtbot: QtBot, page: InspectPage, panel: ComparisonPanel, other: Pgn, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    third = Path("/somewhere/third.safetensors")
    choose_other(qtbot, panel, monkeypatch, FILE, third)
    panel.ticks["random-sign"].click()
    panel.copy_button.click()
    words = shlex.split(QGuiApplication.clipboard().text())
    assert words[:2] == ["pgn-studio", "export"]
    for option, value in (
        ("--what", "comparison"), ("--index", "0"), ("--against", str(FILE)), ("--beside", str(third)),
        ("--baselines", "fgsm"),
    ):  # fmt: skip
        assert words[words.index(option) + 1] == value
    path = tmp_path / "comparison.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(path), ""))
    with qtbot.waitSignal(page._exporter.ended, timeout=60_000):
        panel.export_button.click()
    with Image.open(path) as picture:
        assert picture.width > 5 * 1.2 * 150  # this, other, third, the difference, FGSM


def test_a_universal_perturbation_is_trained_when_it_is_ticked(
    qtbot: QtBot, page: InspectPage, panel: ComparisonPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = make_study()
    settings = {**attack.pgn.info.settings, "problem": "adversarial"}
    attack.pgn.info = replace(attack.pgn.info, problem="adversarial", settings=settings)
    monkeypatch.setattr(type(attack.dataset), "split", lambda self, _name: self.test)
    attack.show_on(page)
    assert panel.ticks["uap"].isEnabled()
    panel.ticks["uap"].click()
    qtbot.waitUntil(lambda: "UAP" in titles(panel), timeout=20_000)
    assert not panel.bar.isVisible()
    attack.show_on(page)  # made for another subject: forgotten
    assert panel.others.made == {}


def test_a_black_box_is_asked_by_a_button_alone(
    qtbot: QtBot, page: InspectPage, panel: ComparisonPanel, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgn_studio.core.classifiers.blackbox.meter import QueryMeter

    qtbot.waitUntil(lambda: len(titles(panel)) == 4)
    monkeypatch.setattr(study.classifier, "queries", QueryMeter())
    study.show_on(page)
    page.gallery.view.choose(2)
    assert panel.ask_button.isVisible()
    assert panel.ask_button.text() == "Ask: up to 4 queries"
    assert panel.view.columns == []
    panel.ask_button.click()
    qtbot.waitUntil(lambda: len(titles(panel)) == 4)
    assert not panel.ask_button.isVisible()
    page.gallery.view.choose(3)
    assert panel.view.columns == []
    assert panel.ask_button.isVisible()
