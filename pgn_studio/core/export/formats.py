"""Suffixes and safe writing, shared by all exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from pgn_studio.core.errors import PgnStudioError
from pgn_studio.core.files import replacing

PICTURES = (".png", ".svg", ".pdf")
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
    installed = set(get_font_names())
    return ["DejaVu Sans", *(name for name in _FURTHER_FONTS if name in installed)]


def checked_suffix(path: Path, allowed: Sequence[str], what: str) -> str:
    """The suffix of `path` in lower case. Raises PgnStudioError, listing `allowed`, for any other."""
    suffix = path.suffix.lower()
    if suffix not in allowed:
        came = f"got {suffix!r}" if suffix else "got no suffix"
        raise PgnStudioError(
            f"{what} cannot be written to {path.name}: {came}.",
            hint=f"End the file name with one of: {', '.join(allowed)}.",
        )
    return suffix


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """As `files.replacing`, with a PgnStudioError where the disk or its permissions refuse."""
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> PgnStudioError:
    return PgnStudioError(
        f"{path} cannot be written ({error.strerror or type(error).__name__}).",
        hint="Choose a place that you may write to, on a disk with free space.",
    )


def save_figure(figure: Figure, path: Path, *, dpi: int) -> None:
    """Write `figure` as PNG, SVG or PDF by the suffix, without a date: same figure, same file."""
    kind = path.suffix.lower()
    FigureCanvasAgg(figure)
    undated = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[kind]
    # Type 42 keeps the text of a PDF as text, as journals ask.
    with writing(path) as temporary, mpl.rc_context({"pdf.fonttype": 42, "svg.hashsalt": "pgn-studio"}):
        figure.savefig(temporary, format=kind[1:], dpi=dpi, metadata=undated)


def set_width(figure: Figure, width_mm: float) -> None:
    """Scale a finished figure with its texts and lines. Raises PgnStudioError outside 20…1000 mm."""
    if not 20 <= width_mm <= 1000:
        raise PgnStudioError(
            f"A figure of {width_mm:g} mm cannot be drawn.", hint="Choose a width from 20 to 1000 mm."
        )
    width, height = figure.get_size_inches()
    scale = width_mm / 25.4 / width
    figure.set_size_inches(width * scale, height * scale)
    for text in figure.findobj(Text):
        text.set_fontsize(text.get_fontsize() * scale)
    for frame in figure.findobj(Rectangle):
        frame.set_linewidth(frame.get_linewidth() * scale)
