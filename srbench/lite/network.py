"""The network of lpips-lite: AlexNet's first five layers narrowed, and a head for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.errors import BadInput

WEIGHTS = Path(__file__).with_name("lpips-lite.safetensors")
LEAST_SIDE = 31
"""Smallest height and width in pixels."""

_WIDTHS = (48, 96, 128, 96, 96)
_FLOOR = 0.01


class LPIPSLite(nn.Module):
    """A distance of images, (N,3,H,W) twice in [0,1] to (N,); 0 for equal images.

    Built as LPIPS is (Zhang et al. 2018, eq. 1): features of five layers, each made nearly a unit vector at
    every place, their squared differences weighted by channel with weights of no sign, averaged over places
    and summed over layers. The layers have the strides of AlexNet's, so that every layer's map of distances
    has the size of that of LPIPS-Alex, from which it is learnt (:mod:`srbench.lite.distill`); no weight is
    taken from there. It is differentiable in both images.
    """

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d, e = _WIDTHS
        pool = nn.MaxPool2d(3, 2)
        self.layers = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(3, a, 11, 4, 2), nn.ReLU()),
                nn.Sequential(pool, nn.Conv2d(a, b, 5, 1, 2), nn.ReLU()),
                nn.Sequential(pool, nn.Conv2d(b, c, 3, 1, 1), nn.ReLU()),
                nn.Sequential(nn.Conv2d(c, d, 3, 1, 1), nn.ReLU()),
                nn.Sequential(nn.Conv2d(d, e, 3, 1, 1), nn.ReLU()),
            ]
        )
        self.heads = nn.ModuleList([nn.Conv2d(width, 1, 1, bias=False) for width in _WIDTHS])

    def features(self, images: Tensor) -> list[Tensor]:
        """Vectors of the five layers, shorter than one, (N,C,h,w) each, from images (N,3,H,W) in [0,1]."""
        x = (images - 0.45) / 0.25
        found = []
        for layer in self.layers:
            x = layer(x)
            # Not quite a unit vector: where features vanish, its gradient would have no bound.
            found.append(x * torch.rsqrt(x.square().sum(1, keepdim=True) + _FLOOR))
        return found

    def maps(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> list[Tensor]:
        """Distances at every place, (N,h,w) for each layer, from two images' :meth:`features`."""
        return [
            F.conv2d((a - b) ** 2, self._weights(head)).squeeze(1)
            for a, b, head in zip(first, second, self.heads, strict=True)
        ]

    @staticmethod
    def _weights(head: nn.Module) -> Tensor:
        weights = head.weight
        assert isinstance(weights, Tensor)
        # Positive, and about 0.1 at first, as a distance of unit vectors asks for.
        return F.softplus(weights - 2)

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        return total(self.maps(self.features(sr), self.features(hr)))


def total(maps: Sequence[Tensor]) -> Tensor:
    """The distance of images (N,) from its maps (N,h,w), one for each layer."""
    return torch.stack([layer.flatten(1).mean(1) for layer in maps]).sum(0)


def load(file: Path = WEIGHTS) -> LPIPSLite:
    """The distilled network, on the CPU in fp32, frozen and in eval mode.

    Raises:
        BadInput: the file is missing or is of another network.
    """
    from safetensors.torch import load_file

    network = LPIPSLite()
    try:
        weights = {name: value.float() for name, value in load_file(file).items()}
        network.load_state_dict(weights)
    except (OSError, RuntimeError) as error:
        raise BadInput(f"{file} holds no lpips-lite ({error}): install srbench again") from error
    return network.eval().requires_grad_(False)
