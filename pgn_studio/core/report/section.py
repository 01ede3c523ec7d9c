"""What a section of the report is: figures that are computed, a table of them, and a drawing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from pgn_studio.core.evaluation.bootstrap import Bootstrap, Interval
from pgn_studio.core.evaluation.metrics import fixed_and_broken

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.evaluation.compression import Variants
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.evaluation.metrics import Flags
    from pgn_studio.core.evaluation.transfer import Transfer
    from pgn_studio.core.export.triptych import TriptychRow
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.protocols import Progress
    from pgn_studio.core.report.figures import Theme
    from pgn_studio.core.report.report import Report
    from pgn_studio.core.report.sections.baselines import BaselineResult

S = TypeVar("S", bound="Section")
Tidy = tuple[str, str, str, Interval]


@dataclass(frozen=True)
class Measured:
    """All that was asked of the networks; sections are computed of it."""

    pgn: Pgn
    classifier: Classifier
    dataset: ImageDataset
    split_name: str
    evaluation: Evaluation
    variants: Variants
    bootstrap: Bootstrap
    transfer: Transfer | None  # None where no other classifier or PGN was given
    baselines: Sequence[BaselineResult]
    progress: Progress  # of the computing; may raise Canceled

    @property
    def enhances(self) -> bool:
        return self.pgn.info.problem == "enhance"

    @property
    def clean_right(self) -> Flags:
        image = self.evaluation.per_image
        return np.asarray(image.clean_prediction == image.labels)

    @property
    def saved_right(self) -> Flags:
        """After 8-bit rounding."""
        return saved_right(self.evaluation)


def saved_right(evaluation: Evaluation) -> Flags:
    image = evaluation.per_image
    return np.asarray(image.perturbed_prediction_8bit == image.labels)


@dataclass(frozen=True)
class ReportTable:
    """The first `texts` columns hold words, the others numbers; `key` is the same in every report."""

    key: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    texts: int = 1


@dataclass(frozen=True)
class Section(ABC):
    """One part of the report. Without `rows` there is nothing to say, and it is left out.

    Adding one is a file in sections/ and a line in SECTIONS.
    """

    key: ClassVar[str]  # the same in every report
    title: ClassVar[str]
    head: ClassVar[Sequence[str]] = ()  # of the table's columns
    note: ClassVar[str] = ""
    texts: ClassVar[int] = 1  # columns that hold words
    detail: ClassVar[bool] = False  # on the page it comes after the others
    in_terminal: ClassVar[bool] = True  # else in the files only
    csv_name: ClassVar[str] = ""  # where it is not the key
    figure_text: ClassVar[str] = ""  # what stands for the figure where none is seen; none without

    rows: Sequence[Any]

    @classmethod
    @abstractmethod
    def compute(cls: type[S], measured: Measured) -> S: ...

    def cells(self, report: Report) -> list[list[str]]:
        """The table's rows."""
        return []

    def table(self, report: Report) -> ReportTable | None:
        cells = self.cells(report)
        return ReportTable(self.key, self.title, self.head, cells, self.note, self.texts) if cells else None

    def figure(self, report: Report, theme: Theme) -> Figure:
        """Of a section with a `figure_text`."""
        raise NotImplementedError

    @property
    def has_figure(self) -> bool:
        return bool(self.figure_text and self.rows)

    @property
    def pictures(self) -> Sequence[TriptychRow] | None:
        """Images to be shown; None for a section that shows none."""
        return None

    def row_name(self, row: Any) -> str:
        """What tells a row from the others, for machines."""
        return str(row.name)

    def tidy(self, report: Report) -> Iterator[Tidy]:
        """Every figure as (section, name, metric, interval); shares in 0…1."""
        for row in self.rows:
            for item in fields(row):
                value = getattr(row, item.name)
                if isinstance(value, (int, float)) or value is None:
                    value = Interval(None if value is None else float(value))
                if isinstance(value, Interval):
                    yield self.csv_name or self.key, self.row_name(row), item.name, value

    def to_json(self, report: Report) -> dict[str, Any]:
        return {self.key: [asdict(row) for row in self.rows]}


def before_and_after(
    bootstrap: Bootstrap, before: Flags, after: Flags
) -> tuple[Interval, Interval, Interval, int, int]:
    """Accuracy before and after, its change, fixed and broken, of what is right on the same images."""
    shares = Shares(bootstrap, {"before": before, "after": after})
    change = shares.change("before", "after")
    return shares.share("before"), shares.share("after"), change, *fixed_and_broken(before, after)


class Shares:
    """Means over images of named columns, with intervals from the same draws."""

    def __init__(
        self, bootstrap: Bootstrap, columns: Mapping[str, npt.NDArray[np.bool_] | npt.NDArray[np.float32]]
    ) -> None:
        self._bootstrap = bootstrap
        self._places = {name: place for place, name in enumerate(columns)}
        stacked = np.stack([np.asarray(column, dtype=np.float64) for column in columns.values()], axis=1)
        self._means = stacked.mean(axis=0)
        self._draws = bootstrap.means(stacked)

    def share(self, name: str) -> Interval:
        place = self._places[name]
        return self._bootstrap.interval(float(self._means[place]), self._draws[:, place])

    def count(self, name: str) -> Interval:
        """The sum over the images, in draws of as many images."""
        place, n = self._places[name], self._bootstrap.n
        return self._bootstrap.interval(float(round(self._means[place] * n)), self._draws[:, place] * n)

    def change(self, before: str, after: str) -> Interval:
        """`after` minus `before`, on the same images."""
        first, second = self._places[before], self._places[after]
        value = float(self._means[second] - self._means[first])
        return self._bootstrap.interval(value, self._draws[:, second] - self._draws[:, first])

    def ratio(self, part: str, whole: str) -> Interval:
        """`part` as a share of `whole`; undefined where there is none of it."""
        first, second = self._places[part], self._places[whole]
        if self._means[second] == 0:
            return Interval(None)
        with np.errstate(invalid="ignore", divide="ignore"):
            draws = self._draws[:, first] / self._draws[:, second]
        return self._bootstrap.interval(float(self._means[first] / self._means[second]), draws)
