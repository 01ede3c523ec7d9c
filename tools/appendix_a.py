"""Appendix A in numbers: the optimal discriminator, and where the game ends, for both losses.

A toy distribution stands for everything that the PGN does to images. The values that D's input may
take are a few bins; the bin of a perturbed image does not settle whether f is right on it, as D's
features do not. In bin b, good perturbations (t = 1) have the mass α·q1[b] and bad ones (t = 0) the
mass (1 − α)·q0[b]: α is the share of successes, and the only thing that this G chooses.

Run `python -m tools.appendix_a` to print what docs/explanation/appendix-a.md states.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pgn_studio.core.config import LossName
from pgn_studio.core.perturbation.losses import discriminator_losses, generator_loss

GOOD = (0.05, 0.10, 0.15, 0.30, 0.40)  # q1: bins of good perturbations
BAD = (0.40, 0.25, 0.20, 0.10, 0.05)  # q0: bins of bad ones
NARROW_GOOD = (0.00, 0.00, 0.20, 0.30, 0.50)  # disjoint supports: D can be certain
NARROW_BAD = (0.60, 0.40, 0.00, 0.00, 0.00)
LOSSES: tuple[LossName, ...] = ("least-squares", "logistic")


@dataclass(frozen=True)
class Toy:
    """Densities of D's input given good and given bad, each (bins,) and summing to 1."""

    good: Tensor
    bad: Tensor

    @classmethod
    def of(cls, good: tuple[float, ...] = GOOD, bad: tuple[float, ...] = BAD) -> Toy:
        return cls(torch.tensor(good, dtype=torch.float64), torch.tensor(bad, dtype=torch.float64))

    def masses(self, share: Tensor | float) -> tuple[Tensor, Tensor]:
        """p1 and p0 of the appendix: the masses of good and of bad in each bin at α = `share`."""
        return share * self.good, (1 - share) * self.bad


def optimal_output(good: Tensor, bad: Tensor) -> Tensor:
    """Propositions 1 and 3: D* = p1 / (p1 + p0), for both losses."""
    return good / (good + bad)


def expected_d_loss(logits: Tensor, good: Tensor, bad: Tensor, loss: LossName) -> Tensor:
    """Equations 13 and 25: the product's L_D in expectation over bins and targets."""
    ones, zeros = torch.ones_like(logits), torch.zeros_like(logits)
    each = good * discriminator_losses(logits, ones, loss) + bad * discriminator_losses(logits, zeros, loss)
    return each.sum()


def expected_g_loss(logits: Tensor, good: Tensor, bad: Tensor, loss: LossName) -> Tensor:
    """Equations 14 and 26: the product's L_G in expectation; G pays for every x̃, good or bad."""
    each = torch.stack([generator_loss(logit.reshape(1), loss) for logit in logits])
    return ((good + bad) * each).sum()


def best_response(
    good: Tensor, bad: Tensor, loss: LossName, *, steps: int = 2500, rate: float = 0.1
) -> Tensor:
    """D's outputs (bins,) after minimizing its expected loss numerically from 0.5 everywhere."""
    logits = torch.zeros_like(good, requires_grad=True)
    adam = torch.optim.Adam([logits], lr=rate)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        adam.zero_grad()
        expected_d_loss(logits, good, bad, loss).backward()  # type: ignore[no-untyped-call]
        adam.step()
        cosine.step()
    return torch.sigmoid(logits.detach())


def value_at(toy: Toy, share: float, loss: LossName) -> float:
    """C(α): G's expected loss against the D* of the same α (propositions 2 and 4)."""
    good, bad = toy.masses(share)
    seen = good + bad > 0  # a bin that never comes costs nothing, and D* is undefined there
    logits = torch.logit(optimal_output(good[seen], bad[seen]), eps=1e-12)
    return float(expected_g_loss(logits, good[seen], bad[seen], loss))


def play(
    toy: Toy,
    loss: LossName,
    *,
    share: float = 0.2,
    rounds: int = 600,
    d_steps: int | None = None,
    rate_g: float = 0.1,
    rate_d: float = 0.2,
) -> list[float]:
    """α after each round of G's gradient descent on the logit of α, the start first.

    `d_steps` None: D is at its optimum in every round (theorems 1 and 2). Otherwise D takes so many
    gradient steps from where it was, then G one against the updated D: Algorithm 1. As in Algorithm 1,
    no gradient reaches G through how D learned.
    """
    mixing = torch.logit(torch.tensor(share, dtype=torch.float64)).requires_grad_(True)
    logits = torch.zeros_like(toy.good, requires_grad=True)
    adam_g = torch.optim.Adam([mixing], lr=rate_g)
    adam_d = torch.optim.Adam([logits], lr=rate_d)
    course = [share]
    for _ in range(rounds):
        fixed = toy.masses(torch.sigmoid(mixing.detach()))
        for _ in range(d_steps or 0):
            adam_d.zero_grad()
            expected_d_loss(logits, *fixed, loss).backward()  # type: ignore[no-untyped-call]
            adam_d.step()
        judged = logits.detach() if d_steps else torch.logit(optimal_output(*fixed), eps=1e-6)
        adam_g.zero_grad()
        expected_g_loss(judged, *toy.masses(torch.sigmoid(mixing)), loss).backward()  # type: ignore[no-untyped-call]
        adam_g.step()
        course.append(float(torch.sigmoid(mixing.detach())))
    return course


def report() -> list[str]:
    """The lines of docs/explanation/appendix-a.md's numbers."""
    toy = Toy.of()
    good, bad = toy.masses(0.3)
    formula = optimal_output(good, bad)
    lines = [_line("D* at α = 0.3", formula)]
    for loss in LOSSES:
        lines.append(_line(f"found for {loss}", best_response(good, bad, loss)))
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    lines.append(_line("α", torch.tensor(shares)))
    for kind, game in (("", toy), ("apart ", Toy.of(NARROW_GOOD, NARROW_BAD))):
        for loss in LOSSES:
            values = torch.tensor([min(value_at(game, share, loss), 99.0) for share in shares])
            lines.append(_line(f"C(α) {kind}{loss}", values))
    blind = Toy.of(GOOD, GOOD)
    for loss in LOSSES:
        ideal, alternating = play(toy, loss)[-1], play(toy, loss, d_steps=1)[-1]
        lines.append(
            f"{loss}: α from 0.2 to {ideal:.3f} with D at its optimum, to {alternating:.3f} alternating, "
            f"to {play(blind, loss)[-1]:.3f} where the bins say nothing"
        )
    return lines


def _line(label: str, values: Tensor) -> str:
    return f"{label:<26}" + "  ".join(f"{value:6.4f}" for value in values.tolist())


if __name__ == "__main__":
    import sys

    sys.stdout.write("\n".join(report()) + "\n")
