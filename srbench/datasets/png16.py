"""Decode 16-bit PNG colour without loss: Pillow alone keeps the high byte of each sample only."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import PngImagePlugin

# By PNG colour type: a mode, and raw modes that read the high and the low byte of 16-bit samples.
# Gray with alpha has four bytes a pixel: read as four channels, its first two are the gray sample's.
_MODES = {2: ("RGB", "RGB;16B", "RGB;16L"), 4: ("RGBA", "RGBA", "RGBA"), 6: ("RGBA", "RGBA;16B", "RGBA;16L")}


def is_16_bit_colour(data: bytes) -> bool:
    """Return whether a PNG declares 16-bit RGB, RGBA or gray with alpha (plain gray Pillow reads well)."""
    return data[24] == 16 and data[25] in _MODES


def decode_16_bit_colour(data: bytes) -> NDArray[np.uint32]:
    """Return the samples of such a PNG, alpha dropped and gray replicated: (H, W, 3), 0 to 65535.

    Raises:
        OSError, SyntaxError: whatever Pillow raises on a damaged file.
    """
    mode, high_mode, low_mode = _MODES[data[25]]
    high = _bytes(data, mode, high_mode)
    if high_mode == low_mode:
        return np.repeat(256 * high[..., :1] + high[..., 1:2], 3, axis=2)
    return 256 * high[..., :3] + _bytes(data, mode, low_mode)[..., :3]


def _bytes(data: bytes, mode: str, raw_mode: str) -> NDArray[np.uint32]:
    """Unpack the image data in another way than its header asks for, one byte a channel."""
    image: Any = PngImagePlugin.PngImageFile(io.BytesIO(data))
    image._mode = mode
    image.tile = [(*tile[:3], raw_mode) for tile in image.tile]
    return np.asarray(image).astype(np.uint32)
