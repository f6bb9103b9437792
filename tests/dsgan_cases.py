"""A small DSGAN, and smooth images for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from srbench.datasets import degrade
from srbench.train.degradations import Context, Degradation, make_degradation, parse
from srbench.train.degradations.dsgan_training import DSGANTraining
from srbench.train.degradations.frequency_separation import FrequencySeparationSettings, _plan
from srbench.train.degradations.source_domain import SourceDomain, open_domain

SMALL: dict[str, Any] = {
    "kind": "frequency-separation",
    "source": "mini:ntire",
    "source_images": 8,
    "iterations": 2,
    "batch": 2,
    "crop": 8,
    "perceptual_net": "none",
    "features": 8,
    "blocks": 1,
    "skip": True,
    "discriminator_features": 8,
    "gate": 0,
}


def smooth(indices: Sequence[int], side: int) -> Tensor:
    """Smooth 8-bit colour gradients of middle brightness, decided by the index alone."""
    images = []
    for index in indices:
        corners = 0.3 + 0.4 * torch.rand(1, 3, 3, 3, generator=torch.Generator().manual_seed(index))
        images.append(F.interpolate(corners, size=(side, side), mode="bilinear", align_corners=True))
    return (torch.cat(images) * 255).round() / 255


def small_context() -> Context:
    return Context(
        nn.Identity(), 7, None, lambda indices: smooth(indices, 128), torch.device("cpu"), print, smooth
    )


def noisy_folder(path: Path) -> Path:
    """Sixteen noisy source images of 256 px, and no clean ones."""
    path.mkdir()
    for number in range(16):
        hr = (smooth([number + 500], 1024)[0].permute(1, 2, 0) * 255).round().byte().numpy()
        Image.fromarray(degrade.ntire(hr, np.random.default_rng(number))).save(path / f"{number}.png")
    return path


def made(context: Context, **changes: Any) -> Degradation:
    degradation = make_degradation(parse(SMALL | changes), context)
    degradation.prepare()
    return degradation


def training(context: Context, **changes: Any) -> tuple[DSGANTraining, SourceDomain]:
    settings = parse(SMALL | changes)
    assert isinstance(settings, FrequencySeparationSettings)
    domain = open_domain(settings.source, context, count=8, side=4 * settings.crop)
    return DSGANTraining(_plan(settings, ""), context, domain), domain
