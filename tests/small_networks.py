"""Networks and images small enough to count by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from srbench.train.discriminators import Discriminator, build_discriminator


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def discriminator(kind: str = "vgg", patch: int = 32, **options: Any) -> Discriminator:
    network = build_discriminator(kind, patch, **({"num_feat": 8} | options))
    assert network is not None
    return network


def images(count: int = 2, side: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))
