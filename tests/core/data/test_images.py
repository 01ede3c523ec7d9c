"""Each odd kind of file gives the pixels that a person would expect."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from pgn_studio.core.data.images import UnreadableImage, read_image

# 2 x 3 pixels, all different: (H, W, 3)
CORNERS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[10, 20, 30], [200, 100, 50], [255, 255, 255]]], dtype=np.uint8
)


def test_rgb_is_read_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(CORNERS).save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png", size=None)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, CORNERS)
    pixels[0] = 0  # writable: callers own it


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp"])
def test_lossless_formats_agree(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(CORNERS).save(path, **({"lossless": True} if suffix == "webp" else {}))
    assert np.array_equal(read_image(path, size=None), CORNERS)


def test_the_content_decides_not_the_suffix(tmp_path: Path) -> None:
    Image.fromarray(CORNERS).save(tmp_path / "really_a_png.jpg", format="png")
    assert np.array_equal(read_image(tmp_path / "really_a_png.jpg", size=None), CORNERS)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA"])
def test_gray_and_palette_become_rgb(tmp_path: Path, mode: str) -> None:
    gray = np.array([[0, 255], [255, 0]], dtype=np.uint8)
    Image.fromarray(gray).convert(mode).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png", size=None), np.repeat(gray[:, :, None], 3, axis=2))


def test_palette_colors_are_kept(tmp_path: Path) -> None:
    Image.fromarray(CORNERS).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "a.gif")
    assert np.array_equal(read_image(tmp_path / "a.gif", size=None), CORNERS)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_gray_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    deep = np.array([[0, 257, 32896], [65535, 128 * 257, 129]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / f"a.{suffix}")
    expected = np.array([[0, 1, 128], [255, 128, 1]], dtype=np.uint8)  # round(value / 257)
    assert np.array_equal(read_image(tmp_path / f"a.{suffix}", size=None)[:, :, 0], expected)


def test_16_bit_gray_from_pgm(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 65535\n" + struct.pack(">HH", 65535, 128 * 257))
    assert read_image(tmp_path / "a.pgm", size=None)[0, :, 0].tolist() == [255, 128]


def test_dark_16_bit_pictures_stay_dark(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 2570, dtype=np.uint16)).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png", size=None) == 10).all()


def test_16_bit_color_png(tmp_path: Path) -> None:
    samples = struct.pack(">6H", 65535, 128 * 257, 0, 257, 514, 771)
    (tmp_path / "a.png").write_bytes(png_bytes(2, 1, b"\0" + samples, depth=16, color=2))
    assert read_image(tmp_path / "a.png", size=None).tolist() == [[[255, 128, 0], [1, 2, 3]]]


@pytest.mark.parametrize(("full", "value"), [(1.0, 0.5), (200.0, 127.5), (60000.0, 32767.5)])
def test_floating_point_tiff(tmp_path: Path, full: float, value: float) -> None:
    Image.fromarray(np.array([[0.0, value, full]], dtype=np.float32)).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif", size=None)[0, 1, 0] == 128


def test_values_of_unknown_scale_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 10**6]], dtype=np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(UnreadableImage, match=r"1e\+06"):
        read_image(tmp_path / "a.tif", size=None)


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(tmp_path / "a.jpg", quality=95)
    red, green, blue = read_image(tmp_path / "a.jpg", size=None)[8, 8].astype(int)
    assert red < 8
    assert green > 247
    assert blue > 247


def test_alpha_is_laid_over_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (255, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 51))  # a fifth of black
    image.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", size=None).tolist() == [[[255, 0, 0], [255] * 3, [204] * 3]]


def test_transparent_palette_entry_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png", size=None).tolist() == [[[255] * 3, [10, 20, 30]]]


def test_transparent_color_of_rgb_is_white(tmp_path: Path) -> None:
    Image.fromarray(CORNERS).save(tmp_path / "a.png", transparency=(10, 20, 30))
    assert read_image(tmp_path / "a.png", size=None)[1, 0].tolist() == [255] * 3


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_camera_orientation_is_brought_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = {  # what a camera held that way writes for the upright picture CORNERS
        1: CORNERS,
        2: CORNERS[:, ::-1],
        3: CORNERS[::-1, ::-1],
        4: CORNERS[::-1],
        5: CORNERS.transpose(1, 0, 2),
        6: np.rot90(CORNERS, 1),
        7: np.rot90(CORNERS, 2).transpose(1, 0, 2),
        8: np.rot90(CORNERS, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    image.save(tmp_path / f"a.{suffix}", exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    assert np.array_equal(read_image(tmp_path / f"a.{suffix}", size=None), CORNERS)


def test_a_turned_jpeg_is_upright_at_any_size(tmp_path: Path) -> None:
    picture = np.zeros((320, 160, 3), dtype=np.uint8)
    picture[:160] = 255  # white above, black below
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(picture))).save(tmp_path / "a.jpg", exif=exif)
    pixels = read_image(tmp_path / "a.jpg", size=8)  # decoded at an eighth
    assert pixels[0].min() > 240
    assert pixels[-1].max() < 15


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_meaningless_orientations_are_ignored(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(CORNERS).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "a.png", size=None), CORNERS)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "green")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **options)
    assert read_image(tmp_path / f"a.{suffix}", size=None)[4, 4].tolist() == [255, 0, 0]


# Size


def test_the_shorter_side_is_scaled_and_the_center_kept(tmp_path: Path) -> None:
    picture = np.zeros((16, 48, 3), dtype=np.uint8)
    picture[:, :16] = (255, 0, 0)
    picture[:, 16:32] = (0, 255, 0)
    picture[:, 32:] = (0, 0, 255)
    Image.fromarray(picture).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png", size=16), picture[:, 16:32])
    small = read_image(tmp_path / "a.png", size=8)
    assert small.shape == (8, 8, 3)
    assert small[4, 4].tolist() == [0, 255, 0]


def test_scaling_down_averages_instead_of_picking(tmp_path: Path) -> None:
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    Image.fromarray(checks.astype(np.uint8)).save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png", size=8).astype(int)
    assert abs(pixels - 127.5).max() < 4


@pytest.mark.parametrize("size", [8, 224, 1024])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (33, 32)])
def test_any_shape_fits_any_size(tmp_path: Path, size: int, shape: tuple[int, int]) -> None:
    Image.fromarray(np.full((*shape, 3), 90, dtype=np.uint8)).save(tmp_path / "a.png")
    pixels = read_image(tmp_path / "a.png", size=size)
    assert pixels.shape == (size, size, 3)
    assert (pixels == 90).all()


def test_reduced_jpeg_decoding_stays_close_to_the_full_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (10, 10, 3), dtype=np.uint8))
    coarse.resize((400, 400), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg", quality=95)
    full = Image.fromarray(read_image(tmp_path / "a.jpg", size=None)).resize(
        (40, 40), Image.Resampling.BICUBIC
    )
    reduced = read_image(tmp_path / "a.jpg", size=40)
    assert np.abs(reduced.astype(int) - np.asarray(full).astype(int)).mean() < 2
    assert np.array_equal(reduced, read_image(tmp_path / "a.jpg", size=40))


# Broken files


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "tif", "bmp"])
@pytest.mark.parametrize("size", [None, 16])
def test_truncated_files_are_unreadable(tmp_path: Path, suffix: str, size: int | None) -> None:
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableImage) as caught:
        read_image(path, size=size)
    assert str(caught.value)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"%!PS-Adobe-3.0 EPSF"],
)
def test_what_is_no_image_is_unreadable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadableImage):
        read_image(tmp_path / "a.jpg", size=8)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="No such file"):
        read_image(tmp_path / "a.jpg", size=8)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes(60000, 60000, b"", depth=8, color=2))
    with pytest.raises(UnreadableImage, match="more pixels than is safe"):
        read_image(tmp_path / "a.png", size=8)


def png_bytes(width: int, height: int, lines: bytes, *, depth: int, color: int) -> bytes:
    """A PNG file put together by hand; `lines` are the unpacked scan lines with filter bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    packed = chunk(b"IDAT", zlib.compress(lines))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + packed + chunk(b"IEND", b"")
