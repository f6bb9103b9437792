"""Compress the LR image as JPEG before the model sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srbench.support.surrogate import through
from srbench.zoo.defences.base import Defence, Model, Option, Values

if TYPE_CHECKING:
    from torch import Tensor


def defend(model: Model, lr: Tensor, values: Values) -> Tensor:
    """Super-resolve what JPEG leaves of the LR; the identity stands for JPEG in the gradient."""
    return model(through(compressed(lr.detach(), int(values["quality"])), lr))


def compressed(images: Tensor, quality: int) -> Tensor:
    """Return images (N,3,H,W) in [0,1], rounded to 8 bit, after one pass through a JPEG file of Pillow's."""
    import io

    import numpy as np
    import torch
    from PIL import Image

    decoded = []
    for image in (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy():
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        decoded.append(torch.from_numpy(np.array(Image.open(file).convert("RGB"))))
    return torch.stack(decoded).permute(0, 3, 1, 2).to(images) / 255


DEFENCE = Defence(
    name="jpeg",
    about="The LR image goes through a JPEG file of this quality (4:2:0, as Pillow writes it).",
    source="Dziugaite et al. 2016; Guo et al. 2018",
    options={"quality": Option(75, 1, 100)},
    defend=defend,
    straight_through=True,
)
