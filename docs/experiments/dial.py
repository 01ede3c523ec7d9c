"""One dial against a PGN for each γ, and the recipe's parts at equal RMS: the tables of dial.md.

    python docs/experiments/dial.py run FOLDER --clothing PATH [--only digits-dial] [--seeds 0 1 2] [--jobs 2]
    python docs/experiments/dial.py table FOLDER

`run` trains in FOLDER what is not there yet, through the command line, and measures each PGN on the test
split, a dial at five γ. `table` keeps the figures in dial.json beside this file and prints the tables of all
that is kept. Seed s chooses the split, the classifier's training and the PGN's.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

from run import EPOCHS, SEEDS, command, data_options, make_classifier, pooled

KEPT = Path(__file__).with_name("dial.json")
GAMMAS = (0.3, 1.0, 3.0, 10.0, 30.0)
ATTACKS = (1.0, 3.0, 10.0, 30.0, 100.0)
ATTACK = ("--problem", "adversarial")
LABELS = ("--discriminator", "blackbox", "--gamma", "0.3..30")
UNTOLD = "--no-classifier-conditioning"
DIALS: dict[str, tuple[str, ...]] = {
    "dial": (),
    "untold": (UNTOLD,),
    "group-norm": ("--set", "decoder_norm=group"),
    "group-norm-untold": (UNTOLD, "--set", "decoder_norm=group"),
    "linear-head": ("--set", "head=linear"),
    "labels": LABELS,
    "attack": ATTACK,
}
FIXED: dict[str, tuple[str, ...]] = {
    **{f"gamma-{gamma:g}": ("--gamma", f"{gamma:g}") for gamma in GAMMAS},
    **{f"labels-{gamma:g}": (*LABELS[:2], "--gamma", f"{gamma:g}") for gamma in (3, 30)},
    **{f"attack-{gamma:g}": (*ATTACK, "--gamma", f"{gamma:g}") for gamma in (3, 30)},
}
Point = dict[str, Any]  # gamma, accuracy (after 8 bits), rms, fixed, broken, clean


def do(root: Path, data: str, name: str, seed: int) -> None:
    run, options = root / f"{data}-{name}-{seed}", {**DIALS, **FIXED}[name]
    if not (run / "test.json").is_file():
        shutil.rmtree(run, ignore_errors=True)
        classifier = ("--classifier", str(root / f"{data}-{seed}.safetensors"), "--seed", str(seed))
        steps = ("--epochs", EPOCHS[data])
        command("train", *data_options(data, root, seed), *classifier, *steps, *options, "--out", str(run))
        gammas = ",".join(f"{gamma:g}" for gamma in (ATTACKS if name == "attack" else GAMMAS))
        at = ("--gamma", gammas) if name in DIALS else ()
        command("evaluate", str(run), *at, "--json", str(run / "test.json"))
    print(run.name, flush=True)


def points(path: Path) -> list[Point]:
    found = json.loads(path.read_text(encoding="utf-8"))
    names = {
        "gamma": "gamma",
        "accuracy": "perturbed_accuracy_8bit",
        "rms": "rms_mean",
        "fixed": "fixed_8bit",
        "broken": "broken_8bit",
        "clean": "clean_accuracy",
    }
    rows = found if isinstance(found, list) else [found]
    return [{short: row[key] for short, key in names.items()} for row in rows]


def at_rms(frontier: list[Point], rms: float, value: Callable[[Point], float]) -> float:
    """A dial's value at this RMS: between its γ linear in log RMS, beyond them that of the nearest."""
    along = sorted(frontier, key=lambda point: float(point["rms"]))
    if rms <= along[0]["rms"]:
        return value(along[0])
    for low, high in pairwise(along):
        if rms <= high["rms"]:
            share = math.log(rms / low["rms"]) / math.log(high["rms"] / low["rms"])
            return (1 - share) * value(low) + share * value(high)
    return value(along[-1])


def accuracy(point: Point) -> float:
    return 100 * float(point["accuracy"])


def broken(point: Point) -> float:
    """Of 100 that are fixed."""
    return 100 * float(point["broken"]) / max(1, int(point["fixed"]))


def spread(values: list[float]) -> str:
    """Mean, and its 95 % interval where there are three seeds: Student's t with two degrees of freedom."""
    if len(values) != 3:
        return f"{statistics.mean(values):.1f}"
    return f"{statistics.mean(values):.1f} ± {4.303 * statistics.stdev(values) / math.sqrt(3):.1f}"


Kept = dict[str, list[Point]]


def of(kept: Kept, data: str, name: str) -> dict[int, list[Point]]:
    return {seed: kept[f"{data}-{name}-{seed}"] for seed in SEEDS if f"{data}-{name}-{seed}" in kept}


def summed(points: list[Point]) -> str:
    return ", ".join(str(sum(int(point[key]) for point in points)) for key in ("fixed", "broken"))


def row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |")


def frontiers(kept: Kept, data: str) -> None:
    """Each dial at each γ."""
    row("PGN", "γ", "accuracy", "fixed, broken", "RMS", "seeds")
    row(*["---"] * 6)
    for name in DIALS:
        seeds = of(kept, data, name)
        for number in range(len(GAMMAS) if seeds else 0):
            at = [found[number] for found in seeds.values()]
            shown = f"{statistics.mean(float(point['rms']) for point in at):.3f}"
            row(name, f"{at[0]['gamma']:g}", spread(list(map(accuracy, at))), summed(at), shown, str(len(at)))
    print()


def against(kept: Kept, data: str, dial: str, other: str) -> Iterator[tuple[int, Point, list[Point]]]:
    """Seed, a point of `other`, and the frontier of `dial` of that seed."""
    frontier = of(kept, data, dial)
    for seed, found in of(kept, data, other).items():
        if seed in frontier:
            yield from ((seed, point, frontier[seed]) for point in found)


def one_each(kept: Kept, data: str) -> None:
    """The dial less each PGN of one γ, at that one's RMS."""
    row("PGN of one γ", "accuracy", "RMS", "the dial at this RMS", "difference", "seeds")
    row(*["---"] * 6)
    every: dict[int, list[float]] = {}
    for name in FIXED:
        dial = name.split("-")[0].replace("gamma", "dial")
        found = list(against(kept, data, dial, name))
        if not found:
            continue
        own = [accuracy(point) for _, point, _ in found]
        same = [at_rms(frontier, point["rms"], accuracy) for _, point, frontier in found]
        differences = [there - here for there, here in zip(same, own, strict=True)]
        if dial == "dial":
            for (seed, *_), difference in zip(found, differences, strict=True):
                every.setdefault(seed, []).append(difference)
        shown = f"{statistics.mean(float(point['rms']) for _, point, _ in found):.3f}"
        row(name, spread(own), shown, spread(same), spread(differences), str(len(found)))
    if every:
        means = [statistics.mean(values) for values in every.values()]
        row("mean of gamma-…", "", "", "", spread(means), str(len(means)))
    print()


def parts(kept: Kept, data: str) -> None:
    """What changes against the default dial at equal RMS, a mean over the five γ of each seed."""
    row("change", "accuracy, less the default's", "broken of 100 fixed", "the default's", "seeds")
    row(*["---"] * 5)
    for name in ("untold", "group-norm", "linear-head"):
        by_seed: dict[int, list[tuple[float, float, float]]] = {}
        for seed, point, frontier in against(kept, data, "dial", name):
            same = at_rms(frontier, point["rms"], accuracy)
            values = (accuracy(point) - same, broken(point), at_rms(frontier, point["rms"], broken))
            by_seed.setdefault(seed, []).append(values)
        if by_seed:
            columns = [zip(*found, strict=True) for found in by_seed.values()]
            means = [[statistics.mean(column) for column in seed] for seed in columns]
            row(name, *(spread([mean[index] for mean in means]) for index in range(3)), str(len(means)))
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clothing", type=Path, help="the photographs: split/class/image")
    parser.add_argument("--only", nargs="*", default=[""], help="runs whose names begin so")
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, a thread each")
    given = parser.parse_args()
    root = given.folder.absolute()
    if given.what == "run":
        root.mkdir(parents=True, exist_ok=True)
        if given.clothing is not None:
            pooled(given.clothing, root)
        jobs = [
            (data, name, seed)
            for data in EPOCHS
            for name in (*DIALS, *FIXED)
            for seed in given.seeds
            if f"{data}-{name}".startswith(tuple(given.only))
        ]
        for data, seed in sorted({(data, seed) for data, _, seed in jobs}):
            make_classifier(data, root, seed)
        with ThreadPoolExecutor(given.jobs) as pool:
            list(pool.map(lambda job: do(root, *job), jobs))
        return
    kept: Kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    kept |= {path.parent.name: points(path) for path in sorted(root.glob("*/test.json"))}
    KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for data in EPOCHS:
        print(f"### {data}\n")
        for section in (one_each, parts, frontiers):
            section(kept, data)


if __name__ == "__main__":
    main()
