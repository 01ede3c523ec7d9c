"""`pgn-studio evaluate`: a PGN measured on a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from pgn_studio.cli import terminal
from pgn_studio.cli.blackbox import GivenAccess, with_access
from pgn_studio.cli.gamma_options import GivenGammas, given_gammas, note_abstention
from pgn_studio.cli.options import check_json_file, with_settings
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.amounts import percent
from pgn_studio.core.config import DataSettings
from pgn_studio.core.project.resolve import WhichPgn, find_pgn

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.project.opening import Subject

EXAMPLE = "Example: pgn-studio evaluate photos-enhance --split test --json photos-enhance.json"

Target = Annotated[
    str,
    typer.Argument(metavar="RUN|PGN", help="A run folder, a run's name, or a PGN file.", show_default=False),
]
SplitName = Annotated[
    Literal["train", "val", "test"], typer.Option("--split", help="The images to measure on.")
]
OtherClassifier = Annotated[
    str | None,
    typer.Option("--classifier", metavar="FILE|ADDRESS", help="Another classifier than the recorded one."),
]
ClassifierArch = Annotated[
    str | None, typer.Option(help="Architecture of a weights file that does not name it.")
]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps.")]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, max=8192, help="Images at a time.")]


@with_settings(DataSettings, leave_out=("image_size",))
@with_access
def evaluate(
    given: dict[str, Any],
    access: GivenAccess,
    target: Target,
    split: SplitName = "test",
    which: Annotated[
        WhichPgn,
        typer.Option(
            help="Of a run's PGNs: the one that it keeps as its result, its best epoch's, or its last."
        ),
    ] = "kept",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write all figures to this file.")
    ] = None,
    gamma: GivenGammas = None,
    classifier: OtherClassifier = None,
    classifier_arch: ClassifierArch = None,
    device: DeviceName = "auto",
    batch_size: BatchSize = 64,
) -> None:
    """Measure a PGN: accuracy before and after, fixed and broken images, size of the perturbations.

    The data set and the classifier are the run's own unless others are given. The 8-bit figures
    are those of the perturbed image as a saved PNG holds it. With several γ a line for each, and --json
    writes a list of what it writes for one.
    """
    DataSettings.make(**given)
    gammas = given_gammas(gamma)
    check_json_file(json_file)
    find_pgn(target, which)  # a typo shows before torch is imported
    access.check_other(classifier)
    prepare()
    from pgn_studio.cli.opening import opener
    from pgn_studio.core.device import pick_device

    pick_device(device)
    source = access.source(classifier, classifier_arch)
    with Interruption() as stop:
        subject = opener(stop).open_pgn(target, source, data=given, which=which, split=split, gammas=gammas)
        found = measure_along(subject, split, gammas, device=device, batch_size=batch_size, stop=stop)
    with terminal.results_beside(json_file):
        table = evaluation_table(found[0], str(subject.pgn.path))
        terminal.result_table(gamma_table(found, str(subject.pgn.path)) if len(found) > 1 else table)
        if subject.classifier.queries is not None:
            terminal.result(f"Queries to the black box: {subject.classifier.queries.describe()}")
    figures = [evaluation.to_json() for evaluation in found]
    terminal.write_figures(json_file, figures if len(found) > 1 else figures[0])


def measure(subject: Subject, split: str, *, device: str, batch_size: int, stop: Interruption) -> Evaluation:
    """Evaluate on one split with a progress bar."""
    return measure_along(subject, split, (), device=device, batch_size=batch_size, stop=stop)[0]


def measure_along(
    subject: Subject,
    split: str,
    gammas: Sequence[float],
    *,
    device: str,
    batch_size: int,
    stop: Interruption,
) -> list[Evaluation]:
    """`measure` at each γ; () means at the PGN's own."""
    from pgn_studio.core.project.opening import measure

    note_abstention(subject.pgn)
    with terminal.progress(f"Measuring on {split}", stop) as report:
        return measure(
            subject.pgn, subject.classifier, subject.dataset, split,
            gammas=gammas, device=device, batch_size=batch_size, progress=report,
        )  # fmt: skip


def _where(evaluation: Evaluation) -> str:
    return f"on {evaluation.dataset_name}, {evaluation.split_title}, {evaluation.metrics.n} images"


def gamma_table(found: Sequence[Evaluation], name: str) -> Table:
    """The figures at several γ, a line for each; fixed and broken after 8-bit rounding."""
    table = Table(title=f"{name} {_where(found[0])}", title_justify="left")
    for heading in ("γ", "clean", "perturbed", "after 8-bit rounding", "fixed", "broken", "L2 norm", "RMS"):
        table.add_column(heading, justify="right")
    for evaluation in found:
        metrics = evaluation.metrics
        shares = (metrics.clean_accuracy, metrics.perturbed_accuracy, metrics.perturbed_accuracy_8bit)
        table.add_row(
            f"{evaluation.facts['gamma']:g}",
            *map(percent, shares),
            str(metrics.fixed_8bit),
            str(metrics.broken_8bit),
            f"{metrics.l2_mean:.4g}",
            f"{metrics.rms_mean:.4g}",
        )
    return table


def evaluation_table(evaluation: Evaluation, name: str) -> Table:
    """The figures as a person reads them."""
    metrics = evaluation.metrics
    table = Table(
        title=f"{name} at γ {evaluation.facts['gamma']:g} {_where(evaluation)}", title_justify="left"
    )
    for heading in ("", "clean", "perturbed", "after 8-bit rounding"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row(
        "accuracy",
        percent(metrics.clean_accuracy),
        percent(metrics.perturbed_accuracy),
        percent(metrics.perturbed_accuracy_8bit),
    )
    table.add_row("macro average precision", percent(metrics.map_clean), percent(metrics.map_perturbed), "")
    table.add_row("fixed (wrong before, right after)", "", str(metrics.fixed), str(metrics.fixed_8bit))
    table.add_row("broken (right before, wrong after)", "", str(metrics.broken), str(metrics.broken_8bit))
    table.add_row("McNemar's p", "", f"{metrics.mcnemar_p:.3g}", f"{metrics.mcnemar_p_8bit:.3g}")
    table.add_row("fooling rate", "", percent(metrics.fooling_rate), "")
    table.add_row("attack success", "", percent(metrics.attack_success), "")
    table.add_row("L2 norm, mean over images", "", f"{metrics.l2_mean:.4g}", "")
    table.add_row("RMS per value, mean over images", "", f"{metrics.rms_mean:.4g}", "")
    table.add_row("largest change of a value", "", f"{metrics.linf_max:.4g}", "")
    if abstained := evaluation.per_image.abstained:
        table.add_row("images left as they are", "", f"{abstained:,}", "")
    return table
