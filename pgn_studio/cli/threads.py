"""Settings of the process that heavy commands want, made before and after torch is imported."""

from __future__ import annotations

import os


def prepare() -> None:
    """Use all cores that this process may use, unless the user's environment says otherwise.

    Call it in a command, before the first import of torch.
    """
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")  # less fragmentation
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # operations that MPS lacks run on the CPU
    from pgn_studio.core.device import use_cpu_threads

    use_cpu_threads(spare=0)
