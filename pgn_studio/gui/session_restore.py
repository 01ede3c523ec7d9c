"""What was open when the window was closed: written down as plain JSON, opened again at the next start."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QSplitter

from pgn_studio.core.config import DataSettings, TrainingSettings, names_file
from pgn_studio.core.data import DATASETS
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.evaluation.selection import Outcome, Selection, SortKey, parse_range
from pgn_studio.core.files import parse_json
from pgn_studio.core.legacy import modern
from pgn_studio.gui.classifier_source import ClassifierSource

if TYPE_CHECKING:
    from pgn_studio.gui.main_window import MainWindow
    from pgn_studio.gui.preferences import Preferences
    from pgn_studio.gui.studio import Studio

log = logging.getLogger(__name__)
TITLE = "The last session could not be restored in full."


class SessionRestore(QObject):
    """Saves and restores. What is gone or damaged is told on the window's banner; nothing waits for it."""

    restored = Signal()  # everything that could be opened is

    def __init__(self, window: MainWindow, studio: Studio, state: Preferences) -> None:
        super().__init__(window)
        self._window, self._studio, self._state = window, studio, state
        self._stored: dict[str, Any] = {}
        self._alone = False  # a run or a PGN is being opened, which brings all that it needs

    # ------------------------------------------------------------------ saving

    def save(self) -> None:
        """Write down what is open now."""
        workspace, inspection, shown = self._studio.workspace, self._studio.inspection, self._studio.shown
        fits = shown.now.subject == workspace.subject  # else other images or another classifier came after it
        session = {
            "page": self._pages()[self._window.tabs.currentIndex()],
            "opened": shown.path if fits else "",
            "data": None if workspace.dataset is None else workspace.data_settings.model_dump(mode="json"),
            "classifier": None if workspace.classifier is None else workspace.source.to_json(),
            "settings": self._settings(),
            "image": inspection.chosen,
            "filter": _plain(inspection.gallery.filters.selection),
            "thumbnails": inspection.gallery.view.thumbnail_px,
            "splitters": {item.objectName(): item.sizes() for item in self._splitters()},
        }
        self._state.session = json.dumps(session)

    def _settings(self) -> dict[str, Any]:
        try:
            return self._studio.setup.settings(DataSettings(), "arch:small").model_dump(mode="json")
        except PgnStudioError:
            return {}  # something half typed

    def _pages(self) -> list[str]:
        tabs = (self._window.tabs.widget(number) for number in range(self._window.tabs.count()))
        return ["" if page is None else page.objectName() for page in tabs]

    def _splitters(self) -> list[QSplitter]:
        return [item for item in self._window.findChildren(QSplitter) if item.objectName()]

    # ------------------------------------------------------------------ restoring

    def restore(self) -> None:
        """Open what was open, if that is wanted; `restored` follows."""
        self._stored = _read(self._state.session) if self._state.restores_session else {}
        if not self._stored:
            return
        self._set_sizes()
        thumbnails = self._stored.get("thumbnails")
        if isinstance(thumbnails, int):
            self._studio.inspection.gallery.view.set_thumbnail_px(thumbnails)
        self._studio.deferred_errors = []
        self._open()
        if self._studio.workspace.busy:
            self._studio.workspace.task_ended.connect(self._advance, Qt.ConnectionType.QueuedConnection)
        else:
            self._finish()

    def _set_sizes(self) -> None:
        for splitter in self._splitters():
            sizes = _mapping(self._stored.get("splitters")).get(splitter.objectName())
            if isinstance(sizes, list) and _are_sizes(sizes, splitter.count()):
                splitter.setSizes(sizes)

    def _open(self) -> None:
        workspace, opened = self._studio.workspace, self._stored.get("opened")
        if isinstance(opened, str) and opened:
            if Path(opened).exists():  # brings its images and its classifier
                (workspace.open_run if Path(opened).is_dir() else workspace.open_pgn)(Path(opened))
                self._alone = True
                return
            self._miss(f"{opened} is gone.")
        self._open_parts()

    def _open_parts(self) -> None:
        self._open_data(_mapping(self._stored.get("data")))
        self._open_classifier(_mapping(self._stored.get("classifier")))

    def _open_data(self, data: Mapping[str, Any]) -> None:
        if not data:
            return
        try:
            settings = DataSettings.make(**data)
        except PgnStudioError as error:
            self._miss(f"Its data set is not understood: {error}")
            return
        if settings.dataset not in DATASETS and not Path(settings.dataset).exists():
            self._miss(f"The data set {settings.dataset} is gone.")
            return
        # Nothing is fetched without being asked for.
        self._studio.workspace.load_dataset(settings.updated(download=False))

    def _open_classifier(self, told: Mapping[str, Any]) -> None:
        source = ClassifierSource.from_json(told)
        if source is None:
            return
        if not names_file(source.path):  # an address or code: a file alone must not start it
            self._miss(f"The black box {source.path} is not asked again by itself: open it with File.")
        elif not Path(source.path).exists():
            self._miss(f"The classifier {source.path} is gone.")
        else:
            self._studio.workspace.load_classifier(source)

    def _miss(self, text: str) -> None:
        assert self._studio.deferred_errors is not None
        self._studio.deferred_errors.append(text)

    @Slot()
    def _advance(self) -> None:
        if self._studio.workspace.busy or self._studio.deferred_errors is None:
            return
        alone, self._alone = self._alone, False
        if alone and not self._studio.shown.path:  # it could not be opened: then at least what it needs
            self._open_parts()
        if not self._studio.workspace.busy:
            self._studio.workspace.task_ended.disconnect(self._advance)
            self._finish()

    def _finish(self) -> None:
        """What can be chosen once everything is there."""
        problems, self._studio.deferred_errors = self._studio.deferred_errors, None
        inspection = self._studio.inspection
        try:
            settings = TrainingSettings.make(**modern(_mapping(self._stored.get("settings"))))
            self._studio.setup.fill(settings.model_dump(mode="json"), name="Settings of the last session")
        except (PgnStudioError, TypeError):
            log.warning("The settings of the last session are not understood.")
        if inspection.split_name:
            inspection.gallery.filters.set_selection(_selection(_mapping(self._stored.get("filter"))))
            image = self._stored.get("image")
            inspection.gallery.view.choose(image if isinstance(image, int) else -1)
        if self._stored.get("page") in self._pages():
            self._window.tabs.setCurrentIndex(self._pages().index(self._stored["page"]))
        self._set_sizes()  # again: a page that was empty had no room to share out
        if problems:
            self._window.notice.show_message(TITLE, hint=" ".join(problems), kind="warning")
        self.restored.emit()


def _read(text: str) -> dict[str, Any]:
    try:
        stored = parse_json(text) if text else {}
    except ValueError:
        log.warning("The last session is damaged.")
        return {}
    return dict(_mapping(stored))


def _mapping(value: Any) -> Mapping[str, Any]:
    """`value` where it is one; a damaged file may hold anything."""
    return value if isinstance(value, dict) else {}


def _are_sizes(sizes: list[Any], count: int) -> bool:
    return len(sizes) == count and all(isinstance(size, int) for size in sizes)


def _plain(selection: Selection) -> dict[str, Any]:
    """Without what belongs to another PGN, which is not opened again."""
    return {
        "outcome": None if selection.outcome is None else selection.outcome.value,
        "label": selection.label,
        "before": selection.before,
        "after": selection.after,
        "text": selection.text,
        "ranges": [str(item) for item in selection.ranges],
        "sort": selection.sort.value,
        "descending": selection.descending,
    }


def _selection(plain: Mapping[str, Any]) -> Selection:
    """All images where it is not understood."""
    label, before, after = (_integer(plain.get(name)) for name in ("label", "before", "after"))
    try:
        return Selection(
            outcome=None if plain.get("outcome") is None else Outcome(plain["outcome"]),
            text=str(plain.get("text", "")),
            ranges=tuple(parse_range(str(item)) for item in plain.get("ranges", ())),
            sort=SortKey(plain.get("sort", SortKey.FILE.value)),
            descending=plain.get("descending") is True,
            label=label,
            before=before,
            after=after,
        )
    except (ValueError, TypeError, PgnStudioError):
        return Selection()


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) else None
