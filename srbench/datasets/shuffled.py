"""Degrade photographs as BSRGAN's training does: blur, resizing, noise and JPEG in a random order.

Zhang et al. 2021, "Designing a Practical Degradation Model for Deep Blind Image Super-Resolution", section
3, with the odds and ranges of its authors' code (``degradation_bsrgan``, ``utils_blindsr.py``), where the
noise of a camera's processing is left out unless a model of it is given, as it is here. What differs: JPEG is
Pillow's; resizing is torch's where theirs is OpenCV's, with the same kernels; and where they sample a blurred
image at the corners of its cells, with a Gaussian moved by interpolation, the Gaussian here stands in the
middle of a cell exactly.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from srbench.datasets.base import Pixels
from srbench.datasets.blind import MODES, Image, blur, compress, gaussian_noise, resize
from srbench.datasets.blur_kernels import Kernel, bell
from srbench.datasets.degrade import bicubic, to_uint8
from srbench.support.scales import SCALE

Step = Literal["blur", "blur again", "shrink", "resize", "noise", "jpeg"]
STEPS: tuple[Step, ...] = ("blur", "blur again", "shrink", "resize", "noise", "jpeg")
"""They come in any order, all equally likely, but that ``resize``, to the size of LR, follows ``shrink``."""

_REACH = 12
"""The Gaussian before sampling reaches so many pixels to each side of a cell's first one."""


class ShuffledSettings(BaseModel):
    """Holds the settings of the degradation; the defaults are those of BSRGAN's code.

    Probabilities are from 0 to 1, ranges are drawn from evenly; s is the factor that is left to shrink by.

    Attributes:
        halve: how likely x4 begins by halving the size, by bicubic as MATLAB has it or by any of the modes.
        anisotropic: how likely a blur is; its two variances are below ``variance[0] + variance[1] * s``, and
            the deviation of an isotropic one below ``sigma[0] + sigma[1] * s``, in pixels.
        sizes: a blur kernel has one of these, all equally likely, in pixels a side.
        shrink: how likely the image is shrunk by resizing, by 1 up to ``factor * s``; else it is blurred by a
            Gaussian of deviation ``sample[0]`` up to ``sample[1] * s`` and every s-th pixel taken.
        std: of the noise, in levels of 255, a whole number.
        gray, colour: how likely the noise is one for all channels, or independent ones; else the channels'
            noises are correlated, by a covariance drawn for the image, of at most the largest ``std``.
        jpeg: how likely the JPEG in the middle is; there is always one at the end.
        quality: of both, a whole number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    halve: float = 0.25
    anisotropic: float = 0.5
    variance: tuple[float, float] = (4.0, 1.0)
    sigma: tuple[float, float] = (2.0, 0.2)
    sizes: tuple[int, ...] = (7, 9, 11, 13, 15, 17, 19, 21, 23, 25)
    shrink: float = 0.75
    factor: float = 2.0
    sample: tuple[float, float] = (0.1, 0.6)
    std: tuple[int, int] = (2, 25)
    gray: float = 0.4
    colour: float = 0.4
    jpeg: float = 0.9
    quality: tuple[int, int] = (30, 95)


PUBLISHED = ShuffledSettings()


def shuffled(hr: Pixels, rng: np.random.Generator, scale: int = SCALE) -> Pixels:
    """Degrade by what ``rng`` draws from the published settings. (sH, sW, 3) uint8 to (H, W, 3) uint8.

    >>> lr = shuffled(np.full((64, 96, 3), 128, np.uint8), np.random.default_rng(0))
    >>> lr.shape, lr.dtype
    ((16, 24, 3), dtype('uint8'))
    """
    return degrade(hr, PUBLISHED, rng, scale)


def degrade(hr: Pixels, settings: ShuffledSettings, rng: np.random.Generator, scale: int = SCALE) -> Pixels:
    """Degrade an image by what ``rng`` draws from ``settings``; see :func:`shuffled`."""
    size = hr.shape[0] // scale, hr.shape[1] // scale
    image, factor = hr / 255.0, scale
    if scale == 4 and rng.random() < settings.halve:
        image, factor = _halved(hr, rng), 2
    for step in order(rng):
        if step in ("blur", "blur again"):
            image = blur(image, draw_kernel(settings, factor, rng))
        elif step == "shrink":
            image = _shrunk(image, settings, factor, rng)
        elif step == "resize":
            image = resize(image, size, MODES[rng.integers(len(MODES))]).clip(0, 1)
        elif step == "noise":
            image = (image + noise(image, settings, rng)).clip(0, 1)
        elif rng.random() < settings.jpeg:
            image = compress(image, _whole(settings.quality, rng))
    return to_uint8(255 * compress(image, _whole(settings.quality, rng)))


def order(rng: np.random.Generator) -> list[Step]:
    """Draw the order of :data:`STEPS`."""
    steps = [STEPS[i] for i in rng.permutation(len(STEPS))]
    first, second = sorted((steps.index("shrink"), steps.index("resize")))
    steps[first], steps[second] = "shrink", "resize"
    return steps


def draw_kernel(settings: ShuffledSettings, factor: int, rng: np.random.Generator) -> Kernel:
    """Draw a Gaussian blur kernel."""
    size = int(rng.choice(settings.sizes))
    if rng.random() < settings.anisotropic:
        low, rise = settings.variance
        first, second = np.sqrt(rng.random(2) * (low + rise * factor)).clip(1e-3)
        return bell("gaussian", size, (first, second), rng.uniform(0, np.pi))
    low, rise = settings.sigma
    sigma = max(rng.random() * (low + rise * factor), 1e-3)
    return bell("gaussian", size, (sigma, sigma))


def sampled(image: Image, factor: int, sigma: float) -> Image:
    """Return every cell of ``factor`` pixels a side as a Gaussian about its middle sees it; (H, W, C)."""
    middle = (factor - 1) / 2
    line = np.exp(-0.5 * ((np.arange(-_REACH, _REACH + 1) - middle) / sigma) ** 2)
    kernel = np.outer(line, line)
    return blur(image, kernel / kernel.sum())[::factor, ::factor]


def noise(image: Image, settings: ShuffledSettings, rng: np.random.Generator) -> Image:
    """Return Gaussian noise for an image (H, W, 3) in [0, 1]: of each channel, of all, or correlated."""
    std, kind = _whole(settings.std, rng), rng.random()
    if kind < settings.gray + settings.colour:
        return gaussian_noise(image, std, bool(kind < settings.gray), rng)
    covariance = draw_covariance(rng) * (settings.std[1] / 255) ** 2
    drawn = rng.multivariate_normal(np.zeros(3), covariance, image.shape[:2], check_valid="ignore")
    return np.asarray(drawn)


def draw_covariance(rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw how the noises of the channels go together: |U' D U|, U a rotation, D from 0 to 1; (3, 3)."""
    from scipy.linalg import orth

    turn = orth(rng.random((3, 3)))
    return np.asarray(np.abs(turn.T @ np.diag(rng.random(3)) @ turn))


def _halved(hr: Pixels, rng: np.random.Generator) -> Image:
    if rng.random() < 0.5:
        return bicubic(hr, 2) / 255.0
    half = hr.shape[0] // 2, hr.shape[1] // 2
    return resize(hr / 255.0, half, MODES[rng.integers(len(MODES))]).clip(0, 1)


def _shrunk(image: Image, settings: ShuffledSettings, factor: int, rng: np.random.Generator) -> Image:
    if rng.random() >= settings.shrink:
        return sampled(image, factor, rng.uniform(settings.sample[0], settings.sample[1] * factor)).clip(0, 1)
    by = rng.uniform(1, settings.factor * factor)
    smaller = int(image.shape[0] / by), int(image.shape[1] / by)
    return resize(image, smaller, MODES[rng.integers(len(MODES))]).clip(0, 1)


def _whole(bounds: tuple[int, int], rng: np.random.Generator) -> int:
    return int(rng.integers(*bounds, endpoint=True))
