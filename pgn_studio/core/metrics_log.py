"""metrics.jsonl: a run's events, appended line by line, readable after a crash at any byte."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pgn_studio.core.errors import RunError
from pgn_studio.core.files import check_regular, parse_json, replacing
from pgn_studio.core.json_utils import plain

LONGEST_LINE = 2**20


class MetricsLog:
    """One file of JSON objects, one a line. What cannot be written or read raises OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tail_is_whole = False  # looked at once, before the first append

    def append(self, record: Mapping[str, Any]) -> None:
        """Append one line and flush it; NaN and infinity become null."""
        line = json.dumps(plain(record), allow_nan=False)
        if not self._tail_is_whole:
            self._cut_torn_tail()
        self._tail_is_whole = False  # a full disk takes half a line
        with self.path.open("a", encoding="utf-8", newline="\n") as stream:
            stream.write(line + "\n")
        self._tail_is_whole = True

    def read(self) -> list[dict[str, Any]]:
        """All records in order; none when there is no file; a torn last line is ignored.

        Raises RunError, naming the line, when one before the last is damaged.
        """
        try:
            return list(self._records())
        except FileNotFoundError:
            return []

    def rewrite(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Hold these records and no others, atomically."""
        with replacing(self.path) as temporary:
            text = "".join(json.dumps(record, allow_nan=False) + "\n" for record in records)
            temporary.write_text(text, encoding="utf-8", newline="\n")
        self._tail_is_whole = True

    def _records(self) -> Iterator[dict[str, Any]]:
        check_regular(self.path)
        number = 0
        with self.path.open(encoding="utf-8", errors="replace", newline="\n") as stream:
            while line := stream.readline(LONGEST_LINE):
                number += 1
                if line.endswith("\n"):
                    yield self._parsed(line, number)
                elif len(line) == LONGEST_LINE:
                    raise self._bad_line(line, number)
                # else it is torn: the process was killed while it wrote

    def _parsed(self, line: str, number: int) -> dict[str, Any]:
        try:
            record = parse_json(line)
        except ValueError:
            record = None
        if not isinstance(record, dict):
            raise self._bad_line(line, number)
        return record

    def _bad_line(self, line: str, number: int) -> RunError:
        return RunError(
            f"Line {number} of {self.path} is bad: expected a JSON object, got {line[:40]!r}.",
            hint="Delete that line, or restore the file from a backup.",
        )

    def _cut_torn_tail(self) -> None:
        """Drop what a crash left after the last line break, so that the next record starts a line."""
        if self.path.exists():
            content = self.path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                with self.path.open("rb+") as stream:
                    stream.truncate(whole)


def step_of(record: Mapping[str, Any]) -> int:
    """The step a record belongs to; RunStarted says where it goes on instead."""
    step = record.get("step", record.get("first_step", 0))
    return int(step) if isinstance(step, (int, float)) else 0
