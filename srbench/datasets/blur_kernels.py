"""Make the blur kernels of blind super-resolution: bells of three families, and the circular low-pass.

A kernel is (size, size) float64, size odd, of sum 1 and symmetric about its middle, so that correlation and
convolution with it are one thing.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kernel = NDArray[np.float64]

Family = Literal["gaussian", "generalized", "plateau"]


def bell(
    family: Family, size: int, sigma: tuple[float, float], angle: float = 0.0, beta: float = 1.0
) -> Kernel:
    """Return a kernel that falls off with ``q``, the squared distance in units of ``sigma``.

    ``gaussian`` is exp(-q/2), ``generalized`` exp(-q^beta/2) and ``plateau`` 1/(1 + q^beta): the families of
    Real-ESRGAN (Wang et al. 2021, section 3.1) and BasicSR.

    Args:
        family: one of the three.
        size: pixels a side, odd.
        sigma: along the two axes, in pixels.
        angle: from the columns to the first axis, counter-clockwise as rows count downwards, in radians.
        beta: the shape of the last two families.

    >>> kernel = bell("gaussian", 7, (1.0, 1.0))
    >>> kernel.shape, round(float(kernel.sum()), 12)
    ((7, 7), 1.0)
    """
    along, across = _rotated(size, angle)
    q = (along / sigma[0]) ** 2 + (across / sigma[1]) ** 2
    if family == "plateau":
        kernel = 1 / (1 + q**beta)
    else:
        kernel = np.exp(-0.5 * (q if family == "gaussian" else q**beta))
    return np.asarray(kernel / kernel.sum())


def sinc(size: int, cutoff: float) -> Kernel:
    """Return the ideal low-pass in two dimensions, cut to a square: it makes ringing and overshoot.

    ``cutoff * J1(cutoff * r) / (2 pi r)`` is the inverse Fourier transform of a disc.

    Args:
        size: pixels a side, odd.
        cutoff: the disc's radius in radians per pixel, at most pi.

    >>> round(float(sinc(21, 3.0).sum()), 12)
    1.0
    """
    from scipy.special import j1

    distance = np.hypot(*_rotated(size, 0.0))
    with np.errstate(invalid="ignore"):
        kernel = cutoff * j1(cutoff * distance) / (2 * np.pi * distance)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * np.pi)  # the limit
    return np.asarray(kernel / kernel.sum())


def _rotated(size: int, angle: float) -> tuple[Kernel, Kernel]:
    """Return every pixel's coordinates along two turned axes through the middle."""
    if size % 2 != 1:
        raise ValueError(f"a kernel has an odd number of pixels a side, not {size}")
    rows, columns = np.mgrid[:size, :size] - float(size // 2)
    along = columns * np.cos(angle) + rows * np.sin(angle)
    across = rows * np.cos(angle) - columns * np.sin(angle)
    return along, across
