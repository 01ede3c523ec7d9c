"""The Classifier tab: what it is, how often it is right on clean images, and what it confuses."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from pgn_studio.core.amounts import percent
from pgn_studio.core.evaluation.selection import Selection
from pgn_studio.gui.pages.classifier.measuring import SPLITS, Measuring
from pgn_studio.gui.pages.classifier.trials_panel import TrialsPanel
from pgn_studio.gui.pages.inspect.browser import ConfusionView, Side
from pgn_studio.gui.theme import current_theme
from pgn_studio.gui.widgets.notices import Banner
from pgn_studio.gui.widgets.row_table import Column, RowTable, count, interval

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Classifier
    from pgn_studio.core.data.dataset import ImageDataset
    from pgn_studio.core.evaluation.classifier_accuracy import ClassifiedSplit
    from pgn_studio.core.evaluation.normalization_check import Diagnosis

CLASS_COLUMNS = (
    Column("Class", "class"),
    Column("n", "n", count),
    Column("Accuracy", "accuracy", percent),
    Column("Predicted", "taken_for"),
    Column("Count", "as_often", count),
)
SPLIT_COLUMNS = (
    Column("Split", "split"),
    Column("Images", "n", count),
    Column("Accuracy", "accuracy", percent),
    Column("95 % interval", "interval"),
)
WIDEST = {"n": "100,000", "accuracy": "100.0 %", "as_often": "Count"}  # names share the rest
TRY_TIP = "Try common means, stds, value ranges and channel orders on a sample of the val images"


class ClassifierPage(QWidget):
    """`use_requested` carries a Normalization, `images_requested` the Selection of what was clicked."""

    images_requested = Signal(object)
    use_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("classifier_page")
        self._told = False  # that the normalization was given by hand
        self._problem = ""
        self._suspected = False  # the banner has been shown for this classifier
        self.measuring = Measuring(self)
        self.banner = Banner(self)
        self.facts = QFormLayout()
        self.splits = RowTable(SPLIT_COLUMNS, self)
        self.measure_button = QPushButton(self)
        self.try_button = QPushButton("Try other &normalizations", self)
        self.state = QLabel(self)
        self.bar = QProgressBar(self)
        self.cancel_button = QPushButton("Cancel", self)
        self.classes = RowTable(CLASS_COLUMNS, self)
        self.confusion = ConfusionView(self)
        self.nothing = QLabel(self)
        self.trials = TrialsPanel(self)
        self._figures = QStackedWidget(self)
        self._build()
        self._connect()
        self._fit_columns()
        self._refresh()

    # ------------------------------------------------------------------ what is shown

    def put_above(self, widget: QWidget) -> None:
        """On top of the page."""
        self._column.insertWidget(0, widget)

    def show_subject(
        self,
        classifier: Classifier | None,
        dataset: ImageDataset | None,
        device: Callable[[], str],
        *,
        told: bool,
        problem: str,
    ) -> None:
        """Its facts; what was measured and found of another is forgotten.

        `told`: somebody said how images are normalized. `problem`: why it cannot be measured.
        """
        self._told, self._problem, self._suspected = told, problem, False
        self.banner.hide()
        self.trials.hide()
        while self.facts.rowCount():
            self.facts.removeRow(0)
        if classifier is not None:
            from pgn_studio.core.evaluation.classifier_accuracy import classifier_facts

            for name, text in classifier_facts(classifier).items():
                self.facts.addRow(name, _fact(name, text, self))
        self.measuring.set_subject(classifier, dataset, device)

    @property
    def chosen(self) -> str:
        """The name of the split whose figures are shown."""
        row = self.splits.chosen
        return "test" if row is None else str(row["split"])

    def choose(self, split_name: str) -> None:
        self.splits.choose(SPLITS.index(split_name))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.measuring.measure_the_cheap()

    # ------------------------------------------------------------------ parts

    def _build(self) -> None:
        self.splits.setObjectName("split_table")
        self.splits.setAccessibleName("Accuracy on each split")
        self.splits.setToolTip("Choose the split whose classes and confusion are shown")
        self.splits.setSortingEnabled(False)
        self.splits.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.splits.horizontalHeader().setStretchLastSection(True)
        self.splits.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # it takes a row
        self.splits.show_whole(len(SPLITS))
        self.measure_button.setObjectName("measure_button")
        self.try_button.setObjectName("try_normalizations_button")
        self.state.setObjectName("measuring_state")
        self.state.setWordWrap(True)
        self.state.setProperty("role", "muted")
        self.bar.setObjectName("measuring_progress")
        self.bar.setAccessibleName("Progress of the measurement")
        self.bar.setTextVisible(False)
        self.cancel_button.setObjectName("cancel_measuring_button")
        self.cancel_button.setToolTip("Cancel the measurement")
        self.classes.setObjectName("clean_class_table")
        self.classes.setAccessibleName("Clean accuracy of each class")
        self.classes.setToolTip("Click a class to see its images in Inspect")
        header = self.classes.horizontalHeader()
        for number, column in enumerate(CLASS_COLUMNS):
            modes = QHeaderView.ResizeMode
            fixed = column.field in WIDEST
            header.setSectionResizeMode(number, modes.Interactive if fixed else modes.Stretch)
        self.confusion.setObjectName("clean_confusion")
        self.confusion.setToolTip("Click a cell to see its images in Inspect")
        self.nothing.setObjectName("classifier_nothing")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.setWordWrap(True)
        figures = QSplitter(Qt.Orientation.Horizontal, self)
        figures.setObjectName("classifier-figures-splitter")
        figures.addWidget(self.classes)
        figures.addWidget(self.confusion)
        figures.setSizes([430, 280])
        figures.setChildrenCollapsible(False)
        self._figures.addWidget(self.nothing)
        self._figures.addWidget(figures)
        above = QSplitter(Qt.Orientation.Horizontal, self)
        above.setObjectName("classifier-splitter")
        above.addWidget(self._left())
        above.addWidget(self._figures)
        above.setSizes([320, 640])
        above.setChildrenCollapsible(False)
        whole = QSplitter(Qt.Orientation.Vertical, self)
        whole.setObjectName("classifier-trials-splitter")
        whole.addWidget(above)
        whole.addWidget(self.trials)
        whole.setSizes([460, 240])
        whole.setChildrenCollapsible(False)
        layout = self._column = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.addWidget(self.banner)
        layout.addWidget(whole, 1)

    def _left(self) -> QWidget:
        left = QWidget(self)
        self.facts.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        work = QHBoxLayout()
        work.addWidget(self.bar, 1)
        work.addWidget(self.cancel_button)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 6, 0)
        column.addLayout(self.facts)
        column.addWidget(self.splits)
        column.addWidget(self.state)
        column.addLayout(work)
        column.addWidget(self.measure_button)
        column.addWidget(self.try_button)
        column.addStretch(1)
        return left

    @Slot()
    def _fit_columns(self) -> None:
        """Numbers and their titles are read at every size of the texts."""
        header = self.classes.horizontalHeader()
        for number, column in enumerate(CLASS_COLUMNS):
            if column.field in WIDEST:
                figure = self.classes.fontMetrics().horizontalAdvance(WIDEST[column.field])
                title = header.fontMetrics().horizontalAdvance(column.head)
                header.resizeSection(number, max(figure, title) + 20)

    def _connect(self) -> None:
        current_theme().changed.connect(self._fit_columns)
        self.measuring.changed.connect(self._refresh)
        self.measuring.progressed.connect(self._advance)
        self.measuring.diagnosed.connect(self._show_diagnosis)
        self.measure_button.clicked.connect(self._measure)
        self.try_button.clicked.connect(self.measuring.try_normalizations)
        self.cancel_button.clicked.connect(self.measuring.cancel)
        self.banner.action_clicked.connect(self.measuring.try_normalizations)
        self.splits.selectionModel().selectionChanged.connect(self._show_chosen)
        self.classes.clicked.connect(self._class_clicked)
        self.classes.activated.connect(self._class_clicked)
        self.confusion.chosen.connect(self._cell_clicked)
        self.trials.use_requested.connect(self.use_requested)

    # ------------------------------------------------------------------ following the measurements

    @Slot()
    def _refresh(self) -> None:
        chosen = self.chosen
        rows = []
        for name in SPLITS:
            found = self.measuring.found.get(name)
            figure = None if found is None else found.accuracy
            ends = "" if figure is None else interval(figure.low, figure.high)
            value = None if figure is None else figure.value
            images = self.measuring.images(name)
            rows.append({"split": name, "n": images, "accuracy": value, "interval": ends})
        self.splits.rows.show_rows(rows)
        self.choose(chosen)
        self._show_chosen()
        self._suspect()
        if self.isVisible():
            self.measuring.measure_the_cheap()

    @Slot()
    def _show_chosen(self) -> None:
        found = self.measuring.found.get(self.chosen)
        self._show_figures(found)
        self._show_work(found)

    def _show_figures(self, found: ClassifiedSplit | None) -> None:
        self._figures.setCurrentIndex(0 if found is None else 1)
        if found is None:
            self.nothing.setText(self._why_nothing())
            return
        self.classes.rows.show_rows(found.per_class())
        self.confusion.show_counts(found.confusion, found.classes, Side.BEFORE)

    def _why_nothing(self) -> str:
        if not self.measuring.ready:
            return "Load a data set and a classifier to see the accuracy."
        return self._problem or f"{self.chosen} is not measured yet."

    def _show_work(self, found: ClassifiedSplit | None) -> None:
        doing = self.measuring.doing
        able = self.measuring.ready and not doing and not self._problem
        self.bar.setVisible(bool(doing))
        self.cancel_button.setVisible(bool(doing))
        self.state.setVisible(bool(doing))
        if doing and doing not in self.state.text():
            self.state.setText(f"{doing} …")
            self.bar.setRange(0, 0)
        self.measure_button.setText(self._measure_text())
        self.measure_button.setVisible(found is None)
        self.measure_button.setEnabled(able and found is None and self.measuring.images(self.chosen) > 0)
        self.measure_button.setToolTip("Ask the classifier about every image of the chosen split, once")
        reason = self._why_no_trial()
        self.try_button.setEnabled(able and not reason)
        self.try_button.setToolTip(reason or TRY_TIP + self._trial_cost())

    def _measure_text(self) -> str:
        name, classifier = self.chosen, self.measuring.classifier
        images, seconds = self.measuring.images(name), self.measuring.seconds_for(name)
        if not self.measuring.ready:
            return "&Measure"
        if classifier is not None and classifier.queries is not None:
            return f"&Measure {name}: up to {images:,} queries"
        return f"&Measure {name}: {images:,} images" + ("" if seconds is None else f", {_duration(seconds)}")

    def _why_no_trial(self) -> str:
        classifier = self.measuring.classifier
        if classifier is None or classifier.normalization is not None:
            return ""
        return "A black box gets 8-bit images and normalizes them itself."

    def _trial_cost(self) -> str:
        classifier = self.measuring.classifier
        if classifier is None or classifier.queries is None:
            return ""
        from pgn_studio.core.evaluation.normalization_check import DECIDING_SPLIT, largest_cost

        return f": up to {largest_cost(self.measuring.images(DECIDING_SPLIT)):,} queries"

    @Slot(int, int)
    def _advance(self, done: int, total: int) -> None:
        self.bar.setRange(0, total)
        self.bar.setValue(done)

    @Slot()
    def _measure(self) -> None:
        self.measuring.measure(self.chosen)

    def _suspect(self) -> None:
        """Offer the doctor once, where accuracy is poor: see `core.evaluation.clean.poor_split`."""
        classifier = self.measuring.classifier
        if self._suspected or classifier is None or not self.measuring.found:
            return
        from pgn_studio.core.evaluation.classifier_accuracy import poor_split

        text = poor_split(classifier, self.measuring.found.values(), told=self._told)
        if text is not None:
            self._suspected = True
            self.banner.show_message(text, kind="warning", action="Try other normalizations")

    @Slot(object)
    def _show_diagnosis(self, diagnosis: Diagnosis) -> None:
        self._suspected = True
        self.banner.hide()
        self.trials.show_diagnosis(diagnosis)

    # ------------------------------------------------------------------ the way to the images

    @Slot(QModelIndex)
    def _class_clicked(self, index: QModelIndex) -> None:
        found = self.measuring.found.get(self.chosen)
        if found is not None:
            self.images_requested.emit(
                Selection(label=found.classes.index(self.classes.row_of(index)["class"]))
            )

    @Slot(int, int)
    def _cell_clicked(self, true: int, predicted: int) -> None:
        self.images_requested.emit(Selection(label=true, before=predicted))


def _fact(name: str, text: str, parent: QWidget) -> QLineEdit:
    """A text to select and copy; a path or a thousand class names do not widen the page."""
    line = QLineEdit(text, parent)
    line.setReadOnly(True)
    line.setFrame(False)
    line.setObjectName(f"fact_{name.lower().replace(' ', '_')}")
    line.setAccessibleName(name)
    line.setToolTip(f"<p>{html.escape(text)}</p>")
    line.setStyleSheet("QLineEdit { background: transparent; border: none; padding: 0; }")
    if name == "File":
        line.end(False)  # a path says most at its end
    else:
        line.home(False)
    return line


def _duration(seconds: float) -> str:
    """About how long, for a person."""
    if seconds < 60:
        return "less than a minute"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
