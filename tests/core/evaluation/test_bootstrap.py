"""The bootstrap against SciPy's, scikit-learn's weights and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import average_precision_score

from pgn_studio.core.evaluation import bootstrap as module
from pgn_studio.core.evaluation.bootstrap import Bootstrap, Interval
from pgn_studio.core.evaluation.metrics import macro_average_precision


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_every_draw_has_as_many_images_and_each_image_once_on_average() -> None:
    counts = np.concatenate(list(Bootstrap(50, 4000).counts()))
    assert counts.shape == (4000, 50)
    assert (counts.sum(axis=1) == 50).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(50), abs=0.1)
    assert counts.var() == pytest.approx(1 - 1 / 50, abs=0.02)  # binomial(50, 1/50)


def test_one_seed_gives_the_same_draws_and_another_seed_others() -> None:
    first, again, other = (np.concatenate(list(Bootstrap(20, 200, seed).counts())) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_draws_do_not_depend_on_the_figures_drawn(rng: np.random.Generator) -> None:
    columns = rng.random((30, 4))
    draws = Bootstrap(30, 300)
    assert draws.means(columns)[:, 2] == pytest.approx(draws.means(columns[:, 2:3])[:, 0])


def test_chunks_give_whole_draws(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = rng.random((30, 2))
    monkeypatch.setattr(module, "_CHUNK", 30 * 7)
    means = Bootstrap(30, 100).means(columns)
    assert means.shape == (100, 2)
    assert means.mean(axis=0) == pytest.approx(columns.mean(axis=0), abs=0.05)


@pytest.mark.parametrize("paired", [False, True])
def test_interval_is_scipy_s(rng: np.random.Generator, paired: bool) -> None:
    before = rng.random(80) < 0.6
    after = before | (rng.random(80) < 0.3)
    columns = np.stack([before, after], axis=1).astype(float)
    draws = Bootstrap(80, 20_000)
    means = draws.means(columns)
    values = means[:, 1] - means[:, 0] if paired else means[:, 1]
    ours = draws.interval(0.0, values)
    theirs = scipy_bootstrap(
        (columns[:, 0], columns[:, 1]),
        (lambda x, y, axis: (y - x).mean(axis=axis)) if paired else (lambda x, y, axis: y.mean(axis=axis)),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.0126)  # one image


def test_interval_of_a_share_is_the_binomial_s() -> None:
    right = np.arange(100) < 70  # a draw's sum is binomial(100, 0.7), exactly
    draws = Bootstrap(100, 50_000)
    found = draws.interval(0.7, draws.means(right[:, None].astype(float))[:, 0])
    low, high = binom.ppf((0.025, 0.975), 100, 0.7) / 100
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.0101)


def test_intervals_cover_the_truth_about_as_often_as_they_say(rng: np.random.Generator) -> None:
    covered = 0
    for trial in range(300):
        sample = (rng.random(150) < 0.8).astype(float)[:, None]
        draws = Bootstrap(150, 400, trial)
        found = draws.interval(float(sample.mean()), draws.means(sample)[:, 0])
        covered += found.low <= 0.8 <= found.high  # type: ignore[operator]
    assert 0.90 <= covered / 300 <= 0.985


def test_average_precision_of_draws_is_scikit_learn_s_with_weights(rng: np.random.Generator) -> None:
    scores = rng.random((40, 3)).astype(np.float32).round(1)  # many equal scores
    labels = rng.integers(0, 3, 40)
    draws = Bootstrap(40, 250)
    found = draws.macro_average_precision(scores, labels)
    assert found is not None
    for counts, value in zip(np.concatenate(list(draws.counts()))[:20], found, strict=False):
        each = [
            average_precision_score(labels == k, scores[:, k], sample_weight=counts)
            for k in range(3)
            if counts[labels == k].sum() > 0
        ]
        assert value == pytest.approx(np.mean(each))
    assert found.mean() == pytest.approx(macro_average_precision(scores, labels), abs=0.05)


def test_average_precision_leaves_out_classes_that_a_draw_does_not_hold() -> None:
    scores, labels = np.eye(2, dtype=np.float32)[[0] * 9 + [1]], np.array([0] * 9 + [1])
    found = Bootstrap(10, 300).macro_average_precision(scores, labels)
    assert found is not None
    assert found == pytest.approx(np.ones(300))  # a third of the draws have no image of class 1


def test_average_precision_of_too_much_is_not_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels = np.ones((50, 2), np.float32), np.arange(50) % 2
    monkeypatch.setattr(module, "_LARGEST_WORK", 100 * 300)
    reduced = Bootstrap(50, 1000).macro_average_precision(scores, labels)
    assert reduced is not None
    assert len(reduced) == 300
    monkeypatch.setattr(module, "_LARGEST_WORK", 100 * 100)
    assert Bootstrap(50, 1000).macro_average_precision(scores, labels) is None


def test_an_undefined_figure_has_no_interval() -> None:
    draws = Bootstrap(10, 100)
    assert draws.interval(None, np.ones(100)) == Interval(None)
    assert draws.interval(0.5, None) == Interval(0.5)
    assert draws.interval(0.5, np.full(100, np.nan)) == Interval(0.5)
    some = np.r_[np.full(50, np.nan), np.linspace(0, 1, 50)]
    assert draws.interval(0.5, some).low == pytest.approx(0.025)
