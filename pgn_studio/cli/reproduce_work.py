"""The work of a reproduced table's cells: vanilla classifiers, PGNs, baselines. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pgn_studio.cli import terminal
from pgn_studio.cli.opening import open_dataset
from pgn_studio.cli.signals import Interruption
from pgn_studio.cli.sweep_work import LastOpened, RunJob
from pgn_studio.cli.train_classifier import trained_with_report
from pgn_studio.cli.wording import error_text
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.baselines.preparing import make_baseline, measure_baseline
from pgn_studio.core.classifiers import Classifier, load_classifier
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import pick_device
from pgn_studio.core.errors import Canceled, DataError, PgnStudioError
from pgn_studio.core.files import sha256_of_file, write_json
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.pretrained import imagenet_weights
from pgn_studio.core.sweeps.folder import TEST, SweepFolder, read_figures
from pgn_studio.core.sweeps.jobs import Figures, Job, NotRun
from pgn_studio.core.sweeps.reproduction import SMALL_IMAGES, Cell, Wishes, limited, measure_vanilla


def make_jobs(cells: Sequence[Cell], wishes: Wishes, folder: SweepFolder, stop: Interruption) -> list[Job]:
    """A job for each cell, in order. They share the data set that was opened last."""
    common = _Common(wishes, stop)
    pgns: dict[str, RunJob] = {}
    jobs: list[Job] = []
    for cell in cells:
        path = folder.run_path(cell.name)
        if cell.what.kind == "vanilla":
            jobs.append(VanillaJob(cell, common))
        elif cell.what.kind == "pgn":
            run = RunJob(cell.name, cell.settings, path, common.opener)
            pgns.setdefault(_row(cell), run)  # the first of a row says how large its baselines may be
            jobs.append(PgnJob(cell, run, common))
        else:
            jobs.append(BaselineJob(cell, path, pgns.get(_row(cell)), common))
    return jobs


class _Common:
    """What all jobs of a table share."""

    def __init__(self, wishes: Wishes, stop: Interruption) -> None:
        self.wishes = wishes
        self.stop = stop
        small = wishes.scale == "small"
        self.opener = LastOpened(stop, limit=self.limit if small else None)

    def limit(self, dataset: ImageDataset) -> ImageDataset:
        return limited(dataset, SMALL_IMAGES, seed=self.wishes.seed)

    def require(self, cell: Cell) -> None:
        """Raises NotRun where this machine lacks what the cell needs."""
        if cell.needs:
            raise NotRun(cell.needs)
        if self.wishes.scale == "paper":
            if self.wishes.device == "auto" and pick_device("auto").type == "cpu":
                raise NotRun("a GPU: none is here (--device cpu runs it all the same, for weeks)")
            for name in _weights_of(cell):
                missing = _missing_weights(name)
                if missing:
                    raise NotRun(f"weights: {missing}")
        if cell.what.kind != "vanilla" and not cell.classifier_path.is_file():
            raise NotRun("its classifier, which was not trained")


class VanillaJob:
    """Train the row's classifier and measure it."""

    def __init__(self, cell: Cell, common: _Common) -> None:
        self.name = cell.name
        self._cell = cell
        self._common = common
        self._record = cell.classifier_path.with_suffix(".json")

    def recorded(self) -> Figures | None:
        figures, path = read_figures(self._record), self._cell.classifier_path
        if figures is None or not path.is_file():
            return None
        return figures if figures.get("classifier_sha256") == sha256_of_file(path) else None

    def ready(self) -> None:
        self._common.require(self._cell)

    def run(self) -> Figures:
        stop, settings = self._common.stop, self._cell.classifier
        try:
            dataset = open_dataset(settings, stop)
        except DataError as error:
            if self._common.wishes.scale == "small":
                raise
            raise NotRun(f"data: {error_text(error)}") from error
        if self._common.wishes.scale == "small":
            dataset = self._common.limit(dataset)
        classifier = self._classifier(dataset)
        with terminal.progress("Measuring on test", stop) as report:
            measured = measure_vanilla(
                classifier, dataset.split("test"), device=pick_device(settings.device), progress=report
            )
        figures = {**measured, "classifier_sha256": classifier.info.sha256}
        write_json(self._record, figures)
        return figures

    def _classifier(self, dataset: ImageDataset) -> Classifier:
        """The trained one where it is there and whole, or a new one."""
        path, stop = self._cell.classifier_path, self._common.stop
        if path.is_file():
            earlier = load_classifier(path)
            if not earlier.info.training.get("stopped"):
                return earlier
        path.parent.mkdir(parents=True, exist_ok=True)
        settings = self._cell.classifier
        classifier = trained_with_report(dataset, settings, path, stop)
        if stop.asked:
            raise Canceled
        return classifier


class PgnJob:
    """A PGN against the row's classifier."""

    def __init__(self, cell: Cell, run: RunJob, common: _Common) -> None:
        self.name = cell.name
        self._cell = cell
        self._run = run
        self._common = common

    def recorded(self) -> Figures | None:
        self._run.check()
        return self._run.recorded()

    def ready(self) -> None:
        self._common.require(self._cell)

    def run(self) -> Figures:
        return self._run.run()


class BaselineJob:
    """UAP or EHA at the size of the row's first PGN."""

    def __init__(self, cell: Cell, folder: Path, sized_by: RunJob | None, common: _Common) -> None:
        self.name = cell.name
        self._cell = cell
        self._folder = folder
        self._sized_by = sized_by
        self._common = common

    def recorded(self) -> Figures | None:
        figures, path = read_figures(self._folder / TEST), self._cell.classifier_path
        if figures is None or not path.is_file() or figures.get("rms_wanted") != self._rms():
            return None
        return figures if figures.get("classifier_sha256") == sha256_of_file(path) else None

    def ready(self) -> None:
        self._common.require(self._cell)

    def run(self) -> Figures:
        rms = self._rms()
        if rms is None:
            raise NotRun("the size of a PGN of its row, and none was measured")
        classifier, dataset = self._common.opener(self._cell.settings)
        settings, info = self._cell.settings, classifier.info
        space = InputSpace(settings.input_space, mean=info.mean, std=info.std)
        context = BaselineContext.of(
            settings,
            classifier=classifier,
            space=space,
            dataset=dataset,
            rms=rms,
            device=pick_device(settings.device),
            precision=settings.precision,
        )
        with terminal.progress("Making the baseline", self._common.stop) as report:
            baseline = make_baseline(self._cell.what.baseline, context, progress=report)
        with terminal.progress("Measuring on test", self._common.stop) as report:
            evaluation = measure_baseline(baseline, context, dataset, "test", progress=report)
        sha256 = sha256_of_file(self._cell.classifier_path)
        figures: Mapping[str, Any] = {
            **evaluation.to_json(), "classifier_sha256": sha256, "rms_wanted": rms,
        }  # fmt: skip
        write_json(self._folder / TEST, figures)
        return figures

    def _rms(self) -> float | None:
        """RMS per value of the row's first PGN, where that was measured."""
        figures = None if self._sized_by is None else self._sized_by.recorded()
        return None if figures is None else float(figures["rms_mean"])


def _row(cell: Cell) -> str:
    return f"{cell.row.dataset} {cell.row.classifier}"


def _weights_of(cell: Cell) -> list[str]:
    """Networks whose ImageNet weights the cell starts from, at the paper's scale."""
    what, arch = cell.what, cell.classifier.arch
    if what.kind == "vanilla":
        return [arch] if what.start == "pretrained" else []
    if what.kind == "baseline":
        return []
    own = {"shared": [], "known": [arch], "blackbox": ["resnet101"]}[what.discriminator]
    return [f"resnet{what.encoder}", *own]


@cache
def _missing_weights(name: str) -> str:
    """Why there are no ImageNet weights of `name` here; asked once, since a download may take its time."""
    try:
        imagenet_weights(name)
    except PgnStudioError as error:
        return error_text(error)
    return ""
