"""The exports that take more than a call: the model, the frontier over γ, the strip. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pgn_studio.cli import terminal
from pgn_studio.cli.opening import Subject
from pgn_studio.cli.resolve import find_pgn
from pgn_studio.cli.signals import Interruption
from pgn_studio.core.baselines import BASELINES
from pgn_studio.core.evaluation.evaluate import Evaluation
from pgn_studio.core.export.comparison import (
    Beside,
    baselines_beside,
    check_fits,
    columns_beside,
    trained_baseline,
)
from pgn_studio.core.export.comparison_figure import export_strip
from pgn_studio.core.export.deployable import Restraint, export_deployable
from pgn_studio.core.export.gamma_frontier import Course, gammas_shown
from pgn_studio.core.perturbation.pgn import Pgn, load_pgn
from pgn_studio.core.protocols import LabeledImages


def write_model(target: str, out: Path, restraint: Restraint, gamma: float | None) -> None:
    """Checked on noise of the right size: nothing but the PGN is needed."""
    with Interruption() as stop, terminal.progress("Writing the model", stop) as report:
        pgn = load_pgn(find_pgn(target)[0])
        size = pgn.info.image_size
        images = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
        checked = export_deployable(out, pgn, images, restraint=restraint, gamma=gamma, progress=report)
    terminal.note(f"Checked on {checked.images} images: largest difference {checked.largest_difference:.2g}.")
    for line in _call_lines(out, checked.inputs):
        terminal.note(line)


def _call_lines(out: Path, inputs: Mapping[str, str]) -> list[str]:
    """How another program calls the file."""
    named = ", ".join(f"'{name}': {name}" for name in inputs)
    call = {
        ".pt2": f"torch.export.load('{out.name}').module()({', '.join(inputs)})",
        ".onnx": f"onnxruntime.InferenceSession('{out.name}').run(None, {{{named}}})[0]",
    }[out.suffix.lower()]
    return [f"Call: {call}", *(f"  {name}: {what}" for name, what in inputs.items())]


def frontier_courses(
    subject: Subject,
    gammas: Sequence[float],
    beside: Sequence[str],
    measured: Callable[[Subject, Sequence[float]], list[Evaluation]],
) -> list[Course]:
    """Each PGN at the γ that it serves, `measured` on the classifier and the images of `subject`.

    Raises ConfigError as `gammas_shown`, PgnFileError for a PGN of other classes or another image size.
    """
    own = gammas_shown(subject.pgn, gammas)
    others = [load_pgn(find_pgn(other)[0]) for other in beside]
    for other in others:
        check_fits(subject.pgn, other)
    courses = [Course(subject.pgn.info.name or "PGN", measured(subject, own))]
    for target, other in zip(beside, others, strict=True):
        shown = gammas_shown(other, gammas, beside=True)
        found = measured(replace(subject, pgn=other), shown)
        courses.append(Course(other.info.name or Path(target).stem, found))
    return courses


def write_strip(
    subject: Subject,
    split: LabeledImages,
    index: int,
    out: Path,
    *,
    gammas: Sequence[float],
    beside: Sequence[str],
    against: Pgn | None,
    baselines: tuple[str, ...],
    stop: Interruption,
) -> None:
    """One image under the PGN at each γ, under others, and baselines."""
    others = [subject.pgn.at(gamma) for gamma in gammas[1:]]  # it perturbs at the first
    others += [load_pgn(find_pgn(other)[0]) for other in beside]
    possible = baselines_beside(subject.pgn, subject.classifier)
    made = {}
    for name in baselines:
        if name not in possible:
            terminal.note(f"{BASELINES.load(name).title} is left out: not for this PGN and classifier.")
        elif BASELINES.load(name).needs_training:
            with terminal.progress(f"{BASELINES.load(name).title}: training", stop) as report:
                made[name] = trained_baseline(
                    name, subject.pgn, subject.classifier, subject.dataset, progress=report
                )
    shown = Beside(tuple(others), against, baselines, made)
    columns = columns_beside(subject.pgn, subject.classifier, split, index, shown)
    export_strip(out, columns, title=f"{subject.dataset.name}: {split.names[index]}")
