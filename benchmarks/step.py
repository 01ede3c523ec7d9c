"""A training step beside Algorithm 1 written out literally, and beside the arithmetic that it cannot avoid.

    python benchmarks/step.py [--json FILE] [--rounds 9] [--rounds-224 5] [--only 96] [--batch N]

Both sides take turns in one process, a step or a few each, so that a noisy machine is noisy for both;
the results are medians of the rounds' ratios with their quartiles, by the clock and by the processor's
time (which other programs on the machine change less). Recipe: the paper's (D shared, one linear layer),
since Algorithm 1 knows no other; and the default recipe against the same floor, for what its extra
examples cost, against itself with the encoder frozen, for what the last stage's learning does, and without
the frozen part's features kept between epochs, for what keeping them saves.
Images and f's weights are random: they do not change the work.

fused    `core.training.step.TrainStep` fed by `core.training.loader.Loader`, as in a run
literal  as a first version is written from Algorithm 1: G with its encoder, f for the target, D (f's
         backbone again) for its update, D once more for G; f's weights frozen; torch's own defaults
         (float32, default layout, default Adam)
tuned    the same loop with the fused side's precision, memory layout and fused Adam
floor    G forward and backward, one backbone forward, one backward to its input; nothing else

"arithmetic" counts the multiplications and additions of the convolutions and matrix products of a step:
what the fused one saves by leaving work out, whatever the machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from pgn_studio.core.classifiers import Classifier, ClassifierInfo
from pgn_studio.core.classifiers.networks import build_network
from pgn_studio.core.config import IMAGENET_SIZE, TrainingSettings
from pgn_studio.core.device import autocast, resolve_precision
from pgn_studio.core.perturbation.generator import Generator
from pgn_studio.core.perturbation.pgn import build_generator
from pgn_studio.core.training.builders import build_networks, fit_statistics
from pgn_studio.core.training.loader import Batch, Loader, feature_cache_for
from pgn_studio.core.training.schedule import generator_for
from pgn_studio.core.training.step import TrainStep

CLASSES = 10
Step = Callable[[], None]


@dataclass(frozen=True)
class Scale:
    name: str
    arch: str
    image_size: int
    batch_size: int
    images: int
    changes: dict[str, Any]  # settings


SCALES = {
    "96": Scale(
        "clothing, 96 px", "small", 96, 64, 128, {"encoder_training": "frozen", "decoder_widths": None}
    ),
    "224": Scale("the paper's size, 224 px", "resnet50", 224, 8, 16, {"encoder_weights": "none"}),
}
ENCODERS = {"96": "efficientnet-lite0", "224": "resnet50"}


class RandomImages:
    """A split of noise."""

    def __init__(self, scale: Scale) -> None:
        random = np.random.default_rng(0)
        shape = (scale.images, scale.image_size, scale.image_size, 3)
        self._images = random.integers(0, 256, shape, dtype=np.uint8)
        self.labels: npt.NDArray[np.int64] = random.integers(0, CLASSES, scale.images)
        self.names = [str(index) for index in range(scale.images)]

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        return self._images[np.asarray(indices)]


class Bench:
    """The sides at one scale; each is a callable that does one step."""

    def __init__(self, key: str, device: torch.device, batch_size: int | None) -> None:
        scale = SCALES[key]
        size = batch_size or scale.batch_size
        self.scale, self.device = replace(scale, batch_size=size, images=2 * size), device
        self.key = key
        self.precision = resolve_precision("auto", device)
        self.images = RandomImages(self.scale)

    def settings(self, recipe: str, **changes: Any) -> TrainingSettings:
        chosen: dict[str, Any] = {
            "classifier": "random", "recipe": recipe, "encoder": ENCODERS[self.key],
            "batch_size": self.scale.batch_size, "augment": "none", "input_mixup": 0.0,
            **self.scale.changes, **changes,
        }  # fmt: skip
        return TrainingSettings.make(**chosen)

    def classifier(self) -> Classifier:
        torch.manual_seed(0)
        net = build_network(self.scale.arch, CLASSES, image_size=self.scale.image_size)
        names = tuple(str(label) for label in range(CLASSES))
        half = (0.5, 0.5, 0.5)
        info = ClassifierInfo(self.scale.arch, names, half, half, self.scale.image_size)
        classifier = Classifier(net, info)
        return classifier.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def fused(self, recipe: str = "paper", *, keep: bool = True, **changes: Any) -> Step:
        settings = self.settings(recipe, **changes)
        size = self.scale.image_size
        networks = build_networks(settings, self.classifier(), image_size=size, device=self.device)
        fit_statistics(networks, self.images, seed=0, precision=self.precision)
        step = TrainStep(networks, settings, precision=self.precision)
        networks.train(True)
        encoded = feature_cache_for(self.images, step.encode, settings) if keep else None
        loader = Loader(
            self.images,
            settings,
            encoded=encoded,
            outputs=step.outputs,
            seed=0,
            input_mixup=0.0,
            device=self.device,
        )
        batches = (batch for epoch in range(10**9) for batch in loader.epoch(epoch))
        noise = generator_for(0)

        def run() -> None:
            result = step(next(batches), gamma=1.0, noise=noise)
            float(result.loss_g)  # as a run does: its figures are read after each step

        for _ in range(loader.steps_per_epoch):  # every image has been seen
            run()
        return run

    def literal(self, *, plain: bool) -> Step:
        settings, device = self.settings("paper"), self.device
        precision = "fp32" if plain else self.precision
        layout = torch.contiguous_format if plain else torch.channels_last
        classifier = self.classifier().to(memory_format=layout)  # type: ignore[call-overload]
        generator = self._generator(settings, layout)
        head = nn.Linear(classifier.feature_dim, 1).to(device)
        fused = not plain and device.type in ("cpu", "cuda")
        learning = [parameter for parameter in generator.parameters() if parameter.requires_grad]
        adam_d = torch.optim.Adam(head.parameters(), lr=1e-3, fused=fused or None)
        adam_g = torch.optim.Adam(learning, lr=3e-4, fused=fused or None)
        batch = self._batch(layout)

        def judged(perturbed: Tensor) -> Tensor:
            features = classifier.logits_and_features(classifier.normalize(perturbed))[1]
            return torch.sigmoid(head(features)).float()

        def run() -> None:
            with autocast(precision, device):
                perturbation = generator(batch.pixels)
                perturbed = batch.pixels + perturbation
                with torch.no_grad():
                    target = (classifier(perturbed).argmax(1) == batch.labels).float().unsqueeze(1)
                loss_d = ((judged(perturbed.detach()) - target) ** 2).mean()
            adam_d.zero_grad()
            torch.autograd.backward(loss_d)
            adam_d.step()
            with autocast(precision, device):
                loss_g = ((judged(perturbed) - 1) ** 2).mean() + (perturbation**2).mean()
            adam_g.zero_grad()
            torch.autograd.backward(loss_g)
            adam_g.step()
            float(loss_g.detach())

        return run

    def floor(self) -> Step:
        settings, device = self.settings("paper"), self.device
        classifier, generator = self.classifier(), self._generator(settings, torch.channels_last)
        batch = self._batch(torch.channels_last)

        def run() -> None:
            with autocast(self.precision, device):
                perturbed = batch.pixels + generator(batch.pixels)
                features = classifier.logits_and_features(classifier.normalize(perturbed))[1]
                loss = features.float().mean()
            for parameter in generator.parameters():
                parameter.grad = None
            torch.autograd.backward(loss)
            float(loss.detach())

        return run

    def _generator(self, settings: TrainingSettings, layout: torch.memory_format) -> Generator:
        torch.manual_seed(0)
        generator = build_generator(settings, image_size=self.scale.image_size)
        generator.to(self.device, memory_format=layout)  # type: ignore[call-overload]
        return generator.train()

    def _batch(self, layout: torch.memory_format) -> Batch:
        chosen = np.arange(self.scale.batch_size)
        images = torch.from_numpy(self.images.images(chosen)).permute(0, 3, 1, 2).float().div(255)
        pixels = images.to(self.device).contiguous(memory_format=layout)
        labels = torch.from_numpy(self.images.labels[chosen]).to(self.device)
        return Batch(pixels, labels, pixels)


class Turn(NamedTuple):
    """A step's mean time."""

    wall: float
    processor: float  # of this process, all threads


def timed(step: Step, steps: int, device: torch.device) -> Turn:
    if device.type == "cuda":
        torch.cuda.synchronize()
    began, used = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return Turn((time.perf_counter() - began) / steps, (time.process_time() - used) / steps)


def operations(step: Step) -> int:
    """Floating-point operations of one step's convolutions and matrix products."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def measured(key: str, rounds: int, device: torch.device, batch_size: int | None) -> dict[str, Any]:
    """Raw seconds a step of each side, and the ratios round by round."""
    bench = Bench(key, device, batch_size)
    sides: dict[str, Step] = {
        "fused": bench.fused(),
        "literal": bench.literal(plain=True),
        "tuned": bench.literal(plain=False),
        "floor": bench.floor(),
    }
    if key == "96":
        as_in_a_run = {"encoder_input_size": IMAGENET_SIZE, "encoder_training": "last-stage"}
        sides["default recipe"] = bench.fused("recommended", **as_in_a_run)
        sides["frozen"] = bench.fused("recommended", encoder_input_size=IMAGENET_SIZE)
        sides["nothing kept"] = bench.fused("recommended", keep=False, **as_in_a_run)
    counted = {name: operations(step) for name, step in sides.items()}  # and warm
    steps = max(1, round(1.0 / timed(sides["fused"], 1, device).wall))
    turns: dict[str, list[Turn]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, step in sides.items():
            turns[name].append(timed(step, steps, device))
    result: dict[str, Any] = {
        "scale": bench.scale.name,
        "batch_size": bench.scale.batch_size,
        "precision": bench.precision,
        "rounds": rounds,
        "operations_per_step": counted,
        "seconds_per_step": {name: [turn.wall for turn in taken] for name, taken in turns.items()},
        "processor_seconds_per_step": {
            name: [turn.processor for turn in taken] for name, taken in turns.items()
        },
    }
    comparisons = {
        "fused_vs_literal_steps_ratio": ("literal", "fused"),
        "fused_vs_tuned_literal_steps_ratio": ("tuned", "fused"),
        "fused_vs_floor_time_ratio": ("fused", "floor"),
        "default_recipe_vs_floor_time_ratio": ("default recipe", "floor"),
        "default_recipe_vs_frozen_time_ratio": ("default recipe", "frozen"),
        "nothing_kept_vs_default_recipe_time_ratio": ("nothing kept", "default recipe"),
    }
    for name, (above, below) in comparisons.items():
        if above not in sides:
            continue
        result[name] = {
            **ratio(result["seconds_per_step"][above], result["seconds_per_step"][below]),
            "by_processor_time": ratio(
                result["processor_seconds_per_step"][above], result["processor_seconds_per_step"][below]
            ),
            "arithmetic": counted[above] / counted[below],
        }
    return result


def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    rounds = sorted(one / other for one, other in zip(above, below, strict=True))
    low, _, high = statistics.quantiles(rounds, n=4) if len(rounds) > 1 else (rounds[0],) * 3
    return {"median": statistics.median(rounds), "lower_quartile": low, "upper_quartile": high}


def spread(value: dict[str, Any]) -> str:
    return f"{value['median']:.2f} ({value['lower_quartile']:.2f} … {value['upper_quartile']:.2f})"


def show(result: dict[str, Any]) -> None:
    print(f"{result['scale']}, batches of {result['batch_size']}, {result['precision']}")
    for name, value in result.items():
        if isinstance(value, dict) and "median" in value:
            processor = spread(value["by_processor_time"])
            print(f"  {name:36} {spread(value)}   by processor time {processor}", end="")
            print(f"   arithmetic {value['arithmetic']:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write all figures and raw timings to this file")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--rounds-224", type=int, default=5, help="a step takes many seconds there")
    parser.add_argument("--only", choices=list(SCALES))
    parser.add_argument("--batch", type=int, help="images a step; by default 64 at 96 px, 8 at 224 px")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    device = torch.device(given.device)
    rounds = {"96": given.rounds, "224": given.rounds_224}
    machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "device": str(device)}
    results: dict[str, dict[str, Any]] = {}
    for key in SCALES:
        if given.only not in (None, key):
            continue
        results[key] = measured(key, rounds[key], device, given.batch)
        show(results[key])
        if given.json is not None:  # after each: the second takes minutes
            whole: dict[str, Any] = {"machine": {**machine, "platform": platform.platform()}}
            first = next(iter(results.values()))
            for name in ("fused_vs_literal_steps_ratio", "fused_vs_floor_time_ratio"):
                whole[name] = first[name]["median"]
            whole["scales"] = results
            given.json.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
