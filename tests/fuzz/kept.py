"""What training keeps: PGNs, runs, checkpoints."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import torch

from pgn_studio.core.classifiers import load_classifier
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.pgn import build_generator, load_pgn, read_pgn_info, save_pgn
from pgn_studio.core.run_records import list_runs
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.builders import build_networks
from pgn_studio.core.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from pgn_studio.core.training.step import TrainStep
from pgn_studio.gui.opening import kind_of
from tests.fuzz.mutation import damaged, damaged_json, json_text
from tests.fuzz.subject import CLASSES, SIZE, Subject, damaging_safetensors, link


def small_settings() -> TrainingSettings:
    return TrainingSettings.make(
        dataset="digits", encoder="small", decoder_widths=(8,), classifier="c.safetensors", device="cpu"
    )


def _small_pgn(path: Path) -> bytes:
    info = read_pgn_info(trained_folder() / "digits-enhance.safetensors")
    settings = small_settings()
    generator: Generator = build_generator(settings, image_size=SIZE)
    small = replace(info, settings=settings.model_dump(mode="json"), image_size=SIZE)
    save_pgn(path, generator, small)
    return path.read_bytes()


def pgn_subject(folder: Path) -> Subject:
    good = _small_pgn(folder / "pgn.safetensors")

    def look(path: Path) -> None:
        kind_of(path)
        pgn = load_pgn(path)
        pgn.perturb(torch.rand(1, 3, pgn.info.image_size, pgn.info.image_size))

    return Subject("pgn", damaging_safetensors(good, entry="info"), look)


def run_subject(folder: Path) -> Subject:
    good = RunFolder.create(folder / "good-run", small_settings())
    for step in range(1, 6):
        good.append_metrics({"event": "StepCompleted", "step": step, "loss_g": 1 / step, "gamma": 1.0})
    shutil.copyfile(folder / "pgn.safetensors", good.pgn_path)

    def make(random: Random, folder: Path) -> Path:
        path = folder / f"run-{random.randrange(10**6)}"
        shutil.copytree(good.path, path)
        run_json, metrics = path / "run.json", path / "metrics.jsonl"
        way = random.random()
        if way < 0.5:
            run_json.write_bytes(json_text(damaged_json(json.loads(run_json.read_text()), random), random))
        elif way < 0.6:
            run_json.write_bytes(damaged(run_json.read_bytes(), random))
        elif way < 0.8:
            metrics.write_bytes(damaged(metrics.read_bytes(), random))
        elif way < 0.9:
            lines = [json_text(damaged_json({"step": 1, "gamma": 1.0}, random), random) for _ in range(4)]
            metrics.write_bytes(b"\n".join(lines) + b"\n")
        elif way < 0.95:  # as large as a disk, and empty
            with random.choice((run_json, metrics, path / "pgn.safetensors")).open("r+b") as stream:
                stream.truncate(40 * 2**30)
        else:
            run_json.unlink()
            link(run_json, random.choice(("/dev/zero", "/etc/passwd", "run.json", "..")))
        return path

    def look(path: Path) -> None:
        list_runs(path.parent)
        kind_of(path)
        run = RunFolder.open(path)
        _ = run.settings
        load_pgn(run.pgn_path)
        from pgn_studio.gui.training.history import RunHistory

        RunHistory().replay(run.read_metrics())

    return Subject("run", make, look)


def checkpoint_subject(folder: Path) -> Subject:
    classifier = load_classifier("arch:small", classes=CLASSES, image_size=SIZE)
    settings = small_settings()
    networks = build_networks(settings, classifier, image_size=SIZE, device=torch.device("cpu"))
    step = TrainStep(networks, settings, precision="fp32")
    save_checkpoint(folder / "checkpoint.safetensors", step, TrainingState.start(gamma=1.0))
    good = (folder / "checkpoint.safetensors").read_bytes()

    def look(path: Path) -> None:
        kind_of(path)
        load_checkpoint(path, step)

    return Subject("checkpoint", damaging_safetensors(good, entry="position"), look)
