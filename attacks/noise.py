"""Seeded structured noise: the same numbers for the same seed and image, on every device, in every batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from srbench.errors import BadInput


def generator(seed: str | int, image: str, stream: str) -> torch.Generator:
    """A CPU random generator of its own for one image and one use."""
    digest = hashlib.sha256(f"{seed}\0{image}\0{stream}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def grid_size(height: int, width: int, structure: float) -> tuple[int, int]:
    """Cells of the noise grid: int(H // s) by int(W // s).

    Raises:
        BadInput: a structure below 1, or an image smaller than one cell.
    """
    if not 1 <= structure < float("inf"):
        raise BadInput(f"structure {structure:g} is not 1 or more LR pixels")
    rows, columns = int(height // structure), int(width // structure)
    if rows < 1 or columns < 1:
        raise BadInput(
            f"an LR of {width} x {height} pixels is smaller than one noise cell: structure is {structure:g}"
        )
    return rows, columns


def structured_uniform(
    like: Tensor, ids: Sequence[str], *, structure: float, seed: str | int, stream: str
) -> Tensor:
    """Noise uniform in [-1, 1), independent per image, channel and cell of an int(H//s) by int(W//s) grid.

    The grid is resized to H by W by nearest neighbour: structure 1 is independent pixels, 2 is exact 2 x 2
    blocks, 1.5 irregular blocks of one and two pixels.

    Args:
        like: (N,C,H,W), gives shape, device, type and memory layout.
        ids: N image ids; with ``seed`` and ``stream`` they decide the numbers.

    Raises:
        BadInput: see :func:`grid_size`.
    """
    channels, height, width = like.shape[1:]
    rows, columns = grid_size(height, width, structure)
    cells = torch.stack(
        [torch.rand(channels, rows, columns, generator=generator(seed, i, stream)) for i in ids]
    )
    noise = F.interpolate(cells * 2 - 1, size=(height, width), mode="nearest")
    return torch.empty_like(like).copy_(noise)
