"""Every metric with its interval."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from pgn_studio.core.evaluation.bootstrap import Interval
from pgn_studio.core.evaluation.evaluate import Metrics
from pgn_studio.core.report.section import Measured, ReportTable, Section, Shares, Tidy
from pgn_studio.core.report.texts import p_value, percent, points, span

if TYPE_CHECKING:
    from pgn_studio.core.report.report import Report


METRIC_NAMES = {
    "clean_accuracy": "Accuracy, clean",
    "perturbed_accuracy_8bit": "Accuracy, perturbed, after 8-bit rounding",
    "accuracy_change_8bit": "Change in accuracy, after 8-bit rounding (points)",
    "perturbed_accuracy": "Accuracy, perturbed, not rounded",
    "accuracy_change": "Change in accuracy, not rounded (points)",
    "map_clean": "Macro average precision, clean",
    "map_perturbed": "Macro average precision, perturbed, not rounded",
    "fixed_8bit": "Fixed (wrong → right), after 8-bit rounding",
    "broken_8bit": "Broken (right → wrong), after 8-bit rounding",
    "mcnemar_p_8bit": "McNemar's exact p, after 8-bit rounding",
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
class MetricsSection(Section):
    key = "metrics"
    title = "All metrics"
    detail = True

    intervals: Mapping[str, Interval]  # by the names of `Metrics`, and the changes in accuracy

    @classmethod
    def compute(cls, measured: Measured) -> MetricsSection:
        """Every metric of `Metrics` but n, and the changes in accuracy.

        The largest |p| and McNemar's p have no interval: resampling tells nothing about an extreme, and
        a test is not estimated.
        """
        evaluation, variants, bootstrap = measured.evaluation, measured.variants, measured.bootstrap
        image = evaluation.per_image
        before, after = measured.clean_right, image.perturbed_prediction == image.labels
        saved = measured.saved_right
        columns = {
            "clean": before,
            "perturbed": after,
            "saved": saved,
            "fixed": ~before & after,
            "broken": before & ~after,
            "fixed_8bit": ~before & saved,
            "broken_8bit": before & ~saved,
            "changed": image.clean_prediction != image.perturbed_prediction,
            "l2": image.l2,
            "rms": image.rms,
        }
        shares = Shares(bootstrap, columns)
        precision = {}
        for name, scores in (
            ("map_clean", variants.clean_scores),
            ("map_perturbed", variants.perturbed_scores),
        ):
            draws = bootstrap.macro_average_precision(scores, image.labels, measured.progress)
            precision[name] = bootstrap.interval(getattr(evaluation.metrics, name), draws)
        found = {
            "clean_accuracy": shares.share("clean"),
            "perturbed_accuracy": shares.share("perturbed"),
            "perturbed_accuracy_8bit": shares.share("saved"),
            "accuracy_change": shares.change("clean", "perturbed"),
            "accuracy_change_8bit": shares.change("clean", "saved"),
            **precision,
            **{name: shares.count(name) for name in ("fixed", "broken", "fixed_8bit", "broken_8bit")},
            "fooling_rate": shares.share("changed"),
            "attack_success": shares.ratio("broken", "clean"),
            "l2_mean": shares.share("l2"),
            "rms_mean": shares.share("rms"),
        }
        for item in fields(Metrics):
            if item.name != "n":
                found.setdefault(item.name, Interval(getattr(evaluation.metrics, item.name)))
        return cls((), found)

    def tidy(self, report: Report) -> Iterator[Tidy]:
        for metric, interval in self.intervals.items():
            yield self.key, report.name, metric, interval

    def to_json(self, report: Report) -> dict[str, Any]:
        return {self.key: {name: asdict(interval) for name, interval in self.intervals.items()}}

    def table(self, report: Report) -> ReportTable:
        rows = [[title, *_metric(name, self.intervals[name])] for name, title in METRIC_NAMES.items()]
        head = ("Measure", "Value", f"{100 * report.bootstrap.confidence:g} % interval")
        return ReportTable(self.key, self.title, head, rows)


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
