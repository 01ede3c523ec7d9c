"""Exports: figures of triptychs, curves of a run, tables of an evaluation, perturbed images."""

from pgn_studio.core.export.curves import export_curves
from pgn_studio.core.export.figure import export_figure
from pgn_studio.core.export.images import export_images
from pgn_studio.core.export.table import export_table
from pgn_studio.core.export.triptych import TriptychRow, perturbation_picture, pick_indices, triptych_rows

__all__ = [
    "TriptychRow",
    "export_curves",
    "export_figure",
    "export_images",
    "export_table",
    "perturbation_picture",
    "pick_indices",
    "triptych_rows",
]
