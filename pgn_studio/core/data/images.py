"""One image file to RGB pixels, read as a person would see it."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from pgn_studio.core.protocols import UInt8Images

# Pillow warns of every odd tag and every picture above 89 megapixels; what matters is an exception.
warnings.filterwarnings("ignore", module=r"PIL(\.|$)")

# What is taken for an image by its name. HEIC cannot be read, and is listed rather than passed over.
IMAGE_SUFFIXES = frozenset(
    ("jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "bmp", "dib", "webp", "tif", "tiff")
    + ("ppm", "pgm", "pbm", "pnm", "jp2", "avif", "heic", "heif")
)
# Formats that are safe to try on a file of unknown content (EPS, for one, would start Ghostscript).
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")

MOST_PIXELS = 100_000_000  # 300 MB as RGB; several are decoded at a time
_TURNS = {  # EXIF orientation to what brings the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class UnreadableImage(Exception):  # noqa: N818 - a verdict on a file, not a failure of the program
    """The file gives no picture; str() is the reason in a few words."""


def read_image(path: Path, *, size: int | None) -> UInt8Images:
    """Decode the first frame of `path` completely, as RGB (H, W, 3) uint8, upright.

    With `size`, the shorter side is brought to it and the centre is kept: (size, size, 3).
    Transparent parts become white; 16-bit values are scaled to 8 bits. Raises UnreadableImage.
    """
    try:
        with Image.open(path, formats=image_formats()) as image:
            if image.width * image.height > MOST_PIXELS:
                raise UnreadableImage(f"{image.width} x {image.height} pixels, more than is safe to decode")
            if size is not None:
                # JPEG only: decode at a half, quarter or eighth where that is still twice the need.
                image.draft(None, (2 * size, 2 * size))
            image.load()
            picture = _rgb(_upright(image))
        if size is not None:
            picture = square(picture, size, Image.Resampling.BICUBIC)
        return np.array(picture)
    except UnreadableImage:
        raise
    except Exception as error:  # Pillow raises nearly anything on damaged files
        raise UnreadableImage(_reason(error)) from error


@cache
def image_formats() -> tuple[str, ...]:
    """The formats that this Pillow can read and that are tried here."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def square(picture: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    """Scale the shorter side to `size` and keep the centre: one resampling, antialiased."""
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return picture.resize((size, size), resampling, box=(left, top, left + side, top + side))


def _upright(image: Image.Image) -> Image.Image:
    """Apply the camera's orientation. Comes after load(): PNG may store it behind the pixels."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged metadata, the pixels are fine
        return image
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_8_bits(np.asarray(image)))
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _to_8_bits(values: npt.NDArray[np.generic]) -> UInt8Images:
    """Grey values (H, W) of 16 bits, or floats in [0, 1], 8-bit or 16-bit range, to 0..255.

    The full scale is the format's, never the picture's own maximum: a dark picture stays dark.
    """
    numbers = np.asarray(values, dtype=np.float32).copy()  # large pictures: one copy, changed in place
    np.nan_to_num(numbers, copy=False, nan=0.0)
    highest = float(numbers.max())
    scales = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (65535.0,)
    full = next((scale for scale in scales if highest <= scale), None)
    if full is None:
        raise UnreadableImage(f"values up to {highest:.6g}, expected 16 bits at most")
    np.clip(numbers, 0, full, out=numbers)
    numbers *= 255 / full
    return np.rint(numbers, out=numbers).astype(np.uint8)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image in a known format"
    if isinstance(error, Image.DecompressionBombError):
        return f"more pixels than is safe to decode: {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
