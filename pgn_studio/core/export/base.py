"""What an export is: its name, what can be chosen about it, and how it is written.

The command line reads the options of every built-in export at each start: these modules import torch and
matplotlib only where they write.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from pgn_studio.core.advice import Advice, Argument
from pgn_studio.core.errors import ConfigError, PgnStudioError, RunError
from pgn_studio.core.files import replacing

if TYPE_CHECKING:
    import torch

    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.protocols import Progress
    from pgn_studio.core.runs import RunFolder

PICTURES = (".png", ".svg", ".pdf")
E = TypeVar("E", bound="Export")


class Source(Protocol):
    """What is exported. Whoever asks for the export opens and measures each part when it is read."""

    @property
    def pgn(self) -> Pgn: ...
    @property
    def classifier(self) -> Classifier: ...
    @property
    def dataset(self) -> ImageDataset: ...
    @property
    def split_name(self) -> str: ...
    @property
    def evaluation(self) -> Evaluation:
        """Of the PGN, on the split."""

    @property
    def run(self) -> RunFolder:
        """That the PGN belongs to. Raises RunError where it lies in none."""

    @property
    def gammas(self) -> Sequence[float]:
        """At which the PGN is to perturb, `pgn` being at the first; () where its own is meant."""

    @property
    def against(self) -> Pgn | None:
        """The PGN with which this one is compared."""

    @property
    def caption(self) -> str:
        """What stands above a figure of the images."""

    @property
    def batch_size(self) -> int: ...
    @property
    def device(self) -> torch.device | None: ...
    def indices(self, most: int | None = None) -> Sequence[int]:
        """The images of the split that were chosen, in their order; `most` where nobody said how many."""

    def other_pgn(self, target: str) -> Pgn:
        """One that an option names."""


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A Source of which everything is open and measured."""

    pgn: Pgn
    classifier: Classifier
    dataset: ImageDataset
    split_name: str
    evaluation: Evaluation
    chosen: Sequence[int] | None = None  # images of the split; None: all
    gammas: Sequence[float] = ()
    against: Pgn | None = None
    caption: str = ""
    batch_size: int = 64
    device: torch.device | None = None

    @property
    def run(self) -> RunFolder:
        from pgn_studio.core.runs import RunFolder

        if self.pgn.path is None:
            raise RunError("This PGN lies in no run.", hint="Open a run's folder.")
        return RunFolder.open(self.pgn.path.parent)

    def indices(self, most: int | None = None) -> Sequence[int]:
        chosen = range(len(self.evaluation.per_image)) if self.chosen is None else self.chosen
        return chosen if self.chosen is not None else chosen[:most]

    def other_pgn(self, target: str) -> Pgn:
        from pgn_studio.core.perturbation.pgn import load_pgn

        return load_pgn(Path(target))


@dataclass(frozen=True)
class Option:
    """One thing to choose about an export: an option of the command line, a control of the window."""

    name: str
    default: Any  # None: the export decides
    kind: type[Any]  # int, float, or tuple: words
    help: str
    low: float | None = None  # 0
    high: float | None = None
    metavar: str | None = None
    label: str = ""  # of its control in the window; none without one
    unit: str = ""  # "%": a share that people choose in per cent
    repeated: bool = False  # words are given one at a time, not between commas

    def check(self, value: Any) -> None:
        """Raises ConfigError for a number that is out of range."""
        low, high = self.low or 0, self.high
        if isinstance(value, (int, float)) and not (low <= value and (high is None or value <= high)):
            most = "or more" if high is None else f"to {high:g}"
            unit = f" {self.unit}" if self.unit not in ("", "%") else ""
            raise ConfigError(
                Advice("{}: {:g} is out of range.", Argument(self.name), value),
                hint=f"Choose {low:g} {most}{unit}.",
            )


def option(
    default: Any,
    help: str,
    *,
    kind: type[Any] | None = None,
    **more: Any,
) -> Any:
    """A field of an export as an Option; `more` are fields of it."""
    return field(default=default, metadata={"kind": kind or type(default), "help": help, **more})


@dataclass(frozen=True)
class Written:
    """What is there now."""

    path: Path  # that the caller shows
    text: str  # says so
    notes: Sequence[str] = ()  # what else is good to know
    page: Path | None = None  # to be read in a browser


@dataclass(frozen=True, kw_only=True)
class Export(ABC):
    """One kind of file or folder. Its fields are made by `option`."""

    name: ClassVar[str]
    title: ClassVar[str]  # in a list to choose from
    summary: ClassVar[str]  # what is written, for the help of the command line
    suffixes: ClassVar[tuple[str, ...]] = ()  # () where it writes a folder
    needs: ClassVar[Literal["run", "pgn", "images"]] = "images"  # what is read of the source
    chooses_images: ClassVar[bool] = False
    compares: ClassVar[bool] = False  # with the PGN that `against` is
    several_gammas: ClassVar[bool] = False
    in_dialog: ClassVar[bool] = True  # whether the window's list of exports has it
    new_folder: ClassVar[bool] = False  # whether the window makes the folder in the one that is chosen

    def __post_init__(self) -> None:
        for item in self.options():
            item.check(getattr(self, item.name))

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        return tuple(Option(item.name, item.default, **item.metadata) for item in fields(cls))

    @classmethod
    def made(cls: type[E], given: Mapping[str, Any]) -> E:
        """With what was `given`, None standing for the default. Raises ConfigError."""
        return cls(**{name: value for name, value in given.items() if value is not None})

    @classmethod
    def file_name(cls) -> str:
        """What the file may be called."""
        return cls.name + (cls.suffixes[0] if cls.suffixes else "")

    @classmethod
    def suits(cls, source: Source) -> bool:
        """Whether there is any sense in it."""
        return True

    def preview(self, source: Source, count: int) -> str:
        """What it does to `count` images, where that is known; raises PgnStudioError for what cannot be."""
        return ""

    @abstractmethod
    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        """Raises PgnStudioError; Canceled by `progress` passes through."""


@dataclass(frozen=True, kw_only=True)
class Picture(Export):
    """One that is drawn."""

    dpi: int = option(
        150, "Resolution of a figure as PNG.", low=30, high=1200, label="Resolution", unit="dpi"
    )
    width_mm: float | None = option(
        None, "Width of a figure, texts scaled with it; default: as it is drawn.",
        kind=float, low=20, high=1000, label="Width", unit="mm",
    )  # fmt: skip


def checked_suffix(path: Path, allowed: Sequence[str], what: str) -> str:
    """The suffix of `path` in lower case. Raises PgnStudioError, listing `allowed`, for any other."""
    suffix = path.suffix.lower()
    if suffix not in allowed:
        came = f"got {suffix!r}" if suffix else "got no suffix"
        raise PgnStudioError(
            f"{what} cannot be written to {path.name}: {came}.",
            hint=f"End the file name with one of: {', '.join(allowed)}.",
        )
    return suffix


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """As `files.replacing`, with a PgnStudioError where the disk or its permissions refuse."""
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> PgnStudioError:
    return PgnStudioError(
        f"{path} cannot be written ({error.strerror or type(error).__name__}).",
        hint="Choose a place that you may write to, on a disk with free space.",
    )
