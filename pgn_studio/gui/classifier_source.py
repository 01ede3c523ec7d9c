"""Where the window's classifier comes from, with what its file does not say itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgn_studio.core.config import ChannelOrder, is_black_box

if TYPE_CHECKING:
    from pgn_studio.core.classifiers import Access, Classifier, Normalization
    from pgn_studio.core.perturbation.pgn import Pgn
    from pgn_studio.core.pretrained import Triple
    from pgn_studio.core.runs import RunFolder


@dataclass(frozen=True)
class ClassifierSource:
    """Where a classifier comes from; a foreign file does not say what our own do."""

    path: str
    foreign: bool = False
    arch: str | None = None
    image_size: int | None = None
    mean: Triple | None = None
    std: Triple | None = None
    channels: ChannelOrder | None = None
    access: Access | None = None  # of a black box
    classes: tuple[str, ...] | None = field(default=None, compare=False)  # once loaded: those it was given

    def load(self, classes: tuple[str, ...] | None) -> Classifier:
        """`classes`, those of the data set, are only used for foreign files that were never loaded before."""
        from pgn_studio.core.classifiers import load_classifier

        if not self.foreign:
            return load_classifier(self.path)
        return load_classifier(
            self.path,
            arch=self.arch,
            classes=self.classes or classes,
            image_size=self.image_size,
            mean=self.mean,
            std=self.std,
            channels=self.channels,
            access=self.access,
        )

    @property
    def normalization_given(self) -> bool:
        """Whether somebody said how images are normalized; else the file does, or its architecture."""
        return not (self.mean is None and self.std is None and self.channels is None)

    def normalized(self, normalization: Normalization) -> ClassifierSource:
        """The same classifier, given images in another way."""
        how = normalization
        return replace(self, foreign=True, mean=how.mean, std=how.std, channels=how.channels)

    def as_loaded(self, classifier: Classifier) -> ClassifierSource:
        """With the classes that it was given, so that it can be loaded again without its data set."""
        return replace(self, classes=tuple(classifier.info.classes)) if self.foreign else self

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
            foreign=told.get("foreign") is True,
            arch=arch if isinstance(arch, str) else None,
            image_size=size if isinstance(size, int) else None,
            mean=_triple(told.get("mean")),
            std=_triple(told.get("std")),
            channels=channels if channels in ("rgb", "bgr") else None,
            classes=_names(told.get("classes")),
        )

    def facts(self) -> dict[str, Any]:
        """What run.json says about a foreign file, as the command line writes it."""
        if not self.foreign:
            return {}
        facts: dict[str, Any] = {
            "arch": self.arch,
            "mean": self.mean,
            "std": self.std,
            "channels": self.channels,
        }
        if self.access is not None:
            facts["access"] = self.access.to_json()
        return {"external_classifier": facts}


def _triple(value: Any) -> tuple[float, float, float] | None:
    if isinstance(value, list) and len(value) == 3 and all(isinstance(item, int | float) for item in value):
        return float(value[0]), float(value[1]), float(value[2])
    return None


def _names(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def load_as_trained(
    source: ClassifierSource, pgn: Pgn, classes: tuple[str, ...]
) -> tuple[ClassifierSource, Classifier]:
    """The classifier, given images as when the PGN was trained: a lone PGN knows that, if little else."""
    from pgn_studio.core.classifiers import Normalization

    classifier = source.load(classes)
    trained = Normalization(pgn.info.mean, pgn.info.std, pgn.info.channels)
    if source.normalization_given or is_black_box(source.path) or classifier.normalization == trained:
        return source, classifier
    source = source.normalized(trained)
    return source, source.load(classes)


def recorded_source(
    pgn: Pgn, path: Path, run: RunFolder | None, known: Mapping[str, ClassifierSource]
) -> ClassifierSource:
    """The classifier's file with what the run or the PGN knows about it, else what is known of the file."""
    from pgn_studio.core.paths import trained_folder
    from pgn_studio.core.perturbation.pgn import find_classifier

    found = str(find_classifier(pgn.info, beside=path if run else path.parent, trained=trained_folder()))
    facts = pgn.info.external_classifier if run is None else run.run_json.get("external_classifier")
    source = _with_facts(found, facts, pgn.info.image_size)
    return source if source.foreign else known.get(found, source)


def source_of_run(run: RunFolder) -> ClassifierSource:
    """The same of a run that may have no PGN yet."""
    from pgn_studio.core.paths import trained_folder
    from pgn_studio.core.perturbation.pgn import find_classifier_file

    recorded = run.run_json.get("classifier")
    facts = recorded if isinstance(recorded, dict) else {}
    found = find_classifier_file(
        str(facts.get("path", "")), str(facts.get("sha256", "")), beside=run.path, trained=trained_folder()
    )
    return _with_facts(str(found), run.run_json.get("external_classifier"), run.settings.image_size)


def _with_facts(found: str, facts: Any, image_size: int | None) -> ClassifierSource:
    from pgn_studio.core.classifiers import Access
    from pgn_studio.core.classifiers.normalization import recorded_order

    if not isinstance(facts, dict) or not facts:
        return ClassifierSource(found, foreign=is_black_box(found))
    mean, std = (tuple(facts[name]) if facts.get(name) else None for name in ("mean", "std"))
    return ClassifierSource(
        found,
        foreign=True,
        arch=facts.get("arch"),
        image_size=image_size,
        mean=mean,
        std=std,
        channels=recorded_order(facts.get("channels")),
        access=replace(Access.recorded(facts.get("access")), budget=None),  # which was for training
    )
