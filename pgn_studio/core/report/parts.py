"""The report's tables as numbers: every share of images with its interval, differences paired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from pgn_studio.core.evaluation import metrics as measures
from pgn_studio.core.evaluation.bootstrap import Bootstrap, Interval
from pgn_studio.core.evaluation.compression import ALPHAS, JPEG_QUALITIES, Variants
from pgn_studio.core.evaluation.evaluate import Evaluation, Metrics
from pgn_studio.core.evaluation.metrics import Flags
from pgn_studio.core.evaluation.transfer import Transfer
from pgn_studio.core.protocols import Labels, Progress
from pgn_studio.core.report.baselines import BaselineResult

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)


@dataclass(frozen=True)
class ClassRow:
    """Perturbed is after 8 bits; the draws stay within the class."""

    name: str
    n: int
    clean: Interval
    perturbed: Interval
    change: Interval
    fixed: int
    broken: int


@dataclass(frozen=True)
class SurvivalRow:
    """One way of saving; the originals are saved in the same way."""

    name: str
    clean: Interval
    perturbed: Interval
    change: Interval
    fixed_kept: float | None  # share of what was fixed before saving that still is
    broken_kept: float | None


@dataclass(frozen=True)
class StrengthRow:
    alpha: float
    rms: float
    accuracy: Interval  # of x + αp as it is
    accuracy_8bit: Interval
    fixed: int  # after 8 bits
    broken: int


@dataclass(frozen=True)
class AnswerRow:
    """The classifier's answer from one picture or two, after 8 bits."""

    name: str
    queries: int  # for each image
    accuracy: Interval
    change: Interval
    fixed: int
    broken: int


@dataclass(frozen=True)
class CoverageRow:
    """Only images whose p is large enough are perturbed, the others left alone; after 8 bits."""

    abstain_below_rms: float  # of the perturbations that are used
    coverage: float  # share of images that are perturbed
    accuracy: Interval
    change: Interval
    fixed: int
    broken: int


@dataclass(frozen=True)
class TransferRow:
    """A PGN on a classifier, after 8 bits."""

    pgn: str
    classifier: str
    clean: Interval
    perturbed: Interval
    change: Interval
    fixed: int
    broken: int


@dataclass(frozen=True)
class BaselineRow:
    """Another way on the same images, after 8 bits; `lead` is the PGN's accuracy minus its, paired."""

    name: str
    title: str
    oracle: bool
    rms: float
    perturbed: Interval
    change: Interval
    fixed: int
    broken: int
    lead: Interval
    lead_p: float


class Shares:
    """Means over images of named columns, with intervals from the same draws."""

    def __init__(
        self, bootstrap: Bootstrap, columns: Mapping[str, npt.NDArray[np.bool_] | npt.NDArray[np.float32]]
    ) -> None:
        self._bootstrap = bootstrap
        self._places = {name: place for place, name in enumerate(columns)}
        stacked = np.stack([np.asarray(column, dtype=np.float64) for column in columns.values()], axis=1)
        self._means = stacked.mean(axis=0)
        self._draws = bootstrap.means(stacked)

    def share(self, name: str) -> Interval:
        place = self._places[name]
        return self._bootstrap.interval(float(self._means[place]), self._draws[:, place])

    def count(self, name: str) -> Interval:
        """The sum over the images, in draws of as many images."""
        place, n = self._places[name], self._bootstrap.n
        return self._bootstrap.interval(float(round(self._means[place] * n)), self._draws[:, place] * n)

    def change(self, before: str, after: str) -> Interval:
        """`after` minus `before`, on the same images."""
        first, second = self._places[before], self._places[after]
        value = float(self._means[second] - self._means[first])
        return self._bootstrap.interval(value, self._draws[:, second] - self._draws[:, first])

    def ratio(self, part: str, whole: str) -> Interval:
        """`part` as a share of `whole`; undefined where there is none of it."""
        first, second = self._places[part], self._places[whole]
        if self._means[second] == 0:
            return Interval(None)
        with np.errstate(invalid="ignore", divide="ignore"):
            draws = self._draws[:, first] / self._draws[:, second]
        return self._bootstrap.interval(float(self._means[first] / self._means[second]), draws)


def metric_intervals(
    evaluation: Evaluation, variants: Variants, bootstrap: Bootstrap, progress: Progress | None = None
) -> dict[str, Interval]:
    """Every metric of `Metrics` but n, and the changes in accuracy.

    The largest |p| and McNemar's p have no interval: resampling tells nothing about an extreme, and
    a test is not estimated.
    """
    image = evaluation.per_image
    before, after = image.clean_prediction == image.labels, image.perturbed_prediction == image.labels
    saved = image.perturbed_prediction_8bit == image.labels
    columns = {
        "clean": before,
        "perturbed": after,
        "saved": saved,
        "fixed": ~before & after,
        "broken": before & ~after,
        "fixed_8bit": ~before & saved,
        "broken_8bit": before & ~saved,
        "changed": image.clean_prediction != image.perturbed_prediction,
        "l2": image.l2,
        "rms": image.rms,
    }
    shares = Shares(bootstrap, columns)
    precision = {}
    for name, scores in (("map_clean", variants.clean_scores), ("map_perturbed", variants.perturbed_scores)):
        draws = bootstrap.macro_average_precision(scores, image.labels, progress)
        precision[name] = bootstrap.interval(getattr(evaluation.metrics, name), draws)
    found = {
        "clean_accuracy": shares.share("clean"),
        "perturbed_accuracy": shares.share("perturbed"),
        "perturbed_accuracy_8bit": shares.share("saved"),
        "accuracy_change": shares.change("clean", "perturbed"),
        "accuracy_change_8bit": shares.change("clean", "saved"),
        **precision,
        **{name: shares.count(name) for name in ("fixed", "broken", "fixed_8bit", "broken_8bit")},
        "fooling_rate": shares.share("changed"),
        "attack_success": shares.ratio("broken", "clean"),
        "l2_mean": shares.share("l2"),
        "rms_mean": shares.share("rms"),
    }
    for item in fields(Metrics):
        if item.name != "n":
            found.setdefault(item.name, Interval(getattr(evaluation.metrics, item.name)))
    return found


def class_rows(evaluation: Evaluation, bootstrap: Bootstrap) -> list[ClassRow]:
    """A row for each class that has images; their draws are taken from that class alone."""
    image, rows = evaluation.per_image, []
    clean = image.clean_prediction == image.labels
    saved = image.perturbed_prediction_8bit == image.labels
    seed = bootstrap.seed if isinstance(bootstrap.seed, tuple) else (bootstrap.seed,)
    for label in np.unique(image.labels).tolist():
        mask = image.labels == label
        own = Bootstrap(int(mask.sum()), bootstrap.resamples, (*seed, label), bootstrap.confidence)
        before, after = clean[mask], saved[mask]
        shares = Shares(own, {"clean": before, "saved": after})
        fixed, broken = measures.fixed_and_broken(before, after)
        rows.append(
            ClassRow(
                evaluation.classes[label], own.n, shares.share("clean"), shares.share("saved"),
                shares.change("clean", "saved"), fixed, broken,
            )
        )  # fmt: skip
    return rows


def survival_rows(evaluation: Evaluation, variants: Variants, bootstrap: Bootstrap) -> list[SurvivalRow]:
    """Not saved, as PNG, and as JPEG of each quality."""
    image = evaluation.per_image
    clean = image.clean_prediction == image.labels
    raw = image.perturbed_prediction == image.labels
    forms = [
        ("not saved", clean, raw),
        ("PNG, 8 bits", clean, image.perturbed_prediction_8bit == image.labels),
        *(
            (f"JPEG {quality}", before == image.labels, after == image.labels)
            for quality, before, after in zip(
                JPEG_QUALITIES, variants.clean_jpeg, variants.perturbed_jpeg, strict=True
            )
        ),
    ]
    columns = {}
    for name, before, after in forms:
        columns[f"{name} clean"], columns[f"{name} perturbed"] = before, after
    shares = Shares(bootstrap, columns)
    return [
        SurvivalRow(
            name,
            shares.share(f"{name} clean"),
            shares.share(f"{name} perturbed"),
            shares.change(f"{name} clean", f"{name} perturbed"),
            fixed_kept=_kept(~clean & raw, after),
            broken_kept=_kept(clean & ~raw, ~after),
        )
        for name, _, after in forms
    ]


def _kept(flipped: Flags, still: Flags) -> float | None:
    count = int(flipped.sum())
    return int((flipped & still).sum()) / count if count else None


def strength_rows(evaluation: Evaluation, variants: Variants, bootstrap: Bootstrap) -> list[StrengthRow]:
    labels, rms = evaluation.per_image.labels, evaluation.metrics.rms_mean
    columns = {}
    for place, alpha in enumerate(ALPHAS):
        columns[f"{alpha}"] = variants.strength[place] == labels
        columns[f"{alpha} saved"] = variants.strength_8bit[place] == labels
    shares = Shares(bootstrap, columns)
    return [
        StrengthRow(
            alpha, alpha * rms, shares.share(f"{alpha}"), shares.share(f"{alpha} saved"),
            *measures.fixed_and_broken(columns["0.0"], columns[f"{alpha} saved"]),
        )
        for alpha in ALPHAS
    ]  # fmt: skip


def answer_rows(evaluation: Evaluation, variants: Variants, bootstrap: Bootstrap) -> list[AnswerRow]:
    """Of a classifier that gives probabilities: about the perturbed picture, and about both."""
    image = evaluation.per_image
    before, after = variants.clean_scores, variants.perturbed_8bit_scores
    clean, saved = image.clean_prediction == image.labels, _saved_right(evaluation)
    answers = {
        "the perturbed picture": (1, saved),
        "both pictures, the mean probability": (2, (before + after).argmax(axis=1) == image.labels),
        "the picture that it is surer of": (2, np.where(measures.is_surer(before, after), saved, clean)),
    }
    shares = Shares(bootstrap, {"clean": clean, **{name: right for name, (_, right) in answers.items()}})
    return [
        AnswerRow(
            name, queries, shares.share(name), shares.change("clean", name),
            *measures.fixed_and_broken(clean, right),
        )
        for name, (queries, right) in answers.items()
    ]  # fmt: skip


def coverage_rows(evaluation: Evaluation, bootstrap: Bootstrap) -> list[CoverageRow]:
    """Selective perturbation: a PGN that is unsure of an image says so by a small p."""
    image = evaluation.per_image
    clean, saved = image.clean_prediction == image.labels, _saved_right(evaluation)
    ascending = np.sort(image.rms)
    least = {float(ascending[round((1 - coverage) * len(image))]) for coverage in COVERAGES}  # ties are one
    used = {rms: (image.rms >= rms) & (image.linf > 0) for rms in sorted(least)}
    right = {rms: np.where(perturbed, saved, clean) for rms, perturbed in used.items()}
    shares = Shares(bootstrap, {"clean": clean, **{f"{rms}": flags for rms, flags in right.items()}})
    return [
        CoverageRow(
            rms, float(perturbed.mean()), shares.share(f"{rms}"), shares.change("clean", f"{rms}"),
            *measures.fixed_and_broken(clean, right[rms]),
        )
        for rms, perturbed in used.items()
    ]  # fmt: skip


def transfer_rows(transfer: Transfer, labels: Labels, bootstrap: Bootstrap) -> list[TransferRow]:
    rows = []
    for pgn, predictions in zip(transfer.pgns, transfer.perturbed_8bit, strict=True):
        for classifier, clean, perturbed in zip(
            transfer.classifiers, transfer.clean, predictions, strict=True
        ):
            before, after = clean == labels, perturbed == labels
            shares = Shares(bootstrap, {"clean": before, "saved": after})
            change = shares.change("clean", "saved")
            flips = measures.fixed_and_broken(before, after)
            rows.append(
                TransferRow(pgn, classifier, shares.share("clean"), shares.share("saved"), change, *flips)
            )
    return rows


def baseline_rows(
    evaluation: Evaluation, baselines: Sequence[BaselineResult], bootstrap: Bootstrap
) -> list[BaselineRow]:
    ours = _saved_right(evaluation)
    rows = []
    for baseline in baselines:
        measured = baseline.evaluation
        theirs = _saved_right(measured)
        clean = measured.per_image.clean_prediction == measured.per_image.labels
        shares = Shares(bootstrap, {"clean": clean, "theirs": theirs, "ours": ours})
        fixed, broken = measures.fixed_and_broken(clean, theirs)
        rows.append(
            BaselineRow(
                baseline.name, baseline.title, baseline.oracle, measured.metrics.rms_mean,
                shares.share("theirs"), shares.change("clean", "theirs"), fixed, broken,
                shares.change("theirs", "ours"), measures.mcnemar_p(*measures.fixed_and_broken(theirs, ours)),
            )
        )  # fmt: skip
    return rows


def _saved_right(evaluation: Evaluation) -> Flags:
    image = evaluation.per_image
    return np.asarray(image.perturbed_prediction_8bit == image.labels)
