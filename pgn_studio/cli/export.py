"""`pgn-studio export`: a figure, the curves, the table or the perturbed images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
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
    measure_along,
)
from pgn_studio.cli.gamma_options import at_same_gamma, given_gamma, given_gammas, note_gamma
from pgn_studio.cli.options import refuse_folder, with_fields, with_settings
from pgn_studio.cli.resolve import check_classifier, find_pgn, find_run, refuse_inside_dataset
from pgn_studio.cli.selection_options import GivenSelection, chosen_images
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.baselines import BASELINES
from pgn_studio.core.baselines import baseline_names as current_names
from pgn_studio.core.config import DataSettings
from pgn_studio.core.errors import ConfigError, RunError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pgn_studio.cli.opening import Subject
    from pgn_studio.core.data.dataset import Split
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.runs import RunFolder

EXAMPLE = "Example: pgn-studio export photos-enhance --what figure --outcome fixed --count 6 --out fixed.png"

What = Literal["figure", "curves", "frontier", "table", "list", "images", "strip", "model"]
ENDINGS = {
    "figure": (".png", ".svg", ".pdf"),
    "curves": (".png", ".svg", ".pdf", ".csv"),
    "frontier": (".png", ".svg", ".pdf", ".csv", ".json"),
    "table": (".csv", ".md", ".tex", ".json"),
    "list": (".csv",),
    "strip": (".png", ".svg", ".pdf"),
    "model": (".pt2", ".onnx"),
}
ALONG_GAMMA = ("frontier", "strip")  # that show several γ
FIGURE_ROWS = 6


@with_settings(DataSettings, leave_out=("image_size",))
@with_fields("chosen", GivenSelection)
@with_access
def export(
    given: dict[str, Any],
    access: GivenAccess,
    chosen: GivenSelection,
    target: Target,
    what: Annotated[
        What,
        typer.Option(
            "--what",
            show_default=False,
            help="figure: images as original | perturbation | perturbed. curves: the run's plots, or their "
            "numbers (.csv). frontier: accuracy against RMS over γ, or the points (.csv, .json). "
            "table: the figures of evaluate. list: the images one by one (.csv). images: "
            "every perturbed image as PNG. strip: one image (--index) under this PGN, at each --gamma, "
            "those of --beside, and baselines. model: the PGN with its normalization, for other programs.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", show_default=False, help="The file to write (its ending says the kind), or folder."
        ),
    ],
    split: SplitName = "test",
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
    dpi: Annotated[int, typer.Option("--dpi", help="Resolution of a figure as PNG.")] = 150,
    width_mm: Annotated[
        float | None, typer.Option(help="Width of a figure, texts scaled with it; default: 112 a block.")
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(metavar="RUN|PGN", help="Another PGN in a strip or frontier; may be repeated."),
    ] = None,
    gamma: Annotated[
        str | None,
        typer.Option(
            "--gamma",
            metavar="G,G,…",
            help="γ at which the PGN perturbs, of those that it serves; default: its own. "
            "strip and frontier take several (frontier by default 9 over the range). A model that is given "
            "none takes γ as an input.",
        ),
    ] = None,
    baselines: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="Baselines in a strip, at the RMS that this PGN (at the first γ) has on the image: as "
            "of the command baseline, with commas between, or none; default: random-sign,fgsm, of several γ "
            "none. Those that need training are trained first.",
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=10.0,
            metavar="α",
            help="The model adds this many times the perturbation; default: 1.",
        ),
    ] = None,
    abstain_below_rms: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="RMS",
            help="The model gives images back as they came where it would perturb less than this "
            "(see the report); default: 0.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
    classifier: OtherClassifier = None,
    classifier_arch: ClassifierArch = None,
    device: DeviceName = "auto",
    batch_size: BatchSize = 64,
) -> None:
    """Write a figure, the curves, the frontier over γ, the table of figures, a list, the images or the model.

    Images of one outcome come with the largest change in the true class's probability first; those of
    any outcome evenly through the split.
    """
    DataSettings.make(**given)
    gammas = _gammas(what, gamma)
    several = what == "strip" and len(gammas) > 1
    _ = chosen.ranges  # a typo shows before torch is imported
    named = baseline_names(("" if several else "random-sign,fgsm") if baselines is None else baselines)
    _check_against(what, chosen)
    if what != "model" and (strength, abstain_below_rms) != (None, None):
        raise ConfigError(
            f"--strength and --abstain-below-rms are for --what model, got --what {what}.",
            hint="`pgn-studio perturb --strength` writes images at any strength.",
        )
    out = out.expanduser()
    _check_out(what, out, force)
    _check_target(what, target, classifier)
    prepare()
    if what == "curves":
        from pgn_studio.core.export import export_curves

        run = _run_with_curves(target)
        export_curves(out, run)
        _note_missing(run)
        terminal.result(str(out))
        return
    from pgn_studio.cli.opening import ExternalClassifier, open_subject
    from pgn_studio.core.device import pick_device

    pick_device(device)
    if what == "model":
        from pgn_studio.cli.export_work import write_model
        from pgn_studio.core.export.deployable import Restraint

        restraint = Restraint(1.0 if strength is None else strength, abstain_below_rms or 0.0)
        write_model(target, out, restraint, gammas[0] if gammas else None)
        terminal.result(str(out))
        return
    foreign = ExternalClassifier.given(classifier_arch, access)
    with Interruption() as stop:
        subject = open_subject(
            target, given, classifier=classifier, foreign=foreign, stop=stop, split=split, gammas=gammas
        )
        measured = partial(_measured, split=split, device=device, batch_size=batch_size, stop=stop)
        if what == "frontier":
            _export_frontier(subject, out, gammas, beside or [], measured, dpi=dpi, width_mm=width_mm)
        else:
            note_gamma(subject.pgn)
            if what == "images":
                refuse_inside_dataset(out, subject.dataset.root)
            [evaluation] = measured(subject, ())
            picked = Picked(subject, evaluation, chosen, count, _other(subject, chosen, gammas))
            if chosen.versus is not None:
                picked = picked.measured(device=device, batch_size=batch_size, stop=stop)
            _export_picked(
                what, picked, out, stop=stop, gammas=gammas, beside=beside or [], baselines=named,
                drawn={"gain": gain, "dpi": dpi, "width_mm": width_mm},
            )  # fmt: skip
    terminal.result(str(out))


def _measured(
    subject: Subject, gammas: Sequence[float], *, split: str, device: str, batch_size: int, stop: Interruption
) -> list[Evaluation]:
    return measure_along(subject, split, gammas, device=device, batch_size=batch_size, stop=stop)


def _export_frontier(
    subject: Subject,
    out: Path,
    gammas: Sequence[float],
    beside: Sequence[str],
    measured: Callable[[Subject, Sequence[float]], list[Evaluation]],
    *,
    dpi: int,
    width_mm: float | None,
) -> None:
    from pgn_studio.cli.export_work import frontier_courses
    from pgn_studio.core.export.gamma_frontier import export_gamma_frontier

    courses = frontier_courses(subject, gammas, beside, measured)
    split = courses[0].evaluations[0].split_title
    title = f"{subject.dataset.name}, {split}: {subject.pgn.info.problem}"
    export_gamma_frontier(out, courses, title=title, dpi=dpi, width_mm=width_mm)


def _export_picked(
    what: What,
    picked: Picked,
    out: Path,
    *,
    gammas: Sequence[float],
    beside: Sequence[str],
    baselines: tuple[str, ...],
    drawn: dict[str, Any],
    stop: Interruption,
) -> None:
    """What is of an evaluation's images. `drawn`: how a figure is."""
    if what == "figure":
        export_outcome(picked, out, **drawn)
    elif what == "table":
        from pgn_studio.core.export import export_table

        export_table(out, picked.evaluation)
    elif what == "strip":
        from pgn_studio.cli.export_work import write_strip

        index = int(picked.indices(1)[0])
        write_strip(
            picked.subject, picked.split, index, out, gammas=gammas, beside=beside, against=picked.against,
            baselines=baselines, stop=stop,
        )  # fmt: skip
    elif what == "list":
        _export_list(picked, out)
    else:
        _export_images(picked, out, stop)


def _gammas(what: What, text: str | None) -> tuple[float, ...]:
    """The γ that were given; raises ConfigError where `what` is of one γ, or of none."""
    if what == "curves" and text is not None:
        raise ConfigError("--gamma: curves are of the training, and of no γ.", hint="Leave it out.")
    if what in ALONG_GAMMA:
        return given_gammas(text)
    one = given_gamma(text)
    return () if one is None else (one,)


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
    refuse_folder(out, "--out")


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


def _note_missing(run: RunFolder) -> None:
    """Where the record of a run that has ended stops before its end, as after a copy that was cut."""
    from pgn_studio.core.metrics_log import step_of

    ended, results = run.run_json.get("status") == "completed", run.run_json.get("results")
    steps = results.get("step") if ended and isinstance(results, dict) else None
    told = max(map(step_of, run.read_metrics()), default=0)
    if isinstance(steps, int) and told < steps:
        name = run.metrics_path.name
        terminal.note(f"note: the run's {name} ends at step {told:,} of {steps:,}: the rest is lost.")


@dataclass(frozen=True)
class Picked:
    """What a PGN did on a split, and which of its images are meant."""

    subject: Subject
    evaluation: Evaluation
    chosen: GivenSelection
    count: int | None = None
    against: Pgn | None = None
    other: Evaluation | None = None  # of `against`

    def measured(self, *, device: str, batch_size: int, stop: Interruption) -> Picked:
        """With what the other PGN makes of the same images."""
        assert self.against is not None
        subject = replace(self.subject, pgn=self.against)
        split = self.evaluation.split_name
        return replace(self, other=measure(subject, split, device=device, batch_size=batch_size, stop=stop))

    @property
    def split(self) -> Split:
        return self.subject.dataset.split(self.evaluation.split_name)

    def indices(self, default_count: int | None = None) -> npt.NDArray[np.int64]:
        all_of_them = bool(self.chosen.index) or self.chosen.per_class is not None
        count = self.count or (None if all_of_them else default_count)
        return chosen_images(self.evaluation, self.split.names, self.chosen, count, self.other)


def export_outcome(
    picked: Picked, out: Path, *, gain: float | None, dpi: int = 150, width_mm: float | None = None
) -> None:
    """The figure of the chosen images."""
    from pgn_studio.core.export import export_figure, triptych_rows

    subject, outcome = picked.subject, picked.chosen.outcome
    rows = triptych_rows(subject.pgn, subject.classifier, picked.split, picked.indices(FIGURE_ROWS))
    title = f"{subject.dataset.name}, {picked.evaluation.split_title}: {outcome.replace('-', ' ')} images"
    title = "" if outcome == "any" else title
    export_figure(out, rows, title=title, gain=gain, dpi=dpi, width_mm=width_mm)


def baseline_names(text: str) -> tuple[str, ...]:
    """From "random-sign,fgsm" or "none"; raises ConfigError."""
    names = () if text in ("none", "") else current_names([name.strip() for name in text.split(",")])
    unknown = [name for name in names if name not in BASELINES]
    if unknown:
        raise ConfigError(
            f"--baselines: there is no {unknown[0]!r}.",
            hint=f"Choose among {', '.join(BASELINES)}, with commas between, or none.",
        )
    return names


def _check_against(what: What, chosen: GivenSelection) -> None:
    if chosen.versus is not None and chosen.against is None:
        raise ConfigError("--versus compares with another PGN.", hint="Name it with --against.")
    if chosen.against is not None:
        if chosen.versus is None and what != "strip":
            raise ConfigError("--against chooses nothing by itself here.", hint="Say what with --versus.")
        find_pgn(chosen.against)


def _other(subject: Subject, chosen: GivenSelection, gammas: Sequence[float]) -> Pgn | None:
    """The PGN of --against, at the same γ where it serves it."""
    from pgn_studio.core.export.comparison import check_comparable
    from pgn_studio.core.perturbation.pgn import load_pgn

    if chosen.against is None:
        return None
    other = at_same_gamma(load_pgn(find_pgn(chosen.against)[0]), gammas[0] if gammas else None)
    check_comparable(subject.pgn, other)
    return other


def _export_list(picked: Picked, out: Path) -> None:
    from pgn_studio.core.export.image_table import export_list

    export_list(out, picked.evaluation, picked.split.names, picked.indices().tolist())


def _export_images(picked: Picked, out: Path, stop: Interruption) -> None:
    import numpy as np

    from pgn_studio.core.export import export_images

    split = picked.split
    if picked.chosen != GivenSelection() or picked.count is not None:
        split = split.subset(np.sort(picked.indices()))
    with terminal.progress("Writing images", stop) as report:
        export_images(out, picked.subject.pgn, picked.subject.classifier, split, progress=report)
