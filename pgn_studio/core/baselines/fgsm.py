"""One sign step along the gradient of f's cross-entropy: FGSM, and the oracle's."""

from __future__ import annotations

from torch import Tensor

from pgn_studio.core.baselines.base import Baseline
from pgn_studio.core.baselines.context import BaselineContext
from pgn_studio.core.baselines.gradients import cross_entropy_gradient, direction


class Fgsm(Baseline):
    """p = ±sign ∇ CE(f(x), label), of size 1 a value (Goodfellow et al. 2015, equation of §4).

    The label is f's own answer on x: nothing that a user would not have.
    """

    title = "FGSM"
    description = (
        "one sign step through f by its own answer: away from it (the paper's EHA), or toward it to enhance"
    )
    needs_gradients = True

    def perturb(self, images: Tensor, labels: Tensor | None, context: BaselineContext) -> Tensor:
        values = context.space.from_pixels(images)
        gradient = cross_entropy_gradient(context.classifier, context.space, values, labels)
        return direction(context.problem) * gradient.sign()


class FgsmOracle(Fgsm):
    """The same by the true label."""

    title = "FGSM (oracle)"
    description = "one sign step through f by the image's true label"
    oracle = True
