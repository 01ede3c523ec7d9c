"""The data path: indexing a large folder, decoding, and how long a training run waits for its images.

    python benchmarks/data.py [--images 100000] [--folder FOLDER] [--steps 150] [--json FILE]

Makes a folder of JPEGs of 32 to 48 px (each with bytes and an inode of its own) in a temporary place,
loads it twice (the first time every file is decoded to see whether it can be), and trains on it for some
steps with a cache that holds a tenth of it, so that nine of ten images are decoded again. Waiting is what
the step's loop spends in asking for the next batch: decoding, its queue, and the copy to the device. The
second indexing and the training are done in processes of their own, so that nothing is remembered but
what is on the disk; their memory is what the process had at most.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = 10
DISTINCT = 500  # pictures that are really encoded; each file gets a comment of its own
CACHE_SHARE = 10
GENERATED = "generated-jpegs"


def make_folder(root: Path, count: int) -> None:
    """`count` JPEGs in train/class/…, of different sizes, contents and bytes."""
    random = np.random.default_rng(0)
    encoded = []
    for _ in range(DISTINCT):
        width, height = random.integers(32, 49, 2)
        coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        stream = io.BytesIO()
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(stream, "JPEG", quality=85)
        encoded.append(stream.getvalue())
    for label in range(CLASSES):
        (root / f"class {label}").mkdir(parents=True)
    for index in range(count):
        text = f"image {index}".encode()
        comment = b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
        picture = encoded[index % DISTINCT]
        path = root / f"class {index % CLASSES}" / f"{index:06}.jpg"
        path.write_bytes(picture[:2] + comment + picture[2:])


def settings_for(root: Path, cache_mb: int) -> Any:
    from pgn_studio.core.config import DataSettings

    size = None if root.name == GENERATED else 96
    return DataSettings(dataset=str(root), cache_mb=cache_mb, image_size=size)


def indexed(root: Path, *, cache_mb: int) -> dict[str, Any]:
    """Load the data set at `root` in this process."""
    from pgn_studio.core.data.sources import load_dataset

    told: list[tuple[int, int]] = []
    before = _memory_mb()
    began, used = time.perf_counter(), time.process_time()
    settings = settings_for(root, cache_mb)
    dataset = load_dataset(settings, progress=lambda done, total: told.append((done, total)))
    wall, processor = time.perf_counter() - began, time.process_time() - used
    return {
        "images": sum(len(split) for split in dataset.splits.values()),
        "image_size": dataset.image_size,
        "seconds": wall,
        "processor_seconds": processor,
        "verified": max((total for _, total in told), default=0),
        "progress_calls": len(told),
        "grown_mb": _memory_mb() - before,
    }


def trained(root: Path, *, cache_mb: int, steps: int) -> dict[str, Any]:
    """The default recipe with the small networks on the folder; what share of its time it waited."""
    import torch

    from pgn_studio.core.classifiers import Classifier, ClassifierInfo
    from pgn_studio.core.classifiers.networks import build_network
    from pgn_studio.core.config import TrainingSettings
    from pgn_studio.core.data.sources import load_dataset
    from pgn_studio.core.device import pick_device, resolve_precision
    from pgn_studio.core.training.builders import build_networks, fit_statistics
    from pgn_studio.core.training.loader import Loader
    from pgn_studio.core.training.schedule import generator_for
    from pgn_studio.core.training.step import TrainStep

    device = pick_device()
    dataset = load_dataset(settings_for(root, cache_mb))
    split = dataset.split("train")
    net = build_network("small", len(dataset.classes), image_size=dataset.image_size)
    half = (0.5, 0.5, 0.5)
    classifier = Classifier(net, ClassifierInfo("small", dataset.classes, half, half, dataset.image_size))
    settings = TrainingSettings.make(
        classifier="random", encoder="small", decoder_widths=(64, 32), batch_size=64, cache_mb=cache_mb
    )
    networks = build_networks(settings, classifier, image_size=dataset.image_size, device=device)
    fit_statistics(networks, split, seed=0, precision="fp32")
    step = TrainStep(networks, settings, precision=resolve_precision("auto", device))
    networks.train(True)
    loader = Loader(split, settings, encoded=None, outputs=None, seed=0, input_mixup=0.0, device=device)
    waited, began, batches = 0.0, 0.0, loader.epoch(0)
    for number in range(min(steps, loader.steps_per_epoch)):
        if number == 1:  # the first batch has nobody to be decoded behind
            waited, began = 0.0, time.perf_counter()
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        result = step(batch, gamma=1.0, noise=generator_for(0, number))
        float(result.loss_g)
    whole = time.perf_counter() - began
    batches.close()  # type: ignore[attr-defined]
    return {
        "images": len(split),
        "image_size": dataset.image_size,
        "steps": number,
        "images_per_second": number * settings.batch_size / whole,
        "wait_share": waited / whole,
        "cached": split._store.cached_count,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "peak_mb": _peak_mb(),
    }


def decoding_rate(root: Path, count: int = 3000) -> float:
    """Images a second that the store decodes where nothing is cached."""
    from pgn_studio.core.data.sources import load_dataset

    split = load_dataset(settings_for(root, 16)).split("train")
    rows = np.arange(len(split))[-min(count, len(split)) :]
    began = time.perf_counter()
    for start in range(0, len(rows), 64):
        split.images(rows[start : start + 64])
    return len(rows) / (time.perf_counter() - began)


def _memory_mb() -> float:
    try:
        fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)


def apart(task: str, root: Path, *, home: Path, cache_mb: int, steps: int) -> Any:
    """One of the measurements in a process of its own."""
    command = [sys.executable, __file__, "--task", task, "--folder", str(root)]
    command += ["--cache-mb", str(cache_mb), "--steps", str(steps)]
    environment = {**os.environ, "PGN_STUDIO_HOME": str(home)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def measured(root: Path, home: Path, *, steps: int) -> dict[str, Any]:
    first = apart("index", root, home=home, cache_mb=2048, steps=0)
    image_mb = first["images"] * 3 * first["image_size"] ** 2 / 2**20
    scarce = max(16, int(image_mb / CACHE_SHARE))
    return {
        "first_index": first,
        "second_index": apart("index", root, home=home, cache_mb=2048, steps=0),
        "decoded_per_second": apart("decode", root, home=home, cache_mb=16, steps=0),
        "training": apart("train", root, home=home, cache_mb=2048, steps=steps),
        "training_scarce_cache": apart("train", root, home=home, cache_mb=scarce, steps=steps),
        "scarce_cache_mb": scarce,
    }


def told(name: str, figures: dict[str, Any]) -> None:
    first, second = figures["first_index"], figures["second_index"]
    print(f"{name}: {first['images']:,} images at {first['image_size']} px")
    print(f"  first index  {first['seconds']:7.2f} s, {first['verified']:,} files verified", end=", ")
    print(f"{first['progress_calls']} reports of progress, memory +{first['grown_mb']:.0f} MiB")
    processor, grown = second["processor_seconds"], second["grown_mb"]
    print(f"  second index {second['seconds']:7.2f} s, processor {processor:.2f} s, memory +{grown:.0f} MiB")
    print(f"  decoding     {figures['decoded_per_second']:7,.0f} images/s")
    for kind, what in (("training", "cache for all"), ("training_scarce_cache", "cache for a tenth")):
        run = figures[kind]
        print(
            f"  training, {what}: waits {run['wait_share']:.1%} of the time,"
            f" {run['images_per_second']:,.0f} images/s, {run['steps']} steps,"
            f" {run['peak_mb']:,.0f} MiB at most"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="a real image folder to measure as well, at 96 px")
    parser.add_argument("--steps", type=int, default=150, help="of each training")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--task", choices=("index", "decode", "train"), help=argparse.SUPPRESS)
    parser.add_argument("--cache-mb", type=int, default=2048, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        tasks = {
            "index": lambda: indexed(given.folder, cache_mb=given.cache_mb),
            "decode": lambda: decoding_rate(given.folder),
            "train": lambda: trained(given.folder, cache_mb=given.cache_mb, steps=given.steps),
        }
        print(json.dumps(tasks[given.task]()))
        return
    results: dict[str, Any] = {"machine": {"platform": platform.platform(), "cores": os.cpu_count()}}
    with tempfile.TemporaryDirectory(prefix="pgn-data-") as place:
        if given.images:
            root = Path(place) / GENERATED
            began = time.perf_counter()
            make_folder(root / "train", given.images)
            print(f"made {given.images:,} files in {time.perf_counter() - began:.0f} s", flush=True)
            results["generated"] = measured(root, Path(place) / "home", steps=given.steps)
            told("generated folder", results["generated"])
        if given.folder is not None:
            home = Path(place) / "home"
            results["given"] = measured(given.folder.absolute(), home, steps=given.steps)
            told("given folder", results["given"])
    if given.json is not None:
        given.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
