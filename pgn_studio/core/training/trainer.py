"""The training loop of Algorithm 1: reads from top to bottom, tells its sink, obeys its control."""

from __future__ import annotations

import time
import traceback
from dataclasses import asdict, replace

import torch

from pgn_studio.core.classifiers import Classifier, check_classes, measure_accuracy
from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.data.dataset import ImageDataset
from pgn_studio.core.device import seed_everything, training_machine
from pgn_studio.core.errors import ClassifierError, ConfigError, PgnStudioError, RunError
from pgn_studio.core.evaluation.evaluate import Metrics
from pgn_studio.core.perturbation.pgn import Pgn, PgnInfo
from pgn_studio.core.runs import RunFolder
from pgn_studio.core.training.batches import generator_for, steps_per_epoch, training_epochs
from pgn_studio.core.training.blend import chosen_share
from pgn_studio.core.training.checkpoints import Position, load_checkpoint, save_checkpoint
from pgn_studio.core.training.control import TrainingControl
from pgn_studio.core.training.events import (
    CheckpointSaved,
    EpochCompleted,
    Event,
    EventSink,
    GammaChanged,
    Notice,
    PreviewReady,
    RunFailed,
    RunFinished,
    RunStarted,
    StepCompleted,
)
from pgn_studio.core.training.faults import explained
from pgn_studio.core.training.feed import NOISE, Feed
from pgn_studio.core.training.health import (
    NotFiniteError,
    below_clean,
    check_losses,
    check_weights,
    few_failures,
    not_finite,
)
from pgn_studio.core.training.keeping import better, keep_epoch, keep_stopped, restore_result, result_figures
from pgn_studio.core.training.monitor import Monitor
from pgn_studio.core.training.preview import Preview, preview_indices
from pgn_studio.core.training.provenance import pgn_info
from pgn_studio.core.training.queries import QueryWatch, record
from pgn_studio.core.training.reading import StepReader, StepTaken
from pgn_studio.core.training.setup import build_players, fit_statistics
from pgn_studio.core.training.step import TrainStep
from pgn_studio.core.training.validation import Validation

_PREVIEW_SECONDS = 1.0  # at most one preview in this time: it costs a forward of G and two of f
_NOT_IN_METRICS = (PreviewReady, CheckpointSaved)


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
        self.settings = settings
        self.dataset = dataset
        self.classifier = classifier
        self.run_folder = run
        self.control = control
        self.sink = sink
        self.resume = resume
        self._position = Position.start(gamma=settings.gamma)
        self._began = time.monotonic()
        self._last_preview = 0.0
        self._since = 0.0  # when the last step was told, less pauses
        self._saved_step = 0  # where the checkpoint stands
        scale = classifier.info.std if settings.input_space == "normalized" else (1.0,)
        self._monitor = Monitor(
            problem=settings.problem, loss=settings.loss, pixel_scale=sum(scale) / len(scale)
        )

    def run(self) -> RunFinished | RunFailed:
        """Train and emit events; the last one, RunFinished or RunFailed, is also returned."""
        ending: RunFinished | RunFailed
        try:
            ending = self._train()
            record(self.run_folder, ending.queries, status=ending.reason, results=asdict(ending))
        except NotFiniteError as error:
            notice = not_finite(error, step=self._position.step, saved_step=self._saved_step)
            ending = self._failure(notice.message, notice.hint, notice=notice)
        except PgnStudioError as error:
            if isinstance(error, ClassifierError) and hasattr(self, "_step"):
                self._queries.keep(self._step, self._position, self.run_folder, self._info(None))
            ending = self._failure(error.message, error.hint, error.details)
        except Exception as error:  # noqa: BLE001 - a run ends with an event whatever happened
            folder, batch = self.run_folder.path, self.settings.batch_size
            ending = self._failure(*explained(error, folder=folder, batch_size=batch))
        self._emit_last(ending)
        return ending

    def _train(self) -> RunFinished:
        control, images = self.control, len(self.dataset.split("train"))
        self._epochs = training_epochs(self.settings, images)
        self.settings = self.settings.updated(epochs=self._epochs)
        per_epoch = steps_per_epoch(images, self.settings.batch_size)
        total = per_epoch * self._epochs
        if total == 0:
            raise ConfigError(
                "The training split needs at least two images.", hint="Use more training images."
            )
        completed = self.run_folder.run_json.get("status") == "completed"
        self._prepare()
        if self._position.step >= total and completed:  # else it was killed before it could say so
            hint = f"Give --epochs above {self._epochs} to go on."
            raise RunError(f"This run has done its {self._epochs} epochs.", hint=hint)
        self._announce(per_epoch, total)
        while self._position.step < total and not control.stopping:
            epoch, done_in_epoch = divmod(self._position.step, per_epoch)
            epoch_began = time.monotonic()
            self._train_epoch(epoch, done_in_epoch)
            if self._position.step == (epoch + 1) * per_epoch:
                self._finish_epoch(epoch + 1, per_epoch, seconds=time.monotonic() - epoch_began)
        return self._finish(per_epoch)

    def _train_epoch(self, epoch: int, done_in_epoch: int) -> None:
        """The epoch's remaining steps; returns early, at a step boundary, when asked to stop."""
        control, step = self.control, self._position.step
        self._step.players.train(True)
        self._since = time.perf_counter()
        # A black box's answers come to the host anyway, and its failure must find the last step told.
        late = self._machine.device.type == "cuda" and not self._queries.is_needed
        with StepReader(self._report, late=late) as reader:
            for batch in self._feed.epoch(epoch, done=done_in_epoch):
                paused = time.perf_counter()
                control.wait_while_paused()
                self._since += time.perf_counter() - paused
                if control.stopping:
                    return
                if not self._queries.allows_step():
                    self._emit(self._queries.exhausted(step))
                    control.stop()
                    return
                gamma = control.live.gamma  # one read of the live settings
                noise = generator_for(self.settings.seed, step, NOISE)
                result = self._step(batch, gamma=gamma, noise=noise)
                step += 1
                reader.add(result, StepTaken(step, epoch + 1, len(batch.labels), gamma))

    # ------------------------------------------------------------------ before the first step

    def _prepare(self) -> None:
        """Networks and their statistics, or all of it from the checkpoint."""
        settings = self.settings
        device, precision = self._machine = training_machine(settings.device, settings.precision)
        check_classes(self.classifier, self.dataset.classes)
        self._queries = QueryWatch(self.classifier, settings, self.dataset)
        self._queries.check_start()
        seed_everything(settings.seed)
        players = build_players(settings, self.classifier, image_size=self.dataset.image_size, device=device)
        self._step = TrainStep(players, settings, precision=precision)
        self._pgn = Pgn(self._step.result, self._info(None)).to(device)
        if self.resume:
            self._position = load_checkpoint(self.run_folder.checkpoint_path, self._step)
            self._saved_step = self._position.step
            self.run_folder.truncate_metrics(self._position.step)
            self._monitor.replay(self.run_folder.read_metrics())
            restore_result(self.run_folder, self._position, settings)
            self.control.set(gamma=self._position.gamma)
        else:
            train = self.dataset.split("train")
            fit_statistics(players, train, seed=settings.seed, precision=precision)
        self.run_folder.update(status="running", settings=settings.model_dump(mode="json"))

    def _announce(self, per_epoch: int, total: int) -> None:
        train = self.dataset.split("train")
        clean_train = measure_accuracy(self.classifier, train, device=self._machine.device, precision="fp32")
        # measured here, once: f never changes
        self._validation = Validation(
            self.dataset,
            self.classifier,
            encode=self._step.encode,
            most_bytes=self.settings.cache_mb * 2**20,
            precision=self._machine.precision,
        )
        self._position = replace(self._position, clean_accuracy=self._validation.clean_accuracy)
        if not self.resume:
            share = chosen_share(self.settings, self.classifier, train, wanted=self._position.clean_accuracy)
            self._position = replace(self._position, blend=share)
        self._feed = Feed(
            train,
            self.settings,
            encode=self._step.encode,
            answer=self._step.answer,
            seed=self.settings.seed,
            blend=self._position.blend,
            device=self._machine.device,
        )
        val = self._validation.split
        indices = preview_indices(torch.from_numpy(self._validation.right))
        self._preview = Preview(val, self._pgn, self.classifier, indices)
        self._emit(
            RunStarted(
                run_folder=str(self.run_folder.path),
                first_step=self._position.step,
                total_steps=total,
                steps_per_epoch=per_epoch,
                total_epochs=self._epochs,
                device=str(self._machine.device),
                precision=self._machine.precision,
                train_images=len(train),
                val_images=len(val),
                clean_accuracy=self._position.clean_accuracy,
                clean_train_accuracy=clean_train,
            )
        )
        position = self._position
        notice = few_failures(clean_train, self.settings, step=position.step, blend=position.blend)
        if notice is not None and not self.resume:  # a resumed run has told
            self._emit(notice)
            self._monitor.begin(notice.code)
        self._show_preview()

    # ------------------------------------------------------------------ during

    def _report(self, values: list[float], taken: StepTaken) -> None:
        """Tell a step's figures, in the order of StepResult; on a GPU the next step is under way."""
        step, count = taken.step, taken.images
        if taken.gamma != self._position.gamma:
            self._position = replace(self._position, gamma=taken.gamma)
            self._emit(GammaChanged(step, taken.gamma))
        loss_g, loss_d, l2, target_mean, fixed, broken, clean_right, perturbed_right, *of_d = values
        check_losses(step, loss_g=loss_g, loss_d=loss_d, l2=l2)
        sums = (self._position.loss_g_sum + loss_g, self._position.loss_d_sum + loss_d)
        self._position = replace(self._position, step=step, loss_g_sum=sums[0], loss_d_sum=sums[1])
        completed = StepCompleted(
            step=step,
            epoch=taken.epoch,
            gamma=taken.gamma,
            loss_g=loss_g,
            loss_d=loss_d,
            l2=l2,
            target_mean=target_mean,
            fixed=round(fixed),
            broken=round(broken),
            clean_accuracy=clean_right / count,
            perturbed_accuracy=perturbed_right / count,
            images_per_second=count / max(time.perf_counter() - self._since, 1e-9),
            d_spread=of_d[0],
            d_target_mean=of_d[1],
            d_target_var=of_d[2],
            queries=self._queries.used,
        )
        self._emit(completed)
        for notice in self._monitor.step(completed):
            self._emit(notice)
        # A black box is asked once an epoch, about images that it has just been measured on.
        if not self._queries.is_needed and time.monotonic() - self._last_preview > _PREVIEW_SECONDS:
            self._show_preview()
        self._since = time.perf_counter()

    def _show_preview(self) -> None:
        device, precision = self._machine
        self._emit(self._preview.make(self._position.step, device=device, precision=precision))
        self._last_preview = time.monotonic()

    def _finish_epoch(self, epoch: int, per_epoch: int, *, seconds: float) -> None:
        position = self._position
        check_weights(self._step, position.step)
        metrics = self._validation.measure(self._pgn)
        best = better(metrics, position, self.settings)
        means = (position.loss_g_sum / per_epoch, position.loss_d_sum / per_epoch)
        kept = keep_epoch(
            self.run_folder,
            self._step.result,
            self._info(metrics),
            metrics,
            epoch=epoch,
            position=position,
            settings=self.settings,
        )
        self._position = replace(kept, loss_g_sum=0.0, loss_d_sum=0.0)
        completed = EpochCompleted(
            epoch=epoch,
            step=position.step,
            gamma=position.gamma,
            clean_accuracy=metrics.clean_accuracy,
            perturbed_accuracy=metrics.perturbed_accuracy,
            perturbed_accuracy_8bit=metrics.perturbed_accuracy_8bit,
            fixed=metrics.fixed,
            broken=metrics.broken,
            l2_mean=metrics.l2_mean,
            rms_mean=metrics.rms_mean,
            train_loss_g=means[0],
            train_loss_d=means[1],
            seconds=seconds,
            best=best,
            queries=self._queries.used,
        )
        self._emit(completed)
        for notice in self._monitor.epoch(completed):
            self._emit(notice)
        self._show_preview()
        self._save_checkpoint(epoch)

    def _save_checkpoint(self, epoch: int) -> None:
        save_checkpoint(self.run_folder.checkpoint_path, self._step, self._position)
        self._saved_step = self._position.step
        record(self.run_folder, self._queries.used)
        self._emit(CheckpointSaved(self._position.step, epoch, str(self.run_folder.path)))

    # ------------------------------------------------------------------ at the end

    def _finish(self, per_epoch: int) -> RunFinished:
        position = self._position
        epochs, within = divmod(position.step, per_epoch)
        kept = result_figures(position, self.settings)
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
                position=position,
                settings=self.settings,
            )
        harm = below_clean(position.step, clean=position.clean_accuracy, kept=kept[1], settings=self.settings)
        for notice in (harm, self._queries.spent(position.step)):
            if notice is not None:
                self._emit(notice)
        return RunFinished(
            reason="completed" if epochs >= self._epochs else "stopped",
            step=position.step,
            epoch=epochs,
            run_folder=str(self.run_folder.path),
            pgn_path=str(self.run_folder.pgn_path),
            clean_accuracy=position.clean_accuracy,
            perturbed_accuracy=kept[0],
            perturbed_accuracy_8bit=kept[1],
            seconds=time.monotonic() - self._began,
            queries=self._queries.used,
        )

    def _failure(
        self, message: str, hint: str, details: str = "", *, notice: Notice | None = None
    ) -> RunFailed:
        """The failing end of a run, noted in run.json if the disk still allows it."""
        details = details or traceback.format_exc()
        folder = str(self.run_folder.path)
        try:
            if notice is not None:
                self._emit(notice)
            self.run_folder.update(status="failed", results={"message": message, "hint": hint})
        except PgnStudioError as error:
            details += f"\nrun.json could not be updated: {error}"
        return RunFailed(self._position.step, folder, message, hint, details)

    # ------------------------------------------------------------------ helpers

    def _info(self, metrics: Metrics | None) -> PgnInfo:
        return pgn_info(
            self.settings,
            self.dataset,
            self.classifier,
            name=self.run_folder.path.name,
            gamma=self._position.gamma,
            metrics=metrics,
        )

    def _emit(self, event: Event) -> None:
        """To the metrics file, then to the listener; the run's end is told in `run` alone."""
        if not isinstance(event, _NOT_IN_METRICS):
            self.run_folder.append_metrics({"event": type(event).__name__, **asdict(event)})
        self.sink(event)

    def _emit_last(self, ending: RunFinished | RunFailed) -> None:
        """The listener hears of the end even where the metrics file cannot take it any more."""
        try:
            self._emit(ending)
        except PgnStudioError:
            self.sink(ending)
