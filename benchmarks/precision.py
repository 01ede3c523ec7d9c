"""bf16 beside fp32: a step's time, and what a short training ends at.

    python benchmarks/precision.py [--rounds 5] [--seeds 3] [--epochs 6] [--only 96] [--json FILE]

Steps: the fused step of `benchmarks/step.py` (paper's recipe, channels_last) in both precisions, in turns.
Training: the default recipe with the small encoder on digits at 16 px against the bundled classifier, for
each seed in both precisions; accuracy on the test images after 8 bits. Where the processor does not
multiply bfloat16 natively it is emulated: that is said, and `--precision auto` takes fp32 there.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from step import SCALES, Bench, Turn, ratio, spread, timed

from pgn_studio.core.classifiers import load_classifier
from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.device import cpu_has_bf16
from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.pgn import load_pgn
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import RunFinished
from pgn_studio.core.training.trainer import Trainer

CPU = torch.device("cpu")
PRECISIONS = ("fp32", "bf16")


def steps(key: str, rounds: int, batch_size: int | None) -> dict[str, Any]:
    sides = {}
    for precision in PRECISIONS:
        bench = Bench(key, CPU, batch_size)
        bench.precision = precision
        sides[precision] = bench.fused()
    turns: dict[str, list[Turn]] = {precision: [] for precision in sides}
    for _ in range(rounds):
        for precision, step in sides.items():
            turns[precision].append(timed(step, 1, CPU))
    seconds = {precision: [turn.wall for turn in taken] for precision, taken in turns.items()}
    processor = {precision: [turn.processor for turn in taken] for precision, taken in turns.items()}
    return {
        "scale": SCALES[key].name,
        "seconds_per_step": seconds,
        "processor_seconds_per_step": processor,
        "bf16_vs_fp32_steps_ratio": ratio(seconds["fp32"], seconds["bf16"]),
        "by_processor_time": ratio(processor["fp32"], processor["bf16"]),
    }


def accuracy(precision: str, seed: int, epochs: int) -> float:
    """Of the test images under the PGN that a run in this precision keeps."""
    path = trained_folder() / "digits-classifier.safetensors"
    dataset = load_dataset(DataSettings(dataset="digits", image_size=16))
    settings = TrainingSettings.make(
        dataset="digits", image_size=16, classifier=str(path), encoder="small", decoder_widths=(32, 16),
        epochs=epochs, seed=seed, device="cpu", precision=precision,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        run = RunFolder.create(Path(place) / "run", settings)
        control = TrainingControl(gamma=settings.first_gamma, gammas=settings.gammas)
        ending = Trainer(
            settings,
            dataset=dataset,
            classifier=load_classifier(path),
            run=run,
            control=control,
            sink=lambda _event: None,
        ).run()
        if not isinstance(ending, RunFinished):
            raise SystemExit(f"{ending.message} {ending.details}")
        pgn, test = load_pgn(run.pgn_path), dataset.split("test")
        found = evaluate(pgn, load_classifier(path), test, split_name="test", dataset_name="digits")
    return found.metrics.perturbed_accuracy_8bit


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3, help="0: no training")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--only", choices=list(SCALES))
    parser.add_argument("--batch", type=int, help="images a step; by default 64 at 96 px, 8 at 224 px")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    native = cpu_has_bf16()
    print("This processor multiplies bfloat16 natively." if native else "bfloat16 is emulated here.")
    result: dict[str, Any] = {
        "machine": {"platform": platform.platform(), "threads": torch.get_num_threads(), "native": native},
        "scales": {},
    }
    for key in SCALES:
        if given.only in (None, key) and given.rounds:
            found = result["scales"][key] = steps(key, given.rounds, given.batch)
            print(f"{found['scale']}: bf16 is {spread(found['bf16_vs_fp32_steps_ratio'])} times as fast")
            print(f"  by processor time {spread(found['by_processor_time'])}", flush=True)
    if given.seeds:
        reached = {
            precision: [accuracy(precision, seed, given.epochs) for seed in range(given.seeds)]
            for precision in PRECISIONS
        }
        result["accuracy"] = reached
        for precision, values in reached.items():
            deviation = statistics.stdev(values) if len(values) > 1 else 0.0
            print(f"{precision}: {statistics.mean(values):.2%} ± {deviation:.2%} over {len(values)} seeds")
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
