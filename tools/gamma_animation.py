"""The moving picture of γ for the README: `python -m tools.gamma_animation --out docs/screenshots/gamma.gif`.

A few test digits of the bundled demo as original, perturbation and perturbed, with the accuracy and the RMS
of the whole test split, at each γ of the demo's enhancing PGN.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from pgn_studio.core.classifiers.loading import load_classifier
from pgn_studio.core.config import DataSettings
from pgn_studio.core.data.sources import load_dataset
from pgn_studio.core.device import to_pixels
from pgn_studio.core.evaluation.along import evaluate_along
from pgn_studio.core.evaluation.evaluate import Evaluation
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.perturbation.pgn import load_pgn

GAMMAS = tuple(float(f"{gamma:.3g}") for gamma in np.geomspace(0.3, 30, 21))
COLUMNS = 6
SIZE_INCHES, DPI = (9.0, 4.5), 88
FRAME_MS, END_MS = 160, 900
GAIN = 4.0  # contrast of the perturbation's picture, around mid-gray
RIGHT, WRONG = "#0b6e4f", "#a3333d"
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """One γ: figures of the split, and the digits that are shown, (N, H, W, 3) in 0…1."""

    evaluation: Evaluation
    perturbation: Floats
    perturbed: Floats
    predictions: tuple[str, ...]
    right: tuple[bool, ...]


def chosen_digits(evaluations: Sequence[Evaluation], columns: int) -> list[int]:
    """Digits that the classifier gets wrong: those fixed at few γ first, those fixed at all last."""
    labels = evaluations[0].per_image.labels
    wrong = np.flatnonzero(evaluations[0].per_image.clean_prediction != labels)
    fixed_at = sum((item.per_image.perturbed_prediction_8bit == labels).astype(int) for item in evaluations)
    order = wrong[np.argsort(np.asarray(fixed_at)[wrong], kind="stable")]
    return [int(order[place]) for place in np.linspace(0, len(order) - 1, columns).round().astype(int)]


def frames() -> tuple[Floats, tuple[str, ...], list[Frame]]:
    """The shown digits (N, H, W, 3), what the classifier takes them for, and a frame for each γ."""
    test = load_dataset(DataSettings.make(dataset="digits")).split("test")
    classifier = load_classifier(trained_folder() / "digits-classifier.safetensors")
    pgn = load_pgn(trained_folder() / "digits-enhance.safetensors").asking(classifier)
    found = evaluate_along(pgn, GAMMAS, classifier, test, split_name="test", dataset_name="digits")
    rows = chosen_digits(found, COLUMNS)
    pixels = to_pixels(test.images(rows), torch.device("cpu"))
    made = []
    for gamma, evaluation in zip(GAMMAS, found, strict=True):
        image = evaluation.per_image
        result = pgn.at(gamma).perturb(pixels)
        predictions = image.perturbed_prediction_8bit[rows]
        made.append(
            Frame(
                evaluation,
                _picture(0.5 + GAIN * result.perturbation_pixels),
                _picture(result.pixels),
                tuple(evaluation.classes[number] for number in predictions),
                tuple(bool(right) for right in predictions == image.labels[rows]),
            )
        )
    before = tuple(found[0].classes[number] for number in found[0].per_image.clean_prediction[rows])
    return _picture(pixels), before, made


def _picture(values: torch.Tensor) -> Floats:
    """(N, 3, H, W) as (N, H, W, 3), cut off at 0 and 1."""
    return np.asarray(values.clamp(0, 1).permute(0, 2, 3, 1).numpy(), dtype=np.float32)


def drawn(originals: Floats, before: Sequence[str], made: Sequence[Frame], number: int) -> Image.Image:
    """The frame `number` as a picture."""
    frame = made[number]
    figures = frame.evaluation.metrics
    figure = Figure(figsize=SIZE_INCHES, dpi=DPI, facecolor="white")
    grid = figure.add_gridspec(
        3, COLUMNS + 3, left=0.135, right=0.985, top=0.82, bottom=0.07, hspace=0.3, wspace=0.1
    )
    for column in range(COLUMNS):
        cells = [figure.add_subplot(grid[row, column]) for row in range(3)]
        _digit(cells[0], originals[column], f"“{before[column]}”", WRONG)
        cells[1].imshow(frame.perturbation[column])
        sign, color = ("✓", RIGHT) if frame.right[column] else ("✗", WRONG)
        _digit(cells[2], frame.perturbed[column], f"“{frame.predictions[column]}” {sign}", color)
        for axes in cells:
            axes.set_xticks([])
            axes.set_yticks([])
    for row, name in enumerate(("original", f"perturbation\n× {GAIN:g}", "perturbed")):
        box = grid[row, 0].get_position(figure)
        figure.text(0.125, (box.y0 + box.y1) / 2, name, ha="right", va="center", fontsize=10)
    _frontier(figure.add_subplot(grid[:, COLUMNS:]), made, number)
    figure.text(0.03, 0.905, f"γ {GAMMAS[number]:<5g}", fontsize=17, weight="bold")
    text = (
        f"test accuracy {100 * figures.clean_accuracy:.1f} % → {100 * figures.perturbed_accuracy_8bit:.1f} %"
        f"     RMS {figures.rms_mean:.3f}     fixed {figures.fixed_8bit}, broken {figures.broken_8bit}"
    )
    figure.text(0.175, 0.905, text, fontsize=12.5)
    drawn_as_png = io.BytesIO()
    figure.savefig(drawn_as_png, format="png")
    return Image.open(drawn_as_png).convert("RGB")


def _digit(axes: Axes, pixels: Floats, text: str, color: str) -> None:
    axes.imshow(pixels)
    axes.set_xlabel(text, fontsize=11, color=color, labelpad=2)


def _frontier(axes: Axes, made: Sequence[Frame], number: int) -> None:
    """Accuracy against RMS over γ, with the shown γ as a point."""
    rms = [item.evaluation.metrics.rms_mean for item in made]
    accuracy = [100 * item.evaluation.metrics.perturbed_accuracy_8bit for item in made]
    clean = 100 * made[0].evaluation.metrics.clean_accuracy
    box = axes.get_position()
    axes.set_position((box.x0 + 0.065, box.y0 + 0.05, box.width - 0.065, box.height - 0.05))
    axes.plot(rms, accuracy, color="#4c6a92", linewidth=1.5)
    axes.plot(rms[number], accuracy[number], "o", color="#1f4e8c", markersize=9)
    axes.axhline(clean, color="0.5", linestyle="--", linewidth=1)
    axes.text(max(rms), clean + 0.05, "clean", color="0.4", fontsize=9, ha="right", va="bottom")
    axes.set_xlabel("RMS", fontsize=10)
    axes.set_ylabel("accuracy, %", fontsize=10)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("docs/screenshots/gamma.gif"), help="the GIF to write"
    )
    arguments = parser.parse_args()
    mpl.rcParams["font.family"] = "DejaVu Sans"
    originals, before, made = frames()
    there = [drawn(originals, before, made, number) for number in range(len(made))]
    order = [*range(len(made)), *range(len(made) - 2, 0, -1)]
    palette = there[0].quantize(256)
    pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in there]
    pictures[0].save(
        arguments.out,
        save_all=True,
        append_images=[pictures[number] for number in order[1:]],
        duration=[END_MS if number in (0, len(made) - 1) else FRAME_MS for number in order],
        loop=0,
    )


if __name__ == "__main__":
    main()
