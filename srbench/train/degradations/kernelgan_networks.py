"""Build the two networks of KernelGAN (Bell-Kligler et al. 2019): what downscales and what judges patches."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

WIDTHS = (7, 5, 3, 1, 1, 1)
"""The linear generator's filters have these sides."""
SUPPORT = sum(WIDTHS) - len(WIDTHS) + 1
"""Their convolution, the kernel, has this side: 13."""
PATCH = 7
"""The discriminator judges patches of this side."""
_HIDDEN = 5
_GAIN = 0.1


class LinearGenerator(nn.Module):
    """Downscales by 2 with the convolution of six layers of filters; no biases, nothing non-linear.

    Six linear layers are one filter of 13 x 13 pixels, and it is this filter that is applied: the outputs
    and the gradients of the six are the same numbers, for a hundredth of the arithmetic.

    Args:
        features: channels between the layers (64 in the paper).
        random: on the CPU; draws Glorot's normal weights of gain 0.1.
    """

    def __init__(self, features: int, random: torch.Generator) -> None:
        super().__init__()
        self.filters = nn.ParameterList()
        channels = [1] + [features] * (len(WIDTHS) - 1) + [1]
        for into, out, side in zip(channels[:-1], channels[1:], WIDTHS, strict=True):
            std = _GAIN * math.sqrt(2 / ((into + out) * side**2))
            self.filters.append(torch.empty(out, into, side, side).normal_(0, std, generator=random))

    def kernel(self) -> Tensor:
        """Return the kernel (13,13) that downscaling correlates an image with; differentiable."""
        # From the last layer to the first, as one output channel is all there is to follow.
        *others, kernel = self.filters
        for weights in reversed(others):
            kernel = F.conv_transpose2d(kernel, weights)
        whole: Tensor = kernel[0, 0]
        return whole


def downscale(image: Tensor, kernel: Tensor) -> Tensor:
    """Correlate every channel of (N,C,H,W) with a kernel (k,k) at every second pixel, without padding."""
    scaled = F.conv2d(image.flatten(0, 1).unsqueeze(1), kernel[None, None], stride=2)
    lr: Tensor = scaled.squeeze(1).unflatten(0, image.shape[:2])
    return lr


class PatchJudge(nn.Module):
    """Says of every 7 x 7 patch of an image whether it is real: a fully convolutional discriminator.

    A 7 x 7 convolution, five of 1 x 1 with BatchNorm and ReLU, and one of 1 x 1 with a sigmoid, all
    spectrally normalised. As only the first is wider than a pixel, they are linear layers on patches.

    Args:
        features: channels inside (64 in the paper).
        random: on the CPU; draws weights as PyTorch does; biases start at zero.
    """

    def __init__(self, features: int, random: torch.Generator) -> None:
        super().__init__()
        with torch.device("meta"):  # no initialisation of PyTorch's own: nobody's random state is touched
            layers: list[nn.Module] = [spectral_norm(nn.Linear(3 * PATCH**2, features))]
            for _ in range(_HIDDEN):
                layers += [spectral_norm(nn.Linear(features, features)), nn.BatchNorm1d(features), nn.ReLU()]
            layers += [spectral_norm(nn.Linear(features, 1)), nn.Sigmoid()]
            self.layers = nn.Sequential(*layers)
        self.to_empty(device="cpu")
        with torch.no_grad():
            for layer in self.layers:
                _draw(layer, random)

    def forward(self, image: Tensor) -> Tensor:
        """Turn (N,3,H,W) into one number in (0,1) for each patch, near 1 where it looks real: (P,1)."""
        patches = F.unfold(image, PATCH).transpose(1, 2).flatten(0, 1)
        verdicts: Tensor = self.layers(patches)
        return verdicts


def _draw(layer: nn.Module, random: torch.Generator) -> None:
    if isinstance(layer, nn.BatchNorm1d):
        layer.reset_parameters()
        layer.weight.normal_(1, 0.02, generator=random)
        return
    for name, value in [*layer.named_parameters(), *layer.named_buffers()]:
        if name.endswith("original"):
            value.uniform_(-1, 1, generator=random).div_(math.sqrt(value.shape[1]))
        elif name == "bias":
            value.zero_()
        else:  # the vectors of spectral normalisation's power iteration
            value.normal_(generator=random).div_(value.norm())
