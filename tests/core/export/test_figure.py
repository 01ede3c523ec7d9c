from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.drawing import BLUE, ORANGE
from pgn_studio.core.export.figure import draw_figure, export_figure
from pgn_studio.core.export.triptych import TriptychRow

LONG = "great white shark, white shark, man-eater, man-eating shark, Carcharodon carcharias"


def make_rows(count: int, **changes: object) -> list[TriptychRow]:
    rng = np.random.default_rng(0)
    row = TriptychRow(
        name="a.jpg",
        original=rng.integers(0, 256, (8, 8, 3)).astype(np.uint8),
        perturbation=rng.normal(0, 0.05, (8, 8, 3)).astype(np.float32),
        perturbed=rng.integers(0, 256, (8, 8, 3)).astype(np.uint8),
        true_label="cat",
        clean_label="dog",
        clean_confidence=0.514,
        perturbed_label="cat",
        perturbed_confidence=0.873,
    )
    return [replace(row, **changes)] * count  # type: ignore[arg-type]


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")])
def test_writes_each_format_the_same_every_time(tmp_path: Path, suffix: str, start: bytes) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    for path in (first, second):
        export_figure(path, make_rows(1), title="Fixed")
    assert first.read_bytes().startswith(start)
    assert first.read_bytes() == second.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["figure.jpg", "figure"])
def test_another_suffix_lists_the_right_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(PgnStudioError, match=r"\.png, \.svg, \.pdf"):
        export_figure(tmp_path / name, make_rows(1))


@pytest.mark.parametrize("count", [0, 41])
def test_number_of_rows_is_checked(tmp_path: Path, count: int) -> None:
    with pytest.raises(PgnStudioError, match=f"1 to 40 rows, got {count}"):
        export_figure(tmp_path / "a.png", make_rows(count))


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(PgnStudioError, match="cannot be written"):
        export_figure(tmp_path / "file" / "a.png", make_rows(1))


@pytest.mark.parametrize(("count", "blocks"), [(1, 1), (10, 1), (11, 2), (40, 4)])
def test_rows_keep_their_size_and_go_into_blocks(count: int, blocks: int) -> None:
    figure = draw_figure(make_rows(count))
    assert len(figure.axes) == 3 * count
    width, height = figure.get_size_inches()
    sizes = {
        (round(a.get_position().width * width, 3), round(a.get_position().height * height, 3))
        for a in figure.axes
    }
    assert sizes == {(1.35, 1.35)}
    assert len({round(axes.get_position().x0, 4) for axes in figure.axes}) == 3 * blocks


def test_right_and_wrong_differ_by_mark_and_color() -> None:
    texts = {text.get_text(): text.get_color() for text in draw_figure(make_rows(1)).texts}
    assert texts["✗ dog 51 %"] == ORANGE
    assert texts["✓ cat 87 %"] == BLUE
    assert "true: cat" in texts


def test_scale_of_the_perturbation_is_stated() -> None:
    row = make_rows(1)[0]
    texts = [text.get_text() for text in draw_figure([row], gain=4).texts]
    assert f"max |p| {np.abs(row.perturbation).max():.3f}" in texts
    assert f"RMS {np.sqrt((row.perturbation**2).mean()):.3f}" in texts
    assert any("max |p| / 4" in text for text in texts)


def test_long_and_odd_names_stay_within_their_pictures() -> None:
    rows = make_rows(1, true_label=LONG, clean_label=LONG, perturbed_label=r"$\frac{a}$ & $_")
    figure = draw_figure(rows, title=f"{LONG} $\\x {LONG}")
    renderer = FigureCanvasAgg(figure).get_renderer()
    inch = figure.dpi
    for text in figure.texts:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width
        if re.match("true|[✓✗] .*%", text.get_text()):
            assert box.width <= 1.35 * inch
    assert any(
        text.get_text().startswith("true: great") and text.get_text().endswith("…") for text in figure.texts
    )


def test_pixels_are_drawn_as_they_are(tmp_path: Path) -> None:
    """The middle of the first picture has the color of the original's middle."""
    original = np.full((8, 8, 3), (10, 200, 90), dtype=np.uint8)
    export_figure(tmp_path / "a.png", make_rows(1, original=original), dpi=100)
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert (pixels == (10, 200, 90)).all(axis=2).sum() > 0.8 * 135 * 135
