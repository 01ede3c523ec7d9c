"""Colors, fonts and writing of figures. matplotlib is imported where something is drawn."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.export.base import writing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

MIN_DPI, MAX_DPI = 30, 1200
# Okabe and Ito's blue and vermilion: told apart with every kind of color vision, and in gray.
BLUE = "#0072b2"
ORANGE = "#d55e00"
SKY = "#56b4e9"  # theirs, too
GRAY = "#666666"


# Have what DejaVu Sans lacks, such as Chinese class names; used where they are installed.
_FURTHER_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Microsoft YaHei",
    "PingFang SC",
    "Arial Unicode MS",
)


@cache
def fonts() -> list[str]:
    """Font families for texts that users give, in the order in which glyphs are looked for."""
    from matplotlib.font_manager import get_font_names

    installed = set(get_font_names())
    return ["DejaVu Sans", *(name for name in _FURTHER_FONTS if name in installed)]


def save_figure(figure: Figure, path: Path, *, dpi: int = 150, width_mm: float | None = None) -> None:
    """Write `figure` as PNG, SVG or PDF by the suffix, without a date: same figure, same file.

    `width_mm` scales it with its texts and lines. Raises PgnStudioError for a resolution or a width that is
    out of range, and where it cannot write.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    if not MIN_DPI <= dpi <= MAX_DPI:
        raise PgnStudioError(
            f"{dpi} dpi cannot be drawn.", hint=f"Choose a resolution from {MIN_DPI} to {MAX_DPI} dpi."
        )
    if width_mm is not None:
        set_width(figure, width_mm)
    kind = path.suffix.lower()
    FigureCanvasAgg(figure)
    undated = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[kind]
    # Type 42 keeps the text of a PDF as text, as journals ask.
    with writing(path) as temporary, mpl.rc_context({"pdf.fonttype": 42, "svg.hashsalt": "pgn-studio"}):
        figure.savefig(temporary, format=kind[1:], dpi=dpi, metadata=undated)


class Sheet:
    """Places things in inches from the upper left of a white figure.

    `side`: of its pictures, in inches. `size_pt`: of texts where no other is given.
    """

    def __init__(self, width: float, height: float, *, side: float, size_pt: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height, self._side, self._size_pt = width, height, side, size_pt
        self.figure = Figure(figsize=(width, height), facecolor="white")

    def text(
        self, x: float, y: float, text: str, size: float | None = None, *, color: str = "black",
        bold: bool = False, align: str = "center",
    ) -> None:  # fmt: skip
        size = self._size_pt if size is None else size
        # parse_math off: a class name may hold dollar signs.
        self.figure.text(
            x / self.width, 1 - y / self.height, text, fontsize=size, color=color, ha=align, va="top",
            weight="bold" if bold else "normal", family=fonts(), parse_math=False,
        )  # fmt: skip

    def picture(
        self,
        x: float,
        y: float,
        pixels: npt.NDArray[np.uint8],
        edge: str,
        *,
        interpolation: str | None = None,
    ) -> None:
        """In a frame of the color `edge`."""
        from matplotlib.patches import Rectangle

        width, height = self._side / self.width, self._side / self.height
        bounds = (x / self.width, 1 - (y + self._side) / self.height, width, height)
        axes = self.figure.add_axes(bounds)
        axes.imshow(pixels, aspect="auto", interpolation=interpolation)
        axes.set_axis_off()
        frame = Rectangle((0, 0), 1, 1, transform=axes.transAxes, fill=False, edgecolor=edge, linewidth=1.6)
        frame.set_clip_on(False)
        axes.add_patch(frame)


def set_width(figure: Figure, width_mm: float) -> None:
    """Scale a finished figure with its texts and lines. Raises PgnStudioError outside 20…1000 mm."""
    if not 20 <= width_mm <= 1000:
        raise PgnStudioError(
            f"A figure of {width_mm:g} mm cannot be drawn.", hint="Choose a width from 20 to 1000 mm."
        )
    from matplotlib.patches import Rectangle
    from matplotlib.text import Text

    width, height = figure.get_size_inches()
    scale = width_mm / 25.4 / width
    figure.set_size_inches(width * scale, height * scale)
    for text in figure.findobj(Text):
        text.set_fontsize(text.get_fontsize() * scale)
    for frame in figure.findobj(Rectangle):
        frame.set_linewidth(frame.get_linewidth() * scale)
