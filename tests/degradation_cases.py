"""A generator, crops and sources small enough that a degradation is made of them in a moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from srbench.train import degradations
from srbench.train.degradations import Batch, Context, Degradation
from srbench.train.frequency import low_pass

P = 32
"""Side of the HR crops here; LR is a quarter."""


class Upscaler(nn.Module):
    """A small generator with a BatchNorm, whose statistics an attack in train mode must not move."""

    def __init__(self) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(3)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8, momentum=0.5)
        self.last = nn.Conv2d(8, 48, 3, padding=1)
        self.calls = 0
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-0.2, 0.2, generator=draw)

    def forward(self, lr: Tensor) -> Tensor:
        self.calls += 1
        detail = F.pixel_shuffle(self.last(F.leaky_relu(self.norm(self.first(lr)))), 4)
        return F.interpolate(lr, scale_factor=4, mode="nearest") + 0.2 * detail


def plain() -> nn.Module:
    """The generator without its BatchNorm, so that a batch is its images one by one."""
    network = Upscaler()
    network.norm = nn.Identity()  # type: ignore[assignment]
    return network


def crops(indices: Sequence[int]) -> Tensor:
    """Smooth 8-bit colour gradients, decided by the index alone."""
    images = []
    for index in indices:
        draw = torch.Generator().manual_seed(index % (1 << 40))
        corners = torch.rand(1, 3, 3, 3, generator=draw)
        images.append(F.interpolate(corners, size=(P, P), mode="bilinear", align_corners=True))
    return (torch.cat(images) * 255).round() / 255


def noisy(count: int, first: int = 0) -> Tensor:
    """HR with detail: 8-bit uniform noise over the gradients."""
    draw = torch.Generator().manual_seed(first)
    grain = torch.rand(count, 3, P, P, generator=draw)
    return ((0.6 * crops(range(first, first + count)) + 0.4 * grain) * 255).round() / 255


def distance(hr: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda sr: (low_pass(sr, 3) - low_pass(hr, 3)).square().flatten(1).mean(1)


def batch(count: int = 4, first: int = 0) -> Batch:
    hr = noisy(count, first)
    return Batch(hr, tuple(str(first + i) for i in range(count)), distance(hr), "distance")


def one(whole: Batch, position: int) -> Batch:
    hr = whole.hr[position : position + 1]
    return Batch(hr, whole.ids[position : position + 1], distance(hr), whole.score_text)


def small_context() -> Context:
    return Context(plain(), 7, None, crops, torch.device("cpu"), lambda line: None)


def made(context: Context, **table: Any) -> Degradation:
    degradation = degradations.make_degradation(degradations.parse(table), context)
    degradation.prepare()
    return degradation


# Small enough to train in a second, on images the test makes itself.
FS = {
    "kind": "frequency-separation",
    "iterations": 3,
    "batch": 2,
    "crop": 8,
    "pairs": "training",
    "gate": 0,
    "features": 4,
    "blocks": 1,
    "discriminator_features": 2,
    "perceptual_net": "none",
}


def two_sources(tmp_path: Path) -> Path:
    """Two source images: flat gray 120 with noise of 3 levels, and one that is all edges."""
    draw = np.random.default_rng(0)
    flat = 120 + draw.normal(0, 3, (40, 24, 3))
    edges = np.indices((40, 24)).sum(0)[..., None] % 2 * np.full(3, 255)
    path = tmp_path / "source"
    path.mkdir()
    for name, image in (("flat", flat), ("edges", edges)):
        Image.fromarray(image.round().clip(0, 255).astype(np.uint8)).save(path / f"{name}.png")
    return path
