"""Measure a PGN, or whatever perturbs, on one split: what it fixed, what it broke, how large its p are.

Always in float32 (`full_precision`): a figure must not depend on the processor, nor on how training computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.device import full_precision, to_pixels
from pgn_studio.core.errors import ClassifierError, PgnFileError
from pgn_studio.core.evaluation import metrics as measures
from pgn_studio.core.evaluation.batch import ClassifiedBatch, classified, outputs, perturbation_sizes
from pgn_studio.core.evaluation.classifier_accuracy import ClassifiedSplit, check_labels, unknown_images
from pgn_studio.core.evaluation.leakage import Leakage
from pgn_studio.core.evaluation.metrics import RankedScores, Scores
from pgn_studio.core.evaluation.perturber import Perturber
from pgn_studio.core.files import sha256_of_file
from pgn_studio.core.json_utils import plain
from pgn_studio.core.perturbation.input_space import InputSpace
from pgn_studio.core.perturbation.pgn import Perturbation, Pgn
from pgn_studio.core.prefetch import prefetched
from pgn_studio.core.protocols import LabeledImages, Labels, Progress
from pgn_studio.core.runs import versions

OUTCOMES = ("fixed", "broken", "both right", "both wrong")
Floats = npt.NDArray[np.float32]  # (N,)
_KEPT_FLOATS = (
    *("clean_true_probability", "perturbed_true_probability"),
    *("clean_margin", "perturbed_margin", "l2", "linf"),
)
Predictions = npt.NDArray[np.signedinteger[Any]]  # (N,), the smallest type that holds all classes


@dataclass(frozen=True)
class PerImage:
    """One value per image of the split, in its order; each (N,).

    An image costs 30 bytes beside its label, which is the data set's; what can be derived is, when
    it is first asked for.
    """

    labels: Labels
    clean_prediction: Predictions
    perturbed_prediction: Predictions
    perturbed_prediction_8bit: Predictions
    clean_true_probability: Floats  # of the labeled class; NaN where f gives labels only
    perturbed_true_probability: Floats
    clean_margin: Floats  # of the labeled class before the best other: in -1…1, above 0 where it is right
    perturbed_margin: Floats
    l2: Floats  # ‖p‖₂ in the classifier's input space
    linf: Floats  # largest |p|
    values: int  # numbers in an image, 3·H·W

    @classmethod
    def empty(cls, labels: Labels, *, classes: int, values: int) -> PerImage:
        """For these labels, to be filled row by row."""
        count, small = len(labels), np.min_scalar_type(-max(1, classes))  # int8 reaches to 128 classes
        clean, perturbed, perturbed_8bit = (np.zeros(count, dtype=small) for _ in range(3))
        floats = {name: np.zeros(count, dtype=np.float32) for name in _KEPT_FLOATS}
        return cls(labels, clean, perturbed, perturbed_8bit, values=values, **floats)

    @cached_property
    def rms(self) -> Floats:
        """Of p, per value."""
        return np.asarray(self.l2 / np.float32(self.values**0.5), dtype=np.float32)

    @cached_property
    def clean_confidence(self) -> Floats:
        """Probability of the predicted class."""
        right = self.clean_prediction == self.labels
        return _confidence(right, self.clean_true_probability, self.clean_margin)

    @cached_property
    def perturbed_confidence(self) -> Floats:
        right = self.perturbed_prediction == self.labels
        return _confidence(right, self.perturbed_true_probability, self.perturbed_margin)

    @property
    def abstained(self) -> int:
        """How many images have no p: those at which a PGN abstained."""
        return int((self.linf == 0).sum())

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def outcome(self) -> npt.NDArray[np.str_]:
        """One of OUTCOMES for each image, from the perturbed image before 8-bit rounding."""
        before = self.clean_prediction == self.labels
        after = self.perturbed_prediction == self.labels
        return np.select([~before & after, before & ~after, before], OUTCOMES[:3], OUTCOMES[3])


def _confidence(right: npt.NDArray[np.bool_], true_probability: Floats, margin: Floats) -> Floats:
    """A wrong prediction is the best of the other classes: the margin lies between the two."""
    return np.asarray(np.where(right, true_probability, true_probability - margin), dtype=np.float32)


@dataclass(frozen=True)
class Metrics:
    """Over the images of a split; rates and accuracies in 0…1, sizes in the classifier's input space."""

    n: int
    clean_accuracy: float
    perturbed_accuracy: float
    perturbed_accuracy_8bit: float  # after clamping to [0, 1] and rounding to 8 bits: what a PNG does
    map_clean: float | None  # macro average precision; None where the classifier gives labels only
    map_perturbed: float | None
    fixed: int  # false → correct
    broken: int  # correct → false
    mcnemar_p: float  # exact, two-sided
    fooling_rate: float
    attack_success: float | None  # None when no clean image is right
    l2_mean: float  # mean over images of ‖p‖₂
    rms_mean: float  # of √mean p²
    linf_max: float  # largest |p| of all
    fixed_8bit: int
    broken_8bit: int
    mcnemar_p_8bit: float


@dataclass(frozen=True)
class Evaluation:
    """A perturber measured on a split. `facts` says what was measured: files, hashes, seed, versions."""

    metrics: Metrics
    per_image: PerImage
    split_name: str
    dataset_name: str
    classes: tuple[str, ...]
    facts: Mapping[str, Any]
    leakage: Leakage | None = None  # where somebody looked: which of these images were learned from

    @property
    def split_title(self) -> str:
        """The split's name, and where it holds images that were learned from, that it is no test."""
        return self.split_name if self.leakage is None else self.leakage.title(self.split_name)

    @property
    def clean(self) -> ClassifiedSplit:
        """What the classifier made of the images as they were."""
        image = self.per_image
        predictions = image.clean_prediction.astype(np.int64)
        known = () if self.leakage is None else self.leakage.learned
        learned = next((item for item in known if item.who == "classifier"), None)
        return ClassifiedSplit(self.split_name, image.labels, predictions, self.classes, learned=learned)

    def per_class(self) -> list[dict[str, Any]]:
        """For each class with images: n, clean and perturbed accuracy, fixed and broken."""
        image, rows = self.per_image, []
        for label in np.unique(image.labels):
            mask = image.labels == label
            before, after = image.clean_prediction[mask] == label, image.perturbed_prediction[mask] == label
            fixed, broken = measures.fixed_and_broken(before, after)
            rows.append(
                {
                    "class": self.classes[label],
                    "n": int(mask.sum()),
                    "clean_accuracy": float(before.mean()),
                    "perturbed_accuracy": float(after.mean()),
                    "fixed": fixed,
                    "broken": broken,
                }
            )
        return rows

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON can hold them: no NaN, None where a figure is undefined."""
        figures = {item.name: getattr(self.metrics, item.name) for item in fields(self.metrics)}
        whole = {
            **figures,
            "split": self.split_name,
            "dataset": self.dataset_name,
            "learned_from": None if self.leakage is None else self.leakage.to_json(),
            **self.facts,
            "per_class": self.per_class(),
        }
        return {str(key): plain(value) for key, value in whole.items()}


def evaluate(
    pgn: Pgn,
    classifier: Classifier,
    split: LabeledImages,
    *,
    split_name: str,
    dataset_name: str,
    batch_size: int = 64,
    device: torch.device | None = None,
    progress: Progress | None = None,
    clean: Scores | None = None,
    encode: Callable[[Tensor, int], Tensor] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Classify every image of `split` clean, perturbed by the PGN, and after 8-bit rounding, in batches.

    Both networks come to `device` and stay there; else as `evaluate_perturber`. `encode(pixels, number of
    the first image)` gives the encoder's features of a batch where somebody keeps them. `facts` None: which
    PGN was measured.
    """
    device = place(pgn, classifier, device)

    @torch.no_grad()
    def perturb(pixels: Tensor, _labels: Tensor, before: Tensor, start: int) -> Perturbation:
        features = pgn.generator.encode(pixels) if encode is None else encode(pixels, start)
        told = pgn.as_told(before.to(pixels.device))  # f is asked about the clean images anyway
        return pgn.perturb_encoded(pixels, features, told)

    return _measured(
        perturb,
        classifier,
        split,
        split_name=split_name,
        dataset_name=dataset_name,
        space=pgn.space,
        batch_size=batch_size,
        device=device,
        progress=progress,
        clean=clean,
        facts=_facts(pgn) if facts is None else facts,
    )


def evaluate_perturber(
    perturber: Perturber,
    classifier: Classifier,
    split: LabeledImages,
    *,
    split_name: str,
    dataset_name: str,
    space: InputSpace,
    batch_size: int = 64,
    device: torch.device | None = None,
    progress: Progress | None = None,
    clean_classifier: Classifier | None = None,
    clean: Scores | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Classify every image of `split` clean, perturbed, and after 8-bit rounding, in batches.

    `space` is where the perturber's p lives. `clean_classifier` answers for the clean images where
    that is not `classifier` (a fine-tuned one against the one it came from). `clean`: what
    `clean_scores` gave for the same split and batch size: f never changes, so it need
    not be asked again. `device` None computes where the classifier is; classifiers and space come
    to `device` and stay there. `progress(images done, images)` comes once per batch; its Canceled
    passes through. `facts` are added to the evaluation's.
    Raises DataError for an empty split, ClassifierError for labels that the classifier does not
    know, and PgnFileError or ClassifierError for outputs that are not finite.
    """
    return _measured(
        lambda pixels, labels, *_: perturber.perturb(pixels, labels),
        classifier,
        split,
        split_name=split_name,
        dataset_name=dataset_name,
        space=space,
        batch_size=batch_size,
        device=device,
        progress=progress,
        clean_classifier=clean_classifier,
        clean=clean,
        facts=facts,
    )


def _measured(
    perturb: Callable[[Tensor, Tensor, Tensor, int], Perturbation],
    classifier: Classifier,
    split: LabeledImages,
    *,
    split_name: str,
    dataset_name: str,
    space: InputSpace,
    batch_size: int,
    device: torch.device | None,
    progress: Progress | None,
    clean_classifier: Classifier | None = None,
    clean: Scores | None,
    facts: Mapping[str, Any] | None,
) -> Evaluation:
    """`evaluate_perturber`; `perturb` makes x + p.

    Of images, their labels, f's probabilities of them, and the number of the first in the split.
    """
    asked = classifier if clean_classifier is None else clean_classifier
    classes = tuple(asked.info.classes)
    labels = np.asarray(split.labels, dtype=np.int64)
    check_labels(labels, classes, split_name)
    device = classifier.mean.device if device is None else device
    for module in (classifier, asked, space):
        module.to(device)
    check_queries(classifier, split, batch_size)
    found = _Found(labels, classes=len(classes))
    starts = range(0, len(labels), batch_size)
    rows = (np.arange(start, min(start + batch_size, len(labels))) for start in starts)
    with closing(prefetched(split, rows, pin=device.type == "cuda")) as ahead:
        for start, (images, truth) in zip(starts, ahead, strict=True):
            pixels = to_pixels(images, device)  # (B, 3, H, W)
            stop = start + len(images)
            known = None if clean is None else torch.from_numpy(clean[start:stop])
            before = outputs(asked, pixels) if known is None else known
            with full_precision(device):
                result = perturb(pixels, truth.to(device, non_blocking=True), before, start)
            found.add(classified(result, space, classifier, before), start)
            if progress is not None:
                progress(stop, len(labels))
    per_image = found.per_image
    return Evaluation(
        metrics=_metrics(found, ranked=classifier.gives_scores),
        per_image=per_image,
        split_name=split_name,
        dataset_name=dataset_name,
        classes=classes,
        facts={
            "classifier": str(asked.info.path),
            "classifier_sha256": asked.info.sha256,
            **({} if classifier.queries is None else {"queries": classifier.queries.used}),
            **(facts or {}),
            "device": str(device),
            "precision": "fp32",
            "versions": versions(),
        },
    )


def clean_scores(
    classifier: Classifier, split: LabeledImages, *, batch_size: int = 64, progress: Progress | None = None
) -> Scores:
    """Class probabilities (N, K) of the clean images, as `evaluate` computes them."""
    device = classifier.mean.device
    parts = []
    for start in range(0, len(split), batch_size):
        chosen = np.arange(start, min(start + batch_size, len(split)))
        pixels = to_pixels(split.images(chosen), device)
        parts.append(outputs(classifier, pixels).cpu().numpy())
        if progress is not None:
            progress(start + len(chosen), len(split))
    return np.concatenate(parts) if parts else np.zeros((0, len(classifier.info.classes)), np.float32)


def place(pgn: Pgn, classifier: Classifier, device: torch.device | None) -> torch.device:
    """Bring both networks to `device`; None: the PGN to where the classifier is. They stay there."""
    device = classifier.mean.device if device is None else device
    pgn.to(device)
    classifier.to(device)
    return device


class _Found:
    """What is known of each image so far, in memory that is taken once."""

    def __init__(self, labels: Labels, *, classes: int) -> None:
        self._labels = labels
        self.per_image = PerImage.empty(labels, classes=classes, values=0)
        self.clean, self.perturbed = RankedScores(0, classes), RankedScores(0, classes)

    def add(self, batch: ClassifiedBatch, start: int) -> None:
        """The batch whose first image is number `start`."""
        if start == 0:
            self.per_image = replace(self.per_image, values=batch.perturbation[0].numel())
            scores = (batch.clean, batch.perturbed)
            self.clean, self.perturbed = (RankedScores(len(self._labels), s.shape[1]) for s in scores)
        count = len(batch.perturbation)
        rows, image, labels = slice(start, start + count), self.per_image, self._labels[start : start + count]
        l2, _, linf = sizes = perturbation_sizes(batch.perturbation)
        clean, perturbed = batch.clean.cpu().numpy(), batch.perturbed.cpu().numpy()
        _check_finite(sizes, clean, perturbed)
        image.l2[rows], image.linf[rows] = l2, linf
        image.clean_prediction[rows] = clean.argmax(1)
        image.perturbed_prediction[rows] = perturbed.argmax(1)
        image.perturbed_prediction_8bit[rows] = batch.perturbed_8bit.cpu().numpy().argmax(1)
        sure = np.float32(1.0 if batch.has_probabilities else np.nan)  # no confidence from labels alone
        places = np.arange(count), labels
        image.clean_true_probability[rows] = clean[places] * sure
        image.perturbed_true_probability[rows] = perturbed[places] * sure
        image.clean_margin[rows] = measures.margins(clean, labels) * sure
        image.perturbed_margin[rows] = measures.margins(perturbed, labels) * sure
        self.clean.add(clean, labels)
        self.perturbed.add(perturbed, labels)


def _metrics(found: _Found, *, ranked: bool) -> Metrics:
    image = found.per_image
    clean_right = image.clean_prediction == image.labels
    fixed, broken = measures.fixed_and_broken(clean_right, image.perturbed_prediction == image.labels)
    right_8bit = image.perturbed_prediction_8bit == image.labels
    fixed_8bit, broken_8bit = measures.fixed_and_broken(clean_right, right_8bit)
    return Metrics(
        n=len(image),
        clean_accuracy=measures.accuracy(image.clean_prediction, image.labels),
        perturbed_accuracy=measures.accuracy(image.perturbed_prediction, image.labels),
        perturbed_accuracy_8bit=measures.accuracy(image.perturbed_prediction_8bit, image.labels),
        map_clean=found.clean.macro_average_precision() if ranked else None,
        map_perturbed=found.perturbed.macro_average_precision() if ranked else None,
        fixed=fixed,
        broken=broken,
        mcnemar_p=measures.mcnemar_p(fixed, broken),
        fooling_rate=measures.fooling_rate(image.clean_prediction, image.perturbed_prediction),
        attack_success=measures.attack_success(broken, int(clean_right.sum())),
        l2_mean=float(image.l2.mean(dtype=np.float64)),
        rms_mean=float(image.l2.mean(dtype=np.float64) / image.values**0.5),
        linf_max=float(image.linf.max()),
        fixed_8bit=fixed_8bit,
        broken_8bit=broken_8bit,
        mcnemar_p_8bit=measures.mcnemar_p(fixed_8bit, broken_8bit),
    )


def _facts(pgn: Pgn) -> dict[str, Any]:
    """Which PGN was measured."""
    return {
        "pgn": str(pgn.path) if pgn.path is not None else None,
        "pgn_sha256": sha256_of_file(pgn.path) if pgn.path is not None and pgn.path.is_file() else None,
        "seed": pgn.info.settings.get("seed"),
        "abstain_below_rms": pgn.info.abstain_below_rms,
        "gamma": pgn.gamma,
    }


def check_queries(classifier: Classifier, split: LabeledImages, batch_size: int, *, passes: int = 1) -> None:
    """Raise QueryBudgetError, before a black box is asked, unless its budget reaches to the end.

    Each perturbed image is one query, at 8 bits the same one, in each of the `passes`, and each clean image
    that was not asked about before.
    """
    count, queries = len(split), classifier.queries
    if queries is None or queries.allows((1 + passes) * count):
        return
    unknown = unknown_images(classifier, split, batch_size)
    times = "" if passes == 1 else f" {passes} times"
    queries.require(unknown + passes * count, f"Measuring {count:,} images{times}")


def _check_finite(sizes: npt.NDArray[np.float32], clean: Scores, perturbed: Scores) -> None:
    if not np.isfinite(clean).all():
        raise ClassifierError(
            "The classifier gives outputs that are not finite on clean images.",
            hint="Check its mean, std and weights.",
        )
    if not (np.isfinite(sizes).all() and np.isfinite(perturbed).all()):
        raise PgnFileError(
            "There are perturbations, or the classifier's outputs on perturbed images, that are not finite.",
            hint=Advice(
                "The training of the PGN diverged: train with a larger {}, smaller learning rates, or {}.",
                Setting("gamma"),
                Setting("precision", "fp32"),
            ),
        )
