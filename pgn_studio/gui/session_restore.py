"""What was open when the window was closed: written down as plain JSON, opened again at the next start."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QMainWindow, QSplitter, QTabWidget

from pgn_studio.core.config import DataSettings, TrainingSettings, names_file
from pgn_studio.core.data import DATASETS
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.evaluation.selection import Outcome, Selection, SortKey, parse_range
from pgn_studio.core.files import parse_json
from pgn_studio.core.legacy import modern
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.gui.preferences import Preferences
from pgn_studio.gui.project import Project
from pgn_studio.gui.reporter import Reporter
from pgn_studio.gui.training.shown_run import ShownRun
from pgn_studio.gui.widgets.notices import Banner
from pgn_studio.gui.wording import error_text

if TYPE_CHECKING:
    from pgn_studio.gui.pages.inspect.page import InspectPage
    from pgn_studio.gui.pages.setup.panel import SetupPanel

log = logging.getLogger(__name__)
TITLE = "The last session could not be restored completely."


class SessionRestore(QObject):
    """Saves and restores. What is gone or damaged is told on the window's banner; nothing waits for it."""

    restored = Signal()  # everything that could be opened is

    def __init__(
        self,
        window: QMainWindow,
        tabs: QTabWidget,
        banner: Banner,
        *,
        project: Project,
        shown: ShownRun,
        setup: SetupPanel,
        inspect_page: InspectPage,
        reporter: Reporter,
        preferences: Preferences,
    ) -> None:
        super().__init__(window)
        self._window, self._tabs, self._banner = window, tabs, banner
        self._project, self._shown, self._setup = project, shown, setup
        self._inspect_page, self._reporter, self._preferences = inspect_page, reporter, preferences
        self._stored: dict[str, Any] = {}
        self._alone = False  # a run or a PGN is being opened, which brings all that it needs

    # ------------------------------------------------------------------ saving

    def save(self) -> None:
        """Write down what is open now."""
        project, page, shown = self._project, self._inspect_page, self._shown
        fits = shown.now.subject == project.subject  # else other images or another classifier came after it
        opened = {
            "page": self._pages()[self._tabs.currentIndex()],
            "opened": shown.path if fits else "",
            "data": None if project.dataset is None else project.data_settings.model_dump(mode="json"),
            "classifier": None if project.classifier is None else project.source.to_json(),
            "settings": self._settings(),
            "image": page.chosen,
            "filter": _plain(page.gallery.filters.selection),
            "thumbnails": page.gallery.view.thumbnail_px,
            "splitters": {item.objectName(): item.sizes() for item in self._splitters()},
        }
        self._preferences.session = json.dumps(opened)

    def _settings(self) -> dict[str, Any]:
        try:
            return self._setup.settings(DataSettings(), "arch:small").model_dump(mode="json")
        except PgnStudioError:
            return {}  # something half typed

    def _pages(self) -> list[str]:
        tabs = (self._tabs.widget(number) for number in range(self._tabs.count()))
        return ["" if page is None else page.objectName() for page in tabs]

    def _splitters(self) -> list[QSplitter]:
        return [item for item in self._window.findChildren(QSplitter) if item.objectName()]

    # ------------------------------------------------------------------ restoring

    def restore(self) -> None:
        """Open what was open, if that is wanted; `restored` follows."""
        self._stored = _read(self._preferences.session) if self._preferences.restores_session else {}
        if not self._stored:
            return
        self._set_sizes()
        thumbnails = self._stored.get("thumbnails")
        if isinstance(thumbnails, int):
            self._inspect_page.gallery.view.set_thumbnail_px(thumbnails)
        self._reporter.deferred = []
        self._open()
        if self._project.busy:
            self._project.task_ended.connect(self._advance, Qt.ConnectionType.QueuedConnection)
        else:
            self._finish()

    def _set_sizes(self) -> None:
        for splitter in self._splitters():
            sizes = _mapping(self._stored.get("splitters")).get(splitter.objectName())
            if isinstance(sizes, list) and _are_sizes(sizes, splitter.count()):
                splitter.setSizes(sizes)

    def _open(self) -> None:
        project, opened = self._project, self._stored.get("opened")
        if isinstance(opened, str) and opened:
            if Path(opened).exists():  # brings its images and its classifier
                (project.open_run if Path(opened).is_dir() else project.open_pgn)(Path(opened))
                self._alone = True
                return
            self._miss(f"{opened} no longer exists.")
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
            self._miss(f"Its data set is not valid: {error_text(error)}")
            return
        if settings.dataset not in DATASETS and not Path(settings.dataset).exists():
            self._miss(f"The data set {settings.dataset} no longer exists.")
            return
        # Nothing is fetched without being asked for.
        self._project.load_dataset(settings.updated(download=False))

    def _open_classifier(self, told: Mapping[str, Any]) -> None:
        source = ClassifierSource.from_json(told)
        if source is None:
            return
        if not names_file(source.path):  # an address or code: a file alone must not start it
            self._miss(f"The black box {source.path} is not opened automatically: open it with File.")
        elif not Path(source.path).exists():
            self._miss(f"The classifier {source.path} no longer exists.")
        else:
            self._project.load_classifier(source)

    def _miss(self, text: str) -> None:
        assert self._reporter.deferred is not None
        self._reporter.deferred.append(text)

    @Slot()
    def _advance(self) -> None:
        if self._project.busy or self._reporter.deferred is None:
            return
        alone, self._alone = self._alone, False
        if alone and not self._shown.path:  # it could not be opened: then at least what it needs
            self._open_parts()
        if not self._project.busy:
            self._project.task_ended.disconnect(self._advance)
            self._finish()

    def _finish(self) -> None:
        """What can be chosen once everything is there."""
        problems, self._reporter.deferred = self._reporter.deferred, None
        page = self._inspect_page
        try:
            settings = TrainingSettings.make(**modern(_mapping(self._stored.get("settings"))))
            self._setup.fill(settings.model_dump(mode="json"), name="Settings of the last session")
        except (PgnStudioError, TypeError):
            log.warning("The settings of the last session are not understood.")
        if page.split_name:
            page.gallery.filters.set_selection(_selection(_mapping(self._stored.get("filter"))))
            image = self._stored.get("image")
            page.gallery.view.choose(image if isinstance(image, int) else -1)
        if self._stored.get("page") in self._pages():
            self._tabs.setCurrentIndex(self._pages().index(self._stored["page"]))
        self._set_sizes()  # again: a page that was empty had no room to share out
        if problems:
            self._banner.show_message(TITLE, hint=" ".join(problems), kind="warning")
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
