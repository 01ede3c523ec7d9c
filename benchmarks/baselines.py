"""Ours beside others: UAP and FGSM of the Adversarial Robustness Toolbox, and an AdvGAN-style training loop.

    python benchmarks/baselines.py [--rounds 3] [--images 128] [--json FILE]

UAP and FGSM: the bundled digits classifier at 16 px, the same images, norm and size of the perturbation,
in turns in one process; float32 on the CPU. A universal perturbation is judged on images that neither side
saw. The AdvGAN-style loop is an amount of work as we understand that method, written here from its
description: a discriminator of its own that tells real images from perturbed ones, the cross-entropy
through f, and a hinge on the perturbation's norm; one update of D and one of G in a step. G, f, batch,
precision and layout are ours on both sides. Needs the extra `oracle`.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from art.attacks.evasion import FastGradientMethod, UniversalPerturbation
from art.estimators.classification import PyTorchClassifier
from torch import Tensor, nn
from torch.nn import functional as F
from turns import ratio, timed

from pgn_studio.core.baselines.gradients import cross_entropy_gradient
from pgn_studio.core.baselines.universal import universal_perturbation
from pgn_studio.core.classifiers import Classifier, load_classifier
from pgn_studio.core.config import DataSettings, TrainingSettings
from pgn_studio.core.data.dataset import Split
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.device import to_pixels
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.training.builders import build_networks, fit_statistics
from pgn_studio.core.training.loader import Batch
from pgn_studio.core.training.schedule import generator_for
from pgn_studio.core.training.step import TrainStep

CPU = torch.device("cpu")
SIZE = 16
RMS = 0.1  # of the universal perturbation
EPS = 0.07  # of FGSM
STEPS = 10  # of training in a turn
TRAINING: dict[str, Any] = {
    "encoder": "small", "decoder_widths": (64, 32), "batch_size": 64, "device": "cpu", "precision": "fp32",
}  # fmt: skip


class Sides:
    """Both ways to do each task, on the same classifier and images."""

    def __init__(self, images: int) -> None:
        self.classifier: Classifier = load_classifier(trained_folder() / "digits-classifier.safetensors")
        info = self.classifier.info
        self.space = InputSpace("pixel", mean=info.mean, std=info.std)
        dataset = load_dataset(DataSettings(dataset="digits", image_size=SIZE))
        self.train: Split = dataset.split("train")
        self.few = self.train.subset(np.arange(images))
        self.seen = to_pixels(self.few.images(np.arange(images)), CPU).contiguous()
        test = dataset.split("test")
        self.held_out = to_pixels(test.images(np.arange(len(test))), CPU).contiguous()
        self.wrapped = PyTorchClassifier(
            self.classifier,
            nn.CrossEntropyLoss(),
            input_shape=(3, SIZE, SIZE),
            nb_classes=len(info.classes),
            device_type="cpu",
        )

    @torch.no_grad()
    def fooled(self, noise: Tensor) -> float:
        """Share of the held-out images whose label the perturbation changes, at the full allowed norm."""
        noise = noise * (RMS * noise.numel() ** 0.5 / noise.norm())
        changed = self.classifier(self.held_out + noise).argmax(1) != self.classifier(self.held_out).argmax(1)
        return float(changed.float().mean())

    def uap(self, seed: int) -> Tensor:
        return universal_perturbation(self.classifier, self.space, self.few, rms=RMS, seed=seed, device=CPU)

    def uap_of_art(self, seed: int) -> Tensor:
        attack = UniversalPerturbation(
            self.wrapped,
            attacker="deepfool",
            attacker_params={"max_iter": 50, "nb_grads": 10, "verbose": False},
            max_iter=5,
            eps=RMS * (3 * SIZE**2) ** 0.5,
            norm=2,
            verbose=False,
        )
        random.seed(seed)  # what ART draws its order from
        np.random.seed(seed)  # noqa: NPY002
        attack.generate(self.seen.numpy())
        return torch.from_numpy(attack.noise).float().view(1, 3, SIZE, SIZE)

    def fgsm(self) -> Tensor:
        steps = [
            cross_entropy_gradient(self.classifier, self.space, x, None).sign()
            for x in self.held_out.split(64)
        ]
        return self.held_out + EPS * torch.cat(steps)

    def fgsm_of_art(self) -> Tensor:
        attack = FastGradientMethod(self.wrapped, norm=np.inf, eps=EPS, batch_size=64)
        return torch.from_numpy(attack.generate(self.held_out.numpy()))

    def our_steps(self, recipe: str) -> Callable[[], None]:
        settings = TrainingSettings.make(classifier="digits", recipe=recipe, **TRAINING)
        networks = build_networks(settings, self.classifier, image_size=SIZE, device=CPU)
        fit_statistics(networks, self.train, seed=0, precision="fp32")
        step = TrainStep(networks, settings, precision="fp32")
        networks.train(True)
        batch = self.batch()

        def run() -> None:
            for number in range(STEPS):
                float(step(batch, gamma=3.0, noise=generator_for(0, number)).loss_g)

        return run

    def advgan_steps(self) -> Callable[[], None]:
        settings = TrainingSettings.make(classifier="digits", **TRAINING)
        generator = build_networks(settings, self.classifier, image_size=SIZE, device=CPU).generator.train()
        # The usual discriminator of that method: three strided convolutions and a verdict.
        critic = nn.Sequential(
            nn.Conv2d(3, 8, 4, stride=2), nn.LeakyReLU(0.2),
            nn.Conv2d(8, 16, 4, stride=2), nn.BatchNorm2d(16), nn.LeakyReLU(0.2),
            nn.Conv2d(16, 1, 2), nn.Flatten(), nn.Linear(1, 1), nn.Sigmoid(),
        ).to(memory_format=torch.channels_last)  # fmt: skip
        adam_d = torch.optim.Adam(critic.parameters(), lr=1e-3, fused=True)
        adam_g = torch.optim.Adam(generator.parameters(), lr=1e-3, fused=True)
        batch = self.batch()
        pixels, labels = batch.pixels, batch.labels

        def run() -> None:
            for _ in range(STEPS):
                perturbation = generator(pixels)
                perturbed = pixels + perturbation
                real, fake = critic(pixels), critic(perturbed.detach())
                loss_d = F.mse_loss(real, torch.ones_like(real)) + F.mse_loss(fake, torch.zeros_like(fake))
                adam_d.zero_grad()
                torch.autograd.backward(loss_d)
                adam_d.step()
                fake = critic(perturbed)
                hinge = (perturbation.flatten(1).norm(dim=1) - 0.1).clamp_min(0).mean()
                loss_g = F.mse_loss(fake, torch.ones_like(fake)) + hinge
                loss_g = loss_g - F.cross_entropy(self.classifier(perturbed), labels)
                adam_g.zero_grad()
                torch.autograd.backward(loss_g)
                adam_g.step()
                float(loss_g.detach())

        return run

    def batch(self) -> Batch:
        rows = np.arange(64)
        pixels = to_pixels(self.train.images(rows), CPU)
        return Batch(pixels, torch.from_numpy(self.train.labels[rows]), pixels)


def measured(rounds: int, images: int) -> dict[str, Any]:
    sides = Sides(images)
    ours, literal, advgan = sides.our_steps("recommended"), sides.our_steps("paper"), sides.advgan_steps()
    tasks: dict[str, tuple[Callable[[int], Any], Callable[[int], Any]]] = {
        "uap": (sides.uap, sides.uap_of_art),
        "fgsm": (lambda _seed: sides.fgsm(), lambda _seed: sides.fgsm_of_art()),
        "step": (lambda _seed: ours(), lambda _seed: advgan()),
        "step, paper's recipe": (lambda _seed: literal(), lambda _seed: advgan()),
    }
    result: dict[str, Any] = {"images": images, "held_out": len(sides.held_out)}
    for name, (one, other) in tasks.items():
        if name != "uap":  # kernels are chosen at the first call
            one(0), other(0)
        turns: dict[str, list[dict[str, float]]] = {"ours": [], "theirs": []}
        fooled: dict[str, list[float]] = {"ours": [], "theirs": []}
        for seed in range(rounds):
            for side, work in (("ours", one), ("theirs", other)):
                spent, outcome = timed(lambda work=work, seed=seed: work(seed))
                turns[side].append(spent)
                if name == "uap":
                    fooled[side].append(sides.fooled(outcome))
                elif name == "fgsm":
                    fooled[side].append(_changed(sides, outcome))
        result[name] = {
            "turns": turns,
            "times_faster": ratio(turns["theirs"], turns["ours"], "wall"),
            "times_faster_by_processor_time": ratio(turns["theirs"], turns["ours"], "processor"),
            "fooled": {side: statistics.mean(values) for side, values in fooled.items() if values},
        }
    return result


@torch.no_grad()
def _changed(sides: Sides, perturbed: Tensor) -> float:
    before, after = sides.classifier(sides.held_out).argmax(1), sides.classifier(perturbed).argmax(1)
    return float((before != after).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=128, help="that a universal perturbation is made from")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    result = measured(given.rounds, given.images)
    titles = {
        "uap": "UAP, ART",
        "fgsm": "FGSM, ART",
        "step": "a step, AdvGAN-style loop",
        "step, paper's recipe": "the paper's step, AdvGAN-style loop",
    }
    for name, title in titles.items():
        found = result[name]
        wall, processor = found["times_faster"], found["times_faster_by_processor_time"]
        line = f"{title:36} ours is {wall['median']:6.2f} times as fast"
        line += f" ({wall['least']:.2f} … {wall['most']:.2f}), by processor time {processor['median']:.2f}"
        if found["fooled"]:
            line += f"; fooled: ours {found['fooled']['ours']:.1%}, theirs {found['fooled']['theirs']:.1%}"
        print(line)
    if given.json is not None:
        machine = {"platform": platform.platform(), "threads": torch.get_num_threads()}
        given.json.write_text(json.dumps({"machine": machine, **result}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
