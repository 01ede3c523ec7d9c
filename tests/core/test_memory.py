"""How much memory is used, and how it is said."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import pytest
import torch

from pgn_studio.core import memory
from pgn_studio.core.memory import MemoryUse, memory_use, process_memory

CPU = torch.device("cpu")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells what is used now")
def test_it_is_what_lies_in_memory_now() -> None:
    before, is_peak = process_memory()
    # A mapping of its own: a heap's block may lie in, and go back to, memory the process keeps.
    with mmap.mmap(-1, 64 * 2**20) as block:
        block.write(b"\x01" * len(block))
        during, _ = process_memory()
    after, _ = process_memory()
    assert before is not None
    assert during is not None
    assert after is not None
    assert not is_peak
    assert during - before > 60 * 2**20
    assert during - after > 60 * 2**20


def test_unknown_where_nothing_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_STATM", tmp_path / "no-such-file")
    monkeypatch.setattr(sys, "platform", "win32")
    assert process_memory() == (None, False)
    assert str(memory_use(CPU)) == "memory unknown"


def test_elsewhere_the_most_so_far(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "_STATM", tmp_path / "no-such-file")
    monkeypatch.setattr(sys, "platform", "darwin")
    size, is_peak = process_memory()
    assert size
    assert is_peak


def test_the_accelerator_is_asked_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        total_memory = 80 * 2**30

    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _device: 3 * 2**30)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _device: 4 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: Properties)
    used = memory_use(torch.device("cuda:0"))
    assert (used.device, used.allocated, used.reserved) == ("cuda:0", 3 * 2**30, 4 * 2**30)
    assert str(used).startswith("GPU 3.0 of 80.0 GiB (4.0 reserved), memory ")


def test_words() -> None:
    assert str(MemoryUse(3 * 2**29)) == "memory 1.5 GiB"
    assert str(MemoryUse(3 * 2**29, process_is_peak=True)) == "memory at most 1.5 GiB"
