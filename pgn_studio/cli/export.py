"""`pgn-studio export`: any of the exports that there are, with the options that they have."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

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
from pgn_studio.cli.gamma_options import at_same_gamma, given_gamma, given_gammas, note_gamma
from pgn_studio.cli.options import Command, option_name, refuse_folder, with_fields, with_settings
from pgn_studio.cli.selection_options import GivenSelection, chosen_images
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.threads import prepare
from pgn_studio.core.config import DataSettings
from pgn_studio.core.errors import ConfigError, RunError
from pgn_studio.core.export import EXPORTS
from pgn_studio.core.export.base import Export, Option
from pgn_studio.core.legacy import EXPORT_NAMES
from pgn_studio.core.project.resolve import find_pgn, find_run, refuse_inside_dataset, resolve_classifier

if TYPE_CHECKING:
    import torch

    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.project.opening import Subject
    from pgn_studio.core.runs import RunFolder

EXAMPLE = "Example: pgn-studio export photos-enhance --what figure --outcome fixed --count 6 --out fixed.png"

Kind = type[Export]
# Of plug-ins the names suffice.
_KINDS: dict[str, Kind] = {name: EXPORTS.load(name) for name in EXPORTS.built_in}
_WHAT = ". ".join(f"{name}: {kind.summary}" for name, kind in _KINDS.items())


def _what(text: str) -> str:
    name = EXPORT_NAMES.get(text, text)
    if name not in EXPORTS:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(map(repr, EXPORTS))}.")
    return name


def with_choices(command: Command) -> Command:
    """Add the options of the built-in exports to a command that takes `choices: dict[str, Any]`."""
    known = {item.name: item for kind in reversed(_KINDS.values()) for item in kind.options()}

    @functools.wraps(command)
    def run(**values: Any) -> None:
        choices = {name: _value(item, values.pop(name)) for name, item in known.items()}
        command(choices=choices, **values)

    own = inspect.signature(command, eval_str=True).parameters.values()
    added = [_parameter(item) for item in known.values()]
    parameters = [*(item for item in own if item.name != "choices"), *added]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _parameter(item: Option) -> inspect.Parameter:
    words = list[str] if item.repeated else str
    typed = words if item.kind is tuple else item.kind
    told = item.default in (None, ()) or "default:" in item.help
    text = item.help if told else f"{item.help.rstrip('.')} (default: {item.default:g})."
    option = typer.Option(option_name(item.name), help=text, metavar=item.metavar, show_default=False)
    annotation = Annotated[Optional[typed], option]  # type: ignore[valid-type] # noqa: UP045
    return inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _value(item: Option, given: Any) -> Any:
    """What was typed as the export takes it; None for nothing."""
    if item.kind is not tuple or given is None:
        return given
    if item.repeated:
        return tuple(given) or None
    return () if given in ("none", "") else tuple(word.strip() for word in given.split(","))


@with_settings(DataSettings, leave_out=("image_size",))
@with_choices
@with_fields("chosen", GivenSelection)
@with_access
def export(
    given: dict[str, Any],
    access: GivenAccess,
    chosen: GivenSelection,
    choices: dict[str, Any],
    target: Target,
    what: Annotated[
        str,
        typer.Option("--what", metavar=f"<{'|'.join(EXPORTS.built_in)}>", parser=_what, show_default=False,
                     help=f"{_WHAT}. A plug-in's export by its name."),
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
    gamma: Annotated[
        str | None,
        typer.Option(
            "--gamma",
            metavar="G,G,…",
            help="γ at which the PGN perturbs, of those that it serves; default: its own. "
            "comparison and frontier take several (frontier by default 9 over the range). A model that is "
            "given none takes γ as an input.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="Of a plug-in's export; may be repeated."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that is not empty.")] = False,
    classifier: OtherClassifier = None,
    classifier_arch: ClassifierArch = None,
    device: DeviceName = "auto",
    batch_size: BatchSize = 64,
) -> None:  # fmt: skip
    """Write a figure, the curves, the frontier over γ, a table, images, the model or another export.

    Images of one outcome come with the largest change in the true class's probability first; those of
    any outcome evenly through the split.
    """
    DataSettings.make(**given)
    kind = EXPORTS.load(what)
    gammas = _gammas(kind, gamma)
    _ = chosen.ranges  # a typo shows before torch is imported
    _check_choices(kind, choices)
    made = kind.made(
        {**{name: choices[name] for name in _names(kind) & choices.keys()}, **_assigned(kind, option)}
    )
    _check_against(kind, chosen)
    out = out.expanduser()
    _check_out(kind, out, force)
    _check_target(kind, target, classifier)
    prepare()
    from pgn_studio.core.device import pick_device

    with Interruption() as stop, ExitStack() as bars:
        source = CommandSource(
            kind, target, split, gammas, chosen, count, stop,
            open_all=functools.partial(
                _opened, kind, out, target, given, classifier=classifier, arch=classifier_arch, access=access,
                stop=stop, split=split, gammas=gammas,
            ),
            device=pick_device(device), batch_size=batch_size,
        )  # fmt: skip
        written = made.write(out, source, _late_progress(f"Writing {out.name}", stop, bars))
    for line in written.notes:
        terminal.note(line)
    terminal.result(str(written.path))


def _late_progress(what: str, stop: Interruption, bars: ExitStack) -> Callable[[int, int], None]:
    """A progress that is shown once it begins: what is opened and measured before shows its own."""
    shown: list[Callable[[int, int], None]] = []

    def report(done: int, total: int) -> None:
        if not shown:
            shown.append(bars.enter_context(terminal.progress(what, stop)))
        shown[0](done, total)

    return report


def _opened(
    kind: Kind, out: Path, target: str, given: Mapping[str, Any], *, classifier: str | None, arch: str | None,
    access: GivenAccess, stop: Interruption, split: str, gammas: Sequence[float],
) -> Subject:  # fmt: skip
    from pgn_studio.cli.opening import opener

    source = access.source(classifier, arch)
    subject = opener(stop).open_pgn(target, source, data=given, split=split, gammas=gammas)
    if not kind.suffixes:
        refuse_inside_dataset(out, subject.dataset.root)
    return subject


class CommandSource:
    """What the command names, opened and measured when the export reads it."""

    def __init__(
        self, kind: Kind, target: str, split_name: str, gammas: Sequence[float], chosen: GivenSelection,
        count: int | None, stop: Interruption, *, open_all: Callable[[], Subject], device: torch.device,
        batch_size: int,
    ) -> None:  # fmt: skip
        self._kind, self._target, self._chosen, self._count = kind, target, chosen, count
        self._stop, self._open_all = stop, open_all
        self.split_name, self.gammas = split_name, gammas
        self.device, self.batch_size = device, batch_size

    @cached_property
    def _subject(self) -> Subject:
        return self._open_all()

    @cached_property
    def pgn(self) -> Pgn:
        return self.other_pgn(self._target) if self._kind.needs == "pgn" else self._subject.pgn

    @property
    def classifier(self) -> Classifier:
        return self._subject.classifier

    @property
    def dataset(self) -> ImageDataset:
        return self._subject.dataset

    @property
    def run(self) -> RunFolder:
        return _run_of(self._target)

    @cached_property
    def evaluation(self) -> Evaluation:
        note_gamma(self.pgn)
        return self._measured(self.pgn)

    @cached_property
    def against(self) -> Pgn | None:
        """At the same γ where it serves it."""
        from pgn_studio.core.export.comparison import check_comparable

        if self._chosen.against is None:
            return None
        other = at_same_gamma(self.other_pgn(self._chosen.against), self.gammas[0] if self.gammas else None)
        check_comparable(self.pgn, other)
        return other

    @property
    def caption(self) -> str:
        outcome = self._chosen.outcome.replace("-", " ")
        where = f"{self.dataset.name}, {self.evaluation.split_title}"
        return "" if outcome == "any" else f"{where}: {outcome} images"

    def indices(self, most: int | None = None) -> Sequence[int]:
        chosen = self._chosen
        all_of_them = bool(chosen.index) or chosen.per_class is not None
        other = None
        if chosen.versus is not None and self.against is not None:
            other = self._measured(self.against)
        names = self.dataset.split(self.split_name).names
        count = self._count or (None if all_of_them else most)
        return [int(index) for index in chosen_images(self.evaluation, names, chosen, count, other)]

    def other_pgn(self, target: str) -> Pgn:
        from pgn_studio.core.perturbation.pgn import load_pgn

        return load_pgn(find_pgn(target)[0])

    def _measured(self, pgn: Pgn) -> Evaluation:
        return measure(
            replace(self._subject, pgn=pgn), self.split_name, device=str(self.device),
            batch_size=self.batch_size, stop=self._stop,
        )  # fmt: skip


# ------------------------------------------------------------------ what can be refused at once


def _names(kind: Kind) -> set[str]:
    return {item.name for item in kind.options()}


def _check_choices(kind: Kind, choices: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of other exports."""
    astray = [name for name, value in choices.items() if value is not None and name not in _names(kind)]
    if astray:
        owners = [name for name, other in _KINDS.items() if _names(other) & {*astray}]
        verb = "is" if len(astray) == 1 else "are"
        raise ConfigError(
            f"{', '.join(map(option_name, astray))} {verb} for --what {', '.join(owners)}, got {kind.name}.",
            hint="Leave it out.",
        )


def _assigned(kind: Kind, assigned: Sequence[str] | None) -> dict[str, Any]:
    """What --option says; raises ConfigError."""
    known, values = {item.name: item for item in kind.options()}, {}
    for text in assigned or ():
        name, _, value = text.partition("=")
        if name not in known:
            raise ConfigError(
                f"--option: {kind.name} has no option {name!r}.", hint=f"It has {', '.join(known) or 'none'}."
            )
        try:
            values[name] = _words(known[name], value)
        except ValueError:
            raise ConfigError(f"--option {name}: expected a number, got {value!r}.") from None
    return values


def _words(item: Option, text: str) -> Any:
    return tuple(text.split(",")) if item.kind is tuple else item.kind(text)


def _gammas(kind: Kind, text: str | None) -> tuple[float, ...]:
    """The γ that were given; raises ConfigError where the export is of one γ, or of none."""
    if kind.needs == "run" and text is not None:
        raise ConfigError(f"--gamma: {kind.name} are of the training, and of no γ.", hint="Leave it out.")
    if kind.several_gammas:
        return given_gammas(text)
    one = given_gamma(text)
    return () if one is None else (one,)


def _check_against(kind: Kind, chosen: GivenSelection) -> None:
    if chosen.versus is not None and chosen.against is None:
        raise ConfigError("--versus compares with another PGN.", hint="Name it with --against.")
    if chosen.against is not None:
        if chosen.versus is None and not kind.compares:
            raise ConfigError("--against chooses nothing by itself here.", hint="Say what with --versus.")
        find_pgn(chosen.against)


def _check_out(kind: Kind, out: Path, force: bool) -> None:
    if kind.suffixes:
        if out.suffix.lower() not in kind.suffixes:
            raise ConfigError(
                f"--out: expected a name that ends in {', '.join(kind.suffixes)}, got {str(out)!r}."
            )
        refuse_folder(out, "--out")
    elif out.is_file():
        raise ConfigError(f"--out: {out} is a file; expected a folder.")
    elif out.is_dir() and any(out.iterdir()) and not force:
        raise ConfigError(
            f"--out: {out} is not empty.", hint="Give --force to write into it, or another folder."
        )


def _check_target(kind: Kind, target: str, classifier: str | None) -> None:
    """A typo shows before torch is imported."""
    if kind.needs == "run":
        _run_of(target)
    else:
        find_pgn(target)
    if classifier is not None:
        resolve_classifier(classifier)


def _run_of(target: str) -> RunFolder:
    run = find_pgn(target)[1] if Path(target).expanduser().is_file() else find_run(target)
    if run is None:
        raise RunError(f"{target} lies in no run, so there are no curves.", hint="Give the run's folder.")
    return run
