"""The options that choose images of a split, as the window's filters do. Without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pgn_studio.core.class_names import composed
from pgn_studio.core.errors import ConfigError, DataError
from pgn_studio.core.evaluation.selection import (
    MEASURES,
    Outcome,
    Range,
    Selection,
    SortKey,
    Versus,
    first_of_each_class,
    parse_range,
    select,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pgn_studio.core.evaluation.evaluate import Evaluation

OutcomeName = Literal["any", "fixed", "broken", "both-right", "both-wrong"]
_PANEL = "Which images (figure, list, images)"


@dataclass(frozen=True)
class GivenSelection:
    """As typed; the options are this class's fields."""

    outcome: Annotated[
        OutcomeName, typer.Option(help="Only images with this outcome.", rich_help_panel=_PANEL)
    ] = "any"
    true_class: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only images of this class.", rich_help_panel=_PANEL)
    ] = None
    class_before: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only those predicted so when clean.", rich_help_panel=_PANEL),
    ] = None
    class_after: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only those predicted so when perturbed.", rich_help_panel=_PANEL),
    ] = None
    name_contains: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only files with this in their name.", rich_help_panel=_PANEL),
    ] = None
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MEASURE=LOW..HIGH",
            help="Only images in this range, for example margin-after=..0; may be repeated. Measures: "
            + ", ".join(measure.value for measure in MEASURES),
            rich_help_panel=_PANEL,
        ),
    ] = None
    sort: Annotated[
        Literal[
            "file", "name", "class", "before", "after", "confidence-before", "confidence-after", "gain",
            "margin-before", "margin-after", "l2", "rms", "linf",
        ]
        | None,
        typer.Option(help="Their order.", rich_help_panel=_PANEL),
    ] = None  # fmt: skip
    descending: Annotated[
        bool, typer.Option("--descending", help="Largest first.", rich_help_panel=_PANEL)
    ] = False
    index: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="This image; may be repeated.", rich_help_panel=_PANEL),
    ] = None
    per_class: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, help="The first K of each true class.", rich_help_panel=_PANEL),
    ] = None

    against: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|PGN",
            help="Another PGN of the same classes, size and input space: for --versus, and in a comparison "
            "with this one, which shows their difference.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    versus: Annotated[
        Literal[
            "fixed-here-only", "fixed-there-only", "broken-here-only", "broken-there-only", "different"
        ]
        | None,
        typer.Option(
            help="Only images that this PGN (here) or that of --against (there) alone fixed or broke, or "
            "that are predicted differently under the two.",
            rich_help_panel=_PANEL,
        ),
    ] = None  # fmt: skip

    @property
    def ranges(self) -> tuple[Range, ...]:
        """Raises ConfigError: call it before anything that takes time."""
        return tuple(parse_range(text) for text in self.where or ())

    @property
    def given(self) -> bool:
        """Whether anything but the outcome was asked for."""
        return self != GivenSelection(outcome=self.outcome, against=self.against)

    def selection(self, classes: Sequence[str]) -> Selection:
        """Raises ConfigError for a class that there is not."""
        return Selection(
            outcome=None if self.outcome == "any" else Outcome(self.outcome.replace("-", " ")),
            label=_label(self.true_class, classes, "--true-class"),
            before=_label(self.class_before, classes, "--class-before"),
            after=_label(self.class_after, classes, "--class-after"),
            text=self.name_contains or "",
            ranges=self.ranges,
            versus=None if self.versus is None else Versus(self.versus),
            sort=SortKey(self.sort or "file"),
            descending=self.descending,
        )


def chosen_images(
    evaluation: Evaluation,
    names: Sequence[str],
    given: GivenSelection,
    count: int | None,
    other: Evaluation | None = None,
) -> npt.NDArray[np.int64]:
    """Indices as asked; `other` is what the PGN of --against makes of the same images.

    With nothing but an outcome the largest change comes first, or of any outcome images evenly through
    the split. Raises DataError where there is none.
    """
    import numpy as np

    from pgn_studio.core.export.triptych import pick_indices

    number = len(evaluation.per_image)
    if given.index:
        indices = _existing(given.index, number, evaluation.split_name)
    elif given.given:
        there = None if other is None else other.per_image
        indices = select(evaluation.per_image, names, given.selection(evaluation.classes), there).indices
    elif given.outcome != "any":
        indices = pick_indices(evaluation, given.outcome.replace("-", " "), number)
    else:
        return np.unique(np.linspace(0, number - 1, min(count or number, number)).round().astype(np.int64))
    if len(indices) == 0:
        which = given.outcome.replace("-", " ") if not given.given else "as asked"
        raise DataError(
            f"No image of the {evaluation.split_name} split is {which}.",
            hint="Choose another --outcome or --split, or other filters.",
        )
    if given.per_class is not None:
        indices = first_of_each_class(evaluation.per_image.labels, indices, given.per_class)
    return indices[:count]


def _existing(indices: Sequence[int], number: int, split: str) -> npt.NDArray[np.int64]:
    import numpy as np

    if not all(0 <= index < number for index in indices):
        raise ConfigError(f"--index: the {split} split has images 0 to {number - 1}, got {list(indices)}.")
    return np.asarray(indices, dtype=np.int64)


def _label(name: str | None, classes: Sequence[str], option: str) -> int | None:
    if name is None:
        return None
    composed_names = [composed(own) for own in classes]
    if composed(name) not in composed_names:
        shown = ", ".join(classes[:20]) + (" …" if len(classes) > 20 else "")
        raise ConfigError(f"{option}: there is no class {name!r}.", hint=f"The classes are {shown}.")
    return composed_names.index(composed(name))
