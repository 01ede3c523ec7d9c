"""A baseline by name, made ready and measured as the PGN is: at its strength, by the same metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from pgn_studio.core.baselines import BASELINES, baseline_name
from pgn_studio.core.baselines.base import Baseline, PreparedBaseline
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.baselines.matching import matched, mean_rms
from pgn_studio.core.config import Problem
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.evaluation.evaluate import Evaluation, evaluate_perturber
from pgn_studio.core.evaluation.perturber import Perturber, added
from pgn_studio.core.perturbation.pgn import Perturbation
from pgn_studio.core.plugins import PluginError
from pgn_studio.core.protocols import Progress


class BaselinePerturber:
    """A baseline as the harness calls it; what it returns is checked."""

    def __init__(self, name: str, baseline: Baseline, context: BaselineContext) -> None:
        self.name = name
        self.baseline = baseline
        self.context = context

    def perturb(self, pixels: Tensor, labels: Tensor) -> Perturbation:
        known = labels if self.baseline.oracle else None
        with BASELINES.blaming(self.name):
            perturbation = self.baseline.perturb(pixels, known, self.context)
        if not isinstance(perturbation, Tensor) or perturbation.shape != pixels.shape:
            came = getattr(perturbation, "shape", type(perturbation).__name__)
            raise PluginError(
                f"The baseline {self.name} must return a tensor of shape {tuple(pixels.shape)}, got {came}.",
                hint="Correct the package that it comes from.",
            )
        return added(self.context.space, pixels, perturbation.detach().to(pixels.device))


def names_for(problem: Problem) -> list[str]:
    """The baselines that there are for a problem, in the order of tables."""
    return [name for name, kind in BASELINES.available().items() if problem in kind.problems]


def make_baseline(
    name: str, context: BaselineContext, *, progress: Progress | None = None
) -> PreparedBaseline:
    """Train or fit what the baseline needs, and match its strength on the validation split.

    "Matched": one factor for all images brings the validation mean of the RMS per value to
    `context.rms`. `progress` is told of each phase from its start; its Canceled passes through, and
    leaves nothing behind. Same context, same result on a CPU. Raises ConfigError for an unknown name
    or a baseline that the problem does not have, ClassifierError where f gives no gradients or cannot
    be trained, and PluginError for a plug-in that fails.
    """
    name = baseline_name(name)
    kind = BASELINES.load(name)
    if context.problem not in kind.problems:
        raise ConfigError(
            f"The baseline {name} is for the {kind.problems[0]} problem; this PGN's is {context.problem}.",
            hint=f"Choose one of: {', '.join(names_for(context.problem))}.",
        )
    context.classifier.to(context.device)
    context.space.to(context.device)
    with BASELINES.blaming(name):
        baseline = kind()
        if kind.needs_training:
            baseline.prepare(context, progress)
            progress = None
        classifier = baseline.classifier(context)
    perturber: Perturber = BaselinePerturber(name, baseline, context)
    rms = None
    if kind.strength == "matched":
        perturber, rms = matched(perturber, context, progress=progress)
    elif kind.strength == "own":
        rms = mean_rms(perturber, context, progress)
    return PreparedBaseline(name, kind.title, kind.oracle, perturber, classifier, rms)


def measure_baseline(
    baseline: PreparedBaseline,
    context: BaselineContext,
    dataset: ImageDataset,
    split_name: str,
    *,
    batch_size: int = 64,
    progress: Progress | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Evaluation:
    """On a split of `dataset`; f itself answers for the clean images. Raises as `evaluate_perturber` does."""
    return evaluate_perturber(
        baseline.perturber,
        baseline.classifier,
        dataset.split(split_name),
        split_name=split_name,
        dataset_name=dataset.name,
        space=context.space,
        batch_size=batch_size,
        device=context.device,
        progress=progress,
        clean_classifier=context.classifier,
        facts=facts,
    )
