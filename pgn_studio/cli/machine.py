"""Settings of the process that heavy commands want, made before and after torch is imported."""

from __future__ import annotations

import os


def prepare() -> None:
    """Use all cores that this process may use, unless the user's environment says otherwise.

    Call it in a command, before the first import of torch.
    """
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")  # less fragmentation
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # operations that MPS lacks run on the CPU
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(usable_cores())


def usable_cores() -> int:
    """Cores that this process may run on, which a container or scheduler may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
