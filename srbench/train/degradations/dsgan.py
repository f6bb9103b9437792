"""Build the networks of DSGAN (Fritsche et al. 2019): bicubic LR comes to look like LR of a domain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from srbench.attacks.noise import generator

Norm = Literal["batch", "none"]
_DARKEST = 0.5 / 255
"""Pixels are held half a level off black and white, where a logit would be infinite."""


class DSGAN(nn.Module):
    """Degrades at LR size: conv-PReLU, residual blocks without normalisation, conv, sigmoid.

    The last convolution is computed in fp32 under autocast too: bf16 has steps of a gray level near white.

    Args:
        features: channels inside (64 in the published code).
        blocks: residual blocks (8 there).
        skip: add the output to the input's logit, and start from the identity. The published network has to
            learn to copy the image first, for which a short training has no time.
        noise_channels: channels of noise that the network gets beside the image (none in the published code,
            whose generator can only amplify what noise its input has; a clean input has none).
    """

    def __init__(
        self, features: int = 64, blocks: int = 8, skip: bool = False, noise_channels: int = 0
    ) -> None:
        super().__init__()
        self.block_input = nn.Sequential(nn.Conv2d(3 + noise_channels, features, 3, padding=1), nn.PReLU())
        self.res_blocks = nn.ModuleList([_Residual(features) for _ in range(blocks)])
        self.block_output = nn.Conv2d(features, 3, 3, padding=1)
        self.skip, self.noise_channels = skip, noise_channels

    def forward(self, lr: Tensor, noise: Tensor | None = None) -> Tensor:
        """Turn LR (N,3,H,W) in [0,1] into degraded LR (N,3,H,W) in (0,1).

        Args:
            noise: (N,noise_channels,H,W) of unit variance; None where there are no such channels.
        """
        features = self.block_input(lr if noise is None else torch.cat([lr, noise], 1))
        for block in self.res_blocks:
            features = block(features)
        with torch.autocast(lr.device.type, enabled=False):
            logit: Tensor = self.block_output(features.float())
            return torch.sigmoid(logit + lr.clamp(_DARKEST, 1 - _DARKEST).logit() if self.skip else logit)


def draw_noise(like: Tensor, channels: int, ids: Sequence[str], seed: int, stream: str) -> Tensor | None:
    """Return noise (N,channels,H,W) for a batch (N,3,H,W), each sample's by its id; None for 0 channels."""
    if not channels:
        return None
    size = (channels, *like.shape[-2:])
    return torch.stack([torch.randn(size, generator=generator(seed, i, stream)) for i in ids]).to(like)


class _Residual(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, padding=1)
        self.prelu = nn.PReLU()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.conv2(self.prelu(self.conv1(x)))
        return x + changed


def build_dsgan(
    features: int, blocks: int, skip: bool, random: torch.Generator, noise_channels: int = 0
) -> DSGAN:
    """Return a DSGAN with the initial weights that ``random`` (on the CPU) gives."""
    with torch.device("meta"):  # no initialisation of PyTorch's own: nobody's random state is touched
        network = DSGAN(features, blocks, skip, noise_channels)
    network.to_empty(device="cpu")
    _initialise(network, random)
    if skip:
        nn.init.zeros_(network.block_output.weight)
        assert network.block_output.bias is not None
        nn.init.zeros_(network.block_output.bias)
    return network


def build_texture_discriminator(
    features: int, random: torch.Generator, norm: Norm = "batch"
) -> nn.Sequential:
    """Return a network that gives each pixel of a high-pass (N,3,H,W) a logit: three 5 x 5 layers, a 1 x 1.

    Its initial weights are those that ``random`` (on the CPU) gives. ``norm`` is what stands behind the
    second and third layer: ``batch``, as published, or ``none``.
    """
    with torch.device("meta"):
        network = nn.Sequential(
            nn.Conv2d(3, features, 5, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(features, 2 * features, 5, padding=2),
            *([nn.BatchNorm2d(2 * features)] if norm == "batch" else []),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * features, 4 * features, 5, padding=2),
            *([nn.BatchNorm2d(4 * features)] if norm == "batch" else []),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * features, 1, 1),
        )
    network.to_empty(device="cpu")
    _initialise(network, random)
    return network


def _initialise(network: nn.Module, random: torch.Generator) -> None:
    """Draw PyTorch's own initial distributions from a generator of our own."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                bound = 1 / math.sqrt(module.weight[0].numel())
                module.weight.uniform_(-bound, bound, generator=random)
                assert module.bias is not None
                module.bias.uniform_(-bound, bound, generator=random)
            elif isinstance(module, nn.PReLU):
                module.weight.fill_(0.25)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
