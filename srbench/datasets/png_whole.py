"""Make sure that the pixel data of a PNG are whole: Pillow leaves rows black that are not there."""

from __future__ import annotations

import zlib

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7: where each pass starts and how far apart its pixels lie, across and down.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_STEP = 1 << 20


def why_not_whole(data: bytes) -> str | None:
    """Return what is wrong with the pixel data of a PNG whose chunks are sound, or None.

    The CRC of a chunk only says that the chunk is as it was written, not that an image was written.
    """
    wanted = _bytes_of_pixels(data)
    inflate = zlib.decompressobj()
    found = 0
    try:
        for part in _pixel_chunks(data):
            left = part
            while left:
                # In steps, for a few bytes can stand for gigabytes.
                found += len(inflate.decompress(left, _STEP))
                left = inflate.unconsumed_tail
                if found > wanted:  # what is too much is ignored by every reader
                    return None
        found += len(inflate.flush())
    except zlib.error as error:
        return f"its pixel data cannot be decompressed: {error}"
    return f"its pixel data end after {found} of {wanted} bytes" if found < wanted else None


def _bytes_of_pixels(data: bytes) -> int:
    """Return how many bytes the rows of a PNG have with their filter bytes, by its header."""
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits = data[24] * _CHANNELS[data[25]]
    passes = _PASSES if data[28] else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _pixel_chunks(data: bytes) -> list[bytes]:
    parts, at = [], 8
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IDAT":
            parts.append(data[at + 8 : at + 8 + size])
        at += 12 + size
    return parts
