"""What the version before wrote, made of what this one writes: settings under the names that they had."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pgn_studio.core.legacy import NAMES, VALUES

PAIR = ("encoder_trained", "last_stage")


def of_then(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` under the names and with the words of the version before."""
    names = {new: old for old, new in NAMES.items() if old not in PAIR}
    words = {name: {new: old for old, new in known.items()} for name, known in VALUES.items()}
    old = {
        names.get(name, name): words[name].get(value, value) if name in words else value
        for name, value in settings.items()
    }
    if "encoder_training" not in old:
        return old
    learning = old.pop("encoder_training")
    trained, last_stage = {
        None: (None, None), "full": (True, False), "last-stage": (None, True), "frozen": (False, False)
    }[learning]  # fmt: skip
    return {**old, "encoder_trained": trained, "last_stage": last_stage}


def rewrite_run(folder: Path) -> None:
    """A run of today as the version before wrote it."""
    path = folder / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**record, "settings": of_then(record["settings"])}), encoding="utf-8")
    for pgn in folder.glob("*.safetensors"):
        _rewrite_pgn(pgn)


def _rewrite_pgn(path: Path) -> None:
    with safe_open(path, framework="pt") as stream:
        metadata = dict(stream.metadata() or {})
    if "info" not in metadata:  # a checkpoint
        return
    info = json.loads(metadata["info"])
    info = {**info, "settings": of_then(info["settings"]), "loss": of_then({"loss": info["loss"]})["loss"]}
    save_file(load_file(path), path, metadata={**metadata, "info": json.dumps(info)})
