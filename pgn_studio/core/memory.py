"""How much memory the process and its accelerator use now."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_STATM = Path("/proc/self/statm")  # Linux: sizes in pages, the second is what lies in memory
_GIB = 2**30


@dataclass(frozen=True)
class MemoryUse:
    """Bytes; None where the platform does not say."""

    process: int | None  # of main memory
    process_is_peak: bool = False  # the most so far: macOS tells no more without help
    device: str = "cpu"
    allocated: int | None = None  # of the accelerator, by tensors
    reserved: int | None = None  # of the accelerator, by torch for tensors to come
    total: int | None = None  # the accelerator's

    def __str__(self) -> str:
        """'memory 1.4 GiB', or 'GPU 3.1 of 79.2 GiB (4.0 reserved), memory 1.4 GiB'."""
        most = "at most " if self.process_is_peak else ""
        process = "memory unknown" if self.process is None else f"memory {most}{_gib(self.process)} GiB"
        if self.allocated is None:
            return process
        of = "" if self.total is None else f" of {_gib(self.total)}"
        held = "" if self.reserved is None else f" ({_gib(self.reserved)} reserved)"
        return f"GPU {_gib(self.allocated)}{of} GiB{held}, {process}"


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f}"


def process_memory() -> tuple[int | None, bool]:
    """Bytes of main memory, and whether that is the most so far instead of what is used now."""
    with suppress(OSError, ValueError, IndexError):
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE"), False
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, True  # in bytes there
    return None, False


def memory_use(device: torch.device) -> MemoryUse:
    """Of this process and of `device`; costs some microseconds and waits for nothing."""
    process, is_peak = process_memory()
    if device.type == "cuda":
        import torch

        return MemoryUse(
            process,
            is_peak,
            str(device),
            torch.cuda.memory_allocated(device),
            torch.cuda.memory_reserved(device),
            torch.cuda.get_device_properties(device).total_memory,
        )
    if device.type == "mps":
        import torch

        allocated = torch.mps.current_allocated_memory()
        return MemoryUse(process, is_peak, str(device), allocated, torch.mps.driver_allocated_memory())
    return MemoryUse(process, is_peak, str(device))
