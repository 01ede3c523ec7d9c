"""The report as an export: as the window writes it, without baselines, which take training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pgn_studio.core.export.base import Export, Source, Written

if TYPE_CHECKING:
    from pgn_studio.core.protocols import Progress


@dataclass(frozen=True, kw_only=True)
class ReportExport(Export):
    name = "report"
    title = "Report: every metric with its interval, compression, examples"
    summary = "the evaluation report without baselines"
    new_folder = True

    def write(self, path: Path, source: Source, progress: Progress) -> Written:
        from pgn_studio.core.report.render import check_report_folder, write_report
        from pgn_studio.core.report.report import make_report

        check_report_folder(path)
        report = make_report(
            source.pgn, source.classifier, source.dataset, source.split_name, evaluation=source.evaluation,
            batch_size=source.batch_size, device=source.device, progress=progress,
        )  # fmt: skip
        page = write_report(path, report, progress)
        return Written(page, f"Report written to {page}", page=page)
