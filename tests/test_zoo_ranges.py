"""A network whose images are not in [0, 1] is refused with what it looks like, not measured wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.errors import BadInput
from srbench.zoo.from_python import from_python


class Upscaler(nn.Module):
    """Bicubic x4 that treats its input and output as it is told."""

    def __init__(self, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.before, self.after = before, after

    def forward(self, lr: Tensor) -> Tensor:
        return self.after(F.interpolate(self.before(lr), scale_factor=4, mode="bicubic", antialias=True))


def same(image: Tensor) -> Tensor:
    return image


def to_levels(image: Tensor) -> Tensor:
    return image * 255


def to_bytes(image: Tensor) -> Tensor:
    return (image.clamp(0, 1) * 255).round().to(torch.uint8)


def to_signed(image: Tensor) -> Tensor:
    return image * 2 - 1


def divided(image: Tensor) -> Tensor:
    return image / 255


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (same, to_levels, r"\[0, 255\]"),
        (same, to_bytes, "into uint8: return float"),
        (same, to_signed, r"\[-1, 1\]"),
        (divided, same, "divides by 255"),
    ],
)
def test_another_range_is_named(
    before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        from_python({"net": Upscaler(before, after)})


@pytest.mark.parametrize("gain", [0.0, 0.02, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("offset", [-0.2, 0.0, 0.3])
def test_a_bad_network_is_not_taken_for_another_range(gain: float, offset: float) -> None:
    assert list(from_python({"net": Upscaler(same, lambda image: gain * image + offset)})) == ["net"]
