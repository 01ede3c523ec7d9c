from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import pgn_studio
from pgn_studio.core.device import full_precision, training_machine, usable_cores, use_cpu_threads


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_threads_leave_a_core_of_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a machine with many cores a container may have a few."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("pgn_studio.core.device.usable_cores", lambda: 3)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    use_cpu_threads(spare=1)
    assert torch.get_num_threads() == 2
    monkeypatch.setattr("pgn_studio.core.device.usable_cores", lambda: 1)
    use_cpu_threads(spare=1)
    assert torch.get_num_threads() == 1


def test_threads_that_the_user_chose_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(2)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr("pgn_studio.core.device.usable_cores", lambda: 8)
    use_cpu_threads(spare=1)
    assert torch.get_num_threads() == 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity of processes")
def test_usable_cores_are_those_of_the_affinity() -> None:
    whole = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(whole)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, whole)


def test_a_machines_facts_say_what_the_last_bits_depend_on() -> None:
    torch.set_num_threads(1)
    facts = training_machine("cpu", "fp32").facts()
    assert (facts["device"], facts["precision"], facts["threads"]) == ("cpu", "fp32", 1)
    assert isinstance(facts["instructions"], str)


def test_full_precision_leaves_out_tf32_while_anybody_measures() -> None:
    matmul, cudnn, gpu = torch.backends.cuda.matmul, torch.backends.cudnn, torch.device("cuda")
    before = matmul.allow_tf32, cudnn.allow_tf32
    try:
        matmul.allow_tf32 = cudnn.allow_tf32 = True
        with full_precision(gpu):
            assert (matmul.allow_tf32, cudnn.allow_tf32) == (False, False)
            with pytest.raises(RuntimeError, match="inner"), full_precision(gpu):
                raise RuntimeError("inner")
            assert (matmul.allow_tf32, cudnn.allow_tf32) == (False, False)
        assert (matmul.allow_tf32, cudnn.allow_tf32) == (True, True)
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def test_only_training_computes_in_half_precision() -> None:
    """What measures takes no precision: nobody can hand it the wrong one."""
    root = Path(pgn_studio.__file__).parent
    users = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(
            r"import .*\b(autocast|resolve_precision)\b|torch\.autocast(?!.*enabled=False)",
            path.read_text("utf-8"),
        )
    }
    training = {f"core/training/{name}.py" for name in ("loader", "builders", "step")}
    training |= {f"core/baselines/{name}.py" for name in ("white_box", "fine_tune")}
    assert users <= {"core/device.py", "core/classifiers/training.py", *training}
