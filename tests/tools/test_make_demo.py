"""Making the demo's files, on two digits and one epoch."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pgn_studio.core.errors import PgnFileError
from pgn_studio.core.paths import DEMO_CLASSIFIER, DEMO_ENHANCE, DEMO_FILES
from pgn_studio.core.perturbation.pgn import read_pgn_info
from tools import make_demo

TINY = {"dataset": "digits", "num_classes": 2, "image_size": 8, "epochs": 1, "device": "cpu"}
PGN = {**TINY, "encoder": "small", "decoder_widths": (8,), "precision": "fp32"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make_demo, "CLASSIFIER", {**TINY, "augment": "none", "max_train_images": 60})
        patch.setattr(make_demo, "ENHANCE", PGN)
        patch.setattr(make_demo, "ADVERSARIAL", {**PGN, "problem": "adversarial", "gamma": 0.1})
        assert make_demo.main(["--out", str(folder)]) == 0
    return folder


def test_it_writes_files_and_figures(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {*DEMO_FILES, "README.md"}
    text = (made / "README.md").read_text(encoding="utf-8")
    assert "On the test split" in text
    assert "pgn-studio train-classifier --dataset digits --num-classes 2" in text
    assert "--set decoder_widths=8 " in text


def test_the_files_name_no_folder_of_this_machine(made: Path) -> None:
    assert read_pgn_info(made / DEMO_ENHANCE).classifier_path == DEMO_CLASSIFIER
    for name in DEMO_FILES:
        assert str(Path.home()).encode() not in (made / name).read_bytes()


def test_a_file_that_names_a_folder_is_refused(tmp_path: Path) -> None:
    header = f'{{"__metadata__":{{"path":"{Path.home()}/x"}}}}'.encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(PgnFileError, match=r"a\.safetensors names the folder"):
        make_demo.refuse_paths_of_this_machine(tmp_path / "a.safetensors")
