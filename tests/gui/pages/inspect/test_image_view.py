"""Zoom around a point, pan, limits."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF

from pgn_studio.gui.pages.inspect.image_view import MAX_ZOOM, Viewport


def screen(viewport: Viewport, point: QPointF) -> QPointF:
    """Where an image point appears, relative to the view's middle, in widths of the fitted image."""
    return (point - viewport.center) * viewport.zoom


def test_zoom_keeps_the_anchor_on_the_screen(qapp: object) -> None:
    viewport = Viewport()
    anchor = QPointF(0.3, 0.6)
    before = screen(viewport, anchor)
    viewport.zoom_about(2, anchor)
    viewport.zoom_about(3, anchor)
    after = screen(viewport, anchor)
    assert viewport.zoom == pytest.approx(6)
    assert (after.x(), after.y()) == pytest.approx((before.x(), before.y()))


def test_limits(qapp: object) -> None:
    viewport = Viewport()
    viewport.zoom_about(1e6, QPointF(0.5, 0.5))
    assert viewport.zoom == MAX_ZOOM
    viewport.pan(QPointF(5, -5))
    assert viewport.center.x() == pytest.approx(0.5 / MAX_ZOOM)
    assert viewport.center.y() == pytest.approx(1 - 0.5 / MAX_ZOOM)
    viewport.zoom_about(1e-9, QPointF(0.1, 0.1))
    assert (viewport.zoom, viewport.center) == (1.0, QPointF(0.5, 0.5))


def test_fit_undoes_everything(qapp: object) -> None:
    viewport = Viewport()
    viewport.zoom_about(4, QPointF(0.2, 0.2))
    viewport.pan(QPointF(0.1, 0.1))
    viewport.fit()
    assert (viewport.zoom, viewport.center) == (1.0, QPointF(0.5, 0.5))
