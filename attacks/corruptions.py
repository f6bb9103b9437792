"""Corrupt LR images as users meet it without an adversary, at five severities, seeded.

The constants are those Hendrycks and Dietterich (2019, "Benchmarking neural network robustness to common
corruptions and perturbations") chose for 32 x 32 images (CIFAR-10-C), not those for 224 x 224 (ImageNet-C):
LR images of x4 super-resolution are about 100 pixels wide and every LR pixel becomes 16, so ImageNet-C's
blurs of up to 10 pixels would leave nothing to restore. Departures: motion blur is a one-sided half-Gaussian
line, as ImageMagick's, sampled bilinearly; its severity 4 has sigma 2.25, because with the published 2 it
equals severity 3 after rounding; and borders are mirrored throughout.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from srbench.errors import BadInput, unknown

Pixels: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float64]

GAUSSIAN_SIGMA = (0.04, 0.06, 0.08, 0.09, 0.10)  # of the range
POISSON_PHOTONS = (500, 250, 100, 75, 50)  # at full white
SPECKLE_SIGMA = (0.06, 0.10, 0.12, 0.16, 0.20)  # of the value itself
JPEG_QUALITY = (80, 65, 58, 50, 40)
BLUR_SIGMA = (0.4, 0.6, 0.7, 0.8, 1.0)  # LR pixels
DEFOCUS = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))  # disk radius, its own blur; LR pixels
MOTION = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.25), (9, 2.5))  # length, sigma along it; LR pixels
SEVERITIES = (1, 2, 3, 4, 5)


def corrupt(image: Pixels, name: str, severity: int, *, seed: str | int, image_id: str) -> Pixels:
    """Return one image under one corruption.

    Args:
        image: uint8 (H,W,3).
        name: one of :data:`CORRUPTIONS`.
        severity: 1 to 5.
        seed: with ``image_id`` and ``name`` decides every random number; severities share their numbers,
            so that they differ by strength alone where the corruption allows it.
        image_id: the image's id.

    Returns:
        uint8 (H,W,3).

    Raises:
        BadInput: unknown name, severity or kind of image.

    >>> import numpy as np
    >>> from srbench.attacks.corruptions import corrupt
    >>> corrupt(np.zeros((8, 8, 3), np.uint8), "speckle-noise", 3, seed=0, image_id="0801").any()
    np.False_
    """
    if name not in CORRUPTIONS:
        raise unknown("corruption", name, CORRUPTIONS, "srbench attack --help")
    if severity not in SEVERITIES:
        raise BadInput(f"severity is {severity}: it goes from 1 to 5")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise BadInput(f"a corruption needs a uint8 image (H, W, 3), not {image.dtype} {image.shape}")
    words = np.frombuffer(f"{seed}\0{image_id}\0{name}".encode(), dtype=np.uint8)
    return CORRUPTIONS[name](image, severity - 1, np.random.default_rng(words.tolist()))


def _gaussian_noise(image: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    return _pixels(image / 255 + GAUSSIAN_SIGMA[level] * rng.standard_normal(image.shape))


def _poisson_noise(image: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    photons = POISSON_PHOTONS[level]
    return _pixels(rng.poisson(image / 255 * photons) / photons)


def _speckle_noise(image: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    return _pixels(image / 255 * (1 + SPECKLE_SIGMA[level] * rng.standard_normal(image.shape)))


def _jpeg(image: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY[level])
    return np.asarray(Image.open(buffer).convert("RGB"), dtype=np.uint8)


def _gaussian_blur(image: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    from scipy.ndimage import gaussian_filter

    sigma = BLUR_SIGMA[level]
    return _pixels(gaussian_filter(image / 255, sigma=(sigma, sigma, 0), mode="mirror"))


def _defocus_blur(image: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    radius, softness = DEFOCUS[level]
    offset = np.arange(-8, 9)
    disk = (offset[:, None] ** 2 + offset[None, :] ** 2 <= radius**2).astype(np.float64)
    soft = np.exp(-(np.arange(-1, 2) ** 2) / (2 * softness**2))
    kernel = _filtered(disk / disk.sum(), np.outer(soft, soft) / soft.sum() ** 2)
    return _pixels(np.stack([_filtered(image[..., c] / 255, kernel) for c in range(3)], axis=-1))


def _motion_blur(image: Pixels, level: int, rng: np.random.Generator) -> Pixels:
    length, sigma = MOTION[level]
    angle = np.deg2rad(rng.uniform(-45, 45))
    steps = np.arange(2 * length + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    weights /= weights.sum()
    kernel = np.zeros((4 * length + 3, 4 * length + 3))
    middle = 2 * length + 1
    for step, weight in zip(steps, weights, strict=True):
        row, column = middle + step * np.sin(angle), middle + step * np.cos(angle)
        top, left = int(np.floor(row)), int(np.floor(column))
        down, right = row - top, column - left
        kernel[top : top + 2, left : left + 2] += weight * np.outer([1 - down, down], [1 - right, right])
    return _pixels(np.stack([_filtered(image[..., c] / 255, kernel) for c in range(3)], axis=-1))


def _filtered(image: Floats, kernel: Floats) -> Floats:
    from scipy.ndimage import convolve

    return np.asarray(convolve(image, kernel, mode="mirror"))


def _pixels(image: Floats) -> Pixels:
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


CORRUPTIONS: dict[str, Callable[[Pixels, int, np.random.Generator], Pixels]] = {
    "gaussian-noise": _gaussian_noise,
    "poisson-noise": _poisson_noise,
    "speckle-noise": _speckle_noise,
    "jpeg": _jpeg,
    "gaussian-blur": _gaussian_blur,
    "defocus-blur": _defocus_blur,
    "motion-blur": _motion_blur,
}
