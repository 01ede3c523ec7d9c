"""Health while it trains: what a run's own figures say has gone wrong, and when it has passed.

Pure arithmetic on numbers that are on the host already: no question to f, no wait for the device.
The same events give the same notices, so a resumed run's monitor is the replay of its metrics.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.amounts import percent
from pgn_studio.core.config import LossName, Problem, TrainingSettings
from pgn_studio.core.training.events import EpochCompleted, Notice, NoticeLevel, StepCompleted

WINDOW = 30  # steps that are judged together: some 2,000 images at the default batch
WARM_UP = 30  # steps not judged by it: G's first perturbations break more than they fix, D knows nothing yet
RECENT = 10  # steps over which the size of the perturbation is averaged, from the first step on

# Each pair: where a condition starts, and where it has passed.
D_LOSS = (0.9, 0.8)  # L_D as a share of the loss of the best constant; a learning D is below 0.5 by step 60
D_SPREAD = (0.1, 0.15)  # standard deviation of D's judgments in 0…1; a D that tells apart is above 0.25
ACCURACY_LOSS = (0.05, 0.01)  # success below what it is without a PGN; healthy runs lose 2 points at most
SURE = (0.3, 0.1)  # D's belief in success above the share of successes
SIGNIFICANT = 3.0  # McNemar's z: flips that lose accuracy against flips that gain it
ONE_CLASS = (0.99, 0.97)  # share of targets that are equal
RIGHT_ALREADY = 0.98  # the classifier's own success, from which on equal targets are not the PGN's merit
LARGE_RMS = (0.3, 0.2)  # in pixel units, of 0…1: the image is hardly recognizable
GROWTH = (2.0, 1.25)  # times as large as WINDOW steps before…
GROWTH_FROM = 0.2  # …and above this, which good runs do not reach
SMALL_RMS = (0.5 / 255, 1 / 255)  # half a gray level is rounded away in 8 bits
VANISHING_AFTER = 2  # epochs: G starts near zero
VARIED = 0.05 * 0.95  # variance of D's targets from which on its judgments are expected to vary: 5 % differ

_GAMMA, _RATE_G, _RATE_D = Setting("gamma"), Setting("learning_rate_g"), Setting("learning_rate_d")


@dataclass(frozen=True)
class Reading:
    """Means over the last WINDOW steps after the warm-up, NaN before there are as many."""

    step: int
    epoch: int
    gamma: float
    wanted: str  # what a success makes of an image: "right" or "wrong"
    d_loss: float  # L_D / the loss of the best constant
    d_spread: float
    d_target_var: float
    belief: float  # D's mean judgment of x̃ is at least this
    success: float  # share of x̃ that are successes
    baseline: float  # the same for the images without p
    z: float  # McNemar's z, positive where success is lost
    rms: float  # pixel units, over the last RECENT steps
    rms_before: float  # the same, WINDOW steps earlier
    val_loss: float = math.nan  # success lost on the validation split at the last epoch's end
    val_z: float = math.nan


@dataclass(frozen=True)
class Check:
    """One condition. NaN makes no comparison true: what is not known neither starts nor passes."""

    code: str
    level: NoticeLevel
    starts: Callable[[Reading], bool]
    passes: Callable[[Reading], bool]
    seen: Callable[[Reading], str]
    hint: Callable[[Reading], str]
    passed: Callable[[Reading], str]


def _outruns(now: Reading) -> bool:
    lost = now.baseline - now.success >= ACCURACY_LOSS[0] and now.z >= SIGNIFICANT
    lost_on_val = now.val_loss >= ACCURACY_LOSS[0] and now.val_z >= SIGNIFICANT
    return lost or lost_on_val or now.belief - now.success >= SURE[0]


def _keeps_pace(now: Reading) -> bool:
    on_val = not now.val_loss > ACCURACY_LOSS[1]
    return on_val and now.baseline - now.success <= ACCURACY_LOSS[1] and now.belief - now.success <= SURE[1]


def _outrun_text(now: Reading) -> str:
    if now.val_loss >= ACCURACY_LOSS[0] or math.isnan(now.success):
        where = f"on validation {100 * now.val_loss:.1f} points fewer images are {now.wanted} than clean"
    else:
        where = (
            f"{percent(now.success)} of the perturbed images are {now.wanted}, "
            f"{percent(now.baseline)} of the clean"
        )
    believed = "" if math.isnan(now.belief) else f"; D expects it of {percent(now.belief, 0)} at least"
    return f"G outran D: {where}{believed}."


def _exploding(now: Reading) -> bool:
    return now.rms > LARGE_RMS[0] or (now.rms > GROWTH_FROM and now.rms >= GROWTH[0] * now.rms_before)


def _settled(now: Reading) -> bool:
    return now.rms < LARGE_RMS[1] and not now.rms > GROWTH[1] * now.rms_before


def _exploding_text(now: Reading) -> str:
    grown = "" if now.rms > LARGE_RMS[0] else f", {now.rms_before:.2f} only {WINDOW} steps before"
    return f"The perturbation is exploding: its RMS is {now.rms:.2f} of a pixel's range{grown}."


def _one_class(now: Reading) -> bool:
    all_fail = now.success <= 1 - ONE_CLASS[0]
    return all_fail or (now.success >= ONE_CLASS[0] and now.baseline >= RIGHT_ALREADY)


def _one_class_text(now: Reading) -> str:
    if now.success < 0.5:
        few = percent(1 - now.success)
        return f"{few} of the targets are 0: hardly any perturbation is a success to learn from."
    shares = f"{percent(now.success)} of the targets are 1, {percent(now.baseline)} without perturbation"
    return f"{shares}: there are few failures to learn from."


def _one_class_hint(now: Reading) -> str:
    if now.success < 0.5:
        return Advice("Lower {} and start anew; for an attack, lower {}.", _RATE_G, _GAMMA)
    return Advice(
        "Train on images that the classifier has not seen, or leave {} at its default.",
        Setting("input_mixup"),
    )


CHECKS = (
    Check(
        "perturbation-exploding",
        "severe",
        _exploding,
        _settled,
        _exploding_text,
        lambda now: Advice("Raise {} (now {:g}), or lower {}.", _GAMMA, now.gamma, _RATE_G),
        lambda now: f"The perturbation has come down: its RMS is {now.rms:.2f}.",
    ),
    Check(
        "g-outran-d",
        "severe",
        _outruns,
        _keeps_pace,
        _outrun_text,
        lambda now: Advice(
            "Raise {} (now {:g}) or lower {}; or help D: raise {}.", _GAMMA, now.gamma, _RATE_G, _RATE_D
        ),
        lambda now: (
            f"D has caught up with G: {percent(now.success)} of the perturbed images are {now.wanted}, "
            f"{percent(now.baseline)} of the clean."
        ),
    ),
    Check(
        "d-constant",
        "warning",
        lambda now: now.d_loss >= D_LOSS[0] and now.d_spread <= D_SPREAD[0] and now.d_target_var >= VARIED,
        lambda now: now.d_loss <= D_LOSS[1] or now.d_spread >= D_SPREAD[1],
        lambda now: (
            f"D answers nearly the same to everything: its judgments vary by {now.d_spread:.3f}, and its "
            f"loss is {percent(now.d_loss, 0)} of what the best constant gives, though both outcomes occur."
        ),
        lambda now: Advice(
            "Raise {}; or let D see more: {}, {}, another {}.",
            _RATE_D,
            Setting("image_conditioning", True),
            Setting("head", "mlp"),
            Setting("discriminator"),
        ),
        lambda now: f"D tells successes from failures: its judgments vary by {now.d_spread:.2f}.",
    ),
    Check(
        "targets-constant",
        "warning",
        _one_class,
        lambda now: 1 - ONE_CLASS[1] <= now.success <= ONE_CLASS[1],
        _one_class_text,
        _one_class_hint,
        lambda now: f"Both outcomes occur: {percent(now.success)} of the targets are 1.",
    ),
    Check(
        "perturbation-vanishing",
        "warning",
        lambda now: now.epoch > VANISHING_AFTER and now.rms < SMALL_RMS[0],
        lambda now: now.rms > SMALL_RMS[1],
        lambda now: (
            f"The perturbation vanishes: its RMS is {255 * now.rms:.2f} gray levels, which 8 bits round away."
        ),
        lambda now: (
            Advice("Lower {} (now {:g}).", _GAMMA, now.gamma)
            if now.gamma
            else Advice("Raise {}, or see whether D learns.", _RATE_G)
        ),
        lambda now: f"The perturbation has grown: its RMS is {255 * now.rms:.1f} gray levels.",
    ),
)


class Monitor:
    """Fed with a run's steps and epochs, gives each condition's notice when it starts and when it passes.

    `pixel_scale`: what 1 of the perturbation's space is in pixel units (1 in pixel space; about
    the classifier's std in normalized space).
    """

    @classmethod
    def of(cls, settings: TrainingSettings, *, std: Sequence[float]) -> Monitor:
        """For a run with `settings` against a classifier that divides by `std`."""
        scale = sum(std) / len(std) if settings.input_space == "normalized" else 1.0
        return cls(problem=settings.problem, loss=settings.loss, pixel_scale=scale)

    def __init__(self, *, problem: Problem, loss: LossName, pixel_scale: float = 1.0) -> None:
        self._problem = problem
        self._loss = loss
        self._pixel_scale = pixel_scale
        self._rows: deque[tuple[float, ...]] = deque(maxlen=WINDOW)
        self._sizes: deque[float] = deque(maxlen=WINDOW + RECENT)
        self._validation = (math.nan, math.nan)
        self._active: set[str] = set()

    @property
    def active(self) -> frozenset[str]:
        """Codes of the conditions that hold now."""
        return frozenset(self._active)

    def begin(self, code: str) -> None:
        """A condition that something else has found and emitted: only that it passed is still to come."""
        if any(check.code == code for check in CHECKS):
            self._active.add(code)

    def step(self, event: StepCompleted) -> list[Notice]:
        self._sizes.append(math.sqrt(event.l2) * self._pixel_scale)
        if event.step > WARM_UP:
            self._rows.append(self._row(event))
        return self._judged(self._reading(event.step, event.epoch, event.gamma))

    def epoch(self, event: EpochCompleted) -> list[Notice]:
        sign = 1 if self._problem == "enhance" else -1
        lost = sign * (event.clean_accuracy - event.perturbed_accuracy)
        self._validation = (lost, sign * _mcnemar_z(event.fixed, event.broken))
        return self._judged(self._reading(event.step, event.epoch, event.gamma))

    def replay(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take in what metrics.jsonl says of a run so far; its notices have been emitted already."""
        for record in records:
            if record.get("event") == "StepCompleted":
                self.step(_event(StepCompleted, record))
            elif record.get("event") == "EpochCompleted":
                self.epoch(_event(EpochCompleted, record))
            elif record.get("event") == "Notice" and record.get("level") in ("warning", "severe"):
                self.begin(str(record["code"]))

    def _row(self, event: StepCompleted) -> tuple[float, ...]:
        enhance = self._problem == "enhance"
        lost, won = (event.broken, event.fixed) if enhance else (event.fixed, event.broken)
        mean, variance = event.d_target_mean, event.d_target_var
        if math.isnan(variance):  # a run from before it was recorded: its targets were 1 or 0
            variance = mean * (1 - mean)
        return (
            event.loss_d,
            _best_constant(mean, variance, self._loss),
            event.d_spread,
            variance,
            event.loss_g if math.isnan(event.d_doubt) else event.d_doubt,
            event.perturbed_accuracy if enhance else 1 - event.perturbed_accuracy,
            event.clean_accuracy if enhance else 1 - event.clean_accuracy,
            float(lost),
            float(won),
        )

    def _reading(self, step: int, epoch: int, gamma: float) -> Reading:
        full = len(self._rows) == WINDOW
        means = np.mean(self._rows, axis=0).tolist() if full else [math.nan] * 9
        loss_d, constant, spread, varied, doubt, success, baseline, lost, won = means
        sizes = list(self._sizes)
        long_enough = len(sizes) == WINDOW + RECENT
        return Reading(
            step=step,
            epoch=epoch,
            gamma=gamma,
            wanted="right" if self._problem == "enhance" else "wrong",
            d_loss=loss_d / constant if constant > 0 else math.nan,
            d_spread=spread,
            d_target_var=varied,
            belief=_least_belief(doubt, self._loss),
            success=success,
            baseline=baseline,
            z=_mcnemar_z(won * WINDOW, lost * WINDOW),
            rms=sum(sizes[-RECENT:]) / RECENT if len(sizes) >= RECENT else math.nan,
            rms_before=sum(sizes[:RECENT]) / RECENT if long_enough else math.nan,
            val_loss=self._validation[0],
            val_z=self._validation[1],
        )

    def _judged(self, now: Reading) -> list[Notice]:
        notices = []
        for check in CHECKS:
            if check.code not in self._active:
                if check.starts(now):
                    self._active.add(check.code)
                    notices.append(
                        Notice(now.step, check.code, check.seen(now), check.hint(now), check.level)
                    )
            elif check.passes(now):
                self._active.discard(check.code)
                notices.append(Notice(now.step, check.code, check.passed(now), "", "passed"))
        return notices


def _best_constant(mean: float, variance: float, loss: LossName) -> float:
    """L_D of the best D that says the same to all, for targets of this mean and variance."""
    if loss == "least-squares":
        return variance
    if not 0 < mean < 1:  # also where it is not known
        return math.nan if math.isnan(mean) else 0.0
    return -mean * math.log(mean) - (1 - mean) * math.log(1 - mean)


def _least_belief(doubt: float, loss: LossName) -> float:
    """A lower bound of D's mean judgment of x̃, from L_G at temperature 1 by Jensen's inequality."""
    # Targets are in 0…1: so is √L_G.
    return 1 - math.sqrt(doubt) if loss == "least-squares" else math.exp(-doubt)


def _mcnemar_z(won: float, lost: float) -> float:
    """How many standard deviations more were lost than won; 0 when nothing flipped."""
    return (lost - won) / math.sqrt(won + lost) if won + lost else 0.0


def _event(kind: type[Any], record: Mapping[str, Any]) -> Any:
    """An event from its line of metrics.jsonl, where null stands for NaN; older runs know fewer fields."""
    names = [item.name for item in fields(kind)]
    values = {name: math.nan if record[name] is None else record[name] for name in names if name in record}
    return kind(**values)
