"""Accuracy against RMS over γ: where it is measured, what the figure and the files hold."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pgn_studio.core.errors import ConfigError, PgnStudioError
from pgn_studio.core.evaluation.along import evaluate_along
from pgn_studio.core.export.frontier import (
    COLUMNS,
    POINTS,
    Course,
    draw_frontier,
    export_frontier,
    gammas_shown,
)
from tests.core.evaluation.samples import make_classifier, make_dial, make_split


def course(
    name: str, gammas: tuple[float, ...], *, gamma: float | tuple[float, float] = (0.3, 30.0)
) -> Course:
    pgn = make_dial(gamma=gamma)
    found = evaluate_along(
        pgn, gammas, make_classifier(), make_split(12), split_name="test", dataset_name="noise"
    )
    return Course(name, found)


@pytest.fixture(scope="module")
def courses() -> list[Course]:
    return [course("$dial", (0.3, 3.0, 30.0)), course("fixed", (3.0,), gamma=3.0)]


def test_it_is_measured_over_the_range_unless_told_where() -> None:
    pgn = make_dial()
    spaced = gammas_shown(pgn, ())
    assert (spaced[0], spaced[-1], len(spaced)) == (0.3, 30.0, POINTS)
    assert list(spaced) == sorted(spaced)
    assert gammas_shown(pgn, (10.0, 1.0)) == (1.0, 10.0)
    with pytest.raises(ConfigError, match="outside of the range"):
        gammas_shown(pgn, (1.0, 99.0))
    assert gammas_shown(pgn, (1.0, 99.0), compared=True) == (1.0,)
    assert len(gammas_shown(pgn, (99.0,), compared=True)) == POINTS


def test_one_gamma_is_no_curve_but_a_point_beside_one() -> None:
    pgn = make_dial(gamma=3.0)
    with pytest.raises(ConfigError, match="γ 3 alone.*gamma=.0.3, 30"):
        gammas_shown(pgn, ())
    assert gammas_shown(pgn, (1.0, 10.0), compared=True) == (3.0,)


def test_a_line_for_each_pgn_and_one_for_the_clean_images(courses: list[Course]) -> None:
    axes = draw_frontier(courses, title="$noise").axes[0]
    first, second, clean = axes.get_lines()[:3]
    metrics = [one.metrics for one in courses[0].evaluations]
    assert list(first.get_xdata()) == [one.rms_mean for one in metrics]
    assert list(first.get_ydata()) == [100 * one.perturbed_accuracy_8bit for one in metrics]
    assert len(second.get_xdata()) == 1
    assert set(clean.get_ydata()) == {100 * metrics[0].clean_accuracy}
    assert [text.get_text() for text in axes.texts] == ["γ 0.3", "γ 30", "γ 3"]
    alone = draw_frontier(courses[:1]).axes[0]
    assert [text.get_text() for text in alone.texts] == ["γ 0.3", "γ 3", "γ 30"]


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_pictures(courses: list[Course], tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / f"f{suffix}"
    export_frontier(path, courses, dpi=60, width_mm=80)
    assert path.read_bytes().startswith(start)


def test_the_points_as_csv_and_json_are_the_same(courses: list[Course], tmp_path: Path) -> None:
    for suffix in (".csv", ".json"):
        export_frontier(tmp_path / f"f{suffix}", courses, title="t")
    with (tmp_path / "f.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    whole = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    points = [{"pgn": one["name"], **point} for one in whole["pgns"] for point in one["points"]]
    assert [[float(row[name]) for name in COLUMNS] for row in rows] == [
        [point[name] for name in COLUMNS] for point in points
    ]
    assert [(row["pgn"], float(row["gamma"])) for row in rows] == [
        ("$dial", 0.3), ("$dial", 3.0), ("$dial", 30.0), ("fixed", 3.0),
    ]  # fmt: skip
    assert whole["images"] == 12


def test_what_cannot_be_written_is_refused(courses: list[Course], tmp_path: Path) -> None:
    with pytest.raises(PgnStudioError, match=r"\.csv"):
        export_frontier(tmp_path / "f.txt", courses)
    with pytest.raises(PgnStudioError, match="dpi"):
        export_frontier(tmp_path / "f.png", courses, dpi=0)
    assert list(tmp_path.iterdir()) == []
