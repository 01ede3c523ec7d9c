"""What a run emits to its listeners: frozen dataclasses of plain numbers and CPU uint8 arrays.

The command line's progress bar, metrics.jsonl and the window all consume these same events.
A run emits RunStarted first, but for Preparing, and exactly one of RunFinished | RunFailed last.
RunStarted comes again where memory ran out: what came after its first_step happens anew, with fewer
images a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pgn_studio.core.memory import MemoryUse


@dataclass(frozen=True)
class Preparing:
    """The networks look at training images before the first step, for their statistics; not kept."""

    done: int
    total: int


@dataclass(frozen=True)
class RunStarted:
    run_folder: str
    first_step: int  # 0, or where a resumed run goes on
    total_steps: int
    steps_per_epoch: int
    total_epochs: int
    device: str
    precision: str
    train_images: int
    val_images: int
    clean_accuracy: float  # on the validation split, 0…1
    clean_train_accuracy: float  # share of training images the classifier gets right, unaugmented


@dataclass(frozen=True)
class StepCompleted:
    step: int  # 1-based, counts over the whole run
    epoch: int  # 1-based
    gamma: float  # the γ used in this step; the middle of a range
    loss_g: float  # L_G without the L2 term, at the temperature at which G is judged
    loss_d: float
    l2: float  # mean of p² over batch, channels, pixels
    target_mean: float  # mean of t over the batch
    fixed: int  # in this batch, false → correct
    broken: int  # in this batch, correct → false
    clean_accuracy: float  # in this batch, of the images as the classifier was shown them
    perturbed_accuracy: float  # in this batch
    images_per_second: float
    d_spread: float = math.nan  # standard deviation of D's judgments (0…1) over its examples
    d_target_mean: float = math.nan  # mean of t over D's examples
    d_target_var: float = math.nan  # and its variance
    d_doubt: float = math.nan  # L_G as D would judge at temperature 1
    queries: int | None = None  # asked of a black box so far, in the whole run


@dataclass(frozen=True)
class AtGamma:
    """What a PGN that serves a range of γ does on the validation split at one of them."""

    gamma: float
    perturbed_accuracy: float
    perturbed_accuracy_8bit: float
    fixed_8bit: int
    broken_8bit: int
    rms_mean: float
    l2_mean: float
    fixed: int | None = None  # before 8 bits
    broken: int | None = None


@dataclass(frozen=True)
class EpochCompleted:
    """End of an epoch, measured on the validation split; of a range of γ at its middle."""

    epoch: int
    step: int
    gamma: float
    clean_accuracy: float
    perturbed_accuracy: float
    perturbed_accuracy_8bit: float
    fixed: int
    broken: int
    l2_mean: float  # mean over images of ‖p‖₂
    rms_mean: float
    train_loss_g: float  # means over the epoch's steps
    train_loss_d: float
    seconds: float
    best: bool  # by perturbed_accuracy_8bit no epoch so far at this γ can be told to be better
    queries: int | None = None
    validation_seconds: float | None = None  # comes on top of `seconds`
    fixed_8bit: int | None = None  # None in metrics of earlier versions
    broken_8bit: int | None = None
    at_gamma: tuple[AtGamma, ...] = ()  # rising γ; empty where the PGN has one alone


@dataclass(frozen=True)
class PreviewReady:
    """A few validation images, the same until others are wished for, as the window's strip shows them."""

    step: int
    original: npt.NDArray[np.uint8]  # (N, H, W, 3)
    perturbation: npt.NDArray[np.uint8]  # (N, H, W, 3); 128 is zero, ±127 is ±perturbation_scale
    perturbation_scale: float
    perturbed: npt.NDArray[np.uint8]  # (N, H, W, 3), clamped and rounded
    labels: tuple[int, ...]
    clean_predictions: tuple[int, ...]
    perturbed_predictions: tuple[int, ...]
    indices: tuple[int, ...] = ()  # in the validation split
    gamma: float = math.nan  # at which the PGN perturbed them


@dataclass(frozen=True)
class Vitals:
    """At most once a second; not kept."""

    step: int
    seconds_left: float | None  # to the run's end, without what it pauses; None while too little is known
    memory: MemoryUse


@dataclass(frozen=True)
class CheckpointSaved:
    step: int
    epoch: int
    folder: str


@dataclass(frozen=True)
class GammaChanged:
    step: int  # the first step that used it
    gamma: float


NoticeLevel = Literal["info", "warning", "severe", "passed"]


@dataclass(frozen=True)
class Notice:
    """Something the user should know while the run goes on, with what to change (docs/reference/health.md).

    A condition is emitted once when it starts, and once more, as "passed" under the same code, when
    it has passed.
    """

    step: int
    code: str  # e.g. "targets-constant", "below-clean"
    message: str
    hint: str
    level: NoticeLevel = "warning"


@dataclass(frozen=True)
class Kept:
    """The PGN that a run keeps: where it comes from and what it does on the validation split.

    What is None was not recorded: the run's best epoch is of an earlier version.
    """

    epoch: int  # 1-based, also where the run was stopped inside it; 0: before the first step
    gamma: float  # in force at its end
    perturbed_accuracy: float
    perturbed_accuracy_8bit: float
    rms_mean: float | None = None
    l2_mean: float | None = None
    fixed_8bit: int | None = None
    broken_8bit: int | None = None


@dataclass(frozen=True)
class RunFinished:
    reason: Literal["completed", "stopped"]
    step: int
    epoch: int  # epochs completed
    run_folder: str
    pgn_path: str
    clean_accuracy: float  # on validation, of the PGN that was kept
    perturbed_accuracy: float
    perturbed_accuracy_8bit: float
    seconds: float  # without pauses
    queries: int | None = None
    kept: Kept | None = None

    def describe_kept(self) -> str:
        """Where the kept PGN comes from: "epoch 4, γ 3, RMS 0.0412"."""
        if self.kept is None or not self.kept.epoch:
            return "as it was before the first step" if self.kept else ""
        inside = " (not finished)" if self.kept.epoch > self.epoch else ""
        rms = "" if self.kept.rms_mean is None else f", RMS {self.kept.rms_mean:.4f}"
        return f"epoch {self.kept.epoch}{inside}, γ {self.kept.gamma:g}{rms}"


@dataclass(frozen=True)
class RunFailed:
    step: int
    run_folder: str
    message: str
    hint: str
    details: str  # a traceback for the log, never shown first


Event = (
    Preparing
    | RunStarted
    | StepCompleted
    | EpochCompleted
    | PreviewReady
    | Vitals
    | CheckpointSaved
    | GammaChanged
    | Notice
    | RunFinished
    | RunFailed
)
EventSink = Callable[[Event], None]
