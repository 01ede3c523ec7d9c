"""The checkpoint: everything that the next step depends on, in one atomically replaced file.

checkpoint.safetensors holds the tensors of G, D and both optimizers, and in its metadata where the
run stands; checkpoint.json beside it repeats the metadata for people. No pickle.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from pgn_studio.core.errors import PgnFileError
from pgn_studio.core.files import parse_json, replacing, write_json
from pgn_studio.core.legacy import modern_state, modern_tensor, state_record
from pgn_studio.core.training.events import Kept, StepCompleted
from pgn_studio.core.training.schedule import BatchSchedule
from pgn_studio.core.training.step import TrainStep
from pgn_studio.core.weight_files import UNREADABLE_TENSORS

FORMAT = "pgn-studio-checkpoint"
_DAMAGED = (*UNREADABLE_TENSORS, KeyError, TypeError, RuntimeError)


@dataclass(frozen=True)
class TrainingState:
    """Where a run stands; accuracies are on the validation split."""

    step: int  # steps done
    gamma: float
    clean_accuracy: float
    best_epoch: int  # 0: none yet
    best_accuracy: float
    best_accuracy_8bit: float
    loss_g_sum: float  # over the steps of the epoch that is not finished
    loss_d_sum: float
    input_mixup: float  # the share in force
    last_accuracy: float = 0.0  # of the newest epoch
    last_accuracy_8bit: float = 0.0
    top_accuracy_8bit: float | None = None  # the highest (attacks: lowest) at this γ; None: not known
    schedule: BatchSchedule | None = None  # None in checkpoints from before a batch could shrink
    best: Kept | None = None  # the best epoch's PGN and the newest's; None in earlier versions' checkpoints
    last: Kept | None = None

    @classmethod
    def start(cls, *, gamma: float) -> TrainingState:
        return cls(0, gamma, 0.0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def after(self, done: StepCompleted) -> TrainingState:
        """Where the run stands when this step has been reported."""
        return replace(
            self,
            step=done.step,
            gamma=done.gamma,
            loss_g_sum=self.loss_g_sum + done.loss_g,
            loss_d_sum=self.loss_d_sum + done.loss_d,
        )


def save_checkpoint(path: Path, step: TrainStep, state: TrainingState) -> None:
    """Write the checkpoint of a run that has done `state.step` steps."""
    tensors: dict[str, Tensor] = {}
    for name, module in step.parts().items():
        tensors.update({f"{name}/{key}": value for key, value in module.state_dict().items()})
    for name, optimizer in (("adam_d", step.adam_d), ("adam_g", step.adam_g)):
        for index, entries in optimizer.state_dict()["state"].items():
            tensors.update({f"{name}/{index}/{key}": value for key, value in entries.items()})
    tensors["scaler"] = torch.tensor(step.scaler.get_scale())
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    record = state_record(asdict(state))
    metadata = {"format": FORMAT, "version": "1", "position": json.dumps(record)}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)
    write_json(path.with_suffix(".json"), record)


def load_checkpoint(path: Path, step: TrainStep) -> TrainingState:
    """Put the state of `path` into networks and optimizers. Raises PgnFileError if it does not fit."""
    hint = "Start a new run from the same settings; the run's PGN is still usable."
    if not path.is_file():
        raise PgnFileError(
            f"There is no checkpoint at {path}: the run ended before its first epoch.", hint=hint
        )
    try:
        with safetensors.safe_open(path, framework="pt") as stream:
            metadata = dict(stream.metadata() or {})
            tensors = {modern_tensor(name): stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        state = _state(metadata)
        for name, module in step.parts().items():
            module.load_state_dict(_under(tensors, name))
        for name, optimizer in (("adam_d", step.adam_d), ("adam_g", step.adam_g)):
            _load_optimizer(optimizer, _under(tensors, name))
        if step.scaler.is_enabled():
            step.scaler.load_state_dict({**step.scaler.state_dict(), "scale": float(tensors["scaler"])})
    except _DAMAGED as error:
        message = f"The checkpoint {path.name} is damaged or belongs to other settings."
        raise PgnFileError(message, hint=hint, details=str(error)) from None
    step.ema.updates = state.step
    return state


def _state(metadata: dict[str, str]) -> TrainingState:
    if metadata.get("format") != FORMAT or metadata.get("version") != "1":
        raise ValueError(f"format {metadata.get('format')!r}, version {metadata.get('version')!r}")
    values = parse_json(metadata["position"])
    if not isinstance(values, dict):
        raise TypeError("the position is no mapping")
    values = modern_state(values)
    for name, kind in (("schedule", BatchSchedule), ("best", Kept), ("last", Kept)):
        if values.get(name) is not None:
            values[name] = kind(**values[name])
    known = [item.name for item in fields(TrainingState) if item.default is MISSING or item.name in values]
    return TrainingState(**{name: values[name] for name in known})


def _under(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}/"
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, entry = key.split("/", 1)
        state.setdefault(int(index), {})[entry] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for parameter, entries in optimizer.state.items():
        for entry, value in entries.items():  # fused Adam goes by the parameter's strides
            if value.shape == parameter.shape:
                entries[entry] = torch.empty_like(parameter).copy_(value)
