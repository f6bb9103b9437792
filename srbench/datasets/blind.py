"""Degrade photographs as Real-ESRGAN's training does: two random rounds of blur, resizing, noise and JPEG.

Wang et al. 2021, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", section
3, with the probabilities and ranges its authors publish (``options/train_realesrgan_x4plus.yml``). What
differs: JPEG is Pillow's, of a whole quality and of 8-bit pixels, where they approximate it by a
differentiable one; resizing maps the whole image onto the whole, where theirs may cut off a part of a pixel;
and their sharpening of the photographs, which is about what a network should be taught to draw, is left out:
LR is made of HR as it is.

One image at a time, each with a generator of its own: what becomes of it depends on no other image of a
batch. :func:`draw` says what is done and :func:`degrade` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from srbench.datasets.base import Pixels
from srbench.datasets.blur_kernels import Family, Kernel, bell, sinc
from srbench.datasets.degrade import jpeg, to_uint8
from srbench.support.scales import SCALE

Image = NDArray[np.float64]
Range = tuple[float, float]
Mode = Literal["area", "bilinear", "bicubic"]

MODES: tuple[Mode, ...] = ("area", "bilinear", "bicubic")
"""Each resizing takes one of these, all equally likely; none is smoothed against aliasing but ``area``."""

KERNELS: tuple[tuple[Family, bool], ...] = (
    ("gaussian", True),
    ("gaussian", False),
    ("generalized", True),
    ("generalized", False),
    ("plateau", True),
    ("plateau", False),
)
"""Family, and whether it is isotropic, in the order of :attr:`BlindSettings.kernels`."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Round(_Settings):
    """Holds the settings of one round; probabilities are from 0 to 1, ranges are drawn from evenly.

    Attributes:
        blur: how likely it blurs.
        sigma: of a bell's axes, in pixels.
        resize: how likely it enlarges, shrinks, keeps the size.
        factors: the least and the largest factor; of the second round, of the size of LR.
        gaussian: how likely the noise is Gaussian; it is Poisson otherwise.
        std: of Gaussian noise, in levels of 255.
        poisson: what Poisson noise is multiplied by.
        gray: how likely the noise is one for all channels.
        jpeg: the quality.
    """

    blur: float
    sigma: Range
    resize: tuple[float, float, float]
    factors: Range
    gaussian: float = 0.5
    std: Range
    poisson: Range
    gray: float = 0.4
    jpeg: Range = (30, 95)


class BlindSettings(_Settings):
    """Holds the settings of the degradation; the defaults are the published ones of RealESRGAN_x4plus.

    Attributes:
        first, second: the two rounds.
        sinc: how likely a round's blur is a sinc filter, not a bell.
        kernels: how likely a bell is each of :data:`KERNELS`.
        beta_generalized, beta_plateau: the shape: half of the time from below 1, half from above.
        sizes: a kernel has one of these, all equally likely, in pixels a side.
        final_sinc: how likely a sinc filter follows at the end.
    """

    first: Round = Round(
        blur=1.0, sigma=(0.2, 3), resize=(0.2, 0.7, 0.1), factors=(0.15, 1.5), std=(1, 30), poisson=(0.05, 3)
    )
    second: Round = Round(
        blur=0.8,
        sigma=(0.2, 1.5),
        resize=(0.3, 0.4, 0.3),
        factors=(0.3, 1.2),
        std=(1, 25),
        poisson=(0.05, 2.5),
    )
    sinc: float = 0.1
    kernels: tuple[float, ...] = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
    beta_generalized: Range = (0.5, 4)
    beta_plateau: Range = (1, 2)
    sizes: tuple[int, ...] = (7, 9, 11, 13, 15, 17, 19, 21)
    final_sinc: float = 0.8


PUBLISHED = BlindSettings()


@dataclass(frozen=True)
class DrawnRound:
    """Says what one round does to an image; ``kernel`` is None where it does not blur."""

    kernel: Kernel | None
    factor: float
    mode: Mode
    noise: Literal["gaussian", "poisson"]
    strength: float
    gray: bool
    quality: int


@dataclass(frozen=True)
class Drawn:
    """Says what is done to an image.

    Attributes:
        first, second: the two rounds.
        last_mode: how it is resized to the size of LR.
        last_kernel: the sinc filter that follows, or None.
        jpeg_last: JPEG comes after these two, not before.
    """

    first: DrawnRound
    second: DrawnRound
    last_mode: Mode
    last_kernel: Kernel | None
    jpeg_last: bool


def blind(hr: Pixels, rng: np.random.Generator, scale: int = SCALE) -> Pixels:
    """Degrade by what ``rng`` draws from the published settings. (sH, sW, 3) uint8 to (H, W, 3) uint8.

    >>> lr = blind(np.full((64, 96, 3), 128, np.uint8), np.random.default_rng(0))
    >>> lr.shape, lr.dtype
    ((16, 24, 3), dtype('uint8'))
    """
    return degrade(hr, draw(PUBLISHED, rng), rng, scale)


def draw(settings: BlindSettings, rng: np.random.Generator) -> Drawn:
    """Draw what is done to one image, but for the noise itself."""
    first, second = _draw_round(settings, settings.first, rng), _draw_round(settings, settings.second, rng)
    last = sinc(_size(settings, rng), rng.uniform(np.pi / 3, np.pi))
    last_kernel = last if rng.random() < settings.final_sinc else None
    return Drawn(first, second, _mode(rng), last_kernel, bool(rng.random() < 0.5))


def degrade(hr: Pixels, drawn: Drawn, rng: np.random.Generator, scale: int = SCALE) -> Pixels:
    """Do to an image what was drawn for it.

    Args:
        hr: (sH, sW, 3) uint8.
        drawn: from :func:`draw`.
        rng: draws the noise.
        scale: s.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    first, second = drawn.first, drawn.second
    image = blur(hr / 255.0, first.kernel)
    image = resize(image, (int(hr.shape[0] * first.factor), int(hr.shape[1] * first.factor)), first.mode)
    image = compress(_noisy(image, first, rng), first.quality)
    image = blur(image, second.kernel)
    image = resize(image, (int(height * second.factor), int(width * second.factor)), second.mode)
    image = _noisy(image, second, rng)
    if not drawn.jpeg_last:
        image = compress(image, second.quality)
    image = blur(resize(image, (height, width), drawn.last_mode), drawn.last_kernel)
    return to_uint8(255 * (compress(image, second.quality) if drawn.jpeg_last else image))


def blur(image: Image, kernel: Kernel | None) -> Image:
    """Correlate (H, W, C) with a kernel, borders mirrored about the outermost pixels; None leaves it."""
    if kernel is None:
        return image
    from scipy.signal import oaconvolve

    reach = len(kernel) // 2
    # By turns where the image is smaller than the reach, as numpy does it.
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    return np.asarray(oaconvolve(padded, kernel[::-1, ::-1, None], mode="valid", axes=(0, 1)))


def resize(image: Image, size: tuple[int, int], mode: Mode) -> Image:
    """Resize (H, W, C) to ``size`` (at least one pixel) as torch's ``interpolate`` does it in that mode."""
    import torch
    from torch.nn.functional import interpolate

    size = max(size[0], 1), max(size[1], 1)
    if size == image.shape[:2]:
        return image
    batch = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    return np.asarray(interpolate(batch, size=size, mode=mode)[0].permute(1, 2, 0).numpy())


def gaussian_noise(image: Image, std: float, gray: bool, rng: np.random.Generator) -> Image:
    """Return noise of ``std`` levels of 255 for an image (H, W, C) in [0, 1]; gray: one for all channels."""
    shape = (*image.shape[:2], 1) if gray else image.shape
    return np.broadcast_to(rng.standard_normal(shape) * (std / 255), image.shape)


def poisson_noise(image: Image, strength: float, gray: bool, rng: np.random.Generator) -> Image:
    """Return ``strength`` times the shot noise of an image (H, W, 3) in [0, 1].

    White is as many photons as the image has levels, to the next power of two (as scikit-image's
    ``random_noise`` has it), so that the variance is ``strength**2 * image / photons``. Gray noise is that of
    the luma, one for all channels.
    """
    seen = image @ np.array([[0.2989], [0.587], [0.114]]) if gray else image
    levels = to_uint8(255 * seen)
    seen = levels / 255.0
    photons = 2.0 ** np.ceil(np.log2(np.count_nonzero(np.bincount(levels.ravel()))))
    noise = rng.poisson(seen * photons) / photons - seen
    return np.broadcast_to(strength * noise, image.shape)


def compress(image: Image, quality: int) -> Image:
    """Clip (H, W, 3) to [0, 1], compress by JPEG, and decode."""
    return jpeg(to_uint8(255 * image), quality) / 255.0


def _noisy(image: Image, drawn: DrawnRound, rng: np.random.Generator) -> Image:
    """Return an image with its noise, clipped to [0, 1]; what resizing made overshoot is noisy as it is."""
    if drawn.noise == "gaussian":
        return np.clip(image + gaussian_noise(image, drawn.strength, drawn.gray, rng), 0, 1)
    return np.clip(image + poisson_noise(image, drawn.strength, drawn.gray, rng), 0, 1)


def _draw_round(settings: BlindSettings, own: Round, rng: np.random.Generator) -> DrawnRound:
    kernel = _draw_kernel(settings, own, rng)
    blurs = bool(rng.random() < own.blur)
    direction = rng.choice(3, p=own.resize)
    low, high = ((1.0, own.factors[1]), (own.factors[0], 1.0), (1.0, 1.0))[direction]
    factor, mode = float(rng.uniform(low, high)), _mode(rng)
    noise: Literal["gaussian", "poisson"] = "gaussian" if rng.random() < own.gaussian else "poisson"
    strength = float(rng.uniform(*(own.std if noise == "gaussian" else own.poisson)))
    gray, quality = bool(rng.random() < own.gray), round(rng.uniform(*own.jpeg))
    return DrawnRound(kernel if blurs else None, factor, mode, noise, strength, gray, quality)


def _draw_kernel(settings: BlindSettings, own: Round, rng: np.random.Generator) -> Kernel:
    size = _size(settings, rng)
    if rng.random() < settings.sinc:
        # A small filter of a low cutoff would be no sinc any more.
        return sinc(size, rng.uniform(np.pi / 3 if size < 13 else np.pi / 5, np.pi))
    family, isotropic = KERNELS[rng.choice(len(KERNELS), p=settings.kernels)]
    first, second = rng.uniform(*own.sigma, size=2)
    angle = rng.uniform(-np.pi, np.pi)
    low, high = settings.beta_generalized if family == "generalized" else settings.beta_plateau
    beta = rng.uniform(low, 1) if rng.random() < 0.5 else rng.uniform(1, high)
    if isotropic:
        return bell(family, size, (first, first), 0.0, beta)
    return bell(family, size, (first, second), angle, beta)


def _size(settings: BlindSettings, rng: np.random.Generator) -> int:
    return int(settings.sizes[rng.integers(len(settings.sizes))])


def _mode(rng: np.random.Generator) -> Mode:
    return MODES[rng.integers(len(MODES))]
