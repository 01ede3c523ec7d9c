"""`pgn-studio report`: all that is known about a PGN, with how sure it is, in one folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

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
from pgn_studio.cli.gamma_options import GivenGamma, at_same_gamma, given_gamma
from pgn_studio.cli.options import with_settings
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.cli.wording import in_options
from pgn_studio.core.baselines import BASELINES, baseline_names
from pgn_studio.core.config import MOST_SEED, DataSettings, TrainingSettings
from pgn_studio.core.errors import ClassifierError, ConfigError
from pgn_studio.core.plugins import PluginError
from pgn_studio.core.project.resolve import find_pgn, resolve_classifier

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.project.opening import Opener, Subject
    from pgn_studio.core.project.source import ClassifierSource
    from pgn_studio.core.report.section import ReportTable
    from pgn_studio.core.report.sections.baselines import BaselineResult

EXAMPLE = "Example: pgn-studio report photos-enhance --out photos-report"


@with_settings(DataSettings, leave_out=("image_size",))
@with_access
def report(
    given: dict[str, Any],
    access: GivenAccess,
    target: Target,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            show_default=False,
            help="The folder to write: report.html, .md, .csv and .json. New, empty, or an earlier report's.",
        ),
    ],
    split: SplitName = "test",
    baselines: Annotated[
        str, typer.Option("--baselines", metavar="all|none|NAME,…", help="Other ways at the same RMS.")
    ] = "all",
    classifiers: Annotated[
        str | None,
        typer.Option("--classifiers", metavar="FILE,…", help="Further classifiers, for the transfer matrix."),
    ] = None,
    pgns: Annotated[
        str | None,
        typer.Option(
            "--pgns",
            metavar="RUN|PGN,…",
            help="Further PGNs, for the transfer matrix; at the same γ where they serve it.",
        ),
    ] = None,
    resamples: Annotated[
        int, typer.Option("--resamples", min=100, max=100_000, help="Draws of the bootstrap.")
    ] = 2000,
    bootstrap_seed: Annotated[
        int, typer.Option("--bootstrap-seed", min=0, max=MOST_SEED, help="Seed of the draws.")
    ] = 0,
    gamma: GivenGamma = None,
    classifier: OtherClassifier = None,
    classifier_arch: ClassifierArch = None,
    device: DeviceName = "auto",
    batch_size: BatchSize = 64,
) -> None:
    """Report on a PGN: every metric with its 95 % interval, and what it is worth.

    Per class, confusion, compression as PNG and JPEG, accuracy against strength, the answer from the
    original and the perturbed picture together, transfer, baselines at the same RMS, and which images
    the classifier and the PGN had seen. All of it at one γ: --gamma.
    """
    DataSettings.make(**given)
    at = given_gamma(gamma)
    if out.expanduser().is_file():
        raise ConfigError(f"--out: {out} is a file; expected a folder for the report.")
    find_pgn(target)  # a typo shows before torch is imported
    files, others = _parts(classifiers), _parts(pgns)
    for file in files:
        resolve_classifier(file)
    access.check_other(classifier)
    for other in others:
        find_pgn(other)
    prepare()
    from pgn_studio.cli.opening import opener
    from pgn_studio.core.device import pick_device
    from pgn_studio.core.report.render import check_report_folder, write_report
    from pgn_studio.core.report.report import make_report, warnings

    pick_device(device)
    out = check_report_folder(out)
    names = _baseline_names(baselines, target)
    source = access.source(classifier, classifier_arch)
    with Interruption() as stop:
        subject = opener(stop).open_pgn(
            target, source, data=given, split=split, gammas=() if at is None else (at,)
        )
        if subject.pgn.abstains_always:
            names = ()  # at an RMS of 0
        partners = _classifiers(files, subject, source), _pgns(others, at, device, opener(stop))
        evaluation = measure(subject, split, device=device, batch_size=batch_size, stop=stop)
        rivals = _measured_baselines(names, subject, evaluation, device, batch_size, stop)
        with terminal.progress("Measuring variants", stop) as progress:
            made = make_report(
                subject.pgn, subject.classifier, subject.dataset, split, evaluation=evaluation,
                other_classifiers=partners[0], other_pgns=partners[1], baselines=rivals, resamples=resamples,
                seed=bootstrap_seed, batch_size=batch_size, device=pick_device(device), progress=progress,
            )  # fmt: skip
        with terminal.progress("Drawing figures", stop) as progress:
            page = write_report(out, made, progress)
    for section in made.sections:
        table = section.table(made) if section.in_terminal else None
        if table is not None:
            terminal.result_table(_rich(table))
    for text in warnings(made):
        terminal.note(f"warning: {text}")
    terminal.result(str(page))


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _rich(table: ReportTable) -> Table:
    shown = Table(title=table.title, title_justify="left", caption=table.note, caption_justify="left")
    for place, heading in enumerate(table.head):
        shown.add_column(heading, justify="left" if place < table.texts else "right")
    for row in table.rows:
        shown.add_row(*row)
    return shown


def _baseline_names(text: str, target: str) -> tuple[str, ...]:
    """What "all" means for this PGN; a name that no problem knows is refused before the PGN is read."""
    from pgn_studio.core.perturbation.pgn import read_pgn_info
    from pgn_studio.core.report.sections.baselines import chosen_baselines

    known = ("all", "none", *BASELINES)
    unknown = [name for name in baseline_names(_parts(text.lower())) if name not in known]
    if unknown or not _parts(text):
        raise ConfigError(
            f"--baselines: expected all, none or names between commas, got {text!r}.",
            hint=f"There are: {', '.join(known[2:])}.",
        )
    return chosen_baselines(
        text, TrainingSettings.make(**read_pgn_info(find_pgn(target)[0]).settings).problem
    )


def _measured_baselines(
    names: tuple[str, ...],
    subject: Subject,
    evaluation: Evaluation,
    device: str,
    batch_size: int,
    stop: Interruption,
) -> list[BaselineResult]:
    from pgn_studio.core.device import pick_device
    from pgn_studio.core.report.sections.baselines import measure_baselines

    found: list[BaselineResult] = []
    for name in names:
        try:
            with terminal.progress(f"Baseline {name}", stop) as progress:
                found += measure_baselines(
                    [name], subject.pgn, subject.classifier, subject.dataset, evaluation.split_name,
                    rms=evaluation.metrics.rms_mean, batch_size=batch_size, device=pick_device(device),
                    progress=progress,
                )  # fmt: skip
        except (ClassifierError, PluginError) as error:  # a classifier that only answers, a faulty plug-in
            if len(names) == 1:
                raise
            terminal.note(f"The baseline {name} is left out: {in_options(error.message)}")
    return found


def _classifiers(
    files: list[str], subject: Subject, source: ClassifierSource
) -> list[tuple[str, Classifier]]:
    """Each file's classifier under a name of its own; what was said of the PGN's own holds of all."""
    from pgn_studio.core.report.report import classifier_name

    found = []
    for file in files:
        network = replace(source, path=file).load(subject.dataset.classes, subject.dataset.image_size)
        found.append((classifier_name(network), network))
    return found


def _pgns(targets: list[str], gamma: float | None, device: str, opener: Opener) -> list[tuple[str, Pgn]]:
    """At the same γ where they serve it. One that is told what its classifier says brings that along."""
    from pgn_studio.core.device import pick_device
    from pgn_studio.core.perturbation.pgn import load_pgn

    found = []
    for target in targets:
        pgn = at_same_gamma(load_pgn(find_pgn(target)[0]), gamma)
        if pgn.told != "nothing":
            own = opener.open_networks(target)[1]
            pgn = pgn.asking(own.to(pick_device(device)))
        found.append((pgn.info.name or Path(target).stem, pgn))
    return found
