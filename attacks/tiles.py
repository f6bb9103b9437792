"""Attack an image in pieces, where the gradient of the whole does not fit in memory."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from srbench.attacks.base import SRAttack, ZeroGradient


def attack_in_tiles(
    attack: SRAttack, lr: Tensor, hr: Tensor | None, image: str, tile: int, halo: int
) -> Tensor:
    """Attack each ``tile`` x ``tile`` piece and ``halo`` LR pixels around it, and keep the piece's noise.

    Every piece has its own noise and its own objective, so this is another, and weaker or stronger, attack
    than that on the whole image: records say that they are tiled. With a tile that holds the whole image
    nothing changes at all.

    Args:
        attack: any attack.
        lr, hr: (1,3,H,W) and (1,3,sH,sW) or None, in [0,1].
        image: its id; pieces are seeded by it and their corner.
        tile: edge of a piece in LR pixels.
        halo: context on each side in LR pixels.

    Returns:
        (1,3,H,W) in [0,1], inside the threat model's ball.

    Raises:
        BadInput, RunFailed: as the attack's call.

    >>> import torch
    >>> from srbench.attacks import StructuredPGD
    >>> from srbench.attacks.tiles import attack_in_tiles
    >>> attack = StructuredPGD(torch.nn.Upsample(scale_factor=4))
    >>> attack_in_tiles(attack, torch.rand(1, 3, 20, 30), None, "0801", tile=16, halo=4).shape
    torch.Size([1, 3, 20, 30])
    """
    adversarial, finding = examine_in_tiles(attack, lr, hr, image, tile, halo)
    if finding:
        warnings.warn(finding, ZeroGradient, stacklevel=2)
    return adversarial


def examine_in_tiles(
    attack: SRAttack, lr: Tensor, hr: Tensor | None, image: str, tile: int, halo: int
) -> tuple[Tensor, str]:
    """Attack as :func:`attack_in_tiles`, and say in place of a warning what the attack lacked.

    Returns:
        The attacked LR; and one line, empty where the attack found a gradient in every piece.
    """
    height, width = lr.shape[-2:]
    if tile >= max(height, width):
        return attack.examined(lr, hr, ids=[image])
    scale = (hr.shape[-1] // width) if hr is not None else 1
    delta, findings, pieces = torch.zeros_like(lr), list[str](), 0
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            y0, x0 = max(top - halo, 0), max(left - halo, 0)
            y1, x1 = min(top + tile + halo, height), min(left + tile + halo, width)
            seen = lr[..., y0:y1, x0:x1]
            target = None if hr is None else hr[..., scale * y0 : scale * y1, scale * x0 : scale * x1]
            attacked, finding = attack.examined(seen, target, ids=[f"{image}#{top},{left}"])
            noise = attacked.to(lr) - seen
            pieces += 1
            findings += [finding] if finding else []
            bottom, right = min(top + tile, height), min(left + tile, width)
            delta[..., top:bottom, left:right] = noise[..., top - y0 : bottom - y0, left - x0 : right - x0]
    first = f"{findings[0]} ({len(findings)} of {pieces} tiles)" if findings else ""
    return attack.threat.apply(lr, delta), first
