"""One image file to RGB pixels, read as a person would see it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from pgn_studio.core.errors import DataError
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
# What means white in pictures of more than 8 bits: in 8 bits that lie in a wider file, 12 bits and 16 bits.
_INTEGER_RANGES = (255.0, 4095.0, 65535.0)
_FLOAT_RANGES = (1.0, 255.0, 65535.0)
_OVERSHOOT = 1.5  # times its scale, up to which a float picture is thought to be resampled, not of the next
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


@dataclass(frozen=True)
class WideValues:
    """What values a picture of more than 8 bits holds: integers (16 or 32 bits) or floats."""

    floating: bool
    lowest: float
    highest: float
    color: bool = False  # of 16 bits in color, which is decoded with 65535 as white


_DEEP_COLOR = WideValues(floating=False, lowest=0.0, highest=65535.0, color=True)


@dataclass(frozen=True)
class Examined:
    """A picture that was decoded completely: `pixels` at the wanted size, None where its range is not known.

    `pixel_hash` is of the whole picture as it was decoded, so that it depends on neither the wanted
    size nor the file's format, name and metadata.
    """

    pixels: UInt8Images | None
    pixel_hash: int
    wide: WideValues | None = None


def read_image(path: Path, *, size: int | None, data_range: float | None = None) -> UInt8Images:
    """Decode the first frame of `path` completely, as RGB (H, W, 3) uint8, upright.

    With `size`, the shorter side is brought to it and the center is kept: (size, size, 3).
    Transparent parts become white. `data_range` is the value that means white in pictures of more
    than 8 bits; without it, it is 65535 for integers, and for floats their own values choose.
    Raises UnreadableImage.
    """
    with _reasons(), Image.open(path, formats=image_formats()) as image:
        _reduce(image, size)
        return _fitted(_decoded(image, data_range), size)


def examine_image(path: Path, *, size: int) -> Examined:
    """Decode `path` completely and tell what a data set has to know of it. Raises UnreadableImage."""
    with _reasons(), Image.open(path, formats=image_formats()) as image:
        wide = _DEEP_COLOR if _is_deep_color(image) else None
        reduced = _reduce(image, size)
        if _is_wide(image):
            return _examined_wide(_loaded(image))
        picture = _decoded(image, None)
        pixels = _fitted(picture, size)
        if not reduced:
            return Examined(pixels, pixel_hash(np.asarray(picture)), wide)
    return Examined(pixels, pixel_hash(read_image(path, size=None)))


def pixel_hash(pixels: npt.NDArray[np.generic]) -> int:
    """48 bits that tell pictures apart: of 100,000 a false match is one in 50,000."""
    digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=6)
    digest.update(np.ascontiguousarray(pixels).data)
    return int.from_bytes(digest.digest(), "big")


def choose_data_range(found: Sequence[WideValues]) -> float | None:
    """The value that means white in all of a data set's pictures; None where 8 bits are all they have.

    The smallest usual scale that holds the highest value of any picture, so that a dark picture of a
    bright set stays dark. Floats may overshoot it, as resampled ones do. Raises DataError for integers
    beside floats of another scale, and for gray pictures of another scale than color has.
    """
    kinds = {"floating-point": True, "16-bit gray": False}
    ranges = {
        kind: _range_of(floating, max(values))
        for kind, floating in kinds.items()
        if (values := [item.highest for item in found if item.floating == floating and not item.color])
    }
    if any(item.color for item in found):
        ranges["16-bit color"] = _DEEP_COLOR.highest
    if len(set(ranges.values())) > 1:
        told = ", ".join(f"{kind} images with {white:g} as white" for kind, white in ranges.items())
        raise DataError(
            f"Expected one scale of brightness, found {told}.",
            hint="Save all images in one format of 8 bits, or say which value means white (data range).",
        )
    return next(iter(ranges.values()), None)


def check_data_range(data_range: float | None, found: Sequence[WideValues]) -> None:
    """Raises DataError where 16-bit color, of which 8 bits are decoded, would have another white."""
    if data_range not in (None, _DEEP_COLOR.highest) and any(item.color for item in found):
        raise DataError(
            f"16-bit color images are read with {_DEEP_COLOR.highest:g} as white, not {data_range:g}.",
            hint="Save them with 8 bits, scaled as they are meant, or leave out the data range.",
        )


def _range_of(floating: bool, highest: float) -> float:
    if floating:
        return next((scale for scale in _FLOAT_RANGES if highest <= _OVERSHOOT * scale), _FLOAT_RANGES[-1])
    return next((scale for scale in _INTEGER_RANGES if highest <= scale), _INTEGER_RANGES[-1])


@contextmanager
def _reasons() -> Iterator[None]:
    """Whatever goes wrong inside, as UnreadableImage with the reason in a few words."""
    try:
        yield
    except UnreadableImage:
        raise
    except Exception as error:  # Pillow raises nearly anything on damaged files
        raise UnreadableImage(_reason(error)) from error


def _reduce(image: Image.Image, size: int | None) -> bool:
    """Whether the picture will be decoded smaller than it is: JPEG only, where twice the need is left."""
    if image.width * image.height > MOST_PIXELS:
        raise UnreadableImage(f"{image.width} x {image.height} pixels, more than is safe to decode")
    whole = image.size
    if size is not None:
        image.draft(None, (2 * size, 2 * size))
    return image.size != whole


def _loaded(image: Image.Image) -> Image.Image:
    image.load()
    return _upright(image)


def _decoded(image: Image.Image, data_range: float | None) -> Image.Image:
    return _rgb(_loaded(image), data_range)


def _fitted(picture: Image.Image, size: int | None) -> UInt8Images:
    if size is not None:
        picture = square(picture, size, Image.Resampling.BICUBIC)
    return np.array(picture)


def _is_wide(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _is_deep_color(image: Image.Image) -> bool:
    """Whether Pillow is about to keep the upper 8 of 16 bits: it has no mode for such color."""
    tiles = getattr(image, "tile", ())  # none once it is loaded
    modes = (tile[3] if isinstance(tile[3], str) else tile[3][0] for tile in tiles if tile[3])
    return any(isinstance(mode, str) and ";16" in mode and not mode.startswith("I;") for mode in modes)


def _examined_wide(image: Image.Image) -> Examined:
    values = np.asarray(image)
    wide = _wide_values(values)
    _check_range(wide)
    return Examined(None, pixel_hash(values), wide)


def _wide_values(values: npt.NDArray[np.generic]) -> WideValues:
    numbers = np.asarray(values, dtype=np.float32)
    if np.isnan(numbers).all():
        raise UnreadableImage("it holds no numbers (NaN)")
    numbers = np.nan_to_num(numbers, nan=0.0)
    return WideValues(values.dtype.kind == "f", float(numbers.min()), float(numbers.max()))


def _check_range(wide: WideValues) -> None:
    if wide.highest > _INTEGER_RANGES[-1] * (_OVERSHOOT if wide.floating else 1):
        raise UnreadableImage(f"values up to {wide.highest:.6g}, expected 16 bits at most")


@cache
def image_formats() -> tuple[str, ...]:
    """The formats that this Pillow can read and that are tried here."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def square(picture: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    """Scale the shorter side to `size` and keep the center: one resampling, antialiased."""
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


def _rgb(image: Image.Image, data_range: float | None) -> Image.Image:
    if _is_wide(image):
        image = Image.fromarray(_to_8_bits(np.asarray(image), data_range))
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _to_8_bits(values: npt.NDArray[np.generic], data_range: float | None) -> UInt8Images:
    """Gray values (H, W) of which `data_range` means white, to 0..255."""
    wide = _wide_values(values)
    _check_range(wide)
    full = data_range or (_range_of(True, wide.highest) if wide.floating else _INTEGER_RANGES[-1])
    numbers = np.asarray(values, dtype=np.float32).copy()  # large pictures: one copy, changed in place
    np.nan_to_num(numbers, copy=False, nan=0.0)
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
