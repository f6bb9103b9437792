"""Upscale as MATLAB's bicubic imresize does: the reference row of every table."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from srbench.support.scales import SCALE

# The four-tap kernel and the margin pyiqa adds reach three pixels over the edge; the extension has to
# be at least that wide for the edge of a tiny image to come out as MATLAB mirrors it.
_REACH = 4


class Bicubic(nn.Module):
    """Upscales by bicubic interpolation, a = -0.5, edges mirrored with the edge pixel repeated.

    The arithmetic is ``pyiqa.matlab_utils.imresize``, which equals MATLAB's imresize to float
    rounding. Differentiable; no parameters; not clamped (the kernel overshoots).

    Shape: (N, 3, H, W) -> (N, 3, sH, sW), for any H and W from 1 up.

    Args:
        scale: the factor s.
    """

    def __init__(self, scale: int = SCALE) -> None:
        super().__init__()
        self._scale = scale

    def forward(self, lr: Tensor) -> Tensor:
        from srbench.support.torchvision import prepare_torchvision

        prepare_torchvision()
        from pyiqa.matlab_utils import imresize

        (height, width), scale = lr.shape[-2:], self._scale
        if min(height, width) >= _REACH:
            return torch.as_tensor(imresize(lr, scale=scale))
        # imresize cannot mirror further than the image is large, MATLAB can: mirror here, then crop.
        rows, columns = _mirrored(height, lr.device), _mirrored(width, lr.device)
        wide = torch.as_tensor(imresize(lr[..., rows, :][..., columns], scale=scale))
        edge = scale * _REACH
        return wide[..., edge : edge + scale * height, edge : edge + scale * width]


def _mirrored(size: int, device: torch.device) -> Tensor:
    """Return indices of a line of ``size`` pixels, extended by ``_REACH`` on both sides: … b a | a b … | …"""
    position = torch.arange(-_REACH, size + _REACH, device=device).remainder(2 * size)
    return torch.minimum(position, 2 * size - 1 - position)
