"""Exports of what is inspected, in the background: to files, and of a figure to the clipboard."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication, QImage

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.base import Export, Opened, Written
from pgn_studio.core.export.comparison_figure import ComparisonExport
from pgn_studio.gui.operations import Operation, run_in_background
from pgn_studio.gui.pages.inspect.subject import Subject

if TYPE_CHECKING:
    from pgn_studio.core.export.comparison import Compared
    from pgn_studio.core.protocols import Progress

T = TypeVar("T")
CLIPBOARD_DPI = 200


class Exporter(QObject):
    """One export at a time. `done` carries what to tell the user, `failed` the exception."""

    started = Signal(str)
    progressed = Signal(int, int)
    done = Signal(str)
    reported = Signal(str)  # the page of a report that was written
    failed = Signal(object)
    ended = Signal()  # after done, failed or a cancellation

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._operation: Operation | None = None

    @property
    def busy(self) -> bool:
        return self._operation is not None

    def cancel(self) -> None:
        if self._operation is not None:
            self._operation.cancel()

    def write(
        self, export: Export, path: Path, subject: Subject, indices: Sequence[int] | None = None
    ) -> None:
        """Of the images `indices` of the split, or of all."""
        source = opened(subject, indices)
        self._run(f"Writing {path.name} …", lambda progress: export.write(path, source, progress), self._tell)

    def compare(self, path: Path, subject: Subject, index: int, compared: Compared) -> None:
        """Write image `index` under this PGN and what it is compared with."""
        source = opened(subject, [index])
        self._run(
            f"Writing {path.name} …",
            lambda progress: ComparisonExport().write_compared(path, source, compared, progress),
            self._tell,
        )

    def figure(self, path: Path, subject: Subject, indices: Sequence[int], gain: float | None) -> None:
        """Write a figure of `indices`; `gain` is the view's."""
        self._run(
            f"Writing {path.name} …",
            lambda progress: _write_figure(path, subject, indices, gain, progress),
            self._tell,
        )

    def copy_figure(self, subject: Subject, indices: Sequence[int], gain: float | None) -> None:
        """Put the figure on the clipboard as a picture."""
        self._run(
            "Drawing the figure …",
            lambda progress: _figure_image(subject, indices, gain, progress),
            self._to_clipboard,
        )

    def _run(self, title: str, work: Callable[[Progress], T], success: Callable[[T], object]) -> None:
        if self.busy:
            self.failed.emit(PgnStudioError("An export is still running.", hint="Wait for it, or cancel it."))
            return
        self._operation = run_in_background(
            self, work, success, self.failed.emit, on_progress=self.progressed.emit
        )
        self._operation.finished.connect(self._end)
        self.started.emit(title)

    def _tell(self, written: Written) -> None:
        self.done.emit(written.text)
        if written.page is not None:
            self.reported.emit(str(written.page))

    def _to_clipboard(self, image: QImage) -> None:
        QGuiApplication.clipboard().setImage(image)
        self.done.emit("Figure copied to the clipboard")

    def _end(self) -> None:
        if self._operation is not None and self._operation.canceled:
            self.done.emit("The export was canceled.")
        self._operation = None
        self.ended.emit()


def opened(subject: Subject, indices: Sequence[int] | None = None) -> Opened:
    """What is inspected as an export takes it."""
    return Opened(
        pgn=subject.pgn, classifier=subject.classifier, dataset=subject.dataset,
        split_name=subject.split_name, evaluation=subject.evaluation, chosen=indices,
        gammas=() if subject.gammas is None else (subject.pgn.gamma,), caption=subject.gamma_note,
    )  # fmt: skip


def _write_figure(
    path: Path, subject: Subject, indices: Sequence[int], gain: float | None, progress: Progress,
    *, dpi: int = 150,
) -> Written:  # fmt: skip
    from pgn_studio.core.export.figure import export_figure
    from pgn_studio.core.export.triptych import triptych_rows

    rows = triptych_rows(subject.pgn, subject.classifier, subject.split, indices)
    progress(1, 2)
    # The view's gain is relative to pixel values, the figure's to each image's own full scale.
    relative = None if gain is None else max(2 * gain * max(row.scale for row in rows), 1e-3)
    export_figure(path, rows, title=subject.gamma_note, gain=relative, dpi=dpi)
    progress(2, 2)
    return Written(path, f"Figure written to {path}")


def _figure_image(subject: Subject, indices: Sequence[int], gain: float | None, progress: Progress) -> QImage:
    with tempfile.TemporaryDirectory(prefix="pgn-studio-") as folder:
        path = Path(folder) / "figure.png"
        _write_figure(path, subject, indices, gain, progress, dpi=CLIPBOARD_DPI)
        image = QImage(str(path))
    if image.isNull():
        raise PgnStudioError("The figure could not be drawn.", hint="Export it to a file instead.")
    return image
