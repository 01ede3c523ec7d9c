"""Exports: figures, tables, images and models of a PGN. Listed without importing torch or matplotlib."""

from pgn_studio.core.export.base import Export
from pgn_studio.core.plugins import Registry

# In the order of lists and help texts.
EXPORTS: Registry[Export] = Registry(
    "exports",
    "pgn_studio.core.export.base:Export",
    {
        "figure": "pgn_studio.core.export.figure:FigureExport",
        "table": "pgn_studio.core.export.table:TableExport",
        "list": "pgn_studio.core.export.image_table:ImageTableExport",
        "images": "pgn_studio.core.export.images:ImagesExport",
        "comparison": "pgn_studio.core.export.comparison_figure:ComparisonExport",
        "frontier": "pgn_studio.core.export.frontier:FrontierExport",
        "curves": "pgn_studio.core.export.curves:CurvesExport",
        "model": "pgn_studio.core.export.model:ModelExport",
        "abstaining": "pgn_studio.core.export.abstaining:AbstainingExport",
        "report": "pgn_studio.core.report.export:ReportExport",
    },
)
