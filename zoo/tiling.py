"""Run a model on an image in pieces, for images that do not fit in memory at once."""

from __future__ import annotations

import torch
from torch import Tensor

from srbench.errors import BadInput
from srbench.zoo.model import SRModel


def tiled(model: SRModel, lr: Tensor, tile: int, halo: int) -> Tensor:
    """Compute the output of ``model`` tile by tile.

    Each ``tile`` x ``tile`` piece of the LR image is run with up to ``halo`` pixels of its
    surroundings on every side, and only the piece itself is kept. For a network whose receptive field
    reaches no further than ``halo`` the result is that of the whole image (to float rounding); for
    others it is an approximation. With a tile that holds the whole image nothing changes at all.

    Args:
        model: any loaded model.
        lr: (N, 3, H, W), RGB in [0, 1].
        tile: edge of a piece in LR pixels, 1 or more.
        halo: context on each side in LR pixels, 0 or more.

    Returns:
        (N, 3, 4H, 4W), not clamped; gradients flow to ``lr``.

    Raises:
        BadInput: ``tile`` below 1 or ``halo`` below 0.

    >>> import torch
    >>> from srbench import zoo
    >>> model = zoo.resolve(["bicubic"])[0].load()
    >>> lr = torch.rand(1, 3, 40, 30)
    >>> torch.allclose(zoo.tiled(model, lr, tile=16, halo=4), model(lr), atol=1e-5)
    True
    """
    if tile < 1 or halo < 0:
        raise BadInput(f"a tile of {tile} LR pixels with a halo of {halo}: use at least 1 and 0")
    height, width = lr.shape[-2:]
    if tile >= max(height, width):
        return _run(model, lr)
    rows = []
    for top in range(0, height, tile):
        bottom = min(top + tile, height)
        pieces = []
        for left in range(0, width, tile):
            right = min(left + tile, width)
            y0, x0 = max(top - halo, 0), max(left - halo, 0)
            seen = lr[..., y0 : bottom + halo, x0 : right + halo]
            sr = _run(model, seen)
            s = model.scale
            pieces.append(sr[..., (top - y0) * s : (bottom - y0) * s, (left - x0) * s : (right - x0) * s])
        rows.append(torch.cat(pieces, dim=-1))
    return torch.cat(rows, dim=-2)


def _run(model: SRModel, lr: Tensor) -> Tensor:
    sr: Tensor = model(lr)
    return sr
