"""`export` and the registry: names, old ones too, and options that belong to another export."""

from __future__ import annotations

from pathlib import Path

import pytest

from pgn_studio.cli.export import _assigned
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.export import EXPORTS
from pgn_studio.core.export.figure import FigureExport
from pgn_studio.core.paths import trained_folder
from tests.cli.conftest import RunCommand

HERE = trained_folder() / "digits-enhance.safetensors"


def test_every_export_and_option_is_in_the_help(pgn_studio: RunCommand) -> None:
    text = pgn_studio("export", "--help").out
    for name in ("--share", "--strength", "--dpi", "--width-mm", "--beside", "--baselines", "--gain"):
        assert name in text
    unbroken = "".join(text.replace("│", "").split())
    assert all(name in unbroken for name in EXPORTS.built_in)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--what", "strip", "--out", "x.csv"), ".png, .svg, .pdf"),  # what the comparison was called
        (("--what", "poster", "--out", "x.png"), "'poster' is not one of"),
        (("--what", "table", "--out", "x.csv", "--dpi", "100"), "--dpi is for --what figure"),
        (("--what", "figure", "--out", "x.png", "--share", "0.5"), "--share is for --what abstaining"),
        (("--what", "figure", "--out", "x.png", "--dpi", "5"), "30 to 1200 dpi"),
        (("--what", "figure", "--out", "x.png", "--option", "times=2"), "no option 'times'"),
        (("--what", "report", "--out", __file__), "expected a folder"),
    ],
)
def test_bad_input_is_refused_before_anything_is_read(
    pgn_studio: RunCommand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = pgn_studio("export", HERE, *arguments)
    assert outcome.code == 2, outcome.out
    assert said in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_options_of_plugins_are_numbers_and_words() -> None:
    assert _assigned(FigureExport, ["dpi=90", "width_mm=85.5"]) == {"dpi": 90, "width_mm": 85.5}
    with pytest.raises(ConfigError, match="expected a number"):
        _assigned(FigureExport, ["dpi=high"])
