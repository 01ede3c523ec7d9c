"""`pgn-studio abstain`: a PGN that returns an image unchanged when its perturbation would be small."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from pgn_studio.cli.gamma_options import GivenGamma, given_gamma, note_gamma
from pgn_studio.cli.options import refuse_folder, with_settings
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.amounts import percent
from pgn_studio.core.config import DEFAULT_ABSTAIN_SHARE, DataSettings
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.project.resolve import WhichPgn, find_pgn

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.abstention import Abstention
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.runs import RunFolder

EXAMPLE = "Example: pgn-studio abstain photos-enhance --share 0.15 --out cautious.safetensors"


@with_settings(DataSettings, leave_out=("image_size",))
@with_access
def abstain(
    given: dict[str, Any],
    access: GivenAccess,
    target: Target,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="The new PGN, a .safetensors file.", show_default=False),
    ],
    share: Annotated[
        float,
        typer.Option(min=0.0, max=0.95, help="The share of images to abstain on; 0 undoes it."),
    ] = DEFAULT_ABSTAIN_SHARE,
    split: SplitName = "val",
    which: Annotated[WhichPgn, typer.Option(help="Of a run's PGNs, as for `evaluate`.")] = "kept",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    gamma: GivenGamma = None,
    classifier: OtherClassifier = None,
    classifier_arch: ClassifierArch = None,
    device: DeviceName = "auto",
    batch_size: BatchSize = 64,
) -> None:
    """Derive a PGN that returns an image unchanged when its perturbation would be small.

    An enhancing PGN perturbs little where it is unsure, and there it breaks most: one that abstains breaks
    fewer images, and fixes fewer. How small is too small is read off the validation images, without their
    labels. The new PGN is a file that all commands and the window take; the old one stays as it is.
    Where it serves a range of γ, it is read off at --gamma, which the new PGN uses unless told otherwise,
    and holds at every γ.
    """
    DataSettings.make(**given)
    at = given_gamma(gamma)
    out = out.expanduser()
    _check_out(out, find_pgn(target, which)[1], force=force)  # a typo shows before torch is imported
    access.check_other(classifier)
    prepare()
    from pgn_studio.cli.opening import opener
    from pgn_studio.core.device import pick_device
    from pgn_studio.core.evaluation import abstention
    from pgn_studio.core.perturbation.pgn import save_pgn

    pick_device(device)
    source = access.source(classifier, classifier_arch)
    with Interruption() as stop:
        subject = opener(stop).open_pgn(
            target, source, data=given, which=which, split=split, gammas=() if at is None else (at,)
        )
        note_gamma(subject.pgn)
        if subject.pgn.abstains_always:
            terminal.note("The new one is derived from what it would do, were it to act.")
        subject = replace(subject, pgn=abstention.without_abstention(subject.pgn))
        evaluation = measure(subject, split, device=device, batch_size=batch_size, stop=stop)
    held = abstention.abstain(evaluation, share=share)
    pgn = held.applied(subject.pgn, name=out.stem)
    save_pgn(out, pgn.generator, pgn.info)
    for line in _said(evaluation, held):
        terminal.result(line)
    terminal.result(str(out))
    terminal.note(f"On images that had no part in this: pgn-studio evaluate {out}")


def _check_out(out: Path, run: RunFolder | None, *, force: bool) -> None:
    refuse_folder(out, "--out")
    if out.suffix != ".safetensors":
        raise ConfigError(f"--out: expected a .safetensors file, got {out.name}.")
    own = () if run is None else (run.pgn_path, run.best_pgn_path, run.last_pgn_path, run.checkpoint_path)
    if out.absolute() in {path.absolute() for path in own}:
        raise ConfigError(
            f"--out: {out.name} is the run's own record.", hint="Choose another name; the run stays as it is."
        )
    if out.exists() and not force:
        raise ConfigError(f"--out: {out} is there already.", hint="Give --force to replace it.")


def _said(evaluation: Evaluation, held: Abstention) -> tuple[str, ...]:
    """What it does to the images that it was chosen on."""
    metrics = evaluation.metrics
    return (
        f"Abstains on {held.abstained:,} of {metrics.n:,} images ({evaluation.split_name}), those whose "
        f"perturbation has an RMS below {held.abstain_below_rms:.4g}.",
        f"Acting on all: {percent(metrics.clean_accuracy)} → {percent(metrics.perturbed_accuracy_8bit)}, "
        f"{metrics.fixed_8bit} fixed, {metrics.broken_8bit} broken, RMS {metrics.rms_mean:.4g}, "
        "after 8-bit rounding",
        f"Abstaining: {percent(held.clean_accuracy)} → {percent(held.perturbed_accuracy_8bit)}, "
        f"{held.fixed_8bit} fixed, {held.broken_8bit} broken, RMS {held.rms_mean:.4g}",
    )
