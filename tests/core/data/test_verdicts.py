"""Verdicts are remembered while a file stays as it was, and never get in the way."""

from __future__ import annotations

import json
from pathlib import Path

import PIL
import pytest

from pgn_studio.core.data.images import WideValues
from pgn_studio.core.data.verdicts import READABLE, Verdict, Verdicts

FINE = Verdict(READABLE, 2**48 - 1, WideValues(floating=True, lowest=-0.5, highest=1.25))


def remembered(root: Path) -> Verdicts:
    verdicts = Verdicts(root)
    verdicts.set("cat/1.png", 10, 111, FINE)
    verdicts.set("cat/2\udcff.png", 20, 222, Verdict("truncated"))  # a name that is no UTF-8
    verdicts.save()
    return verdicts


def test_they_are_known_the_next_time(tmp_path: Path) -> None:
    remembered(tmp_path)
    again = Verdicts(tmp_path)
    assert again.get("cat/1.png", 10, 111) == FINE
    assert again.get("cat/2\udcff.png", 20, 222) == Verdict("truncated")


def test_a_changed_file_is_not_known(tmp_path: Path) -> None:
    remembered(tmp_path)
    again = Verdicts(tmp_path)
    assert again.get("cat/1.png", 11, 111) is None
    assert again.get("cat/1.png", 10, 112) is None
    assert again.get("cat/3.png", 10, 111) is None


def test_each_root_has_its_own(tmp_path: Path) -> None:
    remembered(tmp_path)
    assert Verdicts(tmp_path / "other").get("cat/1.png", 10, 111) is None


def test_another_pillow_looks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered(tmp_path)
    monkeypatch.setattr(PIL, "__version__", "0.0")
    assert Verdicts(tmp_path).get("cat/1.png", 10, 111) is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"files": {"a": 1}}', '{"files": []}', '{"files": {"a": [1]}}', "\x00"]
)
def test_a_damaged_file_is_ignored_and_replaced(tmp_path: Path, content: str) -> None:
    file = remembered(tmp_path).file
    file.write_text(content, encoding="utf-8")
    assert Verdicts(tmp_path).get("cat/1.png", 10, 111) is None
    remembered(tmp_path)
    assert Verdicts(tmp_path).get("cat/1.png", 10, 111) == FINE


def test_entries_of_another_kind_are_ignored(tmp_path: Path) -> None:
    file = remembered(tmp_path).file
    content = json.loads(file.read_text(encoding="utf-8"))
    content["files"]["cat/1.png"] = [1]
    file.write_text(json.dumps(content), encoding="utf-8")
    assert Verdicts(tmp_path).get("cat/1.png", 10, 111) is None


def test_a_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home.write_text("a file where the folder should be", encoding="utf-8")
    remembered(tmp_path)
    assert "Could not remember" in caplog.text


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    file = remembered(tmp_path).file
    before = file.stat().st_mtime_ns
    Verdicts(tmp_path).save()
    assert file.stat().st_mtime_ns == before
