"""The options of classifiers that do not say everything themselves, shared by the commands. Without torch."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pgn_studio.cli.options import numbers, with_fields
from pgn_studio.core.config import is_black_box
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.project.resolve import resolve_classifier

if TYPE_CHECKING:
    from pgn_studio.core.classifiers.blackbox.access import Access
    from pgn_studio.core.pretrained import Triple
    from pgn_studio.core.project.source import ClassifierSource

Command = Callable[..., None]
_EXTERNAL = "External classifier"
_BLACK_BOX = "Black box (.onnx, http://…, python:…)"


@dataclass(frozen=True)
class GivenAccess:
    """As typed; the options are this class's fields."""

    classifier_mean: Annotated[
        str | None,
        typer.Option(
            metavar="R,G,B", help="Mean that such a classifier was trained with.", rich_help_panel=_EXTERNAL
        ),
    ] = None
    classifier_std: Annotated[
        str | None,
        typer.Option(
            metavar="R,G,B",
            help="Standard deviation that such a classifier was trained with.",
            rich_help_panel=_EXTERNAL,
        ),
    ] = None
    classifier_channels: Annotated[
        Literal["rgb", "bgr"] | None,
        typer.Option(
            help="Order of the channels that such a classifier takes (default: rgb); mean and std stay those "
            "of red, green and blue.",
            rich_help_panel=_EXTERNAL,
        ),
    ] = None
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…|FILE",
            help="The classifier's classes in its own order, or a file with one a line; default: the data"
            " set's, or ImageNet's where they are some of these.",
            rich_help_panel=_EXTERNAL,
        ),
    ] = None
    query_budget: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Ask about at most so many images; default: no limit.",
            rich_help_panel=_BLACK_BOX,
        ),
    ] = None
    queries_per_second: Annotated[
        float | None,
        typer.Option(
            metavar="N", help="Ask about at most so many images a second.", rich_help_panel=_BLACK_BOX
        ),
    ] = None
    query_timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Wait so long for an answer (default: 30).", rich_help_panel=_BLACK_BOX
        ),
    ] = None
    header: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME: VALUE'",
            help="Send this header along, a token for example; may be repeated. It is written nowhere.",
            rich_help_panel=_BLACK_BOX,
        ),
    ] = None
    trust_code: Annotated[
        bool,
        typer.Option(
            "--trust-code",
            help="I trust the code of python:module:function: run it with my rights.",
            rich_help_panel=_BLACK_BOX,
        ),
    ] = False

    @property
    def normalization(self) -> tuple[Triple | None, Triple | None]:
        return (
            _three(self.classifier_mean, "--classifier-mean"),
            _three(self.classifier_std, "--classifier-std"),
        )

    def access(self) -> Access:
        """Imports torch. Raises ConfigError."""
        from pgn_studio.core.classifiers.blackbox.access import TIMEOUT_S, Access, parse_headers

        return Access(
            budget=self.query_budget,
            per_second=self.queries_per_second,
            timeout_s=TIMEOUT_S if self.query_timeout is None else self.query_timeout,
            classes=None if self.classes is None else _class_names(self.classes),
            headers=parse_headers(self.header or ()),
            trust_code=self.trust_code,
        )

    def source(self, classifier: str | None, arch: str | None) -> ClassifierSource:
        """All that was said of a classifier; of the recorded one where none is named. As `access`."""
        from pgn_studio.core.classifiers.blackbox.access import Access
        from pgn_studio.core.project.source import ClassifierSource

        mean, std = self.normalization
        access = self.access()
        return ClassifierSource(
            classifier or "",
            arch=arch,
            mean=mean,
            std=std,
            channels=self.classifier_channels,
            access=None if access == Access() else access,
        )

    def check_other(self, classifier: str | None) -> None:
        """Of one given instead of the recorded one, if any: raises as `resolve_classifier` and `check` do."""
        if classifier is not None:
            self.check(resolve_classifier(classifier))

    def check(self, classifier: str) -> None:
        """Raises ConfigError where options of black boxes stand beside another kind of classifier."""
        own = ("query_budget", "queries_per_second", "query_timeout", "header", "trust_code")
        given = ["--" + name.replace("_", "-") for name in own if getattr(self, name)]
        if given and not is_black_box(classifier):
            raise ConfigError(
                f"{', '.join(given)}: only for classifiers that answer (.onnx, http://…, python:…),"
                f" got {classifier}.",
                hint="Leave it out.",
            )


def with_access(command: Command) -> Command:
    """Add the fields of GivenAccess as options to a command that takes `access: GivenAccess`."""
    return with_fields("access", GivenAccess)(command)


def without_secrets(arguments: Sequence[str]) -> list[str]:
    """A command line for the log: no values of headers; of addresses no users, passwords or queries."""
    shown, hide = [], False
    for argument in arguments:
        if hide or argument.startswith("--header="):
            argument = argument.partition(":")[0] + ": …" if not hide else "…"
        hide = argument == "--header"
        argument = re.sub(r"(https?://)[^/@\s]*@", r"\1…@", argument)
        shown.append(re.sub(r"(https?://[^?\s]*)\?\S*", r"\1?…", argument))
    return shown


def _three(text: str | None, option: str) -> Triple | None:
    if text is None:
        return None
    values = numbers(text, option, float)
    if len(values) != 3:
        raise ConfigError(f"{option}: expected three numbers, for red, green and blue, got {text!r}.")
    red, green, blue = values
    return red, green, blue


def _class_names(text: str) -> tuple[str, ...]:
    """Raises ConfigError for a file that is not there, or holds no text."""
    if "," in text:
        return tuple(name.strip() for name in text.split(","))
    path = Path(text).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"--classes: there is no file {text}.",
            hint="Give a file with a name a line, or names between commas.",
        )
    lines = [line.strip() for line in _text(path).splitlines()]
    names = [line for line in lines if line]
    if len(names) == 1:
        names = [name.strip() for name in names[0].split(",")]
    return tuple(names)


def _text(path: Path) -> str:
    """UTF-8, or UTF-16 as Windows writes it; with or without a mark at its beginning."""
    content = path.read_bytes()
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    guessed = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be" if content[:1] == b"\0" else "utf-8-sig"
    try:
        text = content.decode("utf-16" if marked else guessed)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ConfigError(f"--classes: {path} is no text in UTF-8.", hint="Save it as such, a name a line.")
    return text
