"""The inspection page: gallery on the left, the chosen image on the right, exports above."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, Qt, QTimer, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QKeyEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QLabel,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.amounts import percent, plural
from pgn_studio.core.errors import DataError, PgnStudioError
from pgn_studio.core.export.base import Export
from pgn_studio.core.export.comparison_figure import ComparisonExport
from pgn_studio.core.export.image_table import ImageTableExport
from pgn_studio.core.export.images import ImagesExport
from pgn_studio.core.export.table import TableExport
from pgn_studio.core.report.export import ReportExport
from pgn_studio.gui.gallery.view import NAVIGATION_KEYS
from pgn_studio.gui.operations import LatestRequest
from pgn_studio.gui.pages.inspect.browser import Browser
from pgn_studio.gui.pages.inspect.comparison_panel import ComparisonPanel
from pgn_studio.gui.pages.inspect.detail import DetailContent, DetailPanel, make_detail
from pgn_studio.gui.pages.inspect.export_dialog import ExportFlow, file_filter
from pgn_studio.gui.pages.inspect.exports import Exporter
from pgn_studio.gui.pages.inspect.gamma import GammaMeasuring, GammaPanel
from pgn_studio.gui.pages.inspect.strength import StrengthSearch
from pgn_studio.gui.pages.inspect.subject import (
    ImageMemory,
    Subject,
    facts_from,
    facts_of,
    make_sample,
    open_sample,
    perturbed_images,
)
from pgn_studio.gui.pages.inspect.toolbar import PERTURBED, InspectToolbar
from pgn_studio.gui.wording import error_text

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.protocols import Progress
    from pgn_studio.gui.gallery.thumbnails import ImageSource

logger = logging.getLogger(__name__)
CHOICE_DELAY_MS = 30  # a key held down repeats every 30 ms or so
ASK_DELAY_MS = 300  # a black box is asked where the dial comes to rest
BUSY_AFTER_MS = 200  # sooner, blanking the views would only flicker
NOTHING_YET = "Nothing to inspect yet.\nTrain or open a PGN: its images appear here."


class InspectPage(QWidget):
    """Browse what a PGN fixed and broke. `status` carries short messages for the status bar."""

    status = Signal(str)
    failed = Signal(str, object)  # what was tried, the exception
    sample_shown = Signal(int)  # image index whose pictures and figures are now on the page

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inspection-page")
        self._subject: Subject | None = None
        self._chosen = -1
        self._file: Path | None = None  # an image of no data set that is shown instead
        self._memory = ImageMemory()
        self.toolbar = InspectToolbar(self)
        self.browser = Browser(self)
        self.gallery = self.browser.gallery
        self.detail = DetailPanel(self)
        self.comparison = ComparisonPanel(self)
        self._exporter = Exporter(self)
        self.export_flow = ExportFlow(self.gallery, self._exporter, self)
        self._latest = LatestRequest(self, delay_ms=CHOICE_DELAY_MS)
        self._strength = StrengthSearch(self.detail.strength, self)
        self.measuring = GammaMeasuring(self)
        self.gamma = GammaPanel(self.measuring, self)
        self._busy = QTimer(self)
        self._busy.setSingleShot(True)
        self._busy.setInterval(BUSY_AFTER_MS)
        self._stack = QStackedWidget(self)
        self._build()
        self._connect()
        self.toolbar.enable(image=False)

    def show_evaluation(
        self, pgn: Pgn, classifier: Classifier, dataset: ImageDataset, split_name: str, evaluation: Evaluation
    ) -> None:
        """Show `evaluation`, which must be of this PGN, classifier and split; filters stay as set.

        The chosen image stays chosen when the images are the same as before.
        """
        subject = Subject(pgn.asking(classifier), classifier, dataset, split_name, evaluation)
        stay = self._chosen if subject.same_images(self._subject) else -1
        self._subject, self._memory = subject, ImageMemory()
        self.measuring.set_subject(subject)
        self.gamma.show_subject(subject)
        self.toolbar.set_title(title_of(subject))
        self._stack.setCurrentIndex(1)
        self._choose(-1)
        self.comparison.set_subject(subject)
        self.browser.show_evaluation(evaluation, subject.split.names, self._thumbnail_source(subject))
        self.gallery.view.choose(stay)

    def is_about(self, classifier: Classifier | None, dataset: ImageDataset | None, split_name: str) -> bool:
        """Whether these images and this classifier's answers are what the gallery shows."""
        shown = self._subject
        same = shown is not None and shown.classifier is classifier and shown.dataset is dataset
        return same and shown is not None and shown.split_name == split_name

    @property
    def chosen(self) -> int:
        """The image whose pictures are shown; -1: none of the data set's."""
        return self._chosen

    @property
    def split_name(self) -> str:
        """Whose images are shown; empty where there is nothing to inspect."""
        return "" if self._subject is None else self._subject.split_name

    def clear(self) -> None:
        """Forget everything; lets go of the PGN, the classifier and the data set."""
        self._subject, self._memory = None, ImageMemory()
        self.measuring.set_subject(None)
        self.gamma.show_subject(None)
        self._exporter.cancel()
        self._choose(-1)
        self.comparison.set_subject(None)
        self.browser.clear()
        self._stack.setCurrentIndex(0)

    def open_image(self, path: Path) -> None:
        """Perturb an image file of no data set and show it in the place of the gallery's."""
        subject = self._subject
        if subject is None:
            missing = DataError(
                f"{path.name} cannot be perturbed yet: no PGN is open.",
                hint="Open or train one, then drop the image again.",
            )
            self._show_problem("Perturb an image", missing)
            return
        self.gallery.view.setCurrentIndex(QModelIndex())  # no image of the gallery is shown
        self._file = path
        self._request()

    @property
    def shown_gamma(self) -> float | None:
        """At which everything is shown; None where the PGN has one alone."""
        subject = self._subject
        return None if subject is None or subject.gammas is None else subject.pgn.gamma

    @Slot(float)
    def turn(self, gamma: float) -> None:
        """Show the PGN at another γ that it serves: the image at once, the split once it is measured."""
        if self._subject is None or self._subject.gammas is None:
            return
        subject = self._subject = self._subject.at(gamma)
        self.toolbar.set_title(title_of(subject))
        self._request(turned=True)
        self.comparison.turn(subject)
        self.measuring.want(gamma)

    def _show_measured(self, evaluation: Evaluation) -> None:
        """At the γ that is shown."""
        if self._subject is None:
            return
        subject = self._subject = replace(self._subject, evaluation=evaluation)
        title = title_of(subject)
        self.toolbar.set_title(title)
        perturbed = self.toolbar.thumbnails == PERTURBED
        source = self._thumbnail_source(subject) if perturbed else None
        self.browser.show_turned(evaluation, source, self._chosen)
        self.status.emit(title)

    def figure_indices(self) -> list[int]:
        """The images that a figure shows: the selection, or the chosen one."""
        return self.gallery.view.selected_images() or ([self._chosen] if self._chosen >= 0 else [])

    def export_figure_to(self, path: Path) -> None:
        """Write the figure in the background; `status` tells when it is there."""
        if self._subject is not None and self.figure_indices():
            self._exporter.figure(path, self._subject, self.figure_indices(), self._figure_gain())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows that no control of the page used, those in the views among them, move the gallery."""
        if event.key() in NAVIGATION_KEYS:
            self.gallery.view.navigate(event)
        elif event.key() == Qt.Key.Key_Escape:
            self.gallery.view.setFocus(Qt.FocusReason.OtherFocusReason)
        elif event.key() == Qt.Key.Key_Slash:
            self.gallery.filters.focus_search()
        else:
            super().keyPressEvent(event)

    def _build(self) -> None:
        nothing = QLabel(NOTHING_YET, self)
        nothing.setObjectName("inspection-empty")
        nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        nothing.setWordWrap(True)
        splitter = QSplitter(Qt.Orientation.Horizontal, self)
        splitter.setObjectName("inspection-splitter")
        left = QSplitter(Qt.Orientation.Vertical, self)
        left.setObjectName("gamma-splitter")
        left.addWidget(self.browser)
        left.addWidget(self.gamma)
        left.setStretchFactor(0, 1)
        left.setChildrenCollapsible(False)
        splitter.addWidget(left)
        right = QTabWidget(self)
        right.setObjectName("image-tabs")
        right.setDocumentMode(True)
        right.tabBar().setDrawBase(False)
        right.addTab(self.detail, "Image")
        right.addTab(self.comparison, "Compare")
        splitter.addWidget(right)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(9)
        working = QWidget(self)
        column = QVBoxLayout(working)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.toolbar)
        column.addWidget(splitter, 1)
        self._stack.addWidget(nothing)
        self._stack.addWidget(working)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)

    def _connect(self) -> None:
        self.gallery.chosen.connect(self._choose)
        self.gallery.opened.connect(self.detail.views.focus)
        self.gallery.list_requested.connect(self._ask_list)
        self.detail.strength_requested.connect(self._strength.ask)
        self._strength.found.connect(self.detail.show_curve)
        self.gamma.turned.connect(self.turn)
        self.gamma.dial.refused.connect(self.status)
        self.measuring.measured.connect(self._show_measured)
        self.measuring.failed.connect(partial(self._show_problem, "The split could not be measured"))
        self._latest.succeeded.connect(self._show)
        self._latest.failed.connect(self._show_failure)
        self._busy.timeout.connect(self._show_busy)
        self.toolbar.thumbnails_changed.connect(self._change_thumbnails)
        self.toolbar.export_figure.connect(self._ask_export)
        self.toolbar.copy_figure.connect(self._copy_figure)
        self.comparison.export_requested.connect(self._ask_comparison)
        self.comparison.failed.connect(partial(self._show_problem, "The PGNs cannot be compared"))
        self.comparison.status.connect(self.status)
        self.comparison.others.changed.connect(self._compare)
        self.toolbar.export_table.connect(self._ask_table)
        self.toolbar.export_images.connect(self._ask_images)
        self.toolbar.write_report.connect(self._ask_report)
        self.toolbar.cancel_export.connect(self._exporter.cancel)
        self._exporter.started.connect(self.toolbar.show_started)
        self._exporter.started.connect(self.status)
        self._exporter.progressed.connect(self.toolbar.show_progress)
        self._exporter.done.connect(self.status)
        self._exporter.reported.connect(self._offer_report)
        self._exporter.failed.connect(self._show_export_failure)
        self._exporter.ended.connect(self.toolbar.show_idle)

    def _thumbnail_source(self, subject: Subject) -> ImageSource:
        split = subject.split
        if self.toolbar.thumbnails == PERTURBED:
            return lambda indices: perturbed_images(subject.pgn, subject.classifier, split, indices)
        return split.images

    def _change_thumbnails(self) -> None:
        if self._subject is not None:
            self.gallery.model.set_source(self._thumbnail_source(self._subject))

    def _choose(self, image: int) -> None:
        if image == self._chosen:
            return
        subject, self._chosen, self._file = self._subject, image, None
        self.toolbar.enable(image=image >= 0)
        self.comparison.show_image(image)
        if subject is None or image < 0:
            self._latest.cancel()
            self._busy.stop()
            self._strength.forget()
            self.detail.clear()
            return
        self._request()
        self._strength.forget()
        if not self._busy.isActive():
            self._busy.start()

    def _request(self, *, turned: bool = False) -> None:
        """The image that is to be shown, at the γ that is. What was begun at another γ is shown, too."""
        subject, image, path, memory = self._subject, self._chosen, self._file, self._memory
        if subject is None or (image < 0 and path is None):
            return

        def work(_progress: Progress) -> DetailContent:
            if path is not None:
                return make_detail(*open_sample(subject.pgn, subject.classifier, path))
            return make_detail(make_sample(subject.pgn, subject.classifier, subject.split, image, memory))

        asks = subject.classifier.queries is not None
        delay_ms = (ASK_DELAY_MS if asks else 0) if turned else None
        self._latest.request(work, delay_ms=delay_ms, replacing=not turned)

    def _show(self, content: DetailContent) -> None:
        subject = self._subject
        if subject is None or content.sample.index != self._chosen:
            return
        self._busy.stop()
        index, facts = content.sample.index, content.facts
        if facts is None:
            name, classes = subject.split.names[index], subject.dataset.classes
            if subject.is_measured:
                facts = facts_of(subject.evaluation.per_image, index, name, classes)
            else:
                facts = facts_from(content.sample, int(subject.split.labels[index]), name, classes)
        self.detail.show_detail(content, facts)
        self._strength.search(subject, content.sample)
        self.sample_shown.emit(content.sample.index)

    def _show_busy(self) -> None:
        if self._subject is not None and self._chosen >= 0:
            self.detail.show_busy(PurePath(self._subject.split.names[self._chosen]).name)

    def _show_failure(self, error: Exception) -> None:
        self._busy.stop()
        self.detail.show_failure(f"This image could not be shown: {error_text(error)}")
        self.status.emit(error_text(error))

    def _figure_gain(self) -> float | None:
        return None if self.detail.gain.automatic else self.detail.gain.gain

    def _copy_figure(self) -> None:
        if self._subject is not None and self.figure_indices():
            self._exporter.copy_figure(self._subject, self.figure_indices(), self._figure_gain())

    def _ask_export(self) -> None:
        if self._subject is not None and self._is_measured():
            first = self.comparison.others.first
            self.export_flow.ask(self._subject, "" if first is None else str(first.path))

    def _ask_comparison(self) -> None:
        if self._subject is None or self._chosen < 0:
            return
        if path := self._ask_path("Export comparison", ComparisonExport):
            self._exporter.compare(path, self._subject, self._chosen, self.comparison.compared())

    def _compare(self) -> None:
        """The gallery's filters follow the other PGN."""
        first = self.comparison.others.first
        other = None if first is None or first.evaluation is None else first.evaluation.per_image
        self.gallery.compare(other, "" if first is None else first.name)

    def _is_measured(self) -> bool:
        """Whether there are figures at the γ that is shown; says so when not."""
        subject = self._subject
        if subject is None or subject.is_measured:
            return True
        message = f"The split is not measured yet at γ {subject.pgn.gamma:g}, which is shown."
        hint = "Press Measure below the gallery." if self.measuring.asks_first else "Wait a moment."
        self._show_problem("Export", PgnStudioError(message, hint=hint))
        return False

    def _ask_table(self) -> None:
        if not self._is_measured():
            return
        path = self._ask_path("Export table", TableExport)
        if path and self._subject is not None:
            self._exporter.write(TableExport(), path, self._subject)

    def _ask_list(self) -> None:
        if not self._is_measured():
            return
        path = self._ask_path("Save list", ImageTableExport)
        if path and self._subject is not None:
            self._exporter.write(ImageTableExport(), path, self._subject, self.gallery.model.shown.tolist())

    def _ask_images(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder for the perturbed images")
        if folder and self._subject is not None:
            chosen = self.gallery.view.selected_images()
            images = chosen if len(chosen) > 1 else None
            self._exporter.write(ImagesExport(), Path(folder), self._subject, images)

    def _ask_report(self) -> None:
        if self._subject is None or not self._is_measured():
            return
        name = f"{self._subject.stem}-report"
        place = QFileDialog.getExistingDirectory(self, f"Where to put the folder {name}")
        if place:
            self._exporter.write(ReportExport(), Path(place) / name, self._subject)

    def _offer_report(self, page: str) -> None:
        box = QMessageBox(QMessageBox.Icon.Information, "Report", "The report is written.", parent=self)
        box.setObjectName("report-written")
        box.setInformativeText(page)
        opening = box.addButton("Open the page", QMessageBox.ButtonRole.AcceptRole)
        opening.clicked.connect(partial(_open_file, page))
        box.addButton(QMessageBox.StandardButton.Close)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def _ask_path(self, title: str, kind: type[Export]) -> Path | None:
        if self._subject is None:
            return None
        proposed = f"{self._subject.stem}-{kind.file_name()}"
        name, chosen = QFileDialog.getSaveFileName(self, title, proposed, file_filter(kind))
        if not name:
            return None
        path = Path(name)
        # Some platforms do not add the chosen filter's suffix.
        return path if path.suffix else path.with_suffix("." + chosen.split("*.")[-1].rstrip(")"))

    def _show_export_failure(self, error: Exception) -> None:
        self._show_problem("The export failed", error)

    def _show_problem(self, title: str, error: Exception) -> None:
        self.failed.emit(title, error)
        self.status.emit(error_text(error))


def title_of(subject: Subject) -> str:
    """What is shown, and its figures at the γ that is, once they are there."""
    evaluation, gamma = subject.evaluation, subject.gamma_note
    where = f"{subject.dataset.name}/{evaluation.split_title}"
    title = f"{subject.pgn.info.name or 'PGN'}{gamma and f' at {gamma}'} on {where}"
    if not subject.is_measured:
        return f"{title}: not measured yet"
    figures, abstained = evaluation.metrics, evaluation.per_image.abstained
    held = f", abstained on {plural(abstained, 'image')}" if abstained else ""
    return (
        f"{title}: {percent(figures.clean_accuracy)} → {percent(figures.perturbed_accuracy)} "
        f"({percent(figures.perturbed_accuracy_8bit)} after 8-bit rounding){held}"
    )


def _open_file(path: str) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(path))
