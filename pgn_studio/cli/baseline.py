"""`pgn-studio baseline`: what other methods do where a PGN works, at its strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from pgn_studio.cli.gamma_options import HOW_TO_UNDO_ABSTENTION, GivenGamma, given_gamma
from pgn_studio.cli.options import check_json_file, with_settings
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.cli.wording import in_options
from pgn_studio.core.amounts import percent
from pgn_studio.core.baselines import BASELINES, baseline_name
from pgn_studio.core.config import MOST_SEED, DataSettings
from pgn_studio.core.errors import ClassifierError, ConfigError
from pgn_studio.core.plugins import PluginError
from pgn_studio.core.project.resolve import find_pgn

if TYPE_CHECKING:
    from pgn_studio.core.baselines.base import PreparedBaseline
    from pgn_studio.core.baselines.context import BaselineContext
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.project.opening import Subject

EXAMPLE = "Example: pgn-studio baseline all photos-enhance --json baselines.json"

Row = tuple[str, "PreparedBaseline | None", "Evaluation"]  # title; None for the PGN itself


@with_settings(DataSettings, leave_out=("image_size",))
@with_access
def baseline(
    given: dict[str, Any],
    access: GivenAccess,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help=f"{', '.join(BASELINES)}, or all.", show_default=False),
    ],
    target: Target,
    split: SplitName = "test",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Also write all figures to this file.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=MOST_SEED, help="Seed of noise and training; default: the PGN's own."),
    ] = None,
    gamma: GivenGamma = None,
    classifier: OtherClassifier = None,
    classifier_arch: ClassifierArch = None,
    device: DeviceName = "auto",
    batch_size: BatchSize = 64,
) -> None:
    """Measure a baseline beside a PGN, at the PGN's strength.

    Its perturbations are scaled by one factor so that their mean RMS on the validation split is
    the PGN's there (at --gamma); white-box is trained at that strength, fine-tune perturbs nothing.
    fgsm-oracle and pgd-oracle use the true label of the very image: bounds, no methods. uap is for
    adversarial PGNs and fine-tune for enhancing ones.
    """
    DataSettings.make(**given)
    names = _checked(name)
    at = given_gamma(gamma)
    check_json_file(json_file)
    find_pgn(target)  # a typo shows before torch is imported
    access.check_other(classifier)
    prepare()
    from pgn_studio.cli.opening import opener
    from pgn_studio.core.baselines.preparing import names_for
    from pgn_studio.core.device import pick_device

    pick_device(device)
    source = access.source(classifier, classifier_arch)
    with Interruption() as stop:
        subject = opener(stop).open_pgn(
            target, source, data=given, split=split, gammas=() if at is None else (at,)
        )
        context = _context(subject, seed, device=device, stop=stop)
        names = names or names_for(context.problem)
        rows = _rows(subject, context, names, split, batch_size=batch_size, stop=stop)
    where = f"{subject.dataset.name}, {rows[0][2].split_title}"
    title = f"{subject.pgn.path} at γ {subject.pgn.gamma:g} on {where}"
    with terminal.results_beside(json_file):
        terminal.result_table(_table(rows, title))
    terminal.write_figures(json_file, _figures(rows, context))


def _checked(name: str) -> list[str]:
    """The one baseline that is meant, none for "all"; a typo shows before torch is imported."""
    if name == "all":
        return []
    found = baseline_name(name)
    if found not in BASELINES:
        raise ConfigError(f"Unknown baseline {name!r}.", hint=f"Choose one of: {', '.join(BASELINES)}, all.")
    return [found]


def _context(subject: Subject, seed: int | None, *, device: str, stop: Interruption) -> BaselineContext:
    """The PGN's own circumstances; its strength is measured on the validation split."""
    from pgn_studio.core.baselines.context import BaselineContext, settings_in_force
    from pgn_studio.core.device import pick_device

    pgn = subject.pgn
    if pgn.abstains_always:
        raise ConfigError(
            "This PGN leaves every image as it is: there is no perturbation whose size baselines could have.",
            hint=HOW_TO_UNDO_ABSTENTION,
        )
    strength = measure(subject, "val", device=device, batch_size=64, stop=stop).metrics.rms_mean
    terminal.note(f"Strength: RMS {strength:.4g} per value on validation, as the PGN's.")
    return BaselineContext.of(
        settings_in_force(pgn),
        classifier=subject.classifier,
        space=pgn.space,
        dataset=subject.dataset,
        rms=strength,
        device=pick_device(device),
        seed=seed,
    )


def _rows(
    subject: Subject,
    context: BaselineContext,
    names: Sequence[str],
    split: str,
    *,
    batch_size: int,
    stop: Interruption,
) -> list[Row]:
    from pgn_studio.core.baselines.preparing import make_baseline, measure_baseline

    own = measure(subject, split, device=str(context.device), batch_size=batch_size, stop=stop)
    rows: list[Row] = [("PGN", None, own)]
    for name in names:
        kind = BASELINES.load(name)
        doing = "training" if kind.needs_training else "matching"
        try:
            with terminal.progress(f"{kind.title}: {doing}", stop) as report:
                made = make_baseline(name, context, progress=report)
            with terminal.progress(f"{kind.title}: measuring on {split}", stop) as report:
                evaluation = measure_baseline(
                    made,
                    context,
                    subject.dataset,
                    split,
                    batch_size=batch_size,
                    progress=report,
                    facts={
                        "baseline": name, "oracle": made.oracle, "seed": context.seed, "rms_val": made.rms,
                    },
                )  # fmt: skip
        except (ClassifierError, PluginError) as error:  # a classifier that only answers, a faulty plug-in
            if len(names) == 1:
                raise
            terminal.note(f"{kind.title} is left out: {in_options(error.message)}")
            continue
        rows.append((made.title, made, evaluation))
        metrics = evaluation.metrics
        terminal.note(
            f"{made.title}: accuracy {percent(metrics.clean_accuracy)} -> "
            f"{percent(metrics.perturbed_accuracy_8bit)} after 8-bit rounding"
        )
    return rows


def _table(rows: Sequence[Row], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    rounded = ("8 bits", "fixed, 8 bits", "broken, 8 bits", "McNemar's p, 8 bits")
    for heading in ("clean", "perturbed", *rounded, "fooling rate", "RMS"):
        table.add_column(heading, justify="right")
    for name, _, evaluation in rows:
        metrics = evaluation.metrics
        table.add_row(
            name,
            percent(metrics.clean_accuracy),
            percent(metrics.perturbed_accuracy),
            percent(metrics.perturbed_accuracy_8bit),
            str(metrics.fixed_8bit),
            str(metrics.broken_8bit),
            f"{metrics.mcnemar_p_8bit:.3g}",
            percent(metrics.fooling_rate),
            f"{metrics.rms_mean:.4g}",
        )
    return table


def _figures(rows: Sequence[Row], context: BaselineContext) -> Mapping[str, Any]:
    """The PGN's figures and each baseline's, as `evaluate --json` writes them."""
    pgn = rows[0][2].to_json()
    others = {made.name: evaluation.to_json() for _, made, evaluation in rows if made is not None}
    return {
        "problem": context.problem,
        "rms_val": context.rms,
        "seed": context.seed,
        "pgn": pgn,
        "baselines": others,
    }
