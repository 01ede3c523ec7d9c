"""How much memory is used, and how it is said."""

from __future__ import annotations

import mmap

import pytest
import torch

from pgn_studio.core.memory import MemoryUse, memory_use, process_memory


def test_it_is_what_lies_in_memory_now() -> None:
    before = process_memory()
    # A mapping of its own: a heap's block may lie in, and go back to, memory the process keeps.
    with mmap.mmap(-1, 64 * 2**20) as block:
        block.write(b"\x01" * len(block))
        during = process_memory()
    after = process_memory()
    assert during - before > 60 * 2**20
    assert during - after > 60 * 2**20


def test_the_accelerator_is_asked_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        total_memory = 80 * 2**30

    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _device: 3 * 2**30)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _device: 4 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: Properties)
    used = memory_use(torch.device("cuda:0"))
    assert (used.device, used.allocated, used.reserved) == ("cuda:0", 3 * 2**30, 4 * 2**30)
    assert str(used).startswith("GPU 3.0 of 80.0 GiB (4.0 reserved), memory ")


def test_on_a_cpu_there_is_main_memory_only() -> None:
    used = memory_use(torch.device("cpu"))
    assert used.process > 2**20
    assert used.allocated is None
    assert str(MemoryUse(3 * 2**29)) == "memory 1.5 GiB"
