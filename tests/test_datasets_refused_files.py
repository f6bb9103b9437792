"""What is no image, or more than one, or too large, is refused in one line that names the file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from decode_cases import PIXELS, png, read, save
from PIL import Image, ImageFile

from srbench.datasets import decode as rule
from srbench.datasets.decode import inspect
from srbench.errors import BadInput


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
