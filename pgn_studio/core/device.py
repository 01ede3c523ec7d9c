"""Devices, precision and seeds: where and how exactly the arithmetic runs."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pgn_studio.core.errors import ConfigError
from pgn_studio.core.protocols import UInt8Images


class Machine(NamedTuple):
    """What a network computes on and with."""

    device: torch.device
    precision: str  # bf16, fp16 or fp32

    def facts(self) -> dict[str, object]:
        """What the last bits of a run depend on beside its seed, as JSON can hold it."""
        facts: dict[str, object] = {"device": str(self.device), "precision": self.precision}
        if self.device.type == "cuda":
            return {**facts, "gpu": torch.cuda.get_device_name(self.device)}
        instructions = torch.backends.cpu.get_cpu_capability()  # AVX2, AVX512, …
        return {**facts, "threads": torch.get_num_threads(), "instructions": instructions}


def available_devices() -> list[str]:
    """Device names that a user can choose, the best first."""
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def pick_device(name: str = "auto") -> torch.device:
    """Turn "auto", "cpu", "cuda", "cuda:1" or "mps" into a device that works here.

    Raises ConfigError, naming what is there, when the wish cannot be met.
    """
    devices = available_devices()
    if name == "auto":
        return torch.device(devices[0])
    if name == "cuda" and devices[0].startswith("cuda"):
        return torch.device("cuda:0")
    if name not in devices:
        raise ConfigError(
            f"Device {name!r} is not available here.",
            hint=f"Choose one of: auto, {', '.join(devices)}.",
        )
    return torch.device(name)


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 natively (AVX512-BF16 or AMX): 3x faster steps."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def resolve_precision(precision: str, device: torch.device) -> str:
    """Turn "auto" into "bf16", "fp16" or "fp32" for this device."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if device.type == "cpu" and cpu_has_bf16():
        return "bf16"
    return "fp32"


def training_machine(device: str, precision: str) -> Machine:
    """Device and precision to train with, of "auto" or what was chosen. Raises ConfigError."""
    picked = pick_device(device)
    resolved = resolve_precision(precision, picked)
    if resolved == "fp16" and picked.type == "cpu":
        raise ConfigError("fp16 does not train on a CPU.", hint="Use the precision auto, bf16 or fp32.")
    return Machine(picked, resolved)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """An autocast context for "bf16" or "fp16"; nothing for "fp32"."""
    if precision == "fp32":
        return nullcontext()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    return torch.autocast(device.type, dtype=dtype)


class _Tf32:
    """NVIDIA's shortened float32: a switch of the whole process, off while any thread measures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._measuring = 0
        self._found = (False, False)

    def leave_out(self) -> None:
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        with self._lock:
            if self._measuring == 0:
                self._found = (matmul.allow_tf32, cudnn.allow_tf32)
                matmul.allow_tf32 = cudnn.allow_tf32 = False
            self._measuring += 1

    def take_back(self) -> None:
        with self._lock:
            self._measuring -= 1
            if self._measuring == 0:
                torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = self._found


_TF32 = _Tf32()


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Float32 throughout, whatever training computes in: every figure that is told is made in here.

    Neither the processor nor a setting of training then decides which images count as right.
    """
    if device.type == "cuda":
        _TF32.leave_out()
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        if device.type == "cuda":
            _TF32.take_back()


def usable_cores() -> int:
    """Cores that this process may run on, which a container or scheduler may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_cpu_threads(*, spare: int) -> None:
    """Compute on all usable cores but `spare` (the window's event loop needs one).

    A user who sets OMP_NUM_THREADS has chosen.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, usable_cores() - spare))


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - libraries draw from the legacy generator
    torch.manual_seed(seed)


def to_pixels(images: UInt8Images | Tensor, device: torch.device) -> Tensor:
    """uint8 (B, H, W, 3) to float32 (B, 3, H, W) in [0, 1] on the device, channels last in memory.

    The bytes are moved, a quarter of the floats; from page-locked memory without waiting.
    """
    taken = images if isinstance(images, Tensor) else torch.from_numpy(images)
    return taken.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)
