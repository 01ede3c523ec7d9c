"""Other PGNs for comparison: loaded, checked and measured on the same images, in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from pgn_studio.gui.operations import Operation, run_in_background
from pgn_studio.gui.pages.inspect.subject import Subject

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.evaluation.perturber import Perturber
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.protocols import Progress


@dataclass(frozen=True)
class OtherPgn:
    pgn: Pgn
    path: Path
    evaluation: Evaluation | None = None  # on the subject's split; of the first alone

    @property
    def name(self) -> str:
        return self.pgn.info.name or self.path.stem


class OtherPgns(QObject):
    """What the chosen image can be compared with: the first PGN is compared in the gallery, too."""

    changed = Signal()  # `pgns`, `made`, or whether something is under way
    progressed = Signal(int, int)
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.subject: Subject | None = None
        self.pgns: tuple[OtherPgn, ...] = ()
        self.made: dict[str, Perturber] = {}  # baselines that had to be trained
        self.doing = ""
        self._operation: Operation | None = None

    @property
    def first(self) -> OtherPgn | None:
        return self.pgns[0] if self.pgns else None

    def set_subject(self, subject: Subject | None) -> None:
        """Forget the others: they were held against another PGN, classifier or split."""
        self.cancel()
        self.subject, self.pgns, self.made = subject, (), {}
        self.changed.emit()

    def turn(self, subject: Subject) -> None:
        """The same PGN at another γ: the others stay."""
        self.subject = subject

    def open(self, paths: Sequence[Path]) -> None:
        """Files or run folders. The first is measured, unless that costs queries: see `measure`."""
        if self.subject is not None and paths and not self.doing:
            measured = self.subject.classifier.queries is None
            work = partial(_open, self.subject, tuple(paths), measured)
            self._run("Opening the other PGN", work, self._set)

    def measure(self) -> None:
        """The first on the subject's split."""
        if self.subject is not None and self.first is not None and not self.doing:
            self._run("Measuring the other PGN", partial(_measured, self.subject, self.pgns), self._set)

    def train(self, name: str) -> None:
        """A baseline that has to learn first."""
        if self.subject is not None and name not in self.made and not self.doing:
            self._run(f"Training {name}", partial(_train, self.subject, name), partial(self._keep, name))

    def close(self) -> None:
        self.pgns = ()
        self.changed.emit()

    @Slot()
    def cancel(self) -> None:
        if self._operation is not None:
            self._operation.cancel()
            self._operation = None
            self.doing = ""
            self.changed.emit()

    def _set(self, pgns: tuple[OtherPgn, ...]) -> None:
        self.pgns = pgns

    def _keep(self, name: str, perturber: Perturber) -> None:
        self.made[name] = perturber

    def _run(self, doing: str, work: Callable[[Progress], Any], success: Callable[[Any], object]) -> None:
        self.doing = doing
        self._operation = run_in_background(
            self, work, success, self.failed.emit, on_progress=self.progressed.emit
        )
        self._operation.finished.connect(self._ended)
        self.changed.emit()

    @Slot()
    def _ended(self) -> None:
        if self.sender() is self._operation:
            self._operation = None
            self.doing = ""
            self.changed.emit()


def _open(
    subject: Subject, paths: tuple[Path, ...], measured: bool, progress: Progress
) -> tuple[OtherPgn, ...]:
    from pgn_studio.core.export.comparison import check_comparable, check_fits
    from pgn_studio.core.perturbation.pgn import load_pgn
    from pgn_studio.core.runs import RunFolder

    opened = []
    for number, path in enumerate(paths):
        progress(number, len(paths))
        file = RunFolder.open(path).pgn_path if path.is_dir() else path
        pgn = load_pgn(file)
        (check_fits if number else check_comparable)(subject.pgn, pgn)
        opened.append(OtherPgn(pgn.asking(subject.classifier), file))
    return _measured(subject, tuple(opened), progress) if measured else tuple(opened)


def _measured(subject: Subject, pgns: tuple[OtherPgn, ...], progress: Progress) -> tuple[OtherPgn, ...]:
    from pgn_studio.core.evaluation.evaluate import evaluate

    first, *rest = pgns
    evaluation = evaluate(
        first.pgn,
        subject.classifier,
        subject.split,
        split_name=subject.split_name,
        dataset_name=subject.dataset.name,
        progress=progress,
    )
    return (OtherPgn(first.pgn, first.path, evaluation), *rest)


def _train(subject: Subject, name: str, progress: Progress) -> Perturber:
    from pgn_studio.core.export.comparison import trained_baseline

    return trained_baseline(name, subject.pgn, subject.classifier, subject.dataset, progress=progress)
