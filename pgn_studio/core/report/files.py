"""The report's folder: written beside its place, then put there whole."""

from __future__ import annotations

import json
from pathlib import Path

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.base import unwritable
from pgn_studio.core.files import replacing_folder
from pgn_studio.core.protocols import Progress
from pgn_studio.core.report.data import FORMAT, report_csv, report_json, report_markdown
from pgn_studio.core.report.html import report_html
from pgn_studio.core.report.report import Report

PAGE, DATA = "report.html", "report.json"
FILES = (PAGE, DATA, "report.md", "report.csv")


def write_report(folder: Path, report: Report, progress: Progress | None = None) -> Path:
    """Write FILES into `folder`, which is new, empty, or holds an earlier report that is replaced.

    Returns the page's path. On any exception, Canceled by `progress` among them, `folder` is as it
    was. Raises PgnStudioError as `check_report_folder` does, and where it cannot write.
    """
    folder = check_report_folder(folder)
    texts = {
        PAGE: report_html(report, progress),
        DATA: report_json(report),
        "report.md": report_markdown(report),
        "report.csv": report_csv(report),
    }
    try:
        with replacing_folder(folder) as temporary:
            for name, text in texts.items():
                # A file name may hold bytes that are no UTF-8.
                (temporary / name).write_text(text, encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder / PAGE


def check_report_folder(folder: Path) -> Path:
    """`folder` as an absolute path without links, if a report may be written there.

    Raises PgnStudioError for a file, and for a folder that holds anything but an earlier report.
    """
    path = Path(folder).expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise PgnStudioError(
            f"{folder} is a file; expected a folder for the report.", hint="Name a new folder."
        )
    try:
        held = {file.name for file in path.iterdir()} if path.exists() else set()
        if not held or (held <= set(FILES) and _is_report(path / DATA)):
            return path
    except OSError as error:
        raise unwritable(path, error) from error
    raise PgnStudioError(
        f"{folder} is not empty and holds more than a report.", hint="Choose a new or empty folder."
    )


def _is_report(file: Path) -> bool:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") == FORMAT
