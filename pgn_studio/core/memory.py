"""How much memory the process and its accelerator use now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import torch

_GIB = 2**30


@dataclass(frozen=True)
class MemoryUse:
    """Bytes; None for an accelerator that is not there or does not say."""

    process: int  # of main memory
    device: str = "cpu"
    allocated: int | None = None  # of the accelerator, by tensors
    reserved: int | None = None  # of the accelerator, by torch for tensors to come
    total: int | None = None  # the accelerator's

    def __str__(self) -> str:
        """'memory 1.4 GiB', or 'GPU 3.1 of 79.2 GiB (4.0 reserved), memory 1.4 GiB'."""
        process = f"memory {_gib(self.process)} GiB"
        if self.allocated is None:
            return process
        of = "" if self.total is None else f" of {_gib(self.total)}"
        held = "" if self.reserved is None else f" ({_gib(self.reserved)} reserved)"
        return f"GPU {_gib(self.allocated)}{of} GiB{held}, {process}"


def _gib(size: int) -> str:
    return f"{size / _GIB:.1f}"


def process_memory() -> int:
    """Bytes of main memory that this process takes."""
    return psutil.Process().memory_info().rss


def memory_use(device: torch.device) -> MemoryUse:
    """Of this process and of `device`; costs some microseconds and waits for nothing."""
    process = process_memory()
    if device.type == "cuda":
        import torch

        return MemoryUse(
            process,
            str(device),
            torch.cuda.memory_allocated(device),
            torch.cuda.memory_reserved(device),
            torch.cuda.get_device_properties(device).total_memory,
        )
    if device.type == "mps":
        import torch

        allocated = torch.mps.current_allocated_memory()
        return MemoryUse(process, str(device), allocated, torch.mps.driver_allocated_memory())
    return MemoryUse(process, str(device))
