"""The training loop of Algorithm 1: reads from top to bottom, tells its sink, obeys its control."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from pgn_studio.core.classifiers import Classifier, check_suits, measure_accuracy
from pgn_studio.core.config import TrainingSettings, told_of_classifier, with_augmentation
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import seed_everything, training_machine
from pgn_studio.core.encoders import with_encoder_view
from pgn_studio.core.errors import ClassifierError, ConfigError, PgnStudioError, RunError
from pgn_studio.core.evaluation.evaluate import Metrics
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo, load_pgn, save_pgn
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.async_metrics import AsyncMetrics, StepTaken
from pgn_studio.core.training.batches import SMALLEST_BATCH, generator_for, training_epochs
from pgn_studio.core.training.builders import build_networks, fit_statistics
from pgn_studio.core.training.callbacks import LiveCallbacks
from pgn_studio.core.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.error_messages import explained
from pgn_studio.core.training.event_log import EventLog, epoch_completed, run_finished, step_completed
from pgn_studio.core.training.events import (
    CheckpointSaved,
    EventSink,
    GammaChanged,
    Kept,
    Notice,
    Preparing,
    RunFailed,
    RunFinished,
    RunStarted,
)
from pgn_studio.core.training.health import (
    NotFiniteError,
    below_clean,
    check_losses,
    check_weights,
    few_failures,
    not_finite,
)
from pgn_studio.core.training.input_mixup import chosen_share, unseen_accuracy
from pgn_studio.core.training.loader import NOISE, Loader, feature_cache_for
from pgn_studio.core.training.model_card import pgn_info
from pgn_studio.core.training.model_selection import (
    keep_epoch,
    keep_stopped,
    recalled,
    restore_result,
    result_of,
)
from pgn_studio.core.training.monitor import Monitor
from pgn_studio.core.training.oom import (
    Shrinking,
    fitting,
    go_back,
    is_unsettled,
    measuring_batch,
    passed,
    shrinking,
)
from pgn_studio.core.training.own_gamma import TRIED_GAMMAS, abstention_notice, choose_gamma
from pgn_studio.core.training.preview import Preview
from pgn_studio.core.training.query_budget import QueryBudget, record
from pgn_studio.core.training.schedule import BatchSchedule
from pgn_studio.core.training.step import TrainStep
from pgn_studio.core.training.validation import BATCH, Validation


class Trainer:
    """One run, from its first step or from its checkpoint, in the calling thread."""

    def __init__(
        self,
        settings: TrainingSettings,
        *,
        dataset: ImageDataset,
        classifier: Classifier,
        run: RunFolder,
        control: TrainingControl,
        sink: EventSink,
        resume: bool = False,
    ) -> None:
        self.settings = fitting(run, settings)
        self.dataset = dataset
        self.classifier = classifier
        self.run_folder = run
        self.control = control
        self.resume = resume
        self._dial = settings.gammas
        self._teller = EventLog(run, sink)
        self._emit = self._teller.tell
        self._position = TrainingState.start(gamma=settings.first_gamma)
        self._paused = 0.0  # seconds so far
        self._began = self._clock()
        self._since = 0.0  # when the last step was told
        self._saved_step = 0  # where the checkpoint stands
        self._shrinking: Shrinking | None = None  # since memory ran out, until an epoch has gone through

    def run(self) -> RunFinished | RunFailed:
        """Train and emit events; the last one, RunFinished or RunFailed, is also returned."""
        ending: RunFinished | RunFailed
        try:
            ending = self._train()
            record(self.run_folder, ending.queries, status=ending.reason, results=asdict(ending))
        except NotFiniteError as error:
            notice = not_finite(error, step=self._position.step, saved_step=self._saved_step)
            ending = self._teller.fail(self._position.step, notice.message, notice.hint, notice=notice)
        except PgnStudioError as error:
            if isinstance(error, ClassifierError) and hasattr(self, "_step"):
                self._queries.keep(self._step, self._position, self.run_folder, self._info(None))
            ending = self._teller.refuse(self._position.step, error)
        except Exception as error:  # noqa: BLE001 - a run ends with an event whatever happened
            told = explained(error, folder=self.run_folder.path, batch_size=self.settings.batch_size)
            ending = self._teller.fail(self._position.step, *told)
        self._teller.tell_end(ending)
        return ending

    def _train(self) -> RunFinished:
        images = len(self.dataset.split("train"))
        if images < SMALLEST_BATCH:
            raise ConfigError(
                "The training split needs at least two images.", hint="Use more training images."
            )
        self._epochs = training_epochs(self.settings, images)
        told = told_of_classifier(self.settings)
        self.settings = self.settings.updated(epochs=self._epochs, classifier_conditioning=told)
        if not self.resume:  # an older version's run goes on with what its encoder saw
            settings = with_encoder_view(self.settings, image_size=self.dataset.image_size)
            self.settings = with_augmentation(settings, self.dataset.mirrorable)
        while True:
            try:
                return self._attempt()
            except (RuntimeError, MemoryError) as error:
                shrunk = shrinking(error, step=self._position.step, settings=self.settings)
                if shrunk is None:
                    raise
            self._go_back(shrunk)  # out here the error is gone, and with it the frames that hold memory

    def _attempt(self) -> RunFinished:
        """From where the run stands to its end, as long as memory suffices."""
        completed = self.run_folder.run_json.get("status") == "completed"
        told = self._prepare()
        total = self._pace.first_step(self._epochs)
        ended = bool(told) and told[-1].get("event") == RunFinished.__name__
        if self._position.step >= total and completed and ended:  # else it was killed before it could say so
            hint = f"Give --epochs above {self._epochs} to go on."
            raise RunError(f"This run has done its {self._epochs} epochs.", hint=hint)
        self._announce(total, told)
        del told  # of a long run they are large
        while self._position.step < total and not self.control.stopping:
            epoch, done_in_epoch = self._pace.place(self._position.step)
            epoch_began = self._clock()
            self._train_epoch(epoch, done_in_epoch)
            if self._position.step == self._pace.first_step(epoch + 1):
                self._finish_epoch(epoch, seconds=self._clock() - epoch_began)
        return self._finish()

    def _train_epoch(self, epoch: int, done_in_epoch: int) -> None:
        """The epoch's remaining steps; returns early, at a step boundary, when asked to stop."""
        step = self._position.step
        self._step.networks.train(True)
        self._since = self._clock()
        # A black box's answers come to the host anyway, and its failure must find the last step told.
        late = self._machine.device.type == "cuda" and not self._queries.is_needed
        with AsyncMetrics(self._report, late=late) as reader:
            for batch in self._feed.epoch(epoch, done=done_in_epoch):
                self._paused += self._view.pause(step)
                if self.control.stopping:
                    return
                if not self._queries.allows_step():
                    self._emit(self._queries.exhausted(step))
                    self.control.stop()
                    return
                # One read of the live settings; where the PGN serves a range they say what is shown alone.
                gamma = self.control.live.gamma if self._dial is None else self._dial.middle
                began = time.perf_counter()
                result = self._step(batch, gamma=gamma, noise=generator_for(self.settings.seed, step, NOISE))
                seconds = time.perf_counter() - began
                step += 1
                reader.add(result, StepTaken(step, epoch + 1, len(batch.labels), gamma, seconds))

    def _go_back(self, shrunk: Shrinking) -> None:
        """To the last checkpoint, or to the beginning: the step that failed may have moved D already."""
        for name in ("_step", "_encoded", "_pgn", "_feed", "_validation", "_view"):
            self.__dict__.pop(name, None)
        self.settings, self.resume = go_back(self.run_folder, self.settings, shrunk)
        self._position = TrainingState.start(gamma=self.settings.first_gamma)
        self._saved_step = 0
        self._shrinking = shrunk

    # ------------------------------------------------------------------ before the first step

    def _prepare(self) -> list[dict[str, Any]]:
        """Networks and their statistics, or all of it from the checkpoint; what the run has told so far."""
        told: list[dict[str, Any]] = []
        settings, train = self.settings, self.dataset.split("train")
        device, precision = self._machine = training_machine(settings.device, settings.precision)
        check_suits(self.classifier, self.dataset.classes, self.dataset.image_size)
        self._monitor = Monitor.of(settings, std=self.classifier.info.std)
        self._queries = QueryBudget(self.classifier, settings, self.dataset)
        self._queries.check_start()
        seed_everything(settings.seed)
        networks = build_networks(
            settings, self.classifier, image_size=self.dataset.image_size, device=device
        )
        self._step = TrainStep(networks, settings, precision=precision)
        self._encoded = feature_cache_for(train, self._step.encode, settings)
        self._pgn = Pgn(self._step.result, self._info(None)).to(device)
        if self.resume:
            self._position = load_checkpoint(self.run_folder.checkpoint_path, self._step)
            self._saved_step = self._position.step
            self.run_folder.truncate_metrics(self._position.step)
            told = self.run_folder.read_metrics()
            self._position = recalled(self._position, told)
            self._monitor.replay(told)
            restore_result(self.run_folder, self._position, settings)
            # After memory ran out, and on a dial, the γ of the moment is the user's latest wish.
            if self._shrinking is None and self._dial is None:
                self.control.set(gamma=self._position.gamma)
        else:
            fit_statistics(
                networks,
                train,
                seed=settings.seed,
                precision=precision,
                standardized=settings.standardize_features,
                memory=self._encoded,
                progress=lambda done, total: self._emit(Preparing(done, total)),
                stopping=lambda: self.control.stopping,
            )
        pace = self._position.pace or BatchSchedule(len(train), settings.batch_size)
        pace = replace(pace, images=len(train)).changed(settings.batch_size, step=self._position.step)
        self._pace, self._position = pace, replace(self._position, pace=pace)
        self.run_folder.begin(settings, machine=self._machine.facts())
        return told

    def _announce(self, total: int, told: Sequence[Mapping[str, Any]]) -> None:
        train = self.dataset.split("train")
        clean_train = measure_accuracy(
            self.classifier,
            train,
            batch_size=measuring_batch(self.run_folder, 2 * BATCH),
            device=self._machine.device,
            split_name="train",
        )
        self._validation = Validation(  # measures f here, once: it never changes
            self.dataset,
            self.classifier,
            generator=self._step.result,
            most_bytes=self.settings.cache_mb * 2**20,
            batch_size=measuring_batch(self.run_folder, BATCH),
        )
        clean_val = self._validation.clean_accuracy
        wanted = unseen_accuracy(clean_train, clean_val, self.settings)
        known = wanted is None
        if not self.resume:
            share = chosen_share(self.settings, self.classifier, train, wanted=wanted)
            self._position = replace(self._position, blend=share)
        if known and self._position.blend:
            self._validation.mix(self._position.blend, seed=self.settings.seed)
        self._position = replace(self._position, clean_accuracy=self._validation.clean_accuracy)
        self._feed = Loader(
            train,
            self.settings,
            encoded=self._encoded,
            outputs=None if self._queries.is_needed else self._step.outputs,
            seed=self.settings.seed,
            input_mixup=self._position.blend,
            device=self._machine.device,
            schedule=self._pace,
        )
        val = self._validation.split
        self._view = LiveCallbacks(
            Preview(val, self._validation.right, self._pgn, self.classifier),
            self.control,
            self._emit,
            device=self._machine.device,
            sparing=self._queries.is_needed,
            is_dial=self._dial is not None,
        )
        self._emit(
            RunStarted(
                run_folder=str(self.run_folder.path),
                first_step=self._position.step,
                total_steps=total,
                steps_per_epoch=self._pace.per_epoch,
                total_epochs=self._epochs,
                device=str(self._machine.device),
                precision=self._machine.precision,
                train_images=len(train),
                val_images=len(val),
                clean_accuracy=clean_val,  # of the images as they are
                clean_train_accuracy=clean_train,
            )
        )
        position = self._position
        self._unsettled = self._shrinking is not None or is_unsettled(told)
        if self._shrinking is not None:
            self._emit(self._shrinking.notice(position.step))
        blend = position.blend
        notice = few_failures(clean_train, self.settings, step=position.step, blend=blend, known=known)
        if notice is not None and not self.resume:  # a resumed run has told
            self._emit(notice)
            self._monitor.begin(notice.code)
        self._view.begin(position.step, told, pace=self._pace, epochs=self._epochs, val_images=len(val))

    # ------------------------------------------------------------------ during

    def _report(self, values: list[float], taken: StepTaken) -> None:
        """Tell a step's figures, in the order of StepResult; on a GPU the next step is under way."""
        step = taken.step
        if taken.gamma != self._position.gamma:
            self._emit(GammaChanged(step, taken.gamma))
        completed = step_completed(
            values,
            taken,
            seconds=max(self._clock() - self._since, taken.seconds),
            queries=self._queries.used,
        )
        check_losses(step, loss_g=completed.loss_g, loss_d=completed.loss_d, l2=completed.l2)
        self._position = self._position.after(completed)
        self._emit(completed)
        for notice in self._monitor.step(completed):
            self._emit(notice)
        self._view.step_done(step)
        self._since = self._clock()

    def _finish_epoch(self, index: int, *, seconds: float) -> None:
        """Validate and save; `index` is the 0-based epoch's."""
        position, epoch = self._position, index + 1
        check_weights(self._step, position.step)
        began = self._clock()
        metrics = self._validation.measure(self._pgn)
        at_gamma = self._validation.along(self._pgn, metrics, sparing=self._queries.is_needed)
        measured = self._clock() - began
        kept = keep_epoch(
            self.run_folder,
            self._step.result,
            self._info(metrics),
            metrics,
            epoch=epoch,
            position=position,
            settings=self.settings,
        )
        completed = epoch_completed(
            metrics,
            position,
            epoch=epoch,
            steps=self._pace.steps_in(index),
            seconds=seconds,
            validation_seconds=measured,
            best=kept.best_epoch == epoch,
            queries=self._queries.used,
            at_gamma=at_gamma,
        )
        self._position = replace(kept, loss_g_sum=0.0, loss_d_sum=0.0)
        self._emit(completed)
        if self._unsettled:
            self._emit(passed(position.step, self.settings.batch_size))
            self._unsettled = False
        for notice in self._monitor.epoch(completed):
            self._emit(notice)
        self._view.show(position.step)
        self._save_checkpoint(epoch)
        self._view.epoch_done()

    def _save_checkpoint(self, epoch: int) -> None:
        save_checkpoint(self.run_folder.checkpoint_path, self._step, self._position)
        self._saved_step = self._position.step
        record(self.run_folder, self._queries.used)
        self._emit(CheckpointSaved(self._position.step, epoch, str(self.run_folder.path)))

    # ------------------------------------------------------------------ at the end

    def _finish(self) -> RunFinished:
        position = self._position
        epochs, within = self._pace.place(position.step)
        kept = result_of(position, self.settings)
        if within or position.best_epoch == 0:  # stopped inside an epoch: what was learned counts too
            check_weights(self._step, position.step)
            metrics = self._validation.measure(self._pgn)
            if position.step:
                self._save_checkpoint(epochs)  # of the epochs' best alone: resuming repeats nothing
            kept = keep_stopped(
                self.run_folder,
                self._step.result,
                self._info(metrics),
                metrics,
                epoch=epochs + bool(within),
                position=position,
                settings=self.settings,
            )
        kept, notice_of_choice = self._settled(kept)
        ending = run_finished(
            kept,
            position,
            reason="completed" if epochs >= self._epochs else "stopped",
            epoch=epochs,
            run=self.run_folder,
            seconds=self._clock() - self._began,
            queries=self._queries.used,
        )
        told = notice_of_choice or below_clean(ending, self.settings)
        for notice in (told, self._queries.spent(position.step)):
            if notice is not None:
                self._emit(notice)
        return ending

    def _settled(self, kept: Kept) -> tuple[Kept, Notice | None]:
        """The result at the γ that suits it, where it serves a range and is to enhance."""
        gammas = self._dial
        if gammas is None or self.settings.problem != "enhance" or not kept.epoch:
            return kept, None
        if not self._queries.allows_choosing(TRIED_GAMMAS):
            return kept, None
        pgn = load_pgn(self.run_folder.pgn_path).to(self._machine.device)
        if self._validation.is_mixed:  # of the true images it says little: overrule f seldom
            pgn = pgn.at(gammas.high)
        own = choose_gamma(pgn.asking(self.classifier), self._validation.evaluate)
        save_pgn(self.run_folder.pgn_path, own.pgn.generator, own.pgn.info)
        return own.applied(kept), abstention_notice(own, step=self._position.step)

    # ------------------------------------------------------------------ helpers

    def _clock(self) -> float:
        """Seconds by a clock that stands while the run pauses."""
        return time.perf_counter() - self._paused

    def _info(self, metrics: Metrics | None) -> PgnInfo:
        return pgn_info(
            self.settings,
            self.dataset,
            self.classifier,
            name=self.run_folder.path.name,
            gamma=self._position.gamma,
            metrics=metrics,
            foreign=self.run_folder.run_json.get("external_classifier"),
        )
