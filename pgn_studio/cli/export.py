"""`pgn-studio export`: a figure, the curves, the table or the perturbed images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pgn_studio.cli import terminal
from pgn_studio.cli.blackbox import GivenAccess, with_access
from pgn_studio.cli.evaluate import (
    BatchSize,
    ClassifierArch,
    DeviceName,
    OtherClassifier,
    SplitName,
    Target,
    measure,
)
from pgn_studio.cli.interruption import Interruption
from pgn_studio.cli.machine import prepare
from pgn_studio.cli.options import with_settings
from pgn_studio.cli.targets import check_classifier, find_pgn, find_run
from pgn_studio.core.config import DataSettings
from pgn_studio.core.errors import ConfigError, DataError, RunError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pgn_studio.cli.opening import Subject
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.runs import RunFolder

EXAMPLE = "Example: pgn-studio export photos-enhance --what figure --outcome fixed --count 6 --out fixed.png"

What = Literal["figure", "curves", "table", "images"]
Outcome = Literal["any", "fixed", "broken", "both-right", "both-wrong"]
ENDINGS = {
    "figure": (".png", ".svg", ".pdf"),
    "curves": (".png", ".svg", ".pdf", ".csv"),
    "table": (".csv", ".md", ".tex", ".json"),
}
FIGURE_ROWS = 6


@with_settings(DataSettings, leave_out=("image_size",))
@with_access
def export(
    given: dict[str, Any],
    access: GivenAccess,
    target: Target,
    what: Annotated[
        What,
        typer.Option(
            "--what",
            show_default=False,
            help="figure: images as original | perturbation | perturbed. curves: the run's plots, or their "
            "numbers (.csv). table: the figures of evaluate. images: every perturbed image as PNG.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", show_default=False, help="The file to write (its ending says the kind), or folder."
        ),
    ],
    split: SplitName = "test",
    outcome: Annotated[
        Outcome, typer.Option("--outcome", help="Only images with this outcome (figure, images).")
    ] = "any",
    count: Annotated[
        int | None,
        typer.Option(
            "--count", min=1, help="At most so many images; default: 6 in a figure, else all.", metavar="N"
        ),
    ] = None,
    gain: Annotated[
        float | None,
        typer.Option(
            "--gain", min=0.0, help="Contrast of the perturbation's picture; default: fitted to it."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
    classifier: OtherClassifier = None,
    classifier_arch: ClassifierArch = None,
    device: DeviceName = "auto",
    batch_size: BatchSize = 64,
) -> None:
    """Write a figure, the training curves, the table of figures or the perturbed images.

    Images of one outcome come with the largest change in the true class's probability first; those of
    any outcome evenly through the split.
    """
    DataSettings.make(**given)
    out = out.expanduser()
    _check_out(what, out, force)
    _check_target(what, target, classifier)
    prepare()
    if what == "curves":
        from pgn_studio.core.export import export_curves

        export_curves(out, _run_with_curves(target))
        terminal.result(str(out))
        return
    from pgn_studio.cli.opening import ForeignClassifier, open_subject
    from pgn_studio.core.device import pick_device

    pick_device(device)
    foreign = ForeignClassifier.given(classifier_arch, access)
    with Interruption() as stop:
        subject = open_subject(target, given, classifier=classifier, foreign=foreign, stop=stop)
        evaluation = measure(subject, split, device=device, batch_size=batch_size, stop=stop)
        if what == "figure":
            export_outcome(subject, evaluation, out, outcome=outcome, count=count or FIGURE_ROWS, gain=gain)
        elif what == "table":
            from pgn_studio.core.export import export_table

            export_table(out, evaluation)
        else:
            _export_images(subject, evaluation, out, outcome, count, stop)
    terminal.result(str(out))


def _check_out(what: What, out: Path, force: bool) -> None:
    if what == "images":
        if out.is_file():
            raise ConfigError(f"--out: {out} is a file; expected a folder for the images.")
        if out.is_dir() and any(out.iterdir()) and not force:
            raise ConfigError(
                f"--out: {out} is not empty.", hint="Give --force to write into it, or another folder."
            )
        return
    if out.suffix.lower() not in ENDINGS[what]:
        raise ConfigError(
            f"--out: expected a name that ends in {', '.join(ENDINGS[what])}, got {str(out)!r}."
        )
    if out.is_dir():
        raise ConfigError(f"--out: {out} is a folder; expected a file.")


def _check_target(what: What, target: str, classifier: str | None) -> None:
    """A typo shows before torch is imported."""
    if what == "curves":
        _run_with_curves(target)
    else:
        find_pgn(target)
    if classifier is not None:
        check_classifier(classifier)


def _run_with_curves(target: str) -> RunFolder:
    run = find_pgn(target)[1] if Path(target).expanduser().is_file() else find_run(target)
    if run is None:
        raise RunError(f"{target} lies in no run, so there are no curves.", hint="Give the run's folder.")
    return run


def chosen_images(evaluation: Evaluation, outcome: Outcome, count: int | None) -> npt.NDArray[np.int64]:
    """Indices of `outcome`, the largest change first; of any outcome, evenly through the split."""
    import numpy as np

    from pgn_studio.core.export import pick_indices

    number = len(evaluation.per_image)
    if outcome == "any":
        return np.unique(np.linspace(0, number - 1, min(count or number, number)).round().astype(np.int64))
    word = outcome.replace("-", " ")
    indices = pick_indices(evaluation, word, count or number)
    if len(indices) == 0:
        raise DataError(
            f"No image of the {evaluation.split_name} split is {word}.",
            hint="Choose another --outcome or --split.",
        )
    return indices


def export_outcome(
    subject: Subject, evaluation: Evaluation, out: Path, *, outcome: Outcome, count: int, gain: float | None
) -> None:
    """The figure of the images with `outcome`."""
    from pgn_studio.core.export import export_figure, triptych_rows

    indices = chosen_images(evaluation, outcome, count)
    split = subject.dataset.split(evaluation.split_name)
    rows = triptych_rows(subject.pgn, subject.classifier, split, indices)
    title = f"{subject.dataset.name}, {evaluation.split_name}: {outcome.replace('-', ' ')} images"
    export_figure(out, rows, title="" if outcome == "any" else title, gain=gain)


def _export_images(
    subject: Subject,
    evaluation: Evaluation,
    out: Path,
    outcome: Outcome,
    count: int | None,
    stop: Interruption,
) -> None:
    import numpy as np

    from pgn_studio.core.export import export_images

    split = subject.dataset.split(evaluation.split_name)
    if outcome != "any" or count is not None:
        split = split.subset(np.sort(chosen_images(evaluation, outcome, count)))
    with terminal.progress("Writing images", stop) as report:
        export_images(out, subject.pgn, subject.classifier, split, progress=report)
