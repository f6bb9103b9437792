"""One documented rule from any file to uint8 RGB."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from decode_cases import PIXELS, RNG, chunk, png, read
from PIL import Image, ImageOps


@pytest.mark.parametrize("extension", ["png", "bmp", "tif", "webp", "ppm"])
def test_lossless_formats_give_their_pixels(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    Image.fromarray(PIXELS).save(path, **({"lossless": True} if extension == "webp" else {}))
    assert np.array_equal(read(path), PIXELS)


def test_content_decides_and_not_the_extension(tmp_path: Path) -> None:
    path = tmp_path / "really_a_bmp.png"
    Image.fromarray(PIXELS).save(path, "BMP")
    assert np.array_equal(read(path), PIXELS)


def test_gray_is_replicated(tmp_path: Path) -> None:
    Image.fromarray(PIXELS[..., 0]).save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png"), np.repeat(PIXELS[..., :1], 3, axis=2))


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    bits = PIXELS[..., 0] > 127
    Image.fromarray(bits).save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png")[..., 1], bits * np.uint8(255))


def test_alpha_is_dropped_and_the_stored_colours_kept(tmp_path: Path) -> None:
    alpha = RNG.integers(0, 256, (12, 20, 1), dtype=np.uint8)
    Image.fromarray(np.concatenate([PIXELS, alpha], axis=2)).save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png"), PIXELS)


def test_palette_with_transparency_gives_the_palettes_colours(tmp_path: Path) -> None:
    palette = Image.fromarray(PIXELS[..., 0] // 64, "P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120])
    palette.save(tmp_path / "a.png", transparency=bytes([0, 128, 255, 7]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read(tmp_path / "a.png")
    colours = np.arange(10, 130, 10, dtype=np.uint8).reshape(4, 3)
    assert np.array_equal(found, colours[PIXELS[..., 0] // 64])


def test_cmyk_jpeg_is_converted_by_pillow(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert np.array_equal(read(tmp_path / "a.jpg"), np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB")))


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bit_png_is_rounded_not_truncated(tmp_path: Path, colour: int, channels: int) -> None:
    values = RNG.integers(0, 65536, (16, 9, channels)).astype(">u2")
    values.flat[:4] = (0, 65535, 128, 129)  # 129 / 257 is the first to round up to 1
    path = tmp_path / "a.png"
    path.write_bytes(png(9, 16, 16, colour, b"".join(b"\0" + row.tobytes() for row in values)))
    wanted = np.round(values[..., : 3 if channels > 2 else 1] / 257).astype(np.uint8)
    assert np.array_equal(read(path), np.broadcast_to(wanted, (16, 9, 3)))


def test_16_bit_png_with_filters_agrees_with_opencv(shared: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    path = shared / "assets/images/odd_formats/tree_alpha_16bit.png"
    reference = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert reference.dtype == np.uint16
    assert np.array_equal(read(path), np.round(reference[..., 2::-1] / 257).astype(np.uint8))


def test_16_bit_gray_tiff_is_rounded(tmp_path: Path) -> None:
    values = RNG.integers(0, 65536, (5, 6)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert np.array_equal(read(tmp_path / "a.tif")[..., 2], np.round(values / 257).astype(np.uint8))


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, extension: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{extension}"
    Image.fromarray(PIXELS).save(path, exif=exif, **({"lossless": True} if extension == "webp" else {}))
    plain = tmp_path / f"plain.{extension}"
    Image.fromarray(PIXELS).save(plain, **({"lossless": True} if extension == "webp" else {}))
    upright = Image.open(plain).convert("RGB")
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    wanted = upright.transpose(turned[orientation]) if orientation > 1 else upright
    assert np.array_equal(read(path), np.asarray(wanted))


def test_orientation_of_a_16_bit_png_is_applied(tmp_path: Path) -> None:
    values = RNG.integers(0, 65536, (4, 7, 3)).astype(">u2")
    plain = png(7, 4, 16, 2, b"".join(b"\0" + row.tobytes() for row in values))
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    (tmp_path / "a.png").write_bytes(plain[:33] + chunk(b"eXIf", exif) + plain[33:])
    assert np.array_equal(read(tmp_path / "a.png"), np.rot90(np.round(values / 257).astype(np.uint8), -1))


def test_unreadable_exif_counts_as_upright(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "b.png").write_bytes(data[:33] + chunk(b"eXIf", b"MM\0*\xff\xff") + data[33:])
    assert np.array_equal(read(tmp_path / "b.png"), PIXELS)


def test_single_frame_gif(shared: Path) -> None:
    path = shared / "assets/iqa/piq/goldhill.gif"
    assert np.array_equal(read(path), np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.parametrize(
    "name", ["00017_gray.png", "children-alpha.png", "tree_alpha_16bit.png", "wolf_gray.jpg"]
)
def test_odd_formats_in_the_wild(shared: Path, name: str) -> None:
    path = shared / "assets/images/odd_formats" / name
    reference = ImageOps.exif_transpose(Image.open(path)).convert("RGBA").convert("RGB")
    # Pillow alone truncates 16 bits, which differs by one level at most.
    assert np.abs(read(path).astype(int) - np.asarray(reference)).max() <= ("16bit" in name)
