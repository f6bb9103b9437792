"""Tell image formats apart by their first bytes, and open those that srbench reads."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

from PIL import ImageFile, features

HEAD = 512
"""So many first bytes are enough for :func:`format_of`."""


@dataclass(frozen=True)
class Format:
    """Describe a format by what its files begin with.

    Attributes:
        name: what messages call it.
        magic: matches the beginning of a file.
        reader: module and class in PIL; "" for a format that is recognised only to be named.
        feature: what Pillow must have been built with; "" for nothing.
    """

    name: str
    magic: re.Pattern[bytes]
    reader: str = ""
    feature: str = ""


def _format(name: str, magic: bytes, reader: str = "", feature: str = "") -> Format:
    return Format(name, re.compile(magic, re.DOTALL), reader, feature)


# Image.open would warn of (or refuse) large images by limits of its own that are global to the process,
# and would hand PostScript to another program.
_FORMATS = (
    _format("PNG", rb"\x89PNG\r\n\x1a\n", "PngImagePlugin.PngImageFile"),
    _format("JPEG", rb"\xff\xd8\xff", "JpegImagePlugin.JpegImageFile"),
    _format("BMP", rb"BM", "BmpImagePlugin.BmpImageFile"),
    # Camera makers' raw files are TIFF too, of which Pillow would show the thumbnail.
    _format("a camera's raw format", rb"II\*\0....CR\x02|II(RO|RS|U\0)|FUJIFILMCCD-RAW|....ftypcrx "),
    _format("TIFF", rb"II[*+]\0|MM\0[*+]", "TiffImagePlugin.TiffImageFile"),
    _format("WebP", rb"RIFF....WEBP", "WebPImagePlugin.WebPImageFile", "webp"),
    _format("GIF", rb"GIF8[79]a", "GifImagePlugin.GifImageFile"),
    _format("PPM", rb"P[1-6]", "PpmImagePlugin.PpmImageFile"),
    _format(
        "JPEG 2000",
        rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
        "Jpeg2KImagePlugin.Jpeg2KImageFile",
        "jpg_2000",
    ),
    _format(
        "AVIF",
        rb"....ftyp(avif|avis|(mif1|msf1)....(....)*?avi[fs])",
        "AvifImagePlugin.AvifImageFile",
        "avif",
    ),
    _format("HEIC", rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)"),
    _format("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL "),
    _format("Photoshop", rb"8BPS"),
    _format("OpenEXR", rb"v/1\x01"),
    _format("Radiance HDR", rb"#\?RADIANCE|#\?RGBE"),
    _format("DDS", rb"DDS "),
    _format("PFM", rb"P[fF]\s"),
    _format("SVG", rb"\s*(<\?xml.*?)?<svg"),
)


def format_of(head: bytes) -> Format | None:
    """Return the format of a file by its first bytes; None where they are of no image.

    >>> format_of(b"GIF89a").name, format_of(b"plain text")
    ('GIF', None)
    """
    return next((kind for kind in _FORMATS if kind.magic.match(head)), None)


@lru_cache
def is_read(kind: Format) -> bool:
    """Return whether the Pillow at hand reads the format."""
    if not kind.reader:
        return False
    # Pillow has AVIF from 11.3 on and, as JPEG 2000, only where it was built with it.
    return not kind.feature or (kind.feature in features.get_supported())


def open_as(kind: Format, data: bytes) -> ImageFile.ImageFile:
    """Read the header of a file of a format that is read; whatever Pillow raises on a damaged one."""
    module, name = kind.reader.split(".")
    image: ImageFile.ImageFile = getattr(import_module(f"PIL.{module}"), name)(io.BytesIO(data))
    return image


def names_read() -> str:
    """Return the formats that are read, for a message."""
    return ", ".join(kind.name for kind in _FORMATS if is_read(kind))


def deep_jpeg2000(data: bytes) -> bool:
    """Return whether JPEG 2000 holds colour of more than 8 bits, of which Pillow drops the lower ones."""
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0 or len(data) < start + 43:
        return False
    channels, depth = int.from_bytes(data[start + 40 : start + 42], "big"), (data[start + 42] & 0x7F) + 1
    return channels > 2 and depth > 8
