"""The seam to the baselines: other ways of changing the same images, measured like the PGN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pgn_studio.core.baselines import baseline_names
from pgn_studio.core.baselines.context import BaselineContext, settings_in_force
from pgn_studio.core.baselines.preparing import make_baseline, measure_baseline, names_for
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import Problem
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.evaluation.evaluate import Evaluation
from pgn_studio.core.perturbation.pgn import Pgn
from pgn_studio.core.protocols import Progress


@dataclass(frozen=True)
class BaselineResult:
    """A baseline measured on the report's split. `oracle`: it is told the labels."""

    name: str
    title: str
    oracle: bool
    evaluation: Evaluation


def chosen_baselines(text: str, problem: Problem) -> tuple[str, ...]:
    """Names out of "all" (of this problem), "none" or names between commas.

    Raises ConfigError for an unknown one, and for one that does not fit the problem.
    """
    if text.strip().lower() == "none":
        return ()
    known = tuple(names_for(problem))
    if text.strip().lower() == "all":
        return known
    names = baseline_names([part.strip() for part in text.split(",") if part.strip()])
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ConfigError(
            f"--baselines: expected all, none or names between commas, got {text!r}.",
            hint=f"For the problem {problem} there are: {', '.join(known)}.",
        )
    return names


def measure_baselines(
    names: Sequence[str],
    pgn: Pgn,
    classifier: Classifier,
    dataset: ImageDataset,
    split_name: str,
    *,
    rms: float,
    batch_size: int,
    device: torch.device,
    progress: Progress | None = None,
) -> list[BaselineResult]:
    """Make each baseline at the RMS given, and measure it on the split."""
    context = BaselineContext.of(
        settings_in_force(pgn),
        classifier=classifier,
        space=pgn.space,
        dataset=dataset,
        rms=rms,
        device=device,
    )
    found = []
    for name in names:
        made = make_baseline(name, context, progress=progress)
        evaluation = measure_baseline(
            made, context, dataset, split_name, batch_size=batch_size, progress=progress
        )
        found.append(BaselineResult(made.name, made.title, made.oracle, evaluation))
    return found
