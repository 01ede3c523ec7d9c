"""The report as files: one HTML page, Markdown, tidy CSV (one figure a line) and JSON.

The page has its figures inside, runs no script and loads nothing from anywhere.
"""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from pgn_studio import __version__
from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.base import unwritable
from pgn_studio.core.export.table import markdown_table, markdown_text
from pgn_studio.core.export.triptych import perturbation_picture
from pgn_studio.core.files import replacing_folder
from pgn_studio.core.json_utils import plain
from pgn_studio.core.protocols import Progress
from pgn_studio.core.report.figures import DARK, LIGHT, svg
from pgn_studio.core.report.report import Report, method, warnings
from pgn_studio.core.report.section import Section, Tidy
from pgn_studio.core.report.texts import p_value, percent, points, span

FORMAT = "pgn-studio-report"
PAGE, DATA = "report.html", "report.json"
FILES = (PAGE, DATA, "report.md", "report.csv")
COLUMNS = ("section", "name", "metric", "value", "low", "high")
_MANY_ROWS = 40  # a longer table is folded
_SMALL = 64  # pictures of fewer pixels are enlarged in whole pixels


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


# ------------------------------------------------------------------ for machines


def tidy(report: Report) -> Iterator[Tidy]:
    """Every figure as (section, name, metric, interval); shares in 0…1."""
    for section in report.sections:
        yield from section.tidy(report)


def report_csv(report: Report) -> str:
    """An undefined figure is an empty cell, as is an interval that there is none of."""
    stream = io.StringIO()
    table = csv.writer(stream)
    table.writerow(COLUMNS)
    for section, name, metric, interval in tidy(report):
        ends = (interval.value, interval.low, interval.high)
        table.writerow([section, name, metric, *("" if end is None else _number(end) for end in ends)])
    return stream.getvalue()


def _number(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(float(value))


def report_json(report: Report) -> str:
    """All of it but the example images; no NaN, null where a figure is undefined."""
    whole: dict[str, Any] = {
        "format": FORMAT,
        "version": 1,
        "name": report.name,
        "problem": report.problem,
        "gamma": report.gamma,
        "told": report.told,
        "input_space": report.input_space,
        "evaluation": report.evaluation.to_json(),
        "bootstrap": {"method": "percentile", **asdict(report.bootstrap)},
        "warnings": warnings(report),
        "method": method(report),
    }
    for section in report.sections:
        whole |= section.to_json(report)
    return json.dumps(plain(whole), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


# ------------------------------------------------------------------ for people


def report_markdown(report: Report) -> str:
    evaluation = report.evaluation
    where = f"{evaluation.dataset_name}, {evaluation.split_title} split"
    return _templates().get_template("report.md.j2").render(
        title=f"{report.name} at γ {report.gamma:g} on {where}", warnings=warnings(report),
        tables=report.tables(), method=method(report), facts=fact_rows(report),
    )  # fmt: skip


def report_html(report: Report, progress: Progress | None = None) -> str:
    """The page. `progress(figures drawn, figures)` may raise Canceled."""
    evaluation = report.evaluation
    aim = {"enhance": "enhancing: correct more images", "adversarial": "adversarial: cause errors"}
    shown = sorted(report.sections, key=lambda section: section.detail)
    return _templates().get_template("report.html.j2").render(
        title=f"{report.name} at γ {report.gamma:g} on {evaluation.dataset_name}, {evaluation.split_title}",
        report=report, evaluation=evaluation, aim=aim.get(report.problem, report.problem),
        cards=_cards(report), warnings=warnings(report), sections=[(s, s.table(report)) for s in shown],
        figures=_drawn(report, progress), method=method(report), facts=fact_rows(report),
        many_rows=_MANY_ROWS, version=__version__,
    )  # fmt: skip


@cache
def _templates() -> Environment:
    """Of HTML everything is escaped that is not marked as safe."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=lambda name: name is not None and ".html" in name,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined,
    )  # fmt: skip
    environment.filters |= {
        "markdown": markdown_text, "markdown_table": markdown_table, "image_uri": _image_uri,
        "perturbation_picture": perturbation_picture,
    }  # fmt: skip
    environment.globals["is_small"] = lambda pixels: pixels.shape[0] < _SMALL
    return environment


def _drawn(report: Report, progress: Progress | None) -> dict[str, tuple[str, str]]:
    """Each figure for a light and for a dark page, by the key of its section."""
    wanted: list[Section] = [section for section in report.sections if section.has_figure]
    found = {}
    for number, section in enumerate(wanted, start=1):
        light, dark = (_uri(svg(section.figure(report, theme)), "svg+xml") for theme in (LIGHT, DARK))
        found[section.key] = (light, dark)
        if progress is not None:
            progress(number, len(wanted))
    return found


def _cards(report: Report) -> list[tuple[str, str, str]]:
    """The figures that people quote, with what belongs to them."""
    found, metrics = report.metrics, report.evaluation.metrics
    change = found["accuracy_change_8bit"]
    return [
        ("Accuracy, clean", percent(found["clean_accuracy"]), span(found["clean_accuracy"])),
        (
            "Accuracy, perturbed",
            percent(found["perturbed_accuracy_8bit"]),
            span(found["perturbed_accuracy_8bit"]),
        ),
        ("Change, points", points(change), span(change, "{:+.1f}")),
        (
            "Fixed, broken",
            f"{metrics.fixed_8bit}, {metrics.broken_8bit}",
            f"McNemar p {p_value(metrics.mcnemar_p_8bit)}",
        ),
        ("RMS of p", f"{metrics.rms_mean:.4f}", f"largest |p| {metrics.linf_max:.3g}"),
    ]


def fact_rows(report: Report) -> list[tuple[str, str]]:
    """What was measured, with hashes and versions."""
    rows = []
    for name, value in report.evaluation.facts.items():
        if name in ("classifier", "pgn") and value:
            value = PurePath(value).name  # the folders are nobody's business; the hash says which file
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items())
        if value is not None:
            rows.append((name.replace("_", " ").replace("sha256", "SHA-256"), str(value)))
    return rows


def _image_uri(pixels: npt.NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return _uri(stream.getvalue(), "png")


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
