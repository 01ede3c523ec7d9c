"""The figures of an evaluation as a table: CSV for machines, Markdown and LaTeX for reports, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgn_studio.core.export.base import Export, Source, Written, checked_suffix, writing

if TYPE_CHECKING:
    from pgn_studio.core.evaluation.evaluate import Evaluation
    from pgn_studio.core.protocols import Progress

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "→": r"$\to$",
    "‖": r"$\|$",
    "₂": r"$_2$",
    "–": "--",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
Rows = list[list[str]]


@dataclass(frozen=True, kw_only=True)
class TableExport(Export):
    name = "table"
    title = "Table of the evaluation's figures"
    summary = "the figures of evaluate"
    suffixes = (".csv", ".md", ".tex", ".json")

    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        export_table(path, source.evaluation)
        return Written(path, f"Table written to {path}")


def export_table(path: Path, evaluation: Evaluation) -> None:
    """Write the figures as .csv, .md, .tex or .json, by the suffix. Raises PgnStudioError otherwise."""
    path = Path(path)
    writers: dict[str, Callable[[Evaluation], str]] = {
        ".csv": _csv,
        ".md": _markdown,
        ".tex": _latex,
        ".json": _json,
    }
    text = writers[checked_suffix(path, tuple(writers), "The table")](evaluation)
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def _accuracies(evaluation: Evaluation) -> Rows:
    m = evaluation.metrics
    plain = (_percent(m.perturbed_accuracy), _percent(m.map_perturbed))
    return [
        ["Images", "Accuracy (%)", "Macro AP (%)", "Fixed", "Broken", "McNemar p"],
        ["Clean", _percent(m.clean_accuracy), _percent(m.map_clean), "", "", ""],
        ["Perturbed", *plain, *_flips(m.fixed, m.broken, m.mcnemar_p)],
        [
            "Perturbed, after 8-bit rounding",
            _percent(m.perturbed_accuracy_8bit),
            "",
            *_flips(m.fixed_8bit, m.broken_8bit, m.mcnemar_p_8bit),
        ],
    ]


def _sizes(evaluation: Evaluation) -> Rows:
    m = evaluation.metrics
    return [
        ["Measure", "Value"],
        ["Fooling rate (%)", _percent(m.fooling_rate)],
        ["Attack success (%)", "undefined" if m.attack_success is None else _percent(m.attack_success)],
        ["Mean ‖p‖₂", f"{m.l2_mean:.4g}"],
        ["Mean RMS of p", f"{m.rms_mean:.4g}"],
        ["Largest |p|", f"{m.linf_max:.4g}"],
    ]


def _classes(evaluation: Evaluation) -> Rows:
    rows = [["Class", "n", "Clean (%)", "Perturbed (%)", "Fixed", "Broken"]]
    for item in evaluation.per_class():
        shares = [_percent(item["clean_accuracy"]), _percent(item["perturbed_accuracy"])]
        rows.append([item["class"], str(item["n"]), *shares, str(item["fixed"]), str(item["broken"])])
    return rows


def _caption(evaluation: Evaluation) -> str:
    return f"{evaluation.dataset_name}, {evaluation.split_title} split, {evaluation.metrics.n} images"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f}"


def _flips(fixed: int, broken: int, p: float) -> list[str]:
    return [str(fixed), str(broken), f"{p:.2g}"]


def _json(evaluation: Evaluation) -> str:
    return json.dumps(evaluation.to_json(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _csv(evaluation: Evaluation) -> str:
    """Two columns, with the names and the full precision of the JSON; an undefined figure is empty."""
    stream = io.StringIO()
    table = csv.writer(stream)
    table.writerow(["measure", "value"])
    for name, value in evaluation.to_json().items():
        if not isinstance(value, (dict, list)):
            table.writerow([name, "" if value is None else value])
    for item in evaluation.per_class():
        table.writerows([f"{name}[{item['class']}]", item[name]] for name in item if name != "class")
    return stream.getvalue()


def _markdown(evaluation: Evaluation) -> str:
    tables = [
        markdown_table(rows) for rows in (_accuracies(evaluation), _sizes(evaluation), _classes(evaluation))
    ]
    return "\n\n".join([markdown_text(_caption(evaluation)) + ".", *tables]) + "\n"


def markdown_table(rows: Rows) -> str:
    """The first row is the head; texts are escaped."""
    head, *body = [[markdown_text(cell) for cell in row] for row in rows]
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *body))


def markdown_text(text: str) -> str:
    """`text` on one line, with what Markdown or HTML would read as markup escaped."""
    escaped = "".join(f"\\{character}" if character in "\\|*_`<[" else character for character in text)
    return " ".join(escaped.split())


def _latex(evaluation: Evaluation) -> str:
    """Three plain tabulars that need no package."""
    tables = [
        _latex_table(rows) for rows in (_accuracies(evaluation), _sizes(evaluation), _classes(evaluation))
    ]
    return "\n\n".join([f"% {' '.join(_caption(evaluation).split())}", *tables]) + "\n"


def _latex_table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [" & ".join(_latex_text(cell) for cell in row) + r" \\" for row in rows]
    columns = "l" + "r" * (len(rows[0]) - 1)
    lines = [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\hline",
        head,
        r"\hline",
        *body,
        r"\hline",
        r"\end{tabular}",
    ]
    return "\n".join(lines)


def _latex_text(text: str) -> str:
    return " ".join("".join(_LATEX.get(character, character) for character in text).split())
