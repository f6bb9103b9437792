"""Choose the crops that KernelGAN learns from: the more edges a place shows, the more often."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from srbench.train.degradations.kernelgan_networks import downscale

_EDGES = 0.97
"""An edge is what is steeper than this share of the pixels."""
_BLUR = 5
_LUMA = (0.299, 0.587, 0.114)

Map = NDArray[np.float64]


class Crops:
    """Cuts crops of one image at places drawn by the gradients there, all drawn in advance.

    Args:
        image: (1,3,H,W).
        bicubic: (8,8), the kernel of bicubic x1/2.
        sides: of the crops that are downscaled, and of those that the result is compared with.
        count: crops of each kind.
        random: on the CPU; draws the places.
    """

    def __init__(
        self, image: Tensor, bicubic: Tensor, sides: tuple[int, int], count: int, random: torch.Generator
    ) -> None:
        self._image, self._sides = image, sides
        height, width = image.shape[-2:]
        # What is downscaled is chosen by the edges it will have then.
        small = downscale(F.pad(image, (3, 3, 3, 3), mode="replicate"), bicubic)
        doubled: Map = _edges(small).repeat(2, 0).repeat(2, 1)
        doubled = np.pad(doubled, ((0, height - doubled.shape[0]), (0, width - doubled.shape[1])))
        self._places = [
            _draw(edges, side, count, random)
            for edges, side in zip((doubled, _edges(image)), sides, strict=True)
        ]

    def __call__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return crop ``number`` of each kind, (1,3,side,side)."""
        cut = []
        for places, side in zip(self._places, self._sides, strict=True):
            top, left = places[number]
            cut.append(self._image[:, :, top : top + side, left : left + side])
        return cut[0], cut[1]


def _edges(image: Tensor) -> Map:
    """Return (H,W): how many edges there are about each pixel of (1,3,H,W), vertical and horizontal alike."""
    gray = np.tensordot(_LUMA, image[0].double().cpu().numpy(), 1)
    down, across = np.gradient(gray)
    total = np.zeros_like(gray)
    for steepness in (np.abs(down), np.abs(across), np.hypot(down, across)):
        inner = _without_border(steepness, _BLUR)
        steep = inner > np.quantile(inner, _EDGES)
        total += steep / max(1, steep.sum())
    return np.asarray(ndimage.uniform_filter(total, _BLUR, mode="constant"))


def _draw(edges: Map, side: int, count: int, random: torch.Generator) -> list[tuple[int, int]]:
    """Draw top left corners of crops, even ones, each as likely as the edges about the crop's middle."""
    near = ndimage.uniform_filter(edges, side // 2, mode="constant")
    height, width = edges.shape
    # A crop's place is that of its middle, so that only middles of crops within the image count.
    near = near[side // 2 : height - side // 2 + 1, side // 2 : width - side // 2 + 1].clip(min=0)
    if not near.any():
        near = np.ones_like(near)
    steps = np.cumsum(near)
    drawn = torch.rand(count, generator=random, dtype=torch.float64).numpy() * steps[-1]
    flat = np.searchsorted(steps, drawn, side="right").clip(max=steps.size - 1)
    tops, lefts = np.unravel_index(flat, near.shape)
    return [(int(top) // 2 * 2, int(left) // 2 * 2) for top, left in zip(tops, lefts, strict=True)]


def _without_border(values: Map, border: int) -> Map:
    inner = np.zeros_like(values)
    inner[border:-border, border:-border] = values[border:-border, border:-border]
    return inner
