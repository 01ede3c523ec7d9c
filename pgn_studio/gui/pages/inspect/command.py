"""The command line's twin of an export in the window."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pgn_studio.core.config import PYTHON_SCHEME
from pgn_studio.core.evaluation.selection import Selection
from pgn_studio.core.export import EXPORTS
from pgn_studio.core.export.base import Export
from pgn_studio.gui.pages.inspect.subject import Subject


@dataclass(frozen=True)
class ExportChoice:
    """An export; of the images `indices`, or of all that `selection` finds, `per_class` of each."""

    export: Export
    indices: tuple[int, ...] = ()
    selection: Selection | None = None
    per_class: int | None = None
    against: str = ""  # the other PGN's file, where this one is compared with it


def export_command(subject: Subject, choice: ExportChoice, out: str) -> str:
    """`pgn-studio export …` as one line for a shell, with the PGN that is open; secrets are left out."""
    export = choice.export
    words = ["pgn-studio", "export", str(subject.pgn.path or subject.pgn.info.name), "--what", export.name]
    words += ["--out", out, "--split", subject.split_name]
    words += [] if subject.gammas is None else ["--gamma", f"{subject.pgn.gamma:g}"]
    words += ["--trust-code"] if subject.classifier.info.path.startswith(PYTHON_SCHEME) else []
    words += _options(export)
    if export.compares and choice.against:
        words += ["--against", choice.against]
    if export.chooses_images:
        words += _images(choice, subject.dataset.classes)
    return shlex.join(words)


def _options(export: Export) -> Iterator[str]:
    """What differs from the defaults."""
    for item in export.options():
        value = getattr(export, item.name)
        if value == item.default:
            continue
        for part in value if item.repeated else (value,):
            text = f"{part:g}" if isinstance(part, float) else str(part)
            if isinstance(part, tuple):
                text = ",".join(part) or "none"
            if export.name in EXPORTS.built_in:
                yield from ("--" + item.name.replace("_", "-"), text)
            else:
                yield from ("--option", f"{item.name}={text}")


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
