"""Appendix A, checked with the product's own losses: D* for fixed G, and all mass on "good"."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pgn_studio.core.config import LossName
from tools.appendix_a import (
    GOOD,
    LOSSES,
    NARROW_BAD,
    NARROW_GOOD,
    Toy,
    best_response,
    expected_d_loss,
    expected_g_loss,
    optimal_output,
    play,
    report,
    value_at,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "APPENDIX_A.md"
TOY = Toy.of()
SHARES = (0.1, 0.5, 0.9)
both_losses = pytest.mark.parametrize("loss", LOSSES)

# What D* is not; each must be told apart from what minimizing finds.
WRONG: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "bad for good": lambda good, bad: bad / (good + bad),
    "without the shares": lambda good, bad: (good / good.sum()) / (good / good.sum() + bad / bad.sum()),
    "squared": lambda good, bad: good**2 / (good**2 + bad**2),
    "a constant": lambda good, bad: torch.full_like(good, float(good.sum())),
}


@both_losses
@pytest.mark.parametrize("share", SHARES)
def test_minimizing_the_expected_loss_of_d_finds_d_star(loss: LossName, share: float) -> None:
    """Propositions 1 and 3."""
    good, bad = TOY.masses(share)
    found = best_response(good, bad, loss)
    torch.testing.assert_close(found, optimal_output(good, bad), atol=2e-3, rtol=0)


@both_losses
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_d_star_is_found_out(loss: LossName, wrong: Callable[[Tensor, Tensor], Tensor]) -> None:
    good, bad = TOY.masses(0.3)
    claimed = wrong(good, bad)
    assert float((best_response(good, bad, loss) - claimed).abs().max()) > 0.05
    losses = [
        float(expected_d_loss(torch.logit(output), good, bad, loss))
        for output in (optimal_output(good, bad), claimed)
    ]
    assert losses[0] < losses[1]


@both_losses
def test_d_star_of_samples_is_that_of_the_masses(loss: LossName) -> None:
    """The same from drawn pairs (bin, t) as batches bring them, not from known masses."""
    good, bad = TOY.masses(0.3)
    drawn = torch.multinomial(torch.cat([good, bad]), 200_000, replacement=True,
                              generator=torch.Generator().manual_seed(0))  # fmt: skip
    counts = torch.bincount(drawn, minlength=10).double() / len(drawn)
    found = best_response(counts[:5], counts[5:], loss)
    torch.testing.assert_close(found, optimal_output(good, bad), atol=0.02, rtol=0)


@both_losses
def test_the_value_of_the_game_falls_with_the_share_of_good(loss: LossName) -> None:
    """Propositions 2 and 4: C(α) is least, and zero, where all is good."""
    for toy in (TOY, Toy.of(NARROW_GOOD, NARROW_BAD)):
        values = [value_at(toy, share, loss) for share in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0)]
        assert all(before > after for before, after in zip(values, values[1:], strict=False))
        assert values[-1] == pytest.approx(0, abs=1e-9)


def test_the_value_is_the_closed_form_of_the_page() -> None:
    good, bad = TOY.masses(0.3)
    least_squares = float((bad**2 / (good + bad)).sum())
    logistic = float(-((good + bad) * torch.log(good / (good + bad))).sum())
    assert value_at(TOY, 0.3, "least-squares") == pytest.approx(least_squares, rel=1e-6)
    assert value_at(TOY, 0.3, "logistic") == pytest.approx(logistic, rel=1e-6)


@both_losses
@pytest.mark.parametrize("d_steps", [None, 1], ids=["D at its optimum", "alternating"])
def test_the_game_ends_with_all_mass_on_good(loss: LossName, d_steps: int | None) -> None:
    """Theorems 1 and 2, and Algorithm 1's updates in turn."""
    course = play(TOY, loss, d_steps=d_steps)
    assert course[0] == 0.2
    assert course[-1] > 0.97
    last = course[len(course) // 2 :]
    assert all(before <= after for before, after in zip(last, last[1:], strict=False))


@both_losses
def test_where_d_cannot_tell_the_game_stands_still(loss: LossName) -> None:
    """The proofs' gap: C(α) falls, but G's gradient through a fixed D is zero."""
    blind = Toy.of(GOOD, GOOD)
    assert value_at(blind, 0.2, loss) > value_at(blind, 0.8, loss)
    assert play(blind, loss, rounds=50)[-1] == pytest.approx(0.2, abs=1e-3)


@both_losses
def test_the_expectations_are_the_losses_of_a_batch(loss: LossName) -> None:
    """A batch that holds each (bin, t) as often as its mass says gives the same numbers."""
    from pgn_studio.core.perturbation.losses import discriminator_loss, generator_loss

    good, bad = torch.tensor([0.1, 0.3], dtype=torch.float64), torch.tensor([0.4, 0.2], dtype=torch.float64)
    logits = torch.tensor([-0.7, 1.2], dtype=torch.float64)
    bins = torch.tensor([0] + [1] * 3 + [0] * 4 + [1] * 2)
    targets = torch.tensor([1.0] * 4 + [0.0] * 6, dtype=torch.float64)
    batch = discriminator_loss(logits[bins], targets, loss)
    assert float(expected_d_loss(logits, good, bad, loss)) == pytest.approx(float(batch), rel=1e-9)
    batch = generator_loss(logits[bins], loss)
    assert float(expected_g_loss(logits, good, bad, loss)) == pytest.approx(float(batch), rel=1e-9)


def test_the_page_states_these_numbers() -> None:
    (block,) = re.findall(r"^```text\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert block.splitlines() == report()
