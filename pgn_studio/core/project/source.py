"""Where a classifier comes from, with what an external one, of another program, does not say itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.config import HTTP_SCHEMES, ChannelOrder, is_black_box, names_file
from pgn_studio.core.errors import ClassifierError, PgnStudioError
from pgn_studio.core.files import sha256_of_file
from pgn_studio.core.paths import trained_folder
from pgn_studio.core.project.resolve import resolve_classifier

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Access, Classifier, Normalization
    from pgn_studio.core.perturbation.pgn import PgnInfo
    from pgn_studio.core.pretrained import Triple
    from pgn_studio.core.runs import RunFolder


@dataclass(frozen=True)
class ClassifierSource:
    """`path` is a file, an address, code, arch:NAME or demo:NAME; empty: the one that is recorded."""

    path: str = ""
    arch: str | None = None
    image_size: int | None = None
    mean: Triple | None = None
    std: Triple | None = None
    channels: ChannelOrder | None = None
    access: Access | None = None  # of a black box; its classes are those of any external classifier
    classes: tuple[str, ...] | None = field(default=None, compare=False)  # once loaded: those it was given

    def load(self, classes: tuple[str, ...] | None = None, image_size: int | None = None) -> Classifier:
        """`classes` and `image_size`, the images' own, are for what neither its file nor this says."""
        from pgn_studio.core.classifiers import load_classifier
        from pgn_studio.core.classifiers.loading import is_saved_by_us

        path = resolve_classifier(self.path)
        return load_classifier(
            path,
            arch=self.arch,
            classes=None if is_saved_by_us(path) else self.classes or classes,
            image_size=self.image_size or image_size,
            mean=self.mean,
            std=self.std,
            channels=self.channels,
            access=self.access,
        )

    @property
    def stands_alone(self) -> bool:
        """Whether it can be loaded before any data set: a file of ours, or one that is refused anyway."""
        from pgn_studio.core.classifiers.loading import is_saved_by_us

        path = resolve_classifier(self.path)
        return is_saved_by_us(path) or (path.endswith(".safetensors") and not self.is_given)

    @property
    def is_given(self) -> bool:
        """Whether somebody said what the file does not."""
        return self.arch is not None or self.normalization_given

    @property
    def normalization_given(self) -> bool:
        """Whether somebody said how images are normalized; else the file does, or its architecture."""
        return not (self.mean is None and self.std is None and self.channels is None)

    def normalized(self, normalization: Normalization) -> ClassifierSource:
        """The same classifier, given images in another way."""
        how = normalization
        return replace(self, mean=how.mean, std=how.std, channels=how.channels)

    def as_loaded(self, classifier: Classifier) -> ClassifierSource:
        """With the classes that it was given, so that it can be loaded again without its data set."""
        return replace(self, classes=tuple(classifier.info.classes))

    def over(self, recorded: ClassifierSource) -> ClassifierSource:
        """What is given here, and for the rest what was recorded."""
        names = ("image_size", "arch", "mean", "std", "channels", "classes")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        access = self.access or recorded.access
        if self.access is not None and recorded.access is not None:
            access = self.access.over(recorded.access)
        return replace(recorded, **given, path=self.path or recorded.path, access=access)

    # ------------------------------------------------------------------ in files

    @classmethod
    def recorded(cls, path: str, facts: Any, image_size: int | None = None) -> ClassifierSource:
        """`facts`: `external_classifier` of run.json or of a PGN's file."""
        from pgn_studio.core.classifiers import Access
        from pgn_studio.core.classifiers.normalization import recorded_order

        if not isinstance(facts, Mapping) or not facts:
            return cls(path, image_size=image_size)
        mean, std = (tuple(facts[name]) if facts.get(name) else None for name in ("mean", "std"))
        return cls(
            path,
            arch=facts.get("arch"),
            image_size=image_size,
            mean=mean,
            std=std,
            channels=recorded_order(facts.get("channels")),
            access=Access.recorded(facts.get("access")),
        )

    def to_json(self) -> dict[str, Any]:
        """Without `access`: a header may be a secret."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "access"}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> ClassifierSource | None:
        """None where there is no path; whatever else is not understood is left out."""
        path, arch, size = told.get("path"), told.get("arch"), told.get("image_size")
        channels = told.get("channels")
        if not isinstance(path, str) or not path:
            return None
        return cls(
            path,
            arch=arch if isinstance(arch, str) else None,
            image_size=size if isinstance(size, int) else None,
            mean=_triple(told.get("mean")),
            std=_triple(told.get("std")),
            channels=channels if channels in ("rgb", "bgr") else None,
            classes=_names(told.get("classes")),
        )


def _triple(value: Any) -> tuple[float, float, float] | None:
    if isinstance(value, list) and len(value) == 3 and all(isinstance(item, int | float) for item in value):
        return float(value[0]), float(value[1]), float(value[2])
    return None


def _names(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def classifier_of_pgn(
    info: PgnInfo,
    path: Path,
    run: RunFolder | None,
    given: ClassifierSource,
    known: Mapping[str, ClassifierSource],
) -> tuple[ClassifierSource, Classifier]:
    """The classifier that was given, else the one that the PGN was trained against, with how it was loaded.

    Of the latter is used what `given` says, then its run or the PGN, then what is `known` of its file. It is
    given images as when the PGN was trained: a lone PGN knows that, if little else. Raises ClassifierError
    where its file is not found, or a lone PGN names an address.
    """
    from pgn_studio.core.classifiers import Normalization

    if given.path:
        given = replace(given, path=resolve_classifier(given.path))
        if not _is_recorded(given.path, info):
            return given, given.load(info.classes, info.image_size)
    source = given.over(_recorded_source(info, path, run, given.path, known))
    classifier = source.load(info.classes, info.image_size)
    trained = Normalization(info.mean, info.std, info.channels)
    if source.normalization_given or is_black_box(source.path) or classifier.normalization == trained:
        return source, classifier
    source = source.normalized(trained)
    return source, source.load(info.classes, info.image_size)


def _recorded_source(
    info: PgnInfo, path: Path, run: RunFolder | None, found: str, known: Mapping[str, ClassifierSource]
) -> ClassifierSource:
    found = found or _recorded_path(info, path, run)
    facts = info.external_classifier if run is None else run.run_json.get("external_classifier")
    source = ClassifierSource.recorded(found, facts, info.image_size)
    if not source.is_given:
        source = known.get(found, source)
    if source.access is not None:  # its budget was for training
        source = replace(source, access=replace(source.access, budget=None))
    return source


def source_of_run(run: RunFolder, classifier: str) -> ClassifierSource:
    """The classifier of a run, which may have no PGN yet, where it is now. Its budget goes on."""
    from pgn_studio.core.perturbation.pgn import find_classifier_file

    path = classifier
    if names_file(classifier):
        hint = "Restore the file, or put it beside the run; another classifier needs a new run."
        path = str(
            find_classifier_file(
                classifier, run.classifier_sha256, beside=run.path, trained=_trained_folder(), hint=hint
            )
        )
    return ClassifierSource.recorded(path, run.run_json.get("external_classifier"), run.settings.image_size)


def _is_recorded(given: str, info: PgnInfo) -> bool:
    """Whether it is the very classifier that the PGN was trained against, wherever its file is now."""
    if not names_file(given):
        return given == info.classifier_path
    path = Path(given).expanduser()
    return path.is_file() and sha256_of_file(path) == info.classifier_sha256


def _recorded_path(info: PgnInfo, path: Path, run: RunFolder | None) -> str:
    from pgn_studio.core.perturbation.pgn import find_classifier

    recorded = info.classifier_path
    if names_file(recorded):
        return str(find_classifier(info, beside=path.parent, trained=_trained_folder()))
    if run is None and recorded.startswith(HTTP_SCHEMES):
        # Images go to an address that a run of ours records, never to one that a lone file names.
        raise ClassifierError(
            f"This PGN was trained against {recorded}, which would be sent the images.",
            hint=Advice("Give it as {} if that is what you want.", Setting("classifier")),
        )
    return recorded


def _trained_folder() -> Path | None:
    try:
        return trained_folder()
    except PgnStudioError:
        return None
