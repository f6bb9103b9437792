"""One documented rule from any file to uint8 RGB, and one clear refusal for what it rules out."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from srbench.datasets import decode as rule
from srbench.datasets.decode import decode, inspect
from srbench.errors import BadInput

RNG = np.random.default_rng(5)
PIXELS = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)


def read(path: Path) -> np.ndarray:
    """Decode, and hold ``inspect`` to the same size."""
    pixels = decode(path.read_bytes(), path)
    facts = inspect(path)
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    assert pixels.shape == (facts.height, facts.width, 3)
    return pixels


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


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


# What is refused, and how the refusal reads.


def save(path: Path, **options: object) -> bytes:
    Image.fromarray(np.tile(PIXELS, (6, 6, 1))).save(path, **options)  # type: ignore[arg-type]
    return path.read_bytes()


def truncated_png(path: Path) -> None:
    path.write_bytes(save(path)[:-200])


def png_without_end(path: Path) -> None:
    path.write_bytes(save(path)[:-12])


def png_with_a_flipped_bit(path: Path) -> None:
    data = bytearray(save(path))
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncated_jpeg(path: Path) -> None:
    data = save(path, format="JPEG")
    path.write_bytes(data[: len(data) // 2])


def truncated_bmp(path: Path) -> None:
    path.write_bytes(save(path, format="BMP")[:-500])


def truncated_tiff(path: Path) -> None:
    path.write_bytes(save(path, format="TIFF")[:900])


def truncated_webp(path: Path) -> None:
    path.write_bytes(save(path, format="WEBP")[:-100])


def text_named_png(path: Path) -> None:
    path.write_text("not an image\n")


def empty_file(path: Path) -> None:
    path.write_bytes(b"")


def png_header_alone(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n")


def postscript(path: Path) -> None:
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")


def wav_file(path: Path) -> None:
    path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")


def huge_png(path: Path) -> None:
    path.write_bytes(png(60000, 60000, 8, 2, b""))


def wide_png(path: Path) -> None:
    path.write_bytes(png(16385, 1, 8, 0, bytes(16386)))


def many_pixels(path: Path) -> None:
    path.write_bytes(png(10001, 10000, 8, 0, b""))


def animated_gif(path: Path) -> None:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:])


def animated_png(path: Path) -> None:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    frames[0].save(path, "PNG", save_all=True, append_images=frames[1:])


def two_page_tiff(path: Path) -> None:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    frames[0].save(path, "TIFF", save_all=True, append_images=frames[1:])


def float_tiff(path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.float32)).save(path, "TIFF")


def integer_tiff(path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.int32)).save(path, "TIFF")


def colour_tiff_of_16_bit(path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(path, np.zeros((4, 4, 3), np.uint16), photometric="rgb")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (truncated_png, "damaged"),
        (png_without_end, "damaged"),
        (png_with_a_flipped_bit, "damaged"),
        (truncated_jpeg, "damaged"),
        (truncated_bmp, "damaged"),
        (truncated_tiff, "damaged"),
        (truncated_webp, "damaged"),
        (png_header_alone, "damaged"),
        (text_named_png, "not an image"),
        (empty_file, "not an image"),
        (postscript, "not an image"),
        (wav_file, "not an image"),
        (huge_png, "60000 x 60000"),
        (wide_png, "16385 x 1"),
        (many_pixels, "10001 x 10000"),
        (animated_gif, "2 frames"),
        (animated_png, "2 frames"),
        (two_page_tiff, "2 frames"),
        (float_tiff, "floating-point"),
        (integer_tiff, "32-bit"),
        (colour_tiff_of_16_bit, "16-bit colour in TIFF"),
    ],
)
def test_refused_in_one_line_that_names_the_file(
    tmp_path: Path, make: Callable[[Path], None], words: str, recwarn: pytest.WarningsRecorder
) -> None:
    path = tmp_path / "broken.png"
    make(path)
    recwarn.clear()
    with pytest.raises(BadInput, match=r"broken\.png") as refusal:
        inspect(path)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not [w for w in recwarn if "Bomb" in w.category.__name__]


def test_truncation_is_seen_even_where_a_library_told_pillow_to_look_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncated_jpeg(tmp_path / "a.jpg")
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(BadInput, match=r"a\.jpg"):
        inspect(tmp_path / "a.jpg")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.png cannot be read"):
        inspect(tmp_path / "gone.png")


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_between_pillows_limit_and_ours_nothing_is_said(
    tmp_path: Path, extension: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(PIXELS).save(tmp_path / f"a.{extension}")
    # Pillow warns above this and refuses above twice this.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", PIXELS.size // 3 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(read(tmp_path / f"a.{extension}"), PIXELS)


def test_the_limits_themselves_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(rule.MAX_SIDE, 1, 8, 0, bytes(rule.MAX_SIDE + 1)))
    assert read(tmp_path / "a.png").shape == (1, rule.MAX_SIDE, 3)


@pytest.mark.parametrize("make", [save, lambda path: save(path, format="JPEG")])
def test_png_and_jpeg_are_checked_without_decoding(
    tmp_path: Path, make: Callable[[Path], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "a.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    facts = inspect(tmp_path / "a.png")
    assert (facts.width, facts.height) == (120, 72)


def test_a_jpeg_with_something_after_its_end_is_accepted(tmp_path: Path) -> None:
    data = save(tmp_path / "a.jpg", format="JPEG")
    (tmp_path / "a.jpg").write_bytes(data + b"appended by a camera")
    assert np.array_equal(read(tmp_path / "a.jpg"), np.asarray(Image.open(io.BytesIO(data))))
