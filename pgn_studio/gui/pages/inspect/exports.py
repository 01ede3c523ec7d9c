"""Exports of what is inspected: figure, clipboard, table, images, report; in the background."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication, QImage

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.gui.operations import Operation, run_in_background
from pgn_studio.gui.pages.inspect.subject import Subject

if TYPE_CHECKING:
    from pgn_studio.core.export.comparison import Beside
    from pgn_studio.core.protocols import Progress

T = TypeVar("T")
CLIPBOARD_DPI = 200
CHECKED = 8  # images that a model is tried on


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

    def figure(
        self, path: Path, subject: Subject, indices: Sequence[int], gain: float | None,
        *, dpi: int = 150, width_mm: float | None = None,
    ) -> None:  # fmt: skip
        """Write `indices` as rows of original | perturbation | perturbed; PNG, SVG or PDF by suffix."""
        self._run(
            f"Writing {path.name} …",
            lambda progress: _write_figure(
                path, subject, indices, gain, progress, dpi=dpi, width_mm=width_mm
            ),
            lambda _result: self._tell(f"Figure written to {path}"),
        )

    def copy_figure(self, subject: Subject, indices: Sequence[int], gain: float | None) -> None:
        """Put the figure on the clipboard as a picture."""
        self._run(
            "Drawing the figure …",
            lambda progress: _figure_image(subject, indices, gain, progress),
            self._to_clipboard,
        )

    def table(self, path: Path, subject: Subject) -> None:
        """Write the evaluation's figures; CSV, Markdown, LaTeX or JSON by suffix."""

        def write(_progress: Progress) -> None:
            from pgn_studio.core.export.table import export_table

            export_table(path, subject.evaluation)

        self._run(f"Writing {path.name} …", write, lambda _result: self._tell(f"Table written to {path}"))

    def list_of(self, path: Path, subject: Subject, indices: Sequence[int]) -> None:
        """Write `indices`, in that order, with what the evaluation found of each, as CSV."""

        def write(_progress: Progress) -> None:
            from pgn_studio.core.export.image_table import export_list

            export_list(path, subject.evaluation, subject.split.names, indices)

        count = len(indices)
        self._run(f"Writing {path.name} …", write, lambda _: self._tell(f"{count:,} images listed in {path}"))

    def strip(self, path: Path, subject: Subject, index: int, beside: Beside) -> None:
        """Write image `index` under this PGN and what stands beside it."""

        def write(progress: Progress) -> None:
            from pgn_studio.core.export.comparison import columns_beside
            from pgn_studio.core.export.comparison_figure import export_strip

            columns = columns_beside(
                subject.pgn, subject.classifier, subject.split, index, beside, progress=progress
            )
            export_strip(path, columns, title=f"{subject.dataset.name}: {subject.split.names[index]}")

        self._run(f"Writing {path.name} …", write, lambda _result: self._tell(f"Strip written to {path}"))

    def model(self, path: Path, subject: Subject) -> None:
        """Write the PGN for other programs, .pt2 or .onnx by suffix, checked on images of the split."""

        def write(progress: Progress) -> str:
            from pgn_studio.core.export.deployable import export_deployable

            images = subject.split.images(range(min(CHECKED, len(subject.split))))
            baked: dict[str, Any] = {} if subject.gammas is None else {"gamma": subject.pgn.gamma}
            checked = export_deployable(path, subject.pgn, images, progress=progress, **baked)
            return f"{checked.images} images differ by {checked.largest_difference:.2g} at most"

        self._run(f"Writing {path.name} …", write, lambda said: self._tell(f"Written and checked: {said}"))

    def abstaining(self, path: Path, subject: Subject, share: float) -> None:
        """Write a PGN that leaves alone this share of the split's images."""

        def write(_progress: Progress) -> None:
            from pgn_studio.core.evaluation.abstention import abstain
            from pgn_studio.core.perturbation.pgn import save_pgn

            if subject.pgn.path is not None and path.absolute() == subject.pgn.path.absolute():
                raise PgnStudioError("That is the file of the PGN that is open.", hint="Choose another name.")
            pgn = abstain(subject.evaluation, share=share).applied(subject.pgn, name=path.stem)
            save_pgn(path, pgn.generator, pgn.info)

        self._run(f"Writing {path.name} …", write, lambda _result: self._tell(f"PGN written to {path}"))

    def images(self, folder: Path, subject: Subject, indices: Sequence[int] | None) -> None:
        """Write perturbed PNGs and a manifest into `folder`: `indices`, or the whole split."""

        def write(progress: Progress) -> None:
            from pgn_studio.core.export.images import export_images

            split = subject.split if indices is None else subject.split.subset(indices)
            export_images(folder, subject.pgn, subject.classifier, split, progress=progress)

        self._run(
            "Writing perturbed images …", write, lambda _result: self._tell(f"Images written to {folder}")
        )

    def report(self, folder: Path, subject: Subject) -> None:
        """Write the honesty report into `folder`; without baselines, which take training."""

        def write(progress: Progress) -> str:
            from pgn_studio.core.export.report import make_report
            from pgn_studio.core.export.report_files import check_report_folder, write_report

            check_report_folder(folder)
            report = make_report(
                subject.pgn, subject.classifier, subject.dataset, subject.split_name,
                evaluation=subject.evaluation, progress=progress,
            )  # fmt: skip
            return str(write_report(folder, report, progress))

        self._run("Writing the report …", write, self._tell_report)

    def _run(self, title: str, work: Callable[[Progress], T], success: Callable[[T], object]) -> None:
        if self.busy:
            self.failed.emit(PgnStudioError("An export is still running.", hint="Wait for it, or cancel it."))
            return
        self._operation = run_in_background(
            self, work, success, self.failed.emit, on_progress=self.progressed.emit
        )
        self._operation.finished.connect(self._end)
        self.started.emit(title)

    def _tell(self, text: str) -> None:
        self.done.emit(text)

    def _tell_report(self, page: str) -> None:
        self.done.emit(f"Report written to {page}")
        self.reported.emit(page)

    def _to_clipboard(self, image: QImage) -> None:
        QGuiApplication.clipboard().setImage(image)
        self.done.emit("Figure copied to the clipboard")

    def _end(self) -> None:
        if self._operation is not None and self._operation.canceled:
            self.done.emit("The export was canceled.")
        self._operation = None
        self.ended.emit()


def _write_figure(
    path: Path,
    subject: Subject,
    indices: Sequence[int],
    gain: float | None,
    progress: Progress,
    *,
    dpi: int = 150,
    width_mm: float | None = None,
) -> None:
    from pgn_studio.core.export.figure import export_figure
    from pgn_studio.core.export.triptych import triptych_rows

    rows = triptych_rows(subject.pgn, subject.classifier, subject.split, indices)
    progress(1, 2)
    # The view's gain is relative to pixel values, the figure's to each image's own full scale.
    relative = None if gain is None else max(2 * gain * max(row.scale for row in rows), 1e-3)
    export_figure(path, rows, title=subject.gamma_note, gain=relative, dpi=dpi, width_mm=width_mm)
    progress(2, 2)


def _figure_image(subject: Subject, indices: Sequence[int], gain: float | None, progress: Progress) -> QImage:
    with tempfile.TemporaryDirectory(prefix="pgn-studio-") as folder:
        path = Path(folder) / "figure.png"
        _write_figure(path, subject, indices, gain, progress, dpi=CLIPBOARD_DPI)
        image = QImage(str(path))
    if image.isNull():
        raise PgnStudioError("The figure could not be drawn.", hint="Export it to a file instead.")
    return image
