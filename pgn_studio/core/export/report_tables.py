"""The report's tables as texts, in one form for the terminal, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.export.report import Report
from pgn_studio.core.export.report_parts import (
    AnswerRow,
    BaselineRow,
    ClassRow,
    CoverageRow,
    TransferRow,
)

METRIC_NAMES = {
    "clean_accuracy": "Accuracy, clean",
    "perturbed_accuracy_8bit": "Accuracy, perturbed, 8 bits",
    "accuracy_change_8bit": "Change in accuracy, 8 bits (points)",
    "perturbed_accuracy": "Accuracy, perturbed, not rounded",
    "accuracy_change": "Change in accuracy, not rounded (points)",
    "map_clean": "Macro average precision, clean",
    "map_perturbed": "Macro average precision, perturbed, not rounded",
    "fixed_8bit": "Fixed (wrong → right), 8 bits",
    "broken_8bit": "Broken (right → wrong), 8 bits",
    "mcnemar_p_8bit": "McNemar's exact p, 8 bits",
    "fixed": "Fixed, not rounded",
    "broken": "Broken, not rounded",
    "mcnemar_p": "McNemar's exact p, not rounded",
    "fooling_rate": "Fooling rate (prediction changed)",
    "attack_success": "Attack success (broken / clean right)",
    "l2_mean": "Mean ‖p‖₂",
    "rms_mean": "Mean RMS of p per value",
    "linf_max": "Largest |p|",
}
_COUNTS = ("fixed", "broken", "fixed_8bit", "broken_8bit")
_SIZES = ("l2_mean", "rms_mean", "linf_max", "mcnemar_p", "mcnemar_p_8bit")
_CHANGES = ("accuracy_change", "accuracy_change_8bit")


@dataclass(frozen=True)
class ReportTable:
    """The first `texts` columns hold words, the others numbers; `key` is the same in every report."""

    key: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    texts: int = 1


def report_tables(report: Report) -> list[ReportTable]:
    """All tables that this report has something for, in their order."""
    tables = [
        _metrics(report),
        _leakage(report),
        _baselines(report),
        _survival(report),
        _strength(report),
        _answers(report),
        _coverage(report),
        _transfer(report),
        _classes(report),
    ]
    return [table for table in tables if table.rows]


def method(report: Report) -> list[str]:
    """How the figures were got, a sentence or two each."""
    bootstrap, metrics = report.bootstrap, report.evaluation.metrics
    lines = [
        f"Intervals: {100 * bootstrap.confidence:g} % percentile bootstrap over the {bootstrap.n:,} images, "
        f"{bootstrap.resamples:,} draws, seed {bootstrap.seed}. All figures share the draws, so changes and "
        "differences are paired over images; per class the draws stay within the class.",
        "They show the chance in which images were measured, not that in training: another seed of the "
        "classifier or of the PGN may move the figures further.",
        "“8 bits” is the perturbed image clamped to [0, 1] and rounded to 256 levels, as a saved PNG holds "
        "it. JPEG is written and read again with Pillow (4:2:0 chroma), the originals likewise.",
        "Average precision has no interval here: too many images and classes to resample."
        if report.metrics["map_perturbed"].low is None
        else "Average precision rises a little where images are drawn twice: its intervals lean upwards.",
        f"Sizes of p are in the {report.input_space} space in which the PGN adds it. "
        "The largest |p| and p-values have no interval.",
    ]
    if report.gammas is not None:
        lines.append(
            f"This PGN serves γ {report.gammas}; all figures are at γ {report.gamma:g}. "
            "A smaller γ perturbs more."
        )
    if report.told != "nothing":
        what = "label" if report.told == "label" else "probabilities"
        lines.append(
            f"This PGN is told the classifier's {what} for the original: each image costs one question more."
        )
    if {metrics.clean_accuracy, metrics.perturbed_accuracy_8bit} & {0.0, 1.0}:
        lines.append(
            "An accuracy of exactly 0 % or 100 % has an interval without width. That is a limit of the "
            f"bootstrap, not certainty: the truth may be {min(100.0, 300 / bootstrap.n):.2g} points off."
        )
    return lines


def warnings(report: Report) -> list[str]:
    """What a reader must know before quoting a figure."""
    found = list(report.leakage.warnings)
    if report.bootstrap.n < 100:
        found.append(f"Only {report.bootstrap.n} images: the intervals are wide, and themselves uncertain.")
    if abstained := report.evaluation.per_image.abstained:
        found.append(
            f"This PGN holds back: it leaves {abstained:,} of {report.bootstrap.n:,} images as they are; "
            "all figures count them."
        )
    if not report.baselines:
        found.append(
            "No baselines were measured: random signs, one gradient step or fine-tuning might do as well "
            "(--baselines all)."
        )
    return found


def percent(interval: Interval) -> str:
    return "undefined" if interval.value is None else f"{100 * interval.value:.1f} %"


def points(interval: Interval) -> str:
    """A change of a share, with its sign."""
    return "undefined" if interval.value is None else _signed(100 * interval.value)


def span(interval: Interval, form: str = "{:.1f}", *, scale: float = 100.0) -> str:
    """The interval as "low … high"; empty where there is none."""
    if interval.low is None or interval.high is None:
        return ""
    low, high = (_tidied(form.format(scale * end)) for end in (interval.low, interval.high))
    return f"{low} … {high}"


def p_value(p: float | None) -> str:
    if p is None:
        return "undefined"
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def _signed(value: float) -> str:
    return _tidied(f"{value:+.1f}")


def _tidied(number: str) -> str:
    """A zero without a sign, and a minus as wide as a plus."""
    return number.lstrip("+-") if not number.strip("+-0.") else number.replace("-", "−")


def _with_span(interval: Interval) -> str:
    """A share as "95.8 (93.6 … 97.8)"."""
    if interval.value is None:
        return "undefined"
    inside = span(interval)
    return f"{100 * interval.value:.1f}" + (f" ({inside})" if inside else "")


def _change_with_span(interval: Interval) -> str:
    if interval.value is None:
        return "undefined"
    inside = span(interval, "{:+.1f}")
    return points(interval) + (f" ({inside})" if inside else "")


def _outcome(row: AnswerRow | BaselineRow | ClassRow | CoverageRow | TransferRow) -> tuple[str, str, str]:
    """Change, fixed, broken: what most tables say of a row."""
    return _change_with_span(row.change), str(row.fixed), str(row.broken)


def _metrics(report: Report) -> ReportTable:
    rows = [[title, *_metric(name, report.metrics[name])] for name, title in METRIC_NAMES.items()]
    head = ("Measure", "Value", f"{100 * report.bootstrap.confidence:g} % interval")
    return ReportTable("metrics", "All metrics", head, rows)


def _metric(name: str, interval: Interval) -> tuple[str, str]:
    if interval.value is None:
        return "undefined", ""
    if name in _CHANGES:
        return points(interval), span(interval, "{:+.1f}")
    if name in _COUNTS:
        return f"{interval.value:.0f}", span(interval, "{:.0f}", scale=1.0)
    if name.startswith("mcnemar"):
        return p_value(interval.value), ""
    if name in _SIZES:
        return f"{interval.value:.4g}", span(interval, "{:.4g}", scale=1.0)
    return percent(interval), span(interval)


def _leakage(report: Report) -> ReportTable:
    return ReportTable("leakage", "Who saw what", ("What", "Images"), report.leakage.rows, texts=2)


def _baselines(report: Report) -> ReportTable:
    rows = [
        [
            _baseline_title(row), f"{row.rms:.4f}", _with_span(row.perturbed),
            *_outcome(row), _change_with_span(row.lead),
            p_value(row.lead_p),
        ]
        for row in report.baselines
    ]  # fmt: skip
    if rows:
        ours, own = report.metrics, report.evaluation.metrics
        mine = [
            "This PGN", f"{own.rms_mean:.4f}", _with_span(ours["perturbed_accuracy_8bit"]),
            _change_with_span(ours["accuracy_change_8bit"]), str(own.fixed_8bit), str(own.broken_8bit),
            "", "",
        ]  # fmt: skip
        rows.insert(0, mine)
    head = ("Way", "RMS", "Accuracy (%)", "Change (points)", "Fixed", "Broken", "PGN leads by", "McNemar p")
    note = "After 8 bits, at the PGN's RMS. An oracle is told the labels: a bound, not a rival."
    return ReportTable("baselines", "Baselines", head, rows, note)


def _baseline_title(row: BaselineRow) -> str:
    """Says that it is an oracle, where its title does not."""
    return row.title if not row.oracle or "oracle" in row.title.lower() else f"{row.title} (oracle)"


def _survival(report: Report) -> ReportTable:
    rows = [
        [
            row.name, _with_span(row.clean), _with_span(row.perturbed), _change_with_span(row.change),
            _share(row.fixed_kept), _share(row.broken_kept),
        ]
        for row in report.survival
    ]  # fmt: skip
    head = ("Saved as", "Original (%)", "Perturbed (%)", "Change (points)", "Fixed kept", "Broken kept")
    note = "Kept: of the images fixed or broken before saving, the share that still is."
    return ReportTable("survival", "Survival of saving", head, rows, note)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _strength(report: Report) -> ReportTable:
    rows = [
        [
            f"{row.alpha:g}", f"{row.rms:.4f}", _with_span(row.accuracy), _with_span(row.accuracy_8bit),
            str(row.fixed), str(row.broken),
        ]
        for row in report.strength
    ]  # fmt: skip
    head = ("α", "RMS", "Accuracy of x + αp (%)", "After 8 bits (%)", "Fixed", "Broken")
    note = "0 is the clean image, 1 the PGN as it was trained. Fixed and broken are after 8 bits."
    return ReportTable("strength", "Accuracy against strength", head, rows, note)


def _answers(report: Report) -> ReportTable:
    rows = [
        [
            row.name, str(row.queries), _with_span(row.accuracy), *_outcome(row),
        ]
        for row in report.answers
    ]  # fmt: skip
    head = ("Answer from", "Queries", "Accuracy (%)", "Change (points)", "Fixed", "Broken")
    note = (
        "After 8 bits. The last two rows are for those who can ask the classifier about the original and "
        "the perturbed picture: the class of the highest mean probability, and the answer of the higher "
        "probability, whose picture is what pgn-studio perturb --if-surer writes. All other figures are "
        "of the perturbed picture alone."
    )
    return ReportTable("answers", "Asking about one picture or both", head, rows, note)


def _coverage(report: Report) -> ReportTable:
    rows = [
        [
            f"{row.abstain_below_rms:.4f}", f"{100 * row.coverage:.0f}",
            _with_span(row.accuracy), *_outcome(row),
        ]
        for row in report.coverage
    ]  # fmt: skip
    head = ("RMS of at least", "Perturbed (%)", "Accuracy (%)", "Change (points)", "Fixed", "Broken")
    note = (
        "After 8 bits. Images whose perturbation is smaller than the first column says are left as they "
        "are: a PGN that is unsure of an image perturbs it little."
    )
    return ReportTable("coverage", "Leaving alone what it perturbs least", head, rows, note)


def _transfer(report: Report) -> ReportTable:
    rows = [
        [
            row.pgn, row.classifier, _with_span(row.clean), _with_span(row.perturbed),
            *_outcome(row),
        ]
        for row in report.transfer
    ]  # fmt: skip
    head = ("PGN", "Classifier", "Clean (%)", "Perturbed (%)", "Change (points)", "Fixed", "Broken")
    note = "After 8 bits; a classifier of another image size sees the images resized."
    return ReportTable("transfer", "Transfer to other classifiers", head, rows, note, texts=2)


def _classes(report: Report) -> ReportTable:
    rows = [
        [
            row.name, f"{row.n:,}", _with_span(row.clean), _with_span(row.perturbed),
            *_outcome(row),
        ]
        for row in report.classes
    ]  # fmt: skip
    head = ("Class", "Images", "Clean (%)", "Perturbed (%)", "Change (points)", "Fixed", "Broken")
    return ReportTable("classes", "Per class", head, rows, "After 8 bits.")
