"""One process on a run folder: held, said by whom, taken over from the dead."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from pgn_studio.core.config import TrainingSettings
from pgn_studio.core.errors import RunError
from pgn_studio.core.locks import Holder, Lock, LockedError, holder_file, holder_of
from pgn_studio.core.run_records import list_runs
from pgn_studio.core.runs import LOCK, RunFolder

HOLD = (
    "import sys, pathlib; from pgn_studio.core.locks import Lock;"
    " lock = Lock(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)
HoldElsewhere = Callable[[Path], subprocess.Popen[str]]


@pytest.fixture
def hold_elsewhere() -> Iterator[HoldElsewhere]:
    """Another process takes the lock on a file and keeps it until it is killed."""
    started: list[subprocess.Popen[str]] = []

    def hold(path: Path) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=pipe, stdout=pipe, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "runs" / "run", TrainingSettings.make(dataset="digits"))


def test_a_lock_is_held_once_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder_of(path) is None
    lock = Lock(path)
    holder = holder_of(path)
    assert holder is not None
    assert (holder.pid, holder.host) == (os.getpid(), socket.gethostname())
    with pytest.raises(LockedError, match=f"process {os.getpid()} on .* since 20"):
        Lock(path)
    lock.release()
    assert os.listdir(tmp_path) == []
    lock.release()  # a second time does nothing
    Lock(path).release()


def test_a_forgotten_lock_is_free(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    del lock
    Lock(tmp_path / "lock").release()


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path, hold_elsewhere: HoldElsewhere) -> None:
    path = tmp_path / "lock"
    other = hold_elsewhere(path)
    with pytest.raises(LockedError) as caught:
        Lock(path)
    assert caught.value.holder.pid == other.pid
    os.kill(other.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    other.wait()
    assert path.exists()
    assert holder_of(path) is None
    lock = Lock(path)
    mine = holder_of(path)
    assert mine is not None
    assert mine.pid == os.getpid()
    lock.release()


def test_a_lock_file_that_says_nothing_still_holds(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = Lock(path)
    for content in (b"", b"{", b'{"pid": "x"}', b"\xff"):
        holder_file(path).write_bytes(content)
        assert holder_of(path) == Holder()
    assert str(Holder()) == "another process"
    assert str(Holder(7, "host", "soon")) == "process 7 on host"
    lock.release()


def test_the_lock_file_of_an_earlier_version_says_who_holds_it(tmp_path: Path) -> None:
    """It kept the holder's name in the locked file itself."""
    path = tmp_path / "lock"
    path.write_text('{"pid": 7, "host": "there", "since": "soon"}')
    assert holder_of(path) is None  # left behind by a killed process
    lock = Lock(path)
    holder_file(path).unlink()
    assert holder_of(path) in (Holder(7, "there", "soon"), Holder())  # some filelocks empty what they open
    lock.release()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_where_there_are_no_locks_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def refuse(_lock: FileLock) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    lock = Lock(tmp_path / "lock")
    assert "cannot be locked" in caplog.text
    lock.release()
    assert os.listdir(tmp_path) == []


def test_another_users_lock_is_judged_by_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hold_elsewhere: HoldElsewhere
) -> None:
    path = tmp_path / "lock"
    other = hold_elsewhere(path)

    def refuse(_lock: FileLock) -> None:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    holder = holder_of(path)
    assert holder is not None
    assert holder.pid == other.pid
    other.kill()
    other.wait()
    assert holder_of(path) is None


def test_a_second_process_may_read_a_run_but_not_train_it(
    run: RunFolder, hold_elsewhere: HoldElsewhere
) -> None:
    other = hold_elsewhere(run.path / LOCK)
    before = sorted(os.listdir(run.path))
    with pytest.raises(RunError, match=f"is being trained by process {other.pid} on .*looked at"):
        run.take()
    with pytest.raises(RunError, match=f"process {other.pid}"):
        run.check_free()
    assert sorted(os.listdir(run.path)) == before
    assert RunFolder.open(run.path).settings == run.settings
    assert [summary.status for summary in list_runs(run.path.parent)] == ["running"]


def test_a_running_run_without_a_process_was_interrupted(run: RunFolder) -> None:
    run.take()
    run.take()
    assert [summary.status for summary in list_runs(run.path.parent)] == ["running"]
    run.release()
    assert [summary.status for summary in list_runs(run.path.parent)] == ["interrupted"]


def test_taking_a_run_removes_what_a_crash_left_half_written(run: RunFolder) -> None:
    for name in (".checkpoint-a1b2c3_9.safetensors", ".run-abcdefgh.json"):
        (run.path / name).write_bytes(b"half")
    (run.path / ".notes-of-mine.txt").write_text("kept")
    run.take()
    run.release()
    assert sorted(os.listdir(run.path)) == [".notes-of-mine.txt", "run.json"]


def test_a_deleted_run_is_not_half_made_again(run: RunFolder) -> None:
    run.path.rename(run.path.with_name("moved"))
    for write in (lambda: run.update(status="failed"), lambda: run.append_metrics({"step": 1})):
        with pytest.raises(RunError, match="is gone"):
            write()
    assert not run.path.exists()
