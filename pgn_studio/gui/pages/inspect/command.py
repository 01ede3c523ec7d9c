"""The command line's twin of an export in the window."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pgn_studio.core.config import PYTHON_SCHEME
from pgn_studio.core.evaluation.selection import Selection
from pgn_studio.gui.pages.inspect.subject import Subject

DEFAULT_DPI = 150


@dataclass(frozen=True)
class ExportChoice:
    """What is exported; the images are `indices`, or all that `selection` finds, `per_class` of each."""

    what: str  # figure, table, list, images or model, as the command says it; report, or held back
    indices: tuple[int, ...] = ()
    selection: Selection | None = None
    per_class: int | None = None
    dpi: int = DEFAULT_DPI
    width_mm: float | None = None
    against: str = ""  # the other PGN's file, where the gallery compares with one
    share: float = 0.0  # of the images that a PGN which holds back leaves alone


def export_command(subject: Subject, choice: ExportChoice, out: str) -> str:
    """`pgn-studio export …`, or what writes it, as one line for a shell, with the PGN that is open."""
    if choice.what == "abstaining":
        return shlex.join(_start("abstain", subject, out, "--share", f"{choice.share:g}"))
    if choice.what == "report":  # as the window writes it, which trains nothing
        return shlex.join([*_start("report", subject, out), "--baselines", "none"])
    words = _start("export", subject, out, "--what", choice.what)
    if choice.what in ("figure", "list", "images"):
        words += _images(choice, subject.dataset.classes)
    if choice.what == "figure":
        words += [] if choice.dpi == DEFAULT_DPI else ["--dpi", str(choice.dpi)]
        words += [] if choice.width_mm is None else ["--width-mm", f"{choice.width_mm:g}"]
    return shlex.join(words)


def _start(command: str, subject: Subject, out: str, *more: str) -> list[str]:
    """With the split, and the trust that was given to code in this window; secrets are left out."""
    words = ["pgn-studio", command, str(subject.pgn.path or subject.pgn.info.name), *more, "--out", out]
    words += [] if "model" in more else ["--split", subject.split_name]
    words += [] if subject.gammas is None else ["--gamma", f"{subject.pgn.gamma:g}"]
    trusted = subject.classifier.info.path.startswith(PYTHON_SCHEME) and "model" not in more
    return [*words, "--trust-code"] if trusted else words


def strip_command(
    subject: Subject, index: int, others: Sequence[str], baselines: Sequence[str], out: str
) -> str:
    """The strip of image `index`: the first of `others` is compared, the rest stand beside."""
    words = [*_start("export", subject, out, "--what", "strip"), "--index", str(index)]
    for option, path in zip(("--against", *["--beside"] * len(others)), others, strict=False):
        words += [option, path]
    return shlex.join([*words, "--baselines", ",".join(baselines) or "none"])


def _images(choice: ExportChoice, classes: Sequence[str]) -> list[str]:
    if choice.selection is None:
        return [word for index in choice.indices for word in ("--index", str(index))]
    chosen, words = choice.selection, []
    if chosen.outcome is not None:
        words += ["--outcome", chosen.outcome.value.replace(" ", "-")]
    for option, label in (
        ("--true-class", chosen.label),
        ("--class-before", chosen.before),
        ("--class-after", chosen.after),
    ):
        words += [] if label is None else [option, classes[label]]
    words += ["--name-contains", chosen.text] if chosen.text else []
    for item in chosen.ranges:
        words += ["--where", str(item)]
    if chosen.versus is not None and choice.against:
        words += ["--against", choice.against, "--versus", chosen.versus.value]
    words += ["--sort", chosen.sort.value]  # always: without it an outcome has an order of its own
    words += ["--descending"] if chosen.descending else []
    words += [] if choice.per_class is None else ["--per-class", str(choice.per_class)]
    return words
