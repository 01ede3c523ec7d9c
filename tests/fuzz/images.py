"""Pictures of every format that is read, and pictures that are traps."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from random import Random

from PIL import Image, features

from tests.fuzz.mutation import damaged

SIZE = (24, 18)


def good_pictures() -> list[tuple[str, bytes]]:
    """(suffix, contents)"""
    picture = Image.effect_noise(SIZE, 60).convert("RGB")
    made = []
    for mode in ("RGB", "L", "RGBA", "P", "1", "I;16", "LA"):
        gray = picture.convert("L")
        made.append(("png", _saved(gray.convert(mode) if mode == "I;16" else picture.convert(mode), "PNG")))
    exif = Image.Exif()
    exif[0x0112] = 6
    made.append(("jpg", _saved(picture, "JPEG", exif=exif)))
    made.append(("jpg", _saved(picture.convert("CMYK"), "JPEG", progressive=True)))
    frame = picture.convert("P")
    made.append(("gif", _saved(frame, "GIF", save_all=True, append_images=[frame])))
    made += [(name.lower(), _saved(picture, name)) for name in ("BMP", "PPM")]
    for compression in ("raw", "tiff_deflate", "tiff_lzw", "packbits", "jpeg"):
        made.append(("tif", _saved(picture, "TIFF", compression=compression)))
    made.append(("tif", _saved(picture.convert("L").convert("F"), "TIFF")))
    for module, name in (("webp", "WEBP"), ("jpg_2000", "JPEG2000"), ("avif", "AVIF")):
        if features.check(module):
            made.append((name.lower().replace("jpeg2000", "jp2"), _saved(picture, name)))
    return made


def _saved(picture: Image.Image, name: str, **options: object) -> bytes:
    stream = BytesIO()
    picture.save(stream, name, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, depth: int, color: int, pixels: bytes, more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = chunk(b"IHDR", header) + more + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def picture_trap(random: Random) -> tuple[str, bytes]:
    """Small files that say they are, or unpack to, very much."""
    side = random.choice((9000, 12000, 13300, 20000, 60000, 2**31 - 1))
    way = random.randrange(6)
    if way == 0:  # honest about its size, and compressed a thousand times
        depth, color = random.choice(((1, 0), (8, 0), (8, 2), (16, 0), (16, 2), (8, 6)))
        rows = zlib.compress(bytes(4_000_000), 9)
        return "png", png(side, side, depth=depth, color=color, pixels=rows)
    if way == 1:
        text = random.choice((b"zTXt", b"iTXt", b"iCCP"))
        head = b"k\x00" + (b"\x01\x00\x00\x00" if text == b"iTXt" else b"\x00")
        body = head + zlib.compress(bytes(100_000_000), 1)
        return "png", png(4, 4, depth=8, color=0, pixels=zlib.compress(bytes(20)), more=chunk(text, body))
    if way == 2:
        return "ppm", b"P6 %d %d 255\n" % (side, side) + bytes(100)
    if way == 3:
        head = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0)
        return "gif", head + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;"
    if way == 4:
        sizes = (100, 0, 0, 54, 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
        head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", *sizes)
        return "bmp", head + bytes(60)
    picture = Image.new("L", (1 + side % 15000, 1 + side % 15000))
    return "tif", damaged(_saved(picture, "TIFF", compression="tiff_deflate"), random)
