"""What ends a run from outside (a full disk, no memory, a lost device), said so that it can be acted on."""

from __future__ import annotations

import errno
from pathlib import Path

import torch

from pgn_studio.core.advice import Advice, Setting
from pgn_studio.core.training.schedule import SMALLEST_BATCH

_KEPT = "The run is kept up to its last checkpoint"
_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
_LOST_DEVICE = ("cuda error", "cuda driver", "hip error", "mps backend", "cublas_status", "cudnn_status")
_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_out_of_memory(error: Exception) -> bool:
    """Whether the device, the CPU's allocator or Python had no memory left."""
    text = str(error).lower()
    known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return known or any(word in text for word in _NO_MEMORY)


def explained(error: Exception, *, folder: Path, batch_size: int) -> tuple[str, str]:
    """(message, hint) for what ended the run in `folder` and is no PgnStudioError."""
    text = str(error).lower()
    if is_out_of_memory(error):
        smaller = f"a batch smaller than {batch_size}, or " if batch_size > SMALLEST_BATCH else ""
        return "The device ran out of memory.", f"Use {smaller}smaller images or networks. {_KEPT}."
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        hint = "Make room on the disk" if error.errno in _ROOM else "Bring the folder back"
        elsewhere = error.filename and folder not in Path(str(error.filename)).parents
        return (
            f"{error.filename if elsewhere else f'The run folder {folder}'} cannot be written ({reason}).",
            f"{hint}, then continue the run. {_KEPT}.",
        )
    if isinstance(error, RuntimeError) and any(word in text for word in _LOST_DEVICE):
        line = str(error).strip().splitlines()[0]
        return (
            f"The device no longer answers: {line}",
            Advice(
                "Start the program again and continue the run, on another {} if need be. {}.",
                Setting("device"),
                _KEPT,
            ),
        )
    return (
        f"Training failed: {type(error).__name__}: {error}",
        f"{_KEPT}; the details are for a bug report.",
    )
