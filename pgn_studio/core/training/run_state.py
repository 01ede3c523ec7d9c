"""A run in memory: its networks, its data, its components, and where it stands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.amounts import plural
from pgn_studio.core.classifiers import Classifier, check_suits, measure_accuracy
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import seed_everything, training_machine
from pgn_studio.core.errors import RunError
from pgn_studio.core.evaluation.evaluate import Metrics
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo, load_pgn, save_pgn
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.async_metrics import AsyncMetrics, StepTaken
from pgn_studio.core.training.builders import build_networks, fit_statistics
from pgn_studio.core.training.callbacks import LiveCallbacks
from pgn_studio.core.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.event_log import EventLog, epoch_completed, run_finished, step_completed
from pgn_studio.core.training.events import (
    CheckpointSaved,
    GammaChanged,
    Kept,
    Notice,
    Preparing,
    RunFinished,
    RunStarted,
)
from pgn_studio.core.training.health import below_clean, check_losses, check_weights, few_failures
from pgn_studio.core.training.input_mixup import chosen_share, unseen_accuracy
from pgn_studio.core.training.loader import NOISE, Batch, Loader, feature_cache_for
from pgn_studio.core.training.model_card import pgn_info
from pgn_studio.core.training.model_selection import (
    keep_epoch,
    keep_stopped,
    recalled,
    restore_result,
    result_of,
)
from pgn_studio.core.training.monitor import Monitor
from pgn_studio.core.training.oom import Shrinking, is_unsettled, measuring_batch, passed
from pgn_studio.core.training.own_gamma import TRIED_GAMMAS, abstention_notice, choose_gamma
from pgn_studio.core.training.preview import Preview
from pgn_studio.core.training.query_budget import QueryBudget, record
from pgn_studio.core.training.schedule import BatchSchedule, generator_for, training_epochs
from pgn_studio.core.training.step import TrainStep
from pgn_studio.core.training.validation import BATCH, Validation


class Clock:
    """Seconds by a clock that stands while the run pauses."""

    def __init__(self) -> None:
        self.paused = 0.0  # seconds so far
        self._began = time.perf_counter()

    def __call__(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self._began - self.paused


@dataclass(frozen=True)
class RunContext:
    """What stays the same however often a run's state is built anew."""

    dataset: ImageDataset
    classifier: Classifier
    folder: RunFolder
    control: TrainingControl
    log: EventLog
    clock: Clock


class RunState:
    """All that a run holds while it trains; a `Learner`, whose step is Algorithm 1's."""

    def __init__(
        self,
        settings: TrainingSettings,
        context: RunContext,
        *,
        resume: bool,
        shrunk: Shrinking | None,
    ) -> None:
        """`shrunk`: where memory ran out and no epoch has gone through since."""
        self.settings = settings
        self.context = context
        self.control, self.clock, self.emit = context.control, context.clock, context.log.emit
        self.resume = resume
        self.shrunk = shrunk
        self.train_split = context.dataset.split("train")
        self.epochs = training_epochs(settings, len(self.train_split))
        self.completed = context.folder.run_json.get("status") == "completed"
        self.state = TrainingState.start(gamma=settings.first_gamma)
        self.saved_step = 0  # where the checkpoint stands
        self.machine = training_machine(settings.device, settings.precision)
        image_size = context.dataset.image_size
        check_suits(context.classifier, context.dataset.classes, image_size)
        self.monitor = Monitor.of(settings, std=context.classifier.info.std)
        self.queries = QueryBudget(context.classifier, settings, context.dataset)
        self.queries.check_start()
        seed_everything(settings.seed)
        device, precision = self.machine.device, self.machine.precision
        networks = build_networks(settings, context.classifier, image_size=image_size, device=device)
        self.train_step = TrainStep(networks, settings, precision=precision)
        self.encoded = feature_cache_for(self.train_split, self.train_step.encode, settings)
        self.pgn = Pgn(self.train_step.result, self.info(None)).to(device)
        # A black box's answers come to the host anyway, and its failure must find the last step reported.
        late = device.type == "cuda" and not self.queries.is_needed
        self.metrics = AsyncMetrics(self._report, late=late)

    # ------------------------------------------------------------------ before the first step

    def prepare(self) -> None:
        """The networks' statistics, or all of it from the checkpoint, then f's accuracies and the batches."""
        records = self._restore() if self.resume else self._fit_statistics()
        schedule = self.state.schedule or BatchSchedule(len(self.train_split), self.settings.batch_size)
        schedule = replace(schedule, images=len(self.train_split))
        self.schedule = schedule.changed(self.settings.batch_size, step=self.state.step)
        self.state = replace(self.state, schedule=self.schedule)
        self.total_steps = self.schedule.first_step(self.epochs)
        self.context.folder.begin(self.settings, machine=self.machine.facts())
        ended = bool(records) and records[-1].get("event") == RunFinished.__name__
        if self.state.step >= self.total_steps and self.completed and ended:
            # else it was killed before it could say so
            hint = Advice("Give {} above {} to go on.", Setting("epochs"), self.epochs)
            raise RunError(f"This run has done its {plural(self.epochs, 'epoch')}.", hint=hint)
        self._measure_classifier()
        self._announce(records)

    def _fit_statistics(self) -> list[dict[str, Any]]:
        fit_statistics(
            self.train_step.networks,
            self.train_split,
            seed=self.settings.seed,
            precision=self.machine.precision,
            standardized=self.settings.standardize_features,
            memory=self.encoded,
            progress=lambda done, total: self.emit(Preparing(done, total)),
            stopping=lambda: self.control.stopping,
        )
        return []

    def _restore(self) -> list[dict[str, Any]]:
        """From the checkpoint; returns the run's metrics so far."""
        folder = self.context.folder
        self.state = load_checkpoint(folder.checkpoint_path, self.train_step)
        self.saved_step = self.state.step
        folder.truncate_metrics(self.state.step)
        records = folder.read_metrics()
        self.state = recalled(self.state, records)
        self.monitor.replay(records)
        restore_result(folder, self.state, self.settings)
        # After memory ran out, and on a dial, the γ of the moment is the user's latest wish.
        if self.shrunk is None and self.settings.gammas is None:
            self.control.set(gamma=self.state.gamma)
        return records

    def _measure_classifier(self) -> None:
        """f's accuracies, by which input mixup is chosen; then the loader can be made."""
        settings, context, train = self.settings, self.context, self.train_split
        self.clean_train_accuracy = measure_accuracy(
            context.classifier,
            train,
            batch_size=measuring_batch(context.folder, 2 * BATCH),
            device=self.machine.device,
            split_name="train",
        )
        self.validation = Validation(
            context.dataset,
            context.classifier,
            generator=self.train_step.result,
            most_bytes=settings.cache_mb * 2**20,
            batch_size=measuring_batch(context.folder, BATCH),
        )
        self.clean_val_accuracy = self.validation.clean_accuracy  # of the images as they are
        wanted = unseen_accuracy(self.clean_train_accuracy, self.clean_val_accuracy, settings)
        self.knows_validation = wanted is None
        if not self.resume:
            share = chosen_share(settings, context.classifier, train, wanted=wanted)
            self.state = replace(self.state, input_mixup=share)
        if self.knows_validation and self.state.input_mixup:
            self.validation.mix(self.state.input_mixup, seed=settings.seed)
        self.state = replace(self.state, clean_accuracy=self.validation.clean_accuracy)
        self.loader = Loader(
            train,
            settings,
            encoded=self.encoded,
            outputs=None if self.queries.is_needed else self.train_step.outputs,
            seed=settings.seed,
            input_mixup=self.state.input_mixup,
            device=self.machine.device,
            schedule=self.schedule,
        )

    def _announce(self, records: Sequence[Mapping[str, Any]]) -> None:
        context, step, val = self.context, self.state.step, self.validation.split
        self.callbacks = LiveCallbacks(
            Preview(val, self.validation.right, self.pgn, context.classifier),
            self.control,
            self.emit,
            device=self.machine.device,
            sparing=self.queries.is_needed,
            is_dial=self.settings.gammas is not None,
        )
        self.emit(
            RunStarted(
                run_folder=str(context.folder.path),
                first_step=step,
                total_steps=self.total_steps,
                steps_per_epoch=self.schedule.per_epoch,
                total_epochs=self.epochs,
                device=str(self.machine.device),
                precision=self.machine.precision,
                train_images=len(self.train_split),
                val_images=len(val),
                clean_accuracy=self.clean_val_accuracy,
                clean_train_accuracy=self.clean_train_accuracy,
            )
        )
        self.unsettled = self.shrunk is not None or is_unsettled(records)
        if self.shrunk is not None:
            self.emit(self.shrunk.notice(step))
        notice = few_failures(
            self.clean_train_accuracy,
            self.settings,
            step=step,
            input_mixup=self.state.input_mixup,
            known=self.knows_validation,
        )
        if notice is not None and not self.resume:  # a resumed run has emitted it
            self.emit(notice)
            self.monitor.begin(notice.code)
        self.callbacks.begin(step, records, schedule=self.schedule, epochs=self.epochs, val_images=len(val))

    # ------------------------------------------------------------------ as a Learner

    def remaining_epochs(self) -> range:
        return range(self.schedule.place(self.state.step)[0], self.epochs)

    def batches(self, epoch: int) -> Iterator[Batch]:
        """What is left of the epoch."""
        self.train_step.networks.train(True)
        self.epoch, self.taken = epoch, self.state.step
        self.epoch_began = self.reported_at = self.clock()
        yield from self.loader.epoch(epoch, done=self.schedule.place(self.taken)[1])

    def proceed(self) -> bool:
        """Holds while the run is paused; False where it is stopped, or the query budget is used up."""
        self.clock.paused += self.callbacks.pause(self.taken)
        if not self.control.stopping and not self.queries.allows_step():
            self.emit(self.queries.exhausted(self.taken))
            self.control.stop()
        return not self.control.stopping

    def step(self, batch: Batch) -> None:
        # One read of the live settings; where the PGN serves a range they say what is shown alone.
        dial = self.settings.gammas
        gamma = self.control.live.gamma if dial is None else dial.middle
        began = time.perf_counter()
        noise = generator_for(self.settings.seed, self.taken, NOISE)
        result = self.train_step(batch, gamma=gamma, noise=noise)
        seconds = time.perf_counter() - began
        self.taken += 1
        self.metrics.add(result, StepTaken(self.taken, self.epoch + 1, len(batch.labels), gamma, seconds))

    def _report(self, values: list[float], taken: StepTaken) -> None:
        """Emit a step's figures, in the order of StepResult; on a GPU the next step is under way."""
        if taken.gamma != self.state.gamma:
            self.emit(GammaChanged(taken.step, taken.gamma))
        completed = step_completed(
            values,
            taken,
            seconds=max(self.clock() - self.reported_at, taken.seconds),
            queries=self.queries.used,
        )
        check_losses(taken.step, loss_g=completed.loss_g, loss_d=completed.loss_d, l2=completed.l2)
        self.state = self.state.after(completed)
        self.emit(completed)
        for notice in self.monitor.step(completed):
            self.emit(notice)
        self.callbacks.step_done(taken.step)
        self.reported_at = self.clock()

    def end_epoch(self, epoch: int) -> None:
        """Validate and save."""
        self.metrics.finish()
        seconds = self.clock() - self.epoch_began
        check_weights(self.train_step, self.state.step)
        began = self.clock()
        metrics = self.validation.measure(self.pgn)
        at_gamma = self.validation.along(self.pgn, metrics, sparing=self.queries.is_needed)
        measured = self.clock() - began
        kept = keep_epoch(
            self.context.folder,
            self.train_step.result,
            self.info(metrics),
            metrics,
            epoch=epoch + 1,
            state=self.state,
            settings=self.settings,
        )
        completed = epoch_completed(
            metrics,
            self.state,
            epoch=epoch + 1,
            steps=self.schedule.steps_in(epoch),
            seconds=seconds,
            validation_seconds=measured,
            best=kept.best_epoch == epoch + 1,
            queries=self.queries.used,
            at_gamma=at_gamma,
        )
        self.state = replace(kept, loss_g_sum=0.0, loss_d_sum=0.0)
        self.emit(completed)
        if self.unsettled:
            self.emit(passed(self.state.step, self.settings.batch_size))
            self.unsettled = False
        for notice in self.monitor.epoch(completed):
            self.emit(notice)
        self.callbacks.show(self.state.step)
        self._save(epoch + 1)
        self.callbacks.epoch_done()

    def _save(self, epoch: int) -> None:
        save_checkpoint(self.context.folder.checkpoint_path, self.train_step, self.state)
        self.saved_step = self.state.step
        record(self.context.folder, self.queries.used)
        self.emit(CheckpointSaved(self.state.step, epoch, str(self.context.folder.path)))

    # ------------------------------------------------------------------ at the end

    def finish(self) -> RunFinished:
        """Keep what was learned: the run's result, at the γ that suits it."""
        self.metrics.finish()
        state = self.state
        epochs, within = self.schedule.place(state.step)
        kept = result_of(state, self.settings)
        if within or state.best_epoch == 0:  # stopped inside an epoch: what was learned counts too
            check_weights(self.train_step, state.step)
            metrics = self.validation.measure(self.pgn)
            if state.step:
                self._save(epochs)  # of the epochs' best alone: resuming repeats nothing
            kept = keep_stopped(
                self.context.folder,
                self.train_step.result,
                self.info(metrics),
                metrics,
                epoch=epochs + bool(within),
                state=state,
                settings=self.settings,
            )
        kept, notice_of_choice = self._with_own_gamma(kept)
        ending = run_finished(
            kept,
            state,
            reason="completed" if epochs >= self.epochs else "stopped",
            epoch=epochs,
            run=self.context.folder,
            seconds=self.clock(),
            queries=self.queries.used,
        )
        notice = notice_of_choice or below_clean(ending, self.settings)
        for each in (notice, self.queries.spent(state.step)):
            if each is not None:
                self.emit(each)
        return ending

    def _with_own_gamma(self, kept: Kept) -> tuple[Kept, Notice | None]:
        """The result at the γ that suits it, where it serves a range and is to enhance."""
        gammas, folder = self.settings.gammas, self.context.folder
        if gammas is None or self.settings.problem != "enhance" or not kept.epoch:
            return kept, None
        if not self.queries.allows_choosing(TRIED_GAMMAS):
            return kept, None
        pgn = load_pgn(folder.pgn_path).to(self.machine.device)
        if self.validation.is_mixed:  # of the true images it says little: overrule f seldom
            pgn = pgn.at(gammas.high)
        own = choose_gamma(pgn.asking(self.context.classifier), self.validation.evaluate)
        save_pgn(folder.pgn_path, own.pgn.generator, own.pgn.info)
        return own.applied(kept), abstention_notice(own, step=self.state.step)

    def keep_unanswered(self) -> None:
        """What there is, after a black box has failed."""
        self.queries.keep(self.train_step, self.state, self.context.folder, self.info(None))

    def info(self, metrics: Metrics | None) -> PgnInfo:
        context = self.context
        return pgn_info(
            self.settings,
            context.dataset,
            context.classifier,
            name=context.folder.path.name,
            gamma=self.state.gamma,
            metrics=metrics,
            external=context.folder.run_json.get("external_classifier"),
        )
