"""`export` against another PGN: where the two disagree, comparisons with their difference, bad input."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image

from pgn_studio.core.paths import trained_folder
from tests.cli.conftest import RunCommand

HERE = trained_folder() / "digits-enhance.safetensors"
THERE = trained_folder() / "digits-adversarial.safetensors"


def outcomes(path: Path) -> dict[int, str]:
    with path.open(newline="", encoding="utf-8") as stream:
        return {int(row["index"]): row["outcome"] for row in csv.DictReader(stream)}


def test_a_list_of_what_one_of_them_alone_fixed(pgn_studio: RunCommand, tmp_path: Path) -> None:
    lists = {}
    for name, target, options in (
        ("here", HERE, ()),
        ("there", THERE, ()),
        ("only", HERE, ("--against", THERE, "--versus", "fixed-here-only")),
        ("broken", HERE, ("--against", THERE, "--versus", "broken-there-only")),
    ):
        path = tmp_path / f"{name}.csv"
        outcome = pgn_studio("export", target, "--what", "list", "--out", path, "--device", "cpu", *options)
        assert outcome.code == 0, outcome.err
        lists[name] = outcomes(path)
    fixed = {index for index, name in lists["here"].items() if name == "fixed"}
    both = {index for index, name in lists["there"].items() if name == "fixed"}
    assert set(lists["only"]) == fixed - both != set()
    broken = {index for index, name in lists["there"].items() if name == "broken"}
    kept = {index for index, name in lists["here"].items() if name == "both right"}
    assert set(lists["broken"]) == broken & kept != set()


def test_a_comparison_with_the_difference_and_baselines(pgn_studio: RunCommand, tmp_path: Path) -> None:
    widths = []
    none = ("--baselines", "none")
    for options in (none, (*none, "--against", THERE), ("--baselines", "aid")):
        path = tmp_path / "comparison.png"
        outcome = pgn_studio(
            "export", HERE, "--what", "comparison", "--out", path, "--index", "3", "--device", "cpu", *options
        )
        assert outcome.code == 0, outcome.err
        with Image.open(path) as picture:
            widths.append(picture.width)
    assert widths[0] <= widths[2] <= widths[1]  # one, two and three columns; few have a width of their own
    assert widths[0] < widths[1]


def test_bad_input_is_one_line(pgn_studio: RunCommand, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "list.csv")
    for arguments, said in (
        (("--what", "list", *out, "--versus", "different"), "Name it with --against"),
        (("--what", "list", *out, "--against", THERE), "Say what with --versus"),
        (("--what", "list", *out, "--against", "none", "--versus", "different"), "no run and no PGN"),
        (("--what", "comparison", "--out", tmp_path / "s.png", "--baselines", "sideways"), "no 'sideways'"),
    ):
        outcome = pgn_studio("export", HERE, *arguments)
        assert outcome.code == 2, outcome.out
        assert said in outcome.err
