"""Every export by its name: what it states, what it writes of a source, and those of plug-ins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pgn_studio.core import plugins
from pgn_studio.core.errors import ConfigError, PgnStudioError
from pgn_studio.core.export import EXPORTS
from pgn_studio.core.export.abstaining import AbstainingExport
from pgn_studio.core.export.base import Export, Opened
from pgn_studio.core.export.comparison_figure import ComparisonExport
from pgn_studio.core.export.figure import MAX_ROWS, FigureExport
from pgn_studio.core.export.frontier import FrontierExport
from pgn_studio.core.export.model import ModelExport
from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.legacy import EXPORT_NAMES
from tests.installed import installed
from tests.studies import Study, make_study

NEED_MORE = ("frontier", "curves", "model", "abstaining")  # a range of γ, a run, a file of the PGN


def source_of(study: Study, **more: object) -> Opened:
    return Opened(
        pgn=study.pgn, classifier=study.classifier, dataset=study.dataset, split_name="test",
        evaluation=study.evaluation, **more,
    )  # type: ignore[arg-type] # fmt: skip


@pytest.fixture(scope="module")
def source() -> Opened:
    return source_of(make_study(0.15))


def nothing(_done: int, _total: int) -> None:
    """Progress that nobody sees."""


@pytest.mark.parametrize("name", EXPORTS.built_in)
def test_each_states_what_it_is(name: str) -> None:
    kind = EXPORTS.load(name)
    assert kind.name == name
    assert kind.title
    assert kind.summary
    assert kind.file_name().startswith(name)
    for item in kind.options():
        assert item.help
        assert item.kind in (int, float, tuple)
    assert all(getattr(kind(), item.name) == item.default for item in kind.options())


def test_old_names_are_those_of_exports() -> None:
    assert set(EXPORT_NAMES.values()) <= set(EXPORTS.built_in)


@pytest.mark.parametrize(
    "name", [name for name in EXPORTS.built_in if EXPORTS.load(name).suffixes and name not in NEED_MORE]
)
def test_each_file_is_written_in_every_form(name: str, source: Opened, tmp_path: Path) -> None:
    kind = EXPORTS.load(name)
    for suffix in kind.suffixes:
        path = tmp_path / f"some{suffix}"
        written = kind().write(path, source, nothing)
        assert written.path == path
        assert path.stat().st_size > 0
        assert str(path) in written.text
    with pytest.raises(PgnStudioError, match="cannot be written"):
        kind().write(tmp_path / "some.xyz", source, nothing)


def test_images_are_those_chosen_in_the_order_of_the_split(tmp_path: Path) -> None:
    source = source_of(make_study(0.15), chosen=(7, 3))
    EXPORTS.load("images")().write(tmp_path / "images", source, nothing)
    assert len(list((tmp_path / "images").rglob("*.png"))) == 2
    names = (tmp_path / "images" / "manifest.csv").read_text().splitlines()[1:]
    assert len(names) == 2
    path = tmp_path / "list.csv"
    EXPORTS.load("list")().write(path, source, nothing)
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["index", "7", "3"]


def test_the_frontier_is_measured_over_the_range(tmp_path: Path) -> None:
    study = make_study(0.2, GammaRange(1.0, 100.0))
    path = tmp_path / "frontier.csv"
    FrontierExport().write(path, source_of(study, gammas=(1.0, 10.0)), nothing)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert [row[1] for row in rows] == ["gamma", "1.0", "10.0"]


def test_several_gamma_leave_the_baselines_out(tmp_path: Path) -> None:
    study = make_study(0.2, GammaRange(1.0, 100.0))
    path = tmp_path / "comparison.svg"
    several = source_of(study, gammas=(1.0, 10.0), chosen=(3,))
    ComparisonExport().write(path, several, nothing)
    assert "FGSM" not in path.read_text()
    written = ComparisonExport(baselines=("uap", "noise")).write(path, several, nothing)
    assert any("left out" in note for note in written.notes)  # a perturbation for all is no help


def test_numbers_that_are_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="30 to 1200 dpi"):
        FigureExport(dpi=5)
    with pytest.raises(ConfigError, match="strength"):
        ModelExport(strength=-1.0)
    with pytest.raises(ConfigError, match="no 'typo'"):
        ComparisonExport(baselines=("typo",))


def test_what_cannot_be_is_said_before(source: Opened) -> None:
    with pytest.raises(PgnStudioError, match="at most"):
        FigureExport().preview(source, MAX_ROWS + 1)
    assert FigureExport().preview(source, MAX_ROWS) == ""


def test_a_pgn_does_not_abstain_over_its_own_file(tmp_path: Path) -> None:
    study = make_study(0.15)
    study.pgn.path = tmp_path / "own.safetensors"
    study.pgn.path.write_bytes(b"x")
    with pytest.raises(PgnStudioError, match="another name"):
        AbstainingExport().write(study.pgn.path, source_of(study), nothing)


PLUGIN = """
from dataclasses import dataclass
from pgn_studio.core.export.base import Export, Written, option

@dataclass(frozen=True, kw_only=True)
class Greeting(Export):
    name = "greeting"
    title = "A greeting"
    summary = "a greeting"
    suffixes = (".txt",)
    times: int = option(1, "How often.", low=1)

    def write(self, path, source, progress):
        path.write_text("hello " * self.times)
        return Written(path, "said")
"""


def test_an_export_of_a_plugin_is_written(
    source: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = {"pgn_studio.exports": {"greeting": "plugin_greeting:Greeting"}}
    monkeypatch.syspath_prepend(str(installed(tmp_path, "greetings", {"plugin_greeting": PLUGIN}, points)))
    plugins._installed.cache_clear()
    try:
        kind: type[Export] = EXPORTS.load("greeting")
        kind.made({"times": 2}).write(tmp_path / "a.txt", source, nothing)
        assert (tmp_path / "a.txt").read_text() == "hello hello "
    finally:
        plugins._installed.cache_clear()
        sys.modules.pop("plugin_greeting", None)
