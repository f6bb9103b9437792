"""Decode image files to uint8 RGB: one rule for every format, and every refusal before a model has run.

The rule:

==================  ==============================================================================
EXIF orientation    applied (an orientation tag that cannot be read counts as upright)
gray, 1 bit         replicated to three channels
palette             its colours
16 bit a channel    round(v / 257), which maps 65535 to 255 and 0 to 0
alpha               dropped, the stored colours kept: what OpenCV's IMREAD_COLOR does, hence every
                    tool built on BasicSR; compositing would invent a background no SR paper had
CMYK, YCbCr         Pillow's conversion
ICC profile         ignored, as those tools do
==================  ==============================================================================

Refused: anything but PNG, JPEG, BMP, TIFF, WebP, GIF, PPM (PGM, PBM), JPEG 2000 and AVIF by content (the
extension decides nothing; the last two are read where the Pillow at hand can), more than one frame, more
than 16384 px a side or 100 megapixels (read from the header, nothing is decoded),
files larger than 1 GiB, 32-bit or floating-point samples (no defined white), 16-bit colour in TIFF
and JPEG 2000, and whatever cannot be decoded.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from srbench.datasets.base import Pixels
from srbench.datasets.formats import HEAD, deep_jpeg2000, format_of, is_read, names_read, open_as
from srbench.datasets.png16 import decode_16_bit_colour, is_16_bit_colour
from srbench.datasets.png_whole import why_not_whole
from srbench.errors import BadInput
from srbench.support.not_the_file import what_instead

MAX_SIDE = 16384
MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30  # 100 megapixels of 16-bit colour, uncompressed, are 600 MB

_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 258

# PNG text and EXIF blocks in which Pillow looks for an orientation.
_PNG_ORIENTATION_CARRIERS = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")


@dataclass(frozen=True)
class FileFacts:
    """Hold what is known of an image file that is sound.

    Attributes:
        sha256: of the file, 64 hex digits.
        width: in pixels, after EXIF orientation.
        height: in pixels, after EXIF orientation.
    """

    sha256: str
    width: int
    height: int


def inspect(path: Path, *, whole: bool = False) -> FileFacts:
    """Read a file once, hash it, and make sure that it can be decoded.

    PNG is checked by its chunks' CRCs and JPEG by its end marker, both without decoding; the other
    formats, and a PNG or JPEG for which that does not suffice, are decoded.

    Args:
        path: the file.
        whole: decode every format: right CRCs around broken pixels are found by nothing else.

    Raises:
        BadInput: the file cannot be read or is refused by the rule above; the message names it.
    """
    data = read(path)
    with _refusing(path):
        image = _open(data)
        width, height = _checked_size(image, data)
        if whole and image.format in ("PNG", "JPEG"):
            _pixels(_open(data), data)
        if whole and image.format == "PNG" and (reason := why_not_whole(data)):
            raise _RefusedError(f"is damaged and cannot be decoded ({reason}): replace or remove it")
    return FileFacts(hashlib.sha256(data).hexdigest(), width, height)


def decode(data: bytes, path: Path) -> Pixels:
    """Decode a file's content by the rule above.

    Args:
        data: the file's bytes.
        path: only for the error message.

    Returns:
        (H, W, 3) uint8 RGB, contiguous.

    Raises:
        BadInput: the content is refused by the rule above; the message names ``path``.

    >>> from pathlib import Path
    >>> decode(b"P6 2 1 255 " + bytes([255, 0, 0, 0, 0, 255]), Path("two.ppm")).tolist()
    [[[255, 0, 0], [0, 0, 255]]]
    """
    with _refusing(path):
        return _pixels(_open(data), data)


def read(path: Path) -> bytes:
    """Return a file's bytes; BadInput names it where it cannot be read, or is far too large for an image."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path} is larger than {MAX_BYTES >> 30} GiB, which no image here is: remove it")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error})") from error


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except _RefusedError as refusal:
        raise BadInput(f"{path} {refusal}") from None
    # Inside a decoder a damaged file can set off nearly anything: SyntaxError, struct.error, IndexError …
    except Exception as error:
        raise BadInput(f"{path} is damaged and cannot be decoded ({error}): replace or remove it") from error


class _RefusedError(Exception):
    """Why a file is refused, worded to follow its name."""


def _open(data: bytes) -> ImageFile.ImageFile:
    """Read the header; refuse by size before anything else is looked at."""
    kind = format_of(data[:HEAD])
    if kind is None or not is_read(kind):
        raise _RefusedError(_what_it_is(data[:HEAD]))
    # Libraries that train on scraped images (pyiqa has such a module) set this flag for the whole process.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    image = open_as(kind, data)
    width, height = image.size
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise _RefusedError(
            f"claims {width} x {height} pixels; at most {MAX_SIDE} a side and "
            f"{MAX_PIXELS // 1_000_000} megapixels are read: crop or remove it"
        )
    with _no_size_warning(image):
        frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise _RefusedError(f"has {frames} frames; only still images are read: extract the one you mean")
    return image


def _what_it_is(head: bytes) -> str:
    """Return why a file is refused by its first bytes, worded to follow its name."""
    if kind := format_of(head):
        return f"is not an image srbench reads: it is {kind.name}; convert it to PNG"
    return what_instead(head) or f"is not an image srbench reads ({names_read()}): remove it"


@contextmanager
def _no_size_warning(image: ImageFile.ImageFile) -> Iterator[None]:
    """Silence Pillow's warning for images between its limit and ours, and only for those.

    The filter is process-wide while it lasts, so it is not touched for ordinary images.
    """
    if Image.MAX_IMAGE_PIXELS is None or image.width * image.height <= Image.MAX_IMAGE_PIXELS:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _checked_size(image: ImageFile.ImageFile, data: bytes) -> tuple[int, int]:
    """Return (width, height) after orientation; whatever is not whole raises."""
    if image.format == "PNG" and not any(block in data for block in _PNG_ORIENTATION_CARRIERS):
        _check_samples(image)
        size = image.size
        image.verify()
        return size
    if image.format == "JPEG" and data.endswith(b"\xff\xd9"):
        width, height = image.size
        return (height, width) if _orientation(image) >= 5 else (width, height)
    height, width = _pixels(image, data).shape[:2]
    return width, height


def _check_samples(image: ImageFile.ImageFile) -> None:
    """Refuse sample types without a defined white."""
    # Pillow widens 16-bit gray to 32-bit "I" in PPM, and before version 11 in PNG.
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise _RefusedError("has 32-bit or floating-point samples: convert it to 8 or 16 bit")
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        bits = tags.get(_BITS_PER_SAMPLE, ())
        if len(bits) > 2 and max(bits) > 8:
            raise _RefusedError("has 16-bit colour in TIFF, which Pillow truncates: convert it to PNG")


def _pixels(image: ImageFile.ImageFile, data: bytes) -> Pixels:
    _check_samples(image)
    if image.format == "JPEG2000" and deep_jpeg2000(data):
        raise _RefusedError("has 16-bit colour in JPEG 2000, which Pillow truncates: convert it to PNG")
    if image.format == "PNG" and is_16_bit_colour(data):
        orientation, pixels = _orientation(image), _to_8_bit(decode_16_bit_colour(data))
    else:
        with _no_size_warning(image):
            image.load()
        # A TIFF is turned by Pillow when it is loaded, which also takes the tag away.
        orientation, pixels = _orientation(image), _rgb(image)
    return np.ascontiguousarray(_turn(pixels, orientation))


def _rgb(image: Image.Image) -> Pixels:
    """Return a loaded image of any mode as (H, W, 3) uint8."""
    if image.mode.startswith("I"):
        gray = _to_8_bit(np.asarray(image))
        return np.repeat(gray[..., None], 3, axis=2)
    if image.mode in ("RGBa", "La"):  # premultiplied: the stored colours are those before the product
        image = image.convert(image.mode.upper())
    image.info.pop("transparency", None)  # or Pillow warns that it is lost, which is meant
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _to_8_bit(values: np.ndarray[Any, Any]) -> Pixels:
    # 257 is odd, so v / 257 never lies half-way and whole numbers round it exactly.
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none or it cannot be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # camera and editor software writes every kind of broken EXIF around sound pixels
        return 1
    return value if value in range(1, 9) else 1


def _turn(pixels: Pixels, orientation: int) -> Pixels:
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
