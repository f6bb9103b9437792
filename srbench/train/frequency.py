"""Filter images low-pass and high-pass as frequency separation does (Fritsche et al. 2019, ESRGAN-FS)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from srbench.errors import BadInput


def low_pass(image: Tensor, width: int, *, border: bool = True) -> Tensor:
    """Return the mean over the ``width`` by ``width`` window around every pixel.

    Args:
        image: (N,C,H,W), any range, any float type; differentiable.
        width: side of the window in pixels, odd; 1 changes nothing. The published code takes 5 on LR images
            and 9 on HR ones.
        border: True keeps the size, windows at the border averaging the pixels they have; False keeps only
            whole windows: (N,C,H-width+1,W-width+1).

    Raises:
        BadInput: the width is even or below 1, or the image is smaller than the window and ``border`` is
            False.
    """
    if width < 1 or width % 2 == 0:
        raise BadInput(f"a low-pass of width {width} has no middle pixel: choose an odd width such as 5 or 9")
    if border:
        return F.avg_pool2d(image, width, stride=1, padding=width // 2, count_include_pad=False)
    if min(image.shape[-2:]) < width:
        raise BadInput(
            f"a low-pass of width {width} does not fit into {image.shape[-1]} x {image.shape[-2]} pixels: "
            "choose a smaller width or larger crops"
        )
    return F.avg_pool2d(image, width, stride=1)


def high_pass(image: Tensor, width: int) -> Tensor:
    """Return what :func:`low_pass` takes away, mapped from [-1,1] into [0,1]: ``0.5 + 0.5 * (image - low)``.

    Args:
        image: (N,C,H,W) in [0,1]; differentiable.
        width: see :func:`low_pass`.

    Returns:
        (N,C,H,W) in [0,1]; 0.5 where the image is flat.
    """
    return 0.5 + 0.5 * (image - low_pass(image, width))
