"""The baselines by name, and how each is made from a context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pgn_studio.core.baselines.context import Baseline, BaselineContext, BaselineKind
from pgn_studio.core.baselines.fine_tune import Unperturbed, fine_tune
from pgn_studio.core.baselines.matching import matched
from pgn_studio.core.baselines.random_sign import RandomSigns
from pgn_studio.core.baselines.steps import IteratedSteps, SignStep
from pgn_studio.core.baselines.universal import Universal, universal_perturbation
from pgn_studio.core.baselines.white_box import train_direct
from pgn_studio.core.classifiers import Classifier
from pgn_studio.core.config import Problem
from pgn_studio.core.errors import ConfigError
from pgn_studio.core.evaluation.perturber import Perturber
from pgn_studio.core.protocols import Progress

Made = tuple[Perturber, Classifier, float | None]  # perturber, whose answers count, mean RMS

_BOTH: tuple[Problem, ...] = ("enhance", "adversarial")

BASELINES: Mapping[str, BaselineKind] = MappingProxyType(
    {
        "noise": BaselineKind(
            title="Random signs",
            oracle=False,
            needs_training=False,
            problems=_BOTH,
            description="plus or minus the same amount in each value, by chance",
        ),
        "fgsm": BaselineKind(
            title="FGSM",
            oracle=False,
            needs_training=False,
            problems=_BOTH,
            description="one sign step through f by its own answer: away from it (the paper's EHA), "
            "or toward it to enhance",
        ),
        "uap": BaselineKind(
            title="UAP",
            oracle=False,
            needs_training=True,
            problems=("adversarial",),
            description="one perturbation for all images, from DeepFool steps on the training images",
        ),
        "direct": BaselineKind(
            title="Direct",
            oracle=False,
            needs_training=True,
            problems=_BOTH,
            description="the same generator, trained by gradients through f without a discriminator",
        ),
        "aid": BaselineKind(
            title="Aid (oracle)",
            oracle=True,
            needs_training=False,
            problems=_BOTH,
            description="one sign step through f by the image's true label",
        ),
        "aid-iterated": BaselineKind(
            title="Aid, iterated (oracle)",
            oracle=True,
            needs_training=False,
            problems=_BOTH,
            description="many L2 steps through f by the image's true label",
        ),
        "fine-tune": BaselineKind(
            title="Fine-tuned f",
            oracle=False,
            needs_training=True,
            problems=("enhance",),
            description="no perturbation: a copy of f trained further on the same images",
        ),
    }
)


def names_for(problem: Problem) -> list[str]:
    """The baselines that there are for a problem, in the order of tables."""
    return [name for name, kind in BASELINES.items() if problem in kind.problems]


def make_baseline(name: str, context: BaselineContext, *, progress: Progress | None = None) -> Baseline:
    """Train or fit what the baseline needs, and match its strength on the validation split.

    "Matched": one factor for all images brings the validation mean of the RMS per value to
    `context.rms`; see each baseline for what it does beside. `progress` is told of each phase from
    its start; its Canceled passes through, and leaves nothing behind. Same context, same result on
    a CPU. Raises ConfigError for an unknown name or a baseline that the problem does not have, and
    ClassifierError where f gives no gradients or cannot be trained.
    """
    kind = BASELINES.get(name)
    if kind is None:
        raise ConfigError(f"Unknown baseline {name!r}.", hint=f"Choose one of: {', '.join(BASELINES)}.")
    if context.problem not in kind.problems:
        known = ", ".join(names_for(context.problem))
        raise ConfigError(
            f"The baseline {name} is for the {kind.problems[0]} problem; this PGN's is {context.problem}.",
            hint=f"Choose one of: {known}.",
        )
    context.classifier.to(context.device)
    context.space.to(context.device)
    perturber, classifier, rms = _MAKERS[name](context, progress)
    return Baseline(name, kind.title, kind.oracle, perturber, classifier, rms)


def _noise(context: BaselineContext, progress: Progress | None) -> Made:
    return _scaled(RandomSigns(context.space, seed=context.seed), context, progress)


def _sign_step(context: BaselineContext, progress: Progress | None, *, oracle: bool) -> Made:
    step = SignStep(context.classifier, context.space, context.problem, oracle=oracle)
    return _scaled(step, context, progress)


def _iterated(context: BaselineContext, progress: Progress | None) -> Made:
    steps = IteratedSteps(context.classifier, context.space, context.problem, rms=context.rms)
    return _scaled(steps, context, progress)


def _uap(context: BaselineContext, progress: Progress | None) -> Made:
    v = universal_perturbation(
        context.classifier,
        context.space,
        context.train,
        rms=context.rms,
        seed=context.seed,
        device=context.device,
        progress=progress,
    )
    return _scaled(Universal(context.space, v), context, None)


def _direct(context: BaselineContext, progress: Progress | None) -> Made:
    perturber, rms = train_direct(context, progress)
    return perturber, context.classifier, rms


def _fine_tune(context: BaselineContext, progress: Progress | None) -> Made:
    return Unperturbed(context.space), fine_tune(context, progress), None


def _scaled(perturber: Perturber, context: BaselineContext, progress: Progress | None) -> Made:
    scaled, rms = matched(perturber, context, progress=progress)
    return scaled, context.classifier, rms


_MAKERS: Mapping[str, Callable[[BaselineContext, Progress | None], Made]] = {
    "noise": _noise,
    "fgsm": lambda context, progress: _sign_step(context, progress, oracle=False),
    "uap": _uap,
    "direct": _direct,
    "aid": lambda context, progress: _sign_step(context, progress, oracle=True),
    "aid-iterated": _iterated,
    "fine-tune": _fine_tune,
}
