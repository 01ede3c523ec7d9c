"""The experiments behind docs/experiments/README.md: every run and baseline, through the command line.

    python docs/experiments/run.py FOLDER --clothing PATH [--only digits-shared] [--jobs 2]

FOLDER gets the data, the classifiers and a run folder for each experiment and seed, with
test.json beside it. What is there already is not done again, so a stopped command goes on.
`python docs/experiments/tables.py FOLDER` prints the tables.

Seed s chooses the split, the classifier's training and the PGN's alike: three seeds are three
whole repetitions. Nothing is set for one data set alone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from pgn_studio.core.legacy import BASELINE_NAMES

SEEDS = (0, 1, 2)
ADVERSARIAL = ("--problem", "adversarial")
BLACK_BOX = ("--discriminator", "blackbox")
# Fewer steps than the default's 1,000: about 300 on digits, 510 on clothing. All of the default's for a black
# box's attack, which takes 2,000, and for enhancing once more.
EPOCHS = {"digits": "20", "clothing": "16"}
DEFAULT_EPOCHS = ("shared-long", "blackbox-long", "advbb", "advbb-no-clamp")  # and with the encoder frozen
SIZES = {"clothing": "32", "clothing96": "96"}  # pixels of the photographs
# What a user gets who changes nothing, at the README's size: the default's steps, the targets alone.
UNCHANGED = {
    "clothing96": (
        "shared",
        "blackbox",
        "adv",
        "advbb",
        "frozen-blackbox",
        "frozen-advbb",
        "temperature-1",
        "adv-temperature-1",
    ),
}

# The recipe without an encoder that learns and without clipping, and without the logit temperature.
FROZEN = ("--encoder-training", "frozen", "--set", "clip=no")
UNDIVIDED = ("--set", "logit_temperature=1")

# Name of a run: what differs from the defaults. The first group is for the targets.
TARGETS: dict[str, tuple[str, ...]] = {
    "shared": (),
    "shared-long": (),
    "blackbox": BLACK_BOX,
    "blackbox-long": BLACK_BOX,
    "adv": ADVERSARIAL,
    "advbb": (*ADVERSARIAL, *BLACK_BOX),
}
# The same with parts of the recipe switched off.
COMPARED: dict[str, tuple[str, ...]] = {
    **{f"frozen-{name}": (*FROZEN, *options) for name, options in TARGETS.items()},
    "temperature-1": (*FROZEN, *UNDIVIDED),
    "adv-temperature-1": (*ADVERSARIAL, *FROZEN, *UNDIVIDED),
    "advbb-no-clamp": (*ADVERSARIAL, *BLACK_BOX, "--set", "clip=no"),
}
# One change each. "default" is "shared" once more: a table's rows, and those of γ, are runs of one machine
# against one f, whatever machine the targets were run on.
ABLATION: dict[str, tuple[str, ...]] = {
    "default": (),
    "literal": (
        *FROZEN, *UNDIVIDED, "--set", "image_conditioning=no", "--set", "label_conditioning=no",
        "--set", "soft_targets=no", "--set", "head=linear", "--set", "input_mixup=0", "--set", "ema_decay=0",
        "--set", "min_scale=1", "--set", "feature_noise=0",
    ),
    "no-last-stage": ("--encoder-training", "frozen"),
    "no-clamp": ("--set", "clip=no"),
    "no-temperature": UNDIVIDED,
    "hard-targets": ("--set", "soft_targets=no"),
    "hard-full-strength": ("--set", "soft_targets=no", "--set", "min_scale=1"),
    "no-label": ("--set", "label_conditioning=no"),
    "unconditional": ("--set", "image_conditioning=no", "--set", "label_conditioning=no"),
    "linear-head": ("--set", "head=linear"),
    "no-blend": ("--set", "input_mixup=0"),
    "no-average": ("--set", "ema_decay=0"),
    "no-feature-noise": ("--set", "feature_noise=0"),
    "logistic": ("--loss", "logistic"),
    "d-rate-3e-3": ("--set", "learning_rate_d=3e-3"),
    "g-rate-1e-3": ("--set", "learning_rate_g=1e-3"),
    "wide-decoder": ("--set", "decoder_widths=512,256,128,64"),
}  # fmt: skip
# Rows of the recipe in which D also learned from clean images, shuffled perturbations, mismatched pairs and
# replay: each was left out alone, and none was worth more than its interval. These options are gone.
DROPPED: dict[str, str] = {
    "no-anchors": "without clean images",
    "no-noise-copies": "without shuffled perturbations",
    "no-mismatched": "without mismatched pairs",
    "no-rehearsals": "without replay",
}
GAMMAS = (0.1, 0.3, 1, 3, 10, 30)
DEFAULT_GAMMA = 3  # the default
# Beside the PGNs of these names.
BASELINES = {
    **dict.fromkeys(("shared", "adv", "frozen-shared", "frozen-adv", "adv-temperature-1"), ("all",)),
    "temperature-1": ("white-box",),
}
# Shares of images that the PGNs of these names return unchanged, once more.
ABSTAINING = dict.fromkeys(("shared", "blackbox", "blackbox-long"), ("0.15", "0.25"))


@dataclass(frozen=True)
class Job:
    data: str  # digits, or one of SIZES
    name: str
    seed: int
    options: tuple[str, ...]
    baselines: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()

    def folder(self, root: Path) -> Path:
        return root / "runs" / f"{self.data}-{self.name}-{self.seed}"


def name_of(gamma: float) -> str:
    return "ablation-default" if gamma == DEFAULT_GAMMA else f"gamma-{gamma:g}"


def target(data: str, name: str, seed: int, options: tuple[str, ...]) -> Job:
    """With what is measured beside a run of that name."""
    return Job(data, name, seed, options, BASELINES.get(name, ()), ABSTAINING.get(name, ()))


def all_jobs() -> list[Job]:
    jobs = []
    for data, epochs in EPOCHS.items():
        steps = ("--epochs", epochs)
        for seed in SEEDS:
            for name, options in {**TARGETS, **COMPARED}.items():
                given = options if name.removeprefix("frozen-") in DEFAULT_EPOCHS else (*steps, *options)
                jobs.append(target(data, name, seed, given))
            for gamma in GAMMAS:
                if gamma != DEFAULT_GAMMA:
                    jobs.append(Job(data, name_of(gamma), seed, (*steps, "--gamma", f"{gamma:g}")))
            for name, options in ABLATION.items():
                jobs.append(Job(data, f"ablation-{name}", seed, (*steps, *options)))
    for data, names in UNCHANGED.items():
        for seed in SEEDS:
            options = {**TARGETS, **COMPARED}
            jobs += [target(data, name, seed, options[name]) for name in names]
    return jobs


def data_options(data: str, root: Path, seed: int) -> list[str]:
    if data == "digits":
        return ["--dataset", "digits", "--split-seed", str(seed)]
    return [
        "--dataset", str(root / "clothing"), "--split-seed", str(seed),
        "--test-fraction", "0.4", "--val-fraction", "0.1",
    ]  # fmt: skip


def pooled(clothing: Path, root: Path) -> None:
    """One folder a class, of links to all photographs: 372 test images would tell too little."""
    for path in sorted(clothing.glob("*/*/*")):
        link = root / "clothing" / path.parent.name / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(path.resolve())


def command(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pgn_studio", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def make_classifier(data: str, root: Path, seed: int) -> Path:
    """On digits 60 images and 60 epochs leave it room; on clothing the defaults, right on all it saw."""
    path = root / f"{data}-{seed}.safetensors"
    if not path.is_file():
        weak = ["--max-train-images", "60", "--epochs", "60", "--batch-size", "16"]
        how = weak if data == "digits" else ["--image-size", SIZES[data]]
        options = data_options(data, root, seed)
        command("train-classifier", *options, *how, "--seed", str(seed), "--out", str(path))
    return path


def of_one_gamma(options: tuple[str, ...]) -> tuple[str, ...]:
    """These tables are of PGNs of one γ that are told nothing of f; dial.py has those of the default."""
    attack = "18" if "blackbox" in options else "10"
    gamma = () if "--gamma" in options else ("--gamma", attack if "adversarial" in options else "3")
    return (*gamma, "--no-classifier-conditioning")


def spellings(baseline: str) -> tuple[str, ...]:
    """A baseline's name, and those that an older folder may have for it."""
    return baseline, *(old for old, name in BASELINE_NAMES.items() if name == baseline)


def do(job: Job, root: Path) -> None:
    folder, options = job.folder(root), data_options(job.data, root, job.seed)
    if not (folder / "test.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        classifier = str(root / f"{job.data}-{job.seed}.safetensors")
        train = ("train", *options, "--classifier", classifier, "--seed", str(job.seed))
        command(*train, *job.options, *of_one_gamma(job.options), "--out", str(folder))
        command("evaluate", str(folder), "--json", str(folder / "test.json"))
    for baseline in job.baselines:
        if not any((folder / f"{name}.json").is_file() for name in spellings(baseline)):
            command("baseline", baseline, str(folder), "--json", str(folder / f"{baseline}.json"))
    for share in job.shares:
        pgn, figures = folder / f"held-{share}.safetensors", folder / f"held-{share}.json"
        if not figures.is_file():
            command("abstain", str(folder), "--share", share, "--out", str(pgn), "--force")
            command("evaluate", str(pgn), "--json", str(figures))
    print(folder.name, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clothing", type=Path, required=True, help="the photographs: split/class/image")
    parser.add_argument("--only", nargs="*", default=[""], help="runs whose names begin so, in this order")
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument(
        "--encoder-input-size", help="that of all runs, instead of the default's; in a folder of its own"
    )
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, a thread each")
    given = parser.parse_args()
    root = given.folder.absolute()
    root.mkdir(parents=True, exist_ok=True)
    pooled(given.clothing, root)
    every = [job for job in all_jobs() if job.seed in given.seeds]
    jobs = [job for only in given.only for job in every if f"{job.data}-{job.name}".startswith(only)]
    jobs = list(dict.fromkeys(jobs))
    if given.encoder_input_size:
        view = ("--set", f"encoder_input_size={given.encoder_input_size}")
        jobs = [replace(job, options=(*job.options, *view)) for job in jobs]
    for data, seed in sorted({(job.data, job.seed) for job in jobs}):
        make_classifier(data, root, seed)
    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(lambda job: do(job, root), jobs))


if __name__ == "__main__":
    main()
