"""Find the image among what a network returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor


class NoImageError(ValueError):
    """Says what a network returned in the place of one image."""


def image_of(returned: Any, shape: tuple[int, ...]) -> Tensor:
    """Return the image a network made.

    Some networks return features or degrees of degradation beside it (spandrel's MM-RealSR does), in a tuple,
    a list or a dict. What is the image, its shape has to say.

    Args:
        returned: what the network returned.
        shape: the shape the image has to have.

    Raises:
        NoImageError: there is no such tensor, more than one, or one of whole numbers.

    >>> import torch
    >>> image_of((torch.zeros(1, 33), torch.ones(1, 3, 8, 8)), (1, 3, 8, 8)).shape
    torch.Size([1, 3, 8, 8])
    """
    if isinstance(returned, Tensor):
        if tuple(returned.shape) != shape:
            raise NoImageError(f"{tuple(returned.shape)}, expected {shape}")
        return _floating(returned)
    kind = type(returned).__name__
    parts = returned.values() if isinstance(returned, Mapping) else returned
    if not isinstance(returned, Mapping | tuple | list):
        raise NoImageError(f"{kind}, expected a tensor of {shape}")
    images = [part for part in parts if isinstance(part, Tensor) and tuple(part.shape) == shape]
    if len(images) > 1:
        raise NoImageError(f"a {kind} of {len(images)} images of {shape}: let it return the final one alone")
    if not images:
        shapes = ", ".join(_described(part) for part in list(parts)[:4]) or "nothing"
        raise NoImageError(f"a {kind} of {shapes}, expected one tensor of {shape} in it")
    return _floating(images[0])


def _floating(image: Tensor) -> Tensor:
    if not image.is_floating_point():
        kind = str(image.dtype).removeprefix("torch.")
        raise NoImageError(f"{kind}: return float in [0, 1], such as image.float() / 255")
    return image


def _described(part: Any) -> str:
    return str(tuple(part.shape)) if isinstance(part, Tensor) else type(part).__name__
