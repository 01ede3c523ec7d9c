"""What `import pgn_studio` gives. Bad input raises a PgnStudioError, whose text says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core import classifiers
from pgn_studio.core.classifiers import Access, Classifier, check_classes, check_suits
from pgn_studio.core.config import ChannelOrder, DataSettings, TrainingSettings
from pgn_studio.core.data import sources
from pgn_studio.core.data.dataset import ImageDataset, settings_as_loaded
from pgn_studio.core.device import full_precision, pick_device, to_pixels
from pgn_studio.core.errors import Canceled, ClassifierError, ConfigError, DataError, PgnFileError, RunError
from pgn_studio.core.evaluation.batch import to_8bit, to_uint8
from pgn_studio.core.evaluation.evaluate import Evaluation, Metrics, place
from pgn_studio.core.gamma import GammaRange
from pgn_studio.core.perturbation import pgn as pgn_files
from pgn_studio.core.project.opening import Opener, data_of, measure
from pgn_studio.core.project.resolve import find_pgn, resolve_classifier
from pgn_studio.core.project.source import ClassifierSource
from pgn_studio.core.project.training_run import check_new_run, recordable, start_run
from pgn_studio.core.protocols import Progress
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import Event, RunFailed, RunFinished

Images = TypeVar("Images", Tensor, npt.NDArray[Any])
Triple = tuple[float, float, float]
_BATCH = 64  # images at a time


def load_dataset(
    name_or_path: str | Path, *, progress: Progress | None = None, **settings: Any
) -> ImageDataset:
    """Images in the splits train, val and test: `data.split("test").images([0, 1])` is uint8 (2, S, S, 3).

    `name_or_path` is a data set's name (digits, stl10, …, or a plug-in's), or a folder train|val|test/class/…
    or class/…. `settings` are those of `pgn-studio train` for data, as image_size=32
    or num_classes=10. `progress(done, total)` may raise Canceled. Raises DataError where there are no images
    or their folders are unclear, ConfigError for a setting.
    """
    given = {"dataset": _text(name_or_path, "a data set's name or folder"), **settings}
    return sources.load_dataset(DataSettings.make(**given), progress=progress)


def load_classifier(
    path_or_name: str | Path,
    *,
    classes: Sequence[str] | None = None,
    arch: str | None = None,
    image_size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    channels: ChannelOrder | None = None,
    access: Access | None = None,
) -> Classifier:
    """A frozen classifier: called with pixels (N, 3, S, S) in [0, 1] it gives logits (N, K).

    `path_or_name` is "demo:digits" (the bundled one), a file that PGN Studio saved (which says all the rest),
    weights of another program (.pth, .safetensors: `arch` and `classes` needed), an exported program (.pt2,
    .pt: `classes` needed), "arch:NAME:pretrained", or a black box (.onnx, http://…, python:module:function),
    asked as `access` says. `classes` are in the data set's order; `mean` and `std`, red first, are of pixels
    in [0, 1], `std` above 0. `channels` is the order, "rgb" or "bgr", that the network takes. Raises
    ClassifierError where it cannot be used as given.
    """
    return classifiers.load_classifier(
        resolve_classifier(_text(path_or_name, "a classifier's file or name")),
        classes=None if classes is None else tuple(classes),
        arch=arch,
        image_size=image_size,
        mean=_three(mean, "mean"),
        std=_three(std, "std"),
        channels=channels,
        access=access,
    )


class LoadedPgn:
    """A PGN to be called with images; made by `load_pgn`, and by `Run.pgn`."""

    def __init__(self, network: pgn_files.Pgn, classifier: Classifier | None = None) -> None:
        self.network = network
        self._classifier = classifier

    @property
    def info(self) -> pgn_files.PgnInfo:
        """What it is: problem, classes, image_size, gamma, told, settings, metrics on validation, ….

        `image_size` is in pixels, `gamma` its own γ, `told` what it is told of the classifier's outputs.
        """
        return self.network.info

    @property
    def gammas(self) -> GammaRange | None:
        """The range of γ (`low`, `high`); None where it was trained for `info.gamma` alone."""
        return self.network.generator.gammas

    def to(self, device: str) -> LoadedPgn:
        """Compute on "cpu", "cuda", "cuda:1" or "mps" from now on; "auto" is the best there is.

        Raises ConfigError for a device that is not there.
        """
        self.network.to(pick_device(device))
        return self

    def __call__(
        self, images: Images, *, gamma: float | None = None, classifier: Classifier | None = None
    ) -> Images:
        """The perturbed images, of the kind, dtype and device of `images`.

        `images`: a tensor or array of floats (N, 3, S, S) in [0, 1], or of uint8 (N, S, S, 3), with
        S = `info.image_size`; floats come back clipped to [0, 1], bytes rounded. `gamma` is one that the PGN
        serves, else its own. A PGN that is told what the classifier says of an image (`info.told`) needs
        `classifier`, unless it was loaded with it. Raises DataError for other images, ConfigError for another
        γ, PgnFileError without a classifier that is needed, ClassifierError for one with other classes.
        """
        pixels = _pixels(images, self.info.image_size)
        network = self._ready(gamma, classifier or self._classifier)
        device = next(network.generator.parameters()).device
        changed = torch.empty_like(pixels, dtype=torch.float32)
        with full_precision(device):
            for start in range(0, len(pixels), _BATCH):
                batch = pixels[start : start + _BATCH].to(device, torch.float32)
                changed[start : start + _BATCH] = network.perturb(batch).pixels.clamp(0.0, 1.0)
        return _alike(changed, images)

    def _ready(self, gamma: float | None, classifier: Classifier | None) -> pgn_files.Pgn:
        network = self.network if gamma is None else self.network.at(_number(gamma, "gamma"))
        if network.told == "nothing":
            return network
        if classifier is None:
            raise PgnFileError(
                "This PGN perturbs an image by what the classifier says of it, and none was given.",
                hint="Give it: pgn(images, classifier=load_classifier(…)).",
            )
        check_suits(_checked_classifier(classifier), self.info.classes, self.info.image_size)
        place(network, classifier, next(network.generator.parameters()).device)
        return network.asking(classifier)


def load_pgn(path: str | Path, *, classifier: Classifier | None = None) -> LoadedPgn:
    """The PGN of a file, of a run folder, or of a run by its name; `classifier` is the one that it asks.

    It computes on the CPU until `to` or `evaluate` moves it. Raises PgnFileError for a damaged file, RunError
    where there is no such run or it has no PGN.
    """
    file, _ = find_pgn(_text(path, "a PGN's file or a run"))
    return LoadedPgn(
        pgn_files.load_pgn(file), None if classifier is None else _checked_classifier(classifier)
    )


@dataclass(frozen=True)
class Run:
    """A run that was trained.

    `path` is its folder. `metrics` are the figures of the PGN that it keeps, on the validation images:
    perturbed_accuracy_8bit, rms_mean, fixed_8bit, …, with its epoch and γ (kept_epoch, gamma), and how the
    run ended (reason, step, seconds).
    """

    path: Path
    metrics: Mapping[str, Any]
    classifier: Classifier

    @cached_property
    def pgn(self) -> LoadedPgn:
        """The PGN that the run keeps, which knows its classifier."""
        return load_pgn(self.path, classifier=self.classifier)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The events of the training as metrics.jsonl holds them: {"event": "StepCompleted", "step": 1, …}"""
        return RunFolder.open(self.path).read_metrics()


def train(
    data: ImageDataset | str | Path,
    classifier: Classifier | str | Path,
    *,
    out: str | Path | None = None,
    callbacks: Iterable[Callable[[Event], object]] = (),
    **settings: Any,
) -> Run:
    """Train a PGN against a frozen classifier, in this thread; `data` and `classifier` loaded or by name.

    `out` is the new run folder; default: a dated one among the runs. `settings` are those of
    `pgn-studio train`, as problem="adversarial", gamma=(0.3, 30.0), epochs=5 or device="cpu"; of the data
    only where `data` is a name. Each of `callbacks` is called with each event of
    `pgn_studio.core.training.events`; Canceled raised in one stops the training at the next step and keeps
    what there is. Raises ConfigError for a setting, ClassifierError or DataError where classifier and images
    do not fit together, RunError where `out` is there already or the training fails.
    """
    loaded = data if isinstance(data, ImageDataset) else None
    network = classifier if isinstance(classifier, Classifier) else None
    given = {**_data_settings(data, settings), **settings}
    given["classifier"] = network.info.path if network else _text(classifier, "a classifier or its file")
    chosen = TrainingSettings.make(**given)
    folder = check_new_run(chosen, out)
    network, loaded = Opener().open_both(chosen, loaded=(network, loaded))
    training_run = start_run(recordable(chosen, loaded), network, loaded, folder)
    control = TrainingControl(gamma=chosen.first_gamma, gammas=chosen.gammas)
    listeners = tuple(callbacks)

    def tell(event: Event) -> None:
        try:
            for listener in listeners:
                listener(event)
        except Canceled:
            control.stop()

    ending = training_run.train(control, tell)
    if isinstance(ending, RunFailed):
        raise RunError(ending.message, hint=ending.hint, details=ending.details)
    return Run(training_run.run.path, _figures(ending), network)


@dataclass(frozen=True)
class Result(Metrics):
    """What `evaluate` found: every figure of `to_json()` is an attribute of the same name.

    Accuracies and rates are in 0…1, `fixed` and `broken` counts of images, l2_mean, rms_mean and linf_max in
    the classifier's input space; names that end in _8bit are after 8-bit rounding. `evaluation.per_image`
    has the arrays behind them.
    """

    evaluation: Evaluation

    def to_json(self) -> dict[str, Any]:
        """All figures, as `pgn-studio evaluate --json` writes them."""
        return self.evaluation.to_json()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What is known beside the metrics: split, dataset, gamma, per_class, versions, …"""
            figures = {} if name.startswith("_") else self.to_json()
            if name not in figures:
                raise AttributeError(f"there is no figure {name!r}; there are: {', '.join(figures)}")
            return figures[name]


def evaluate(
    pgn: LoadedPgn | str | Path,
    classifier: Classifier | str | Path,
    data: ImageDataset | str | Path,
    split: str = "test",
    gamma: float | None = None,
    *,
    batch_size: int = _BATCH,
    device: str = "auto",
    progress: Progress | None = None,
) -> Result:
    """Measure a PGN on a split: `clean_accuracy`, `perturbed_accuracy_8bit`, `fixed`, `broken`, ….

    `split` is train, val or test. `gamma` is one that the PGN serves, else its own. `batch_size` is above 0.
    The networks stay on `device`. `progress(images done, images)` may raise Canceled. Raises ClassifierError
    or DataError where the three do not fit together, ConfigError for another γ.
    """
    network, known, images = _fitting(pgn, classifier, data, gamma)
    found = measure(
        network, known, images, str(split), device=device, batch_size=_count(batch_size), progress=progress
    )[0]
    return Result(**asdict(found.metrics), evaluation=found)


def report(
    pgn: LoadedPgn | str | Path,
    classifier: Classifier | str | Path,
    data: ImageDataset | str | Path,
    out: str | Path,
    split: str = "test",
    gamma: float | None = None,
    *,
    resamples: int = 2000,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> Path:
    """Write the evaluation report, with 95 % intervals, into the folder `out`; returns report.html's path.

    `out` is new, empty, or holds an earlier report; report.md, report.csv and report.json lie beside the
    page. `resamples`, above 0, and `seed` are the bootstrap's; the rest is as for `evaluate`. Raises
    PgnStudioError for another folder.
    """
    from pgn_studio.core.report.render import check_report_folder, write_report
    from pgn_studio.core.report.report import make_report

    folder = check_report_folder(Path(out))
    network, known, images = _fitting(pgn, classifier, data, gamma)
    evaluation = measure(network, known, images, str(split), device=device, progress=progress)[0]
    made = make_report(
        network, known, images, evaluation.split_name, evaluation=evaluation, resamples=_count(resamples),
        seed=seed, device=pick_device(device), progress=progress,
    )  # fmt: skip
    return write_report(folder, made, progress)


# ---------------------------------------------------------------------- what was given


def _fitting(
    pgn: LoadedPgn | str | Path,
    classifier: Classifier | str | Path,
    data: ImageDataset | str | Path,
    gamma: float | None,
) -> tuple[pgn_files.Pgn, Classifier, ImageDataset]:
    """All three, loaded where names were given. Raises PgnStudioError unless they fit together."""
    if not isinstance(pgn, LoadedPgn):
        pgn = load_pgn(pgn)
    network = pgn.network if gamma is None else pgn.network.at(_number(gamma, "gamma"))
    info = network.info
    if not isinstance(data, ImageDataset):
        name = _text(data, "a data set or its name")
        data = sources.load_dataset(data_of(info, {"dataset": name}))
    if data.image_size != info.image_size:
        raise DataError(
            f"The PGN is for images of {info.image_size} px, the data set's have {data.image_size} px.",
            hint=f"Load it with image_size={info.image_size}.",
        )
    if not isinstance(classifier, Classifier):
        name = resolve_classifier(_text(classifier, "a classifier or its file"))
        classifier = ClassifierSource(name).load(data.classes, data.image_size)
    check_suits(classifier, data.classes, data.image_size)
    if network.told != "nothing":
        check_classes(classifier, info.classes)
    return network.asking(classifier), classifier, data


def _data_settings(data: ImageDataset | str | Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those that `data` was loaded with, so that its run finds the same images again."""
    if not isinstance(data, ImageDataset):
        return {"dataset": _text(data, "a data set or its name")}
    twice = sorted(settings.keys() & DataSettings.model_fields.keys())
    if twice:
        raise ConfigError(
            f"{', '.join(twice)}: chosen when the data set is loaded, and it is loaded already.",
            hint="Give it to load_dataset, or give train the data set's name.",
        )
    own = data.settings or DataSettings.make(dataset=data.root or data.name)
    return settings_as_loaded(own, data).model_dump()


def _figures(finished: RunFinished) -> dict[str, Any]:
    """What the kept PGN does on the validation images, and how the run ended."""
    kept = {} if finished.kept is None else {"kept_epoch": finished.kept.epoch, **asdict(finished.kept)}
    whole = {**kept, **asdict(finished)}
    return {name: value for name, value in whole.items() if name not in ("kept", "run_folder", "pgn_path")}


def _text(value: Any, expected: str) -> str:
    if isinstance(value, (str, Path)) and str(value).strip():
        return str(value)
    raise ConfigError(f"Expected {expected}, got {value!r}.")


def _number(value: Any, name: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ConfigError(f"{name}: expected a number, got {value!r}.")


def _count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ConfigError(f"Expected a whole number above 0, got {value!r}.")


def _three(values: Sequence[float] | None, name: str) -> Triple | None:
    if values is None:
        return None
    if len(values) != 3:
        raise ConfigError(f"{name}: expected three numbers (red, green, blue), got {values!r}.")
    red, green, blue = (_number(value, name) for value in values)
    return red, green, blue


def _checked_classifier(value: Any) -> Classifier:
    if isinstance(value, Classifier):
        return value
    raise ClassifierError(f"Expected what load_classifier returns, got {type(value).__name__}.")


def _pixels(images: Any, size: int) -> Tensor:
    """Floats (N, 3, S, S) in [0, 1], on the device of the images. Raises DataError for anything else."""
    if isinstance(images, np.ndarray) and images.dtype.kind in "uf":
        given = torch.from_numpy(np.array(images)) if images.dtype in _KNOWN else None
    else:
        given = images if isinstance(images, Tensor) else None
    if given is None or not (given.is_floating_point() or given.dtype == torch.uint8):
        kind = getattr(images, "dtype", type(images).__name__)
        raise DataError(
            f"Expected a tensor or an array of floats or of uint8, got {kind}.",
            hint="Floats are (N, 3, H, W) in [0, 1], bytes are (N, H, W, 3).",
        )
    form = (3, size, size) if given.is_floating_point() else (size, size, 3)
    if tuple(given.shape[1:]) != form or given.ndim != 4:
        expected = ", ".join(map(str, form))
        raise DataError(
            f"Expected {'floats' if given.is_floating_point() else 'bytes'} of shape (N, {expected}), got"
            f" {tuple(given.shape)}.",
            hint=f"This PGN is for images of {size} px; floats are (N, 3, H, W), bytes are (N, H, W, 3).",
        )
    if not given.is_floating_point():
        return to_pixels(given, given.device)
    if given.numel() and not (given.min() >= 0 and given.max() <= 1):
        raise DataError(
            f"Expected values in [0, 1], got {given.min():.4g} to {given.max():.4g}.",
            hint="Divide bytes by 255, or give them as uint8 (N, H, W, 3).",
        )
    return given


_KNOWN = (np.uint8, np.float16, np.float32, np.float64)


def _alike(pixels: Tensor, images: Images) -> Images:
    """Of the kind that `images` are: floats as they are, bytes rounded."""
    if isinstance(images, Tensor):
        if images.dtype != torch.uint8:
            return pixels.to(images.dtype)
        return torch.from_numpy(to_uint8(to_8bit(pixels))).to(images.device)
    if images.dtype != np.uint8:
        return pixels.cpu().numpy().astype(images.dtype)
    return to_uint8(to_8bit(pixels))
