"""Degrade HR images as the tracks did: deterministic functions of the pixels, a generator and the scale.

Everything is computed in float64 and rounded half up. The bicubic weights are multiples of 2^-12 (at x3 they
are not), so bicubic sums are exact whatever order a machine adds them in, and so are the ties.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from srbench.datasets.base import Pixels
from srbench.support.scales import SCALE

Image64 = NDArray[np.float64]

NTIRE_STD = 6.65
"""The ntire noise has this standard deviation before rounding, in levels of 255."""
NTIRE_MEAN = -1.0
NTIRE_NEIGHBOUR_H = 0.04
NTIRE_NEIGHBOUR_V = 0.06
NTIRE_CHANNEL = 0.04

AIM_BLUR = 3.0
"""The aim blur has this standard deviation at x4, in HR pixels; it grows with the scale."""
AIM_READ_STD = 9.0
"""Black has this noise, in levels of 255; the variance grows by AIM_SHOT per level of signal."""
AIM_SHOT = 0.8
AIM_JPEG_QUALITY = 30


def bicubic(hr: Pixels, scale: int = SCALE) -> Pixels:
    """Shrink by a whole factor as MATLAB's imresize does it to uint8 images, at x4 to the bit.

    Cubic (a = -0.5) widened by the factor against aliasing, mirrored borders, columns first, and
    rounded after each of the two directions. The Python ports in use round once, which gives other
    values to one sample in ten of Set5; this gives the published LR files.

    Args:
        hr: (sH, sW, C) uint8.
        scale: the factor s.

    Returns:
        (H, W, C) uint8.

    >>> bicubic(np.full((8, 12, 3), 200, np.uint8)).shape
    (2, 3, 3)
    """
    # An odd factor has a pixel at the centre of each LR pixel, and weights of zero two LR pixels from it.
    width = 4 * scale - scale % 2
    weights = _cubic((np.arange(width) - (width - 1) / 2) / scale)
    weights /= weights.sum()
    return _filter(_filter(hr, weights, axis=0, stride=scale), weights, axis=1, stride=scale)


def clean(hr: Pixels, rng: np.random.Generator, scale: int = SCALE) -> Pixels:
    """Shrink by bicubic alone, as a control; ``rng`` is not used. (sH, sW, 3) uint8 to (H, W, 3) uint8."""
    return bicubic(hr, scale)


def ntire(hr: Pixels, rng: np.random.Generator, scale: int = SCALE) -> Pixels:
    """Shrink, and add noise as measured on images of NTIRE 2020 track 1. Shapes as :func:`clean`.

    Measured there against the clean bicubic LR: standard deviation 6.5 to 6.8 of 255, mean -1.0,
    correlation of neighbours 0.03 to 0.10 and of channels 0.04, nearly independent of intensity.
    Measured on ntire-mini where clipping does not interfere (clean LR from 32 to 223): 6.64, -1.03,
    0.04 (horizontal) and 0.06 (vertical), 0.03 to 0.04, and 6.60 to 6.69 in every band of 32 levels.

    >>> lr = ntire(np.full((256, 256, 3), 128, np.uint8), np.random.default_rng(0))
    >>> lr.shape, round(float(lr.mean()))
    ((64, 64, 3), 127)
    """
    lr = bicubic(hr, scale)
    return to_uint8(lr + NTIRE_MEAN + NTIRE_STD * _near_white(lr.shape, rng))


def aim(hr: Pixels, rng: np.random.Generator, scale: int = SCALE) -> Pixels:
    """Blur, shrink, add sensor noise, compress: in the manner of AIM 2019 track 2. Shapes as :func:`clean`.

    That track's own degradation was never published; the constants are chosen so that bicubic
    upsampling loses what it loses in RSR's Table 2 from NTIRE to AIM (25.51 - 22.35 = 3.16 dB).
    Measured with Pillow 13.0 on aim-mini: clean-mini 25.29, ntire-mini 24.60, aim-mini 21.46 dB (RGB,
    4 px cropped, mean over images), a gap of 3.14 dB.
    """
    lr = bicubic(blur(hr, AIM_BLUR * scale / SCALE), scale)
    noise = np.sqrt(AIM_READ_STD**2 + AIM_SHOT * lr) * rng.standard_normal(lr.shape)
    return jpeg(to_uint8(lr + noise), AIM_JPEG_QUALITY)


def blur(image: Pixels, std: float) -> Pixels:
    """Blur by a Gaussian of ``std`` pixels, cut at three of them; mirrored borders. (H, W, C) uint8."""
    reach = int(np.ceil(3 * std))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / std) ** 2)
    weights /= weights.sum()
    return _filter(_filter(image, weights, axis=0), weights, axis=1)


def to_uint8(image: Image64) -> Pixels:
    """Clip to [0, 255] and round half up, as MATLAB's uint8() does."""
    return np.floor(np.clip(image, 0, 255) + 0.5).astype(np.uint8)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic kernel with a = -0.5."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _filter(image: Pixels, weights: NDArray[np.float64], *, axis: int, stride: int = 1) -> Pixels:
    """Correlate along one axis with ``weights`` every ``stride`` pixels; borders mirrored."""
    before = (len(weights) - stride) // 2
    reach = [(0, 0)] * image.ndim
    reach[axis] = (before, len(weights) - stride - before)
    padded = np.pad(image.astype(np.float64), reach, mode="symmetric")
    windows = sliding_window_view(padded, len(weights), axis=axis)
    return to_uint8((windows[::stride] if axis == 0 else windows[:, ::stride]) @ weights)


def _near_white(shape: tuple[int, ...], rng: np.random.Generator) -> Image64:
    """Zero-mean noise of unit variance with the slight correlations of :func:`ntire`."""
    height, width, channels = shape
    own = rng.standard_normal((height + 2, width + 2, channels))
    common = rng.standard_normal((height + 2, width + 2, 1))
    noise = np.sqrt(1 - NTIRE_CHANNEL) * own + np.sqrt(NTIRE_CHANNEL) * common
    # A kernel [a, 1, a] gives neighbours a correlation of 2a / (1 + 2a²): about 2a where a is small.
    h, v = NTIRE_NEIGHBOUR_H / 2, NTIRE_NEIGHBOUR_V / 2
    noise = noise[:, 1:-1] + h * (noise[:, :-2] + noise[:, 2:])
    noise = noise[1:-1] + v * (noise[:-2] + noise[2:])
    return np.asarray(noise / np.sqrt((1 + 2 * h**2) * (1 + 2 * v**2)))


def jpeg(image: Pixels, quality: int) -> Pixels:
    """Compress by JPEG with halved chroma, and decode."""
    from PIL import Image

    file = io.BytesIO()
    options: dict[str, Any] = {"quality": quality, "subsampling": "4:2:0"}
    Image.fromarray(image).save(file, "JPEG", **options)
    with Image.open(file) as decoded:
        return np.asarray(decoded.convert("RGB"))
