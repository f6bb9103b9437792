"""Downscale tensors by MATLAB's antialiased bicubic x1/4, wherever they lie."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srbench.support.scales import SCALE


def bicubic_down(hr: Tensor, *, quantize: bool = False) -> Tensor:
    """Downscale x1/4 as MATLAB's imresize does: cubic (a = -0.5) widened by 4, mirrored borders.

    Computed in float64 (float32 on devices without it), so that neither TF32 nor autocast shows in the
    training inputs. Differentiable unless ``quantize`` is set.

    Args:
        hr: (N, 3, 4h, 4w) of any floating-point type, in [0, 1].
        quantize: make what MATLAB makes of 8-bit images: HR and the result of each of the two directions
            (columns first) are rounded to 8 bit, equal to :func:`srbench.datasets.degrade.bicubic` to
            the bit.

    Returns:
        (N, 3, h, w) in [0, 1] (overshoot is clipped), of the type and on the device of ``hr``.

    Raises:
        ValueError: a height or width that is no multiple of 4.
    """
    height, width = hr.shape[-2:]
    if height % SCALE or width % SCALE or not height or not width:
        raise ValueError(f"HR of {width} x {height} pixels: both must be multiples of {SCALE}")
    dtype = torch.float32 if hr.device.type == "mps" else torch.float64
    with torch.autocast(hr.device.type, enabled=False):
        rows = _weights(height, hr.device, dtype)
        columns = _weights(width, hr.device, dtype).T
        if not quantize:
            return (rows @ hr.to(dtype) @ columns).clamp(0, 1).to(hr.dtype)
        with torch.no_grad():
            levels = _round(hr.detach().float() * 255).to(dtype)
            return _round(_round(rows @ levels) @ columns).div_(255).to(hr.dtype)


def _round(x: Tensor) -> Tensor:
    """Round to whole levels in [0, 255], half up as MATLAB's uint8() does; ``x`` is overwritten."""
    return x.add_(0.5).floor_().clamp_(0, 255)


@lru_cache(maxsize=32)
def _weights(size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(weight_matrix(size)).to(device, dtype)


def weight_matrix(size: int) -> NDArray[np.float64]:
    """Return (size / 4, size): row i has the weights of HR samples in LR sample i, which sum to 1."""
    taps = np.abs(np.arange(4 * SCALE) - (4 * SCALE - 1) / 2) / SCALE
    near = 1.5 * taps**3 - 2.5 * taps**2 + 1
    far = -0.5 * taps**3 + 2.5 * taps**2 - 4 * taps + 2
    kernel = np.where(taps <= 1, near, far) / SCALE
    reach = (4 * SCALE - SCALE) // 2
    # The mirror image of a border repeats its outermost sample; several taps can fall on one sample.
    sources = np.pad(np.arange(size), reach, mode="symmetric")
    matrix = np.zeros((size // SCALE, size))
    for row in range(size // SCALE):
        np.add.at(matrix[row], sources[SCALE * row : SCALE * row + len(kernel)], kernel)
    return matrix
