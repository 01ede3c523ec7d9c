"""Open thousands of damaged and hostile files: each is refused clearly or loads, and nothing else.

    python -m tests.fuzz [--cases 5400] [--seed 0] [--only KIND] [--case NUMBER] [--json FILE]

Case N of a kind is the same on every machine that has the same libraries. Batches run in forked children,
so that a crash costs one case; each case has a time limit and a memory limit above what was there before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # forked children of a process with threads would hang
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from pgn_studio.core.data.images import UnreadableImage
from pgn_studio.core.errors import PgnStudioError
from tests.fuzz.subject import Subject
from tests.fuzz.subjects import all_subjects
from tests.fuzz.weights import write_programs

BATCH = 40
SECONDS = 10  # of processor time a case: on a busy machine the clock would call the slow ones hung
PATIENCE = 10  # times as long by the clock, for a whole batch: what waits without computing is found so
MEMORY_MB = 700  # more than before the case
ADDRESS_SPACE = 6 * 2**30  # more than before the batch: what the system would kill for
FINE = ("loaded", "refused")


class TooLongError(BaseException):
    """Raised by the alarm; not an Exception, which loaders catch."""


def too_long(*_: object) -> None:
    raise TooLongError


def memory_kb(entry: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(entry + ":"))


def judged(subject: Subject, seed: int, number: int, place: Path, mark: Path) -> dict[str, Any]:
    """Make and open one case; what came of it."""
    random = Random(f"{seed}/{subject.name}/{number}")
    folder = place / f"{subject.name}-{number}"
    folder.mkdir()
    path = subject.make(random, folder)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = memory_kb("VmRSS"), time.monotonic()
    verdict, detail = "loaded", ""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        subject.open(path)
    except (PgnStudioError, UnreadableImage) as error:
        verdict, detail = "refused", str(error)
        if not detail.strip():
            verdict = "refused without a word"
    except TooLongError:
        verdict, detail = "hang", traceback.format_exc(limit=-6)
    except BaseException as error:
        verdict, detail = f"{type(error).__name__}", traceback.format_exc(limit=-8)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    grown_mb = (memory_kb("VmHWM") - before) / 1024
    if mark.exists():
        mark.unlink()
        verdict, detail = "code was run", detail
    elif verdict in FINE and grown_mb > MEMORY_MB:
        verdict = "memory"
    shutil.rmtree(folder, ignore_errors=True)
    return {
        **{"kind": subject.name, "number": number, "verdict": verdict, "detail": detail[-1500:]},
        **{"grown_mb": round(grown_mb, 1), "seconds": round(time.monotonic() - began, 3)},
    }


def in_child(work: Callable[[], None]) -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        raise SystemExit("The good files could not be made.")


def batch(subject: Subject, seed: int, numbers: list[int], place: Path, mark: Path, told: Path) -> None:
    """In a forked child: one line before each case, one after it."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            warnings.simplefilter("ignore")
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            limit = memory_kb("VmSize") * 1024 + ADDRESS_SPACE
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.signal(signal.SIGPROF, too_long)
            with told.open("a") as stream:
                for number in numbers:
                    stream.write(json.dumps({"begins": number}) + "\n")
                    stream.flush()
                    stream.write(json.dumps(judged(subject, seed, number, place, mark)) + "\n")
                    stream.flush()
            code = 0
        finally:
            os._exit(code)
    deadline = time.monotonic() + PATIENCE * (SECONDS * 2 + 2 * len(numbers))
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    lines = [json.loads(line) for line in told.read_text().splitlines()] if told.exists() else []
    if status:
        begun = [line["begins"] for line in lines if "begins" in line]
        last = begun[-1] if begun else numbers[0]
        crash = {"kind": subject.name, "number": last, "verdict": f"crash ({status})", "detail": ""}
        with told.open("a") as stream:
            stream.write(json.dumps({**crash, "grown_mb": 0.0, "seconds": 0.0}) + "\n")
        rest = [number for number in numbers if number > last]
        if rest:
            batch(subject, seed, rest, place, mark, told)


def run(options: argparse.Namespace, place: Path) -> list[dict[str, Any]]:
    os.environ["PGN_STUDIO_HOME"] = str(place / "home")
    mark = place / "mark"
    (place / "made").mkdir()
    in_child(partial(write_programs, place / "made"))
    subjects = all_subjects(place / "made", mark)
    chosen = [subjects[options.only]] if options.only else list(subjects.values())
    each = -(-options.cases // len(chosen))
    results = []
    for subject in chosen:
        numbers = [options.case] if options.case is not None else list(range(each))
        told = place / f"{subject.name}.jsonl"
        for start in range(0, len(numbers), BATCH):
            batch(subject, options.seed, numbers[start : start + BATCH], place, mark, told)
        lines = [json.loads(line) for line in told.read_text().splitlines()]
        found = [line for line in lines if "verdict" in line]
        results += found
        counts = Counter(line["verdict"] for line in found)
        slowest, largest = max(line["seconds"] for line in found), max(line["grown_mb"] for line in found)
        print(
            f"{subject.name:<12}{len(found):>6} cases"
            f"{counts['loaded']:>7} loaded{counts['refused']:>7} refused"
            f"{len(found) - counts['loaded'] - counts['refused']:>5} failed"
            f"{slowest:>8.2f} s slowest{largest:>8.0f} MiB most",
            flush=True,
        )
    return results


def main() -> int:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__, formatter_class=plain)
    parser.add_argument("--cases", type=int, default=5400, help="of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one kind of file")
    parser.add_argument("--case", type=int, help="with --only: this case alone")
    parser.add_argument("--json", type=Path, help="write each case's outcome there")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.callback(sys.stdout.flush)
        results = run(options, Path(folder))
    failed = [result for result in results if result["verdict"] not in FINE]
    for result in failed[:40]:
        print("\n{kind} {number}: {verdict}, {grown_mb} MiB\n{detail}".format(**result))
    print(f"\n{len(results)} cases, {len(failed)} failed, {time.monotonic() - began:.0f} s")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
