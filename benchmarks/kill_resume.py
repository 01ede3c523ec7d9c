"""Kill -9 of training runs at random moments: every run opens again and ends with the same weights.

    python benchmarks/kill_resume.py [--kills 200] [--seed 0] [--json FILE]

Each trial starts `pgn-studio train` on digits in a process of its own and kills it: two of three by the
clock, one of three at a random file operation inside the run folder, where the file at hand is first cut
at a random length. Then it looks at what is left, goes on with `train --resume` (sometimes killed again)
and compares every tensor of the PGNs and the checkpoint, and each step's losses, with those of a run
that nobody disturbed. Needs os.fork: the children share the parent's imports.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # forked children of a process with threads would hang

from pgn_studio.core.runs import RUN_JSON, RunFolder

SMALL = (
    *("--dataset", "digits", "--num-classes", "2", "--image-size", "8", "--batch-size", "32"),
    *("--device", "cpu"),
)
TRAIN = (
    *("train", *SMALL, "--encoder", "small", "--set", "decoder_widths=8", "--precision", "fp32"),
    *("--epochs", "4", "--gamma", "1"),
)
CLASSIFIER = ("train-classifier", *SMALL, "--epochs", "1")
LINE = b'{"event": "StepCompleted", "step": 1, "loss_g": 0.1234'
BENCH = os.getpid()  # the children, which are forked, name their output after it
KILLED = -signal.SIGKILL
AGAIN = 0.25  # how often the run that goes on is killed as well
PATIENCE_S = 900.0  # by the clock, on a machine that may be busy


class BrokenPromiseError(Exception):
    """What is promised of a killed run does not hold."""


def said_by_child() -> Path:
    return Path(tempfile.gettempdir()) / f"kill-resume-{BENCH}.txt"


def in_child(arguments: Sequence[object], prepare: Callable[[], None] | None = None) -> int:
    """Start `pgn-studio` with `arguments` in a forked process; its pid."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        sink = os.open(said_by_child(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        from pgn_studio.cli.main import main

        if prepare is not None:
            prepare()
        code = main([str(item) for item in arguments])
    finally:
        os._exit(code)


def ended(pid: int, *, kill_after_s: float | None = None) -> int:
    """Wait for a child, which is killed after `kill_after_s`; its exit code, negative for a signal."""
    began = time.monotonic()
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        running_s = time.monotonic() - began
        if kill_after_s is not None and running_s >= kill_after_s:
            os.kill(pid, signal.SIGKILL)
            kill_after_s = None
        if running_s > PATIENCE_S:
            os.kill(pid, signal.SIGKILL)
            raise BrokenPromiseError("a command hung")
        time.sleep(0.0005)


class FileOperations:
    """Counts what this process does to files below `folder`; at the `fatal`th it cuts one and dies."""

    def __init__(self, folder: Path, *, fatal: int = 0, draw: float = 0.0, tell: Path | None = None) -> None:
        self._folder = str(folder)
        self._fatal = fatal
        self._draw = draw
        self._tell = tell
        self._count = 0
        self._to_disk = os.fsync

    def install(self) -> None:
        sys.addaudithook(self._seen)
        os.fsync = self._fsync

    def _seen(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("open", "os.rename", "os.chmod", "os.truncate", "os.remove", "os.mkdir"):
            return
        path = arguments[0]
        if isinstance(path, (str, Path)) and str(path).startswith(self._folder):
            self._operation(str(path) if event == "open" else "")

    def _fsync(self, descriptor: int) -> None:
        self._operation("", descriptor)
        self._to_disk(descriptor)

    def _operation(self, path: str, descriptor: int | None = None) -> None:
        self._count += 1
        if self._tell is not None and self._count % 16 == 0:
            self._tell.write_text(str(self._count))
        if self._count != self._fatal:
            return
        if descriptor is not None:  # a whole file, not yet in its place: leave a part of it
            os.ftruncate(descriptor, int(self._draw * os.fstat(descriptor).st_size))
        elif path.endswith(".jsonl"):  # half a line
            with contextlib.suppress(OSError):
                torn = os.open(path, os.O_WRONLY | os.O_APPEND)
                os.write(torn, LINE[: 1 + int(self._draw * len(LINE))])
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Tally:
    """What the trials gave."""

    kills: int = 0
    trials: int = 0
    how: Counter[str] = field(default_factory=Counter)
    when: Counter[str] = field(default_factory=Counter)
    half_written: int = 0
    torn_lines: int = 0
    opened: int = 0
    same: int = 0
    lost_steps: list[int] = field(default_factory=list)


class Bench:
    """A reference run, and trials against it."""

    def __init__(self, place: Path, seed: int) -> None:
        self.place = place
        self.random = random.Random(seed)
        self.tally = Tally()
        self.train = [*TRAIN, "--classifier", str(place / "classifier.safetensors")]

    def prepare(self) -> None:
        classifier = self.place / "classifier.safetensors"
        if ended(in_child([*CLASSIFIER, "--out", classifier])) != 0:
            raise SystemExit("The classifier could not be trained; the log says why.")
        folder = self.place / "reference"
        counted = self.place / "operations"
        count = FileOperations(folder, tell=counted)
        began = time.monotonic()
        if ended(in_child([*self.train, "--out", folder], count.install)) != 0:
            raise SystemExit("The reference run failed; the log says why.")
        self.seconds = time.monotonic() - began
        self.operations = int(counted.read_text())
        self.reference = contents(folder)
        started = next(r for r in RunFolder.open(folder).read_metrics() if r["event"] == "RunStarted")
        self.per_epoch = int(started["steps_per_epoch"])
        print(
            f"reference: {self.seconds:.1f} s, {started['total_steps']} steps, {self.per_epoch} an epoch,"
            f" {self.operations} file operations"
        )

    def trial(self, number: int) -> None:
        folder = self.place / f"run-{number}"
        command = [*self.train, "--out", folder]
        self.tally.trials += 1
        code = KILLED
        again = False
        while code == KILLED:
            undisturbed = again and self.random.random() > AGAIN
            code = self._once(command, folder, disturbed=not undisturbed)
            if code == KILLED:
                command = self._look(folder)
                again = True
        if code != 0:
            said = said_by_child().read_text(encoding="utf-8")[-2000:]
            raise BrokenPromiseError(f"{folder}: `{' '.join(map(str, command))}` ended with {code}:\n{said}")
        compare(contents(folder), self.reference, folder)  # also where it ended before the kill came
        self.tally.same += 1

    def _once(self, command: Sequence[object], folder: Path, *, disturbed: bool) -> int:
        if not disturbed:
            return ended(in_child(command))
        if self.random.random() < 2 / 3:
            how = "by the clock"
            code = ended(in_child(command), kill_after_s=self.random.uniform(0.0, self.seconds))
        else:
            how = "at a file operation"
            fatal = self.random.randint(1, self.operations)
            killer = FileOperations(folder, fatal=fatal, draw=self.random.random())
            code = ended(in_child(command, killer.install))
        if code == KILLED:
            self.tally.kills += 1
            self.tally.how[how] += 1
        return code

    def _look(self, folder: Path) -> list[object]:
        """Check what a kill left; the command that goes on from there."""
        tally = self.tally
        if not (folder / RUN_JSON).exists():
            tally.when["before the run was there"] += 1
            tally.opened += 1  # there is nothing to open, and nothing in the way of starting
            return [*self.train, "--out", folder]
        tally.half_written += any(folder.glob(".*-????????.*"))
        metrics = folder / "metrics.jsonl"
        tally.torn_lines += metrics.exists() and not metrics.read_bytes().endswith((b"\n", b""))
        run = RunFolder.open(folder)
        _ = run.settings
        if run.holder is not None:
            raise BrokenPromiseError(f"{folder}: the lock outlived its process")
        steps = [record["step"] for record in run.read_metrics() if record["event"] == "StepCompleted"]
        told, kept = max(steps, default=0), 0
        if run.checkpoint_path.exists():
            kept = saved_step(run)
            check_pgns(run)
        tally.opened += 1
        tally.lost_steps.append(told - kept)
        tally.when["in the first epoch" if kept == 0 else "later"] += 1
        if told - kept > self.per_epoch:
            raise BrokenPromiseError(f"{folder}: {told - kept} steps lost, an epoch has {self.per_epoch}")
        return ["train", "--resume", folder]


def saved_step(run: RunFolder) -> int:
    from safetensors import safe_open

    with safe_open(run.checkpoint_path, framework="pt") as stream:
        return int(json.loads(stream.metadata()["position"])["step"])


def check_pgns(run: RunFolder) -> None:
    from pgn_studio.core.perturbation.pgn import load_pgn

    for path in (run.pgn_path, run.best_pgn_path, run.last_pgn_path):
        load_pgn(path)


def contents(folder: Path) -> dict[str, Any]:
    """Every tensor of the run's files and every step's losses."""
    from safetensors.torch import load_file

    run = RunFolder.open(folder)
    steps = [record for record in run.read_metrics() if record["event"] == "StepCompleted"]
    found: dict[str, Any] = {"steps": [(r["step"], r["loss_g"], r["loss_d"], r["l2"]) for r in steps]}
    for path in (run.pgn_path, run.best_pgn_path, run.last_pgn_path, run.checkpoint_path):
        found.update({f"{path.name}/{name}": value for name, value in load_file(path).items()})
    return found


def compare(found: dict[str, Any], expected: dict[str, Any], folder: Path) -> None:
    import torch

    if found["steps"] != expected["steps"] or found.keys() != expected.keys():
        raise BrokenPromiseError(f"{folder}: the steps are not those of the undisturbed run")
    for name, value in expected.items():
        if name != "steps" and not torch.equal(found[name], value):
            raise BrokenPromiseError(f"{folder}: {name} differs")


def as_table(tally: Tally, per_epoch: int) -> str:
    lost = sorted(tally.lost_steps) or [0]
    losses = f"{lost[len(lost) // 2]} / {lost[-1]} (an epoch: {per_epoch})"
    rows = [
        ("kills (SIGKILL)", tally.kills),
        *((f"  {name}", count) for name, count in sorted(tally.how.items())),
        ("moments", ""),
        *((f"  {name}", count) for name, count in sorted(tally.when.items())),
        ("a file half written was left by", tally.half_written),
        ("a torn line was left by", tally.torn_lines),
        ("opened again", f"{tally.opened} of {tally.kills}"),
        ("steps lost, median / most", losses),
        ("ended bit for bit as undisturbed", f"{tally.same} of {tally.trials} runs"),
    ]
    return "\n".join(f"{name:<36}{value:>24}" for name, value in rows)


def main() -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    import pgn_studio.cli.train
    import pgn_studio.core.training.trainer  # noqa: F401 - the children share it

    with tempfile.TemporaryDirectory() as folder:
        os.environ["PGN_STUDIO_HOME"] = str(Path(folder) / "home")
        bench = Bench(Path(folder), options.seed)
        bench.prepare()
        began = time.monotonic()
        try:
            while bench.tally.kills < options.kills:
                bench.trial(bench.tally.trials)
        except BrokenPromiseError as error:
            print(f"FAILED after {bench.tally.kills} kills: {error}")
            return 1
        finally:
            said_by_child().unlink(missing_ok=True)
        minutes = (time.monotonic() - began) / 60
    print(as_table(bench.tally, bench.per_epoch))
    print(f"in {minutes:.1f} minutes")
    if options.json:
        figures = {
            "kills": bench.tally.kills,
            "opened": bench.tally.opened,
            "runs": bench.tally.trials,
            "same_weights": bench.tally.same,
            "most_steps_lost": max(bench.tally.lost_steps, default=0),
            "steps_per_epoch": bench.per_epoch,
            "half_written_files_left": bench.tally.half_written,
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
