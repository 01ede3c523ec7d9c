"""A small report, real through and through, with fake baselines and a class name that is markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from pgn_studio.core.evaluation.evaluate import evaluate
from pgn_studio.core.report.report import Report, make_report
from pgn_studio.core.report.sections.baselines import BaselineResult
from tests.core.evaluation.samples import ArraySplit, Shift, make_classifier, make_pgn, make_split

MARKUP = ("<script>alert(1)</script>", "$a_b$ & \"c\" | 'd'", "owl")
RESAMPLES = 200


@dataclass(frozen=True)
class Dataset:
    test: ArraySplit
    name: str = "animals <b>"
    classes: tuple[str, ...] = MARKUP
    image_size: int = 8
    fingerprint: str = ""

    def split(self, _name: str) -> ArraySplit:
        return self.test


def small_report(
    *, generator: nn.Module | None = None, split: ArraySplit | None = None, classes: Sequence[str] = MARKUP,
    split_name: str = "test", abstain_below_rms: float = 0.0, **options: Any,
) -> Report:  # fmt: skip
    classifier, pgn = make_classifier(classes), make_pgn(generator or Shift(red=0.03, noise=0.2))
    pgn.info = replace(pgn.info, classes=tuple(classes), abstain_below_rms=abstain_below_rms)
    dataset: Any = Dataset(make_split(60) if split is None else split, classes=tuple(classes))
    return make_report(pgn, classifier, dataset, split_name, **{"resamples": RESAMPLES, **options})


def fake_baselines(split: ArraySplit) -> list[BaselineResult]:
    """A perfect oracle, and one that does nothing."""
    nothing = evaluate(
        make_pgn(Shift()),
        make_classifier(MARKUP),
        split,
        split_name="test",
        dataset_name="",
    )
    image = nothing.per_image
    perfect = replace(image, perturbed_prediction=image.labels, perturbed_prediction_8bit=image.labels)
    return [
        BaselineResult("pgd-oracle", "Many steps", True, replace(nothing, per_image=perfect)),
        BaselineResult("none", "Nothing <i>", False, nothing),
    ]


def image_named(name: str) -> ArraySplit:
    """A split whose images all carry `name`."""
    plain = make_split(60)
    return ArraySplit(plain.images(np.arange(60)), plain.labels.tolist(), [name] * 60)
