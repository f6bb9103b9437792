"""Draw seeded structured noise: equal seeds and images give equal numbers on any device, in any batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from srbench.errors import BadInput


def generator(seed: str | int, image: str, stream: str) -> torch.Generator:
    """Return a CPU random generator of its own for one image and one use.

    >>> import torch
    >>> from srbench.attacks.noise import generator
    >>> first, again = (torch.rand(1, generator=generator(0, "0801", "start")) for _ in range(2))
    >>> torch.equal(first, again)
    True
    """
    digest = hashlib.sha256(f"{seed}\0{image}\0{stream}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def grid_size(height: int, width: int, structure: float) -> tuple[int, int]:
    """Return the cells of the noise grid: int(H // s) by int(W // s).

    Raises:
        BadInput: a structure below 1, or an image smaller than one cell.

    >>> from srbench.attacks.noise import grid_size
    >>> grid_size(32, 48, 1.5)
    (21, 32)
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
    """Return noise uniform in [-1, 1), independent in every cell of a coarse grid.

    Every image and channel has its own grid of int(H//s) by int(W//s) cells, s being the structure, which is
    resized to H by W by nearest neighbour: structure 1 is independent pixels, 2 is exact 2 x 2
    blocks, 1.5 irregular blocks of one and two pixels.

    Args:
        like: (N,C,H,W), gives shape, device, type and memory layout.
        ids: N image ids; with ``seed`` and ``stream`` they decide the numbers.

    Returns:
        (N,C,H,W), as ``like``.

    Raises:
        BadInput: see :func:`grid_size`.

    >>> import torch
    >>> from srbench.attacks.noise import structured_uniform
    >>> noise = structured_uniform(torch.zeros(1, 1, 4, 4), ["a"], structure=2, seed=0, stream="0")
    >>> torch.equal(noise[..., ::2, ::2], noise[..., 1::2, 1::2]), len(noise.unique())
    (True, 4)
    """
    channels, height, width = like.shape[1:]
    rows, columns = grid_size(height, width, structure)
    cells = torch.stack(
        [torch.rand(channels, rows, columns, generator=generator(seed, i, stream)) for i in ids]
    )
    noise = F.interpolate(cells * 2 - 1, size=(height, width), mode="nearest")
    return torch.empty_like(like).copy_(noise)
