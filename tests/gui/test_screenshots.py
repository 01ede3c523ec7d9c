"""The pictures in docs/screenshots: one of every page in light and dark, small, made by real widgets."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from pgn_studio.gui.main_window import MainWindow
from pgn_studio.gui.theme import current_theme
from tools.screenshots.camera import LIGHT_AND_DARK, Camera
from tools.screenshots.scenes import SCENES, START, Stage

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SIZE = (1280, 800)
MOST_BYTES = 2_500_000
NAMES = [START, *(scene.name for scene in SCENES)]
WHOLE = {
    *(START, "strength", "beside", "tour", "outran", "constant"),
    *(scene.name for scene in SCENES if scene.page),
}


@pytest.mark.parametrize("name", NAMES)
def test_every_scene_has_its_pictures(name: str) -> None:
    shown = []
    for theme in LIGHT_AND_DARK:
        with Image.open(FOLDER / f"{name}-{theme}.png") as picture:
            assert (picture.size == SIZE) is (name in WHOLE)
            shown.append(picture.convert("L").resize((1, 1)).getpixel((0, 0)))
    assert shown[0] > 128 > shown[1]  # light, then dark


def test_every_page_is_among_them(window: MainWindow) -> None:
    titles = [window.tabs.tabText(number).replace("&", "") for number in range(window.tabs.count())]
    assert sorted(scene.page for scene in SCENES if scene.page) == sorted(titles)


def test_there_are_no_others_and_all_are_small() -> None:
    files = list(FOLDER.iterdir())
    assert {file.stem.rsplit("-", 1)[0] for file in files} == set(NAMES)
    assert sum(file.stat().st_size for file in files) < MOST_BYTES


def test_the_camera_takes_real_widgets(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    stage = Stage(window, tmp_path, patience_s=20)
    by_name = {scene.name: scene for scene in SCENES}
    camera = Camera(tmp_path, redraw_s=0.05)
    for name in ("data", "palette"):
        widget = by_name[name].prepare(stage)
        light, dark = camera.take(name, widget)
        assert light.name == f"{name}-light.png"
        with Image.open(light) as first, Image.open(dark) as second:
            assert first.mode == second.mode == "P"
            assert first.size == second.size == (widget.width(), widget.height())
            assert len(first.getcolors() or ()) > 20
            assert first.convert("RGB").getpixel((2, 2)) != second.convert("RGB").getpixel((2, 2))
        stage.clear()
    assert current_theme().name == "light"
    assert not [item for item in window.children() if item.objectName() == "command_palette"]


def test_a_scene_that_never_comes_is_given_up(window: MainWindow, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="the moon took more than"):
        Stage(window, tmp_path, patience_s=0.05).wait(lambda: False, "the moon")
