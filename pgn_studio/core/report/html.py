"""The report as one HTML page: figures inside it, no scripts, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from html import escape

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

from pgn_studio import __version__
from pgn_studio.core.export.triptych import TriptychRow, perturbation_picture
from pgn_studio.core.protocols import Progress
from pgn_studio.core.report.data import fact_rows
from pgn_studio.core.report.figures import (
    DARK,
    LIGHT,
    Theme,
    baselines_figure,
    classes_figure,
    confusion_figure,
    strength_figure,
    survival_figure,
    svg,
    transfer_figure,
)
from pgn_studio.core.report.report import Report
from pgn_studio.core.report.style import STYLE
from pgn_studio.core.report.tables import (
    ReportTable,
    method,
    p_value,
    percent,
    points,
    report_tables,
    span,
    warnings,
)

_MANY_ROWS = 40  # a longer table is folded
_SMALL = 64  # pictures of fewer pixels are enlarged in whole pixels
_DARK = "screen and (prefers-color-scheme: dark)"
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_TABLES = (  # in their order, with a figure where there is one
    *("baselines", "survival", "strength", "answers", "coverage"),
    *("transfer", "metrics", "classes"),
)

Draw = Callable[[Report, Theme], Figure]


def report_html(report: Report, progress: Progress | None = None) -> str:
    """The page. `progress(figures drawn, figures)` may raise Canceled."""
    figures = _drawn(report, progress)
    tables = {table.key: table for table in report_tables(report)}
    evaluation = report.evaluation
    title = f"{report.name} at γ {report.gamma:g} on {evaluation.dataset_name}, {evaluation.split_title}"
    body = [
        _head(report),
        _cards(report),
        _warnings(report),
        _section("Who saw what", _table(tables["leakage"])),
        *(
            _section(table.title, figures.get(key, ""), _table(table), note=table.note)
            for key in _TABLES
            if (table := tables.get(key)) is not None
        ),
        _section("Confusion", figures["confusion"], note="Counts of images; color is the share of the row."),
        _examples("Fixed", "wrong before, right after; the largest gain first", report.fixed),
        _examples("Broken", "right before, wrong after; the largest loss first", report.broken),
        _section("How this was measured", _list(method(report))),
        _section("Files and versions", _facts(report)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + f"\n</main>\n<footer>PGN Studio {escape(__version__)}</footer>\n</body>\n</html>\n"
    )


def _drawn(report: Report, progress: Progress | None) -> dict[str, str]:
    """Each figure twice, as a <picture> that follows the reader's light or dark."""
    wanted: list[tuple[str, str, Draw]] = [
        ("survival", "Accuracy after saving as PNG and JPEG", survival_figure),
        ("strength", "Accuracy against the strength of the perturbation", strength_figure),
        ("classes", "Accuracy of each class, clean and perturbed", classes_figure),
        ("confusion", "Confusion matrices: clean, perturbed, and the change", confusion_figure),
    ]
    if report.baselines:
        wanted.append(("baselines", "Accuracy of the PGN and the baselines at matched RMS", baselines_figure))
    if report.transfer:
        wanted.append(("transfer", "Change in accuracy of each classifier by each PGN", transfer_figure))
    found = {}
    for number, (key, text, draw) in enumerate(wanted, start=1):
        light, dark = (_uri(svg(draw(report, theme)), "svg+xml") for theme in (LIGHT, DARK))
        found[key] = (
            f'<picture class="figure"><source media="{_DARK}" srcset="{dark}">'
            f'<img src="{light}" alt="{escape(text)}"></picture>'
        )
        if progress is not None:
            progress(number, len(wanted))
    return found


def _head(report: Report) -> str:
    evaluation = report.evaluation
    aim = {"enhance": "enhancing: more images right", "adversarial": "adversarial: more images wrong"}
    what = (
        f"{evaluation.dataset_name}, {evaluation.split_title} split, {evaluation.metrics.n:,} images, "
        f"{len(evaluation.classes)} classes · {aim.get(report.problem, report.problem)} · γ {report.gamma:g}"
    )
    return f"<header><h1>{escape(report.name)}</h1><p>{escape(what)}</p></header>"


def _cards(report: Report) -> str:
    """The figures that people quote, with what belongs to them."""
    found, metrics = report.metrics, report.evaluation.metrics
    change = found["accuracy_change_8bit"]
    cards = (
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
    )
    inside = "".join(
        f"<div class='card'><h2>{escape(name)}</h2><strong>{escape(value)}</strong>"
        f"<p>{escape(more)}</p></div>"
        for name, value, more in cards
    )
    return f"<div class='cards'>{inside}</div><p class='note'>After 8 bits, with 95 % intervals.</p>"


def _warnings(report: Report) -> str:
    found = warnings(report)
    return f"<aside><h2>Before you quote this</h2>{_list(found)}</aside>" if found else ""


def _section(title: str, *parts: str, note: str = "") -> str:
    remark = f"<p class='note'>{escape(note)}</p>" if note else ""
    return f"<section><h2>{escape(title)}</h2>{remark}{''.join(parts)}</section>"


def _table(table: ReportTable) -> str:
    head = _cells(table, table.head, "th")
    rows = "".join(f"<tr>{_cells(table, row, 'td')}</tr>" for row in table.rows)
    html = f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    if len(table.rows) > _MANY_ROWS:
        return f"<details><summary>All {len(table.rows)} rows</summary>{html}</details>"
    return html


def _cells(table: ReportTable, texts: Sequence[str], tag: str) -> str:
    kinds = [" class='text'" if place < table.texts else "" for place in range(len(texts))]
    return "".join(f"<{tag}{kind}>{escape(text)}</{tag}>" for kind, text in zip(kinds, texts, strict=True))


def _facts(report: Report) -> str:
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in fact_rows(report))
    return f"<dl>{items}</dl>"


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _examples(title: str, what: str, rows: Sequence[TriptychRow]) -> str:
    """original | perturbation | perturbed of each image, with what the classifier says."""
    if not rows:
        return _section(title, f"<p>No image was {title.lower()}.</p>")
    inside = "".join(_example(row) for row in rows)
    note = f"{what}. All after 8 bits. In the perturbation gray is no change, full scale ± its largest |p|"
    return _section(title, f"<div class='examples'>{inside}</div>", note=f"{note[0].upper()}{note[1:]}.")


def _example(row: TriptychRow) -> str:
    said = (
        _verdict(row.clean_label, row.clean_confidence, row.true_label),
        f"<span class='note'>RMS {row.rms:.3f}</span>",
        _verdict(row.perturbed_label, row.perturbed_confidence, row.true_label),
    )
    pictures = (row.original, perturbation_picture(row.perturbation), row.perturbed)
    kinds = ("Original", "Perturbation", "Perturbed")
    cells = "".join(
        f"<div>{_picture(pixels, f'{kind} of {row.name}')}<p>{text}</p></div>"
        for pixels, kind, text in zip(pictures, kinds, said, strict=True)
    )
    label = f"<b>{escape(row.true_label)}</b> <span class='note'>{escape(row.name)}</span>"
    return f"<figure><div class='triptych'>{cells}</div><figcaption>{label}</figcaption></figure>"


def _verdict(label: str, confidence: float, truth: str) -> str:
    right = label == truth
    return (
        f"<span class='{'right' if right else 'wrong'}'>{'✓' if right else '✗'} {escape(label)}, "
        f"{100 * confidence:.0f} %</span>"
    )


def _picture(pixels: npt.NDArray[np.uint8], text: str) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    kind = " class='pixels'" if pixels.shape[0] < _SMALL else ""
    return f'<img{kind} src="{_uri(stream.getvalue(), "png")}" alt="{escape(text)}">'


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
