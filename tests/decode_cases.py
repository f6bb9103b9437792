"""Image files made byte by byte, and how they are read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from srbench.datasets.decode import decode, inspect

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


def save(path: Path, **options: object) -> bytes:
    Image.fromarray(np.tile(PIXELS, (6, 6, 1))).save(path, **options)  # type: ignore[arg-type]
    return path.read_bytes()
