"""A small table of every kind of degradation, and crops and networks to make them with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from helpers import blurry_upscaler
from torch import Tensor, nn

from srbench.train.degradations import Batch, Context, Degradation, make_degradation, parse

PATCH = 64


def crops(indices: Sequence[int]) -> Tensor:
    """8-bit HR crops that follow from their index: smooth, with an edge."""
    made = []
    for index in indices:
        rng = np.random.default_rng(index % 10_007)
        small = rng.integers(0, 256, (3, 6, 6)).astype(np.float32)
        large = F.interpolate(torch.from_numpy(small)[None], size=(PATCH, PATCH), mode="bilinear")[0]
        made.append(large.round() / 255)
    return torch.stack(made)


def context(folder: Path | None = None, generator: nn.Module | None = None) -> Context:
    lines: list[str] = []
    return Context(generator or blurry_upscaler(), 7, folder, crops, torch.device("cpu"), lines.append)


def batch(count: int = 3, first: int = 0, **fields: Any) -> Batch:
    indices = range(first, first + count)
    return Batch(crops(indices), tuple(str(i) for i in indices), **fields)


def made(table: dict[str, Any], where: Context | None = None) -> Degradation:
    degradation = make_degradation(parse(table), where or context())
    degradation.prepare()
    return degradation


TABLES: dict[str, dict[str, Any]] = {
    "clean": {"kind": "clean"},
    "adversarial": {"kind": "adversarial", "loss": "l1"},
    "random": {"kind": "adversarial", "steps": 0},
    "noise": {
        "kind": "noise-injection",
        "source": "mini:ntire",
        "patch": 16,
        "stride": 16,
        "max_variance": 1e4,
        "source_images": 8,
    },
    "frequency": {
        "kind": "frequency-separation",
        "source": "mini:aim",
        "source_images": 8,
        "iterations": 2,
        "batch": 2,
        "crop": 16,
        "pairs": "training",
        "gate": 0,
        "perceptual_net": "none",
        "features": 8,
        "blocks": 1,
        "skip": True,
        "discriminator_features": 8,
    },
    "mixture": {"kind": "mixture", "parts": [{"kind": "clean"}, {"kind": "adversarial", "steps": 0}]},
    "blind": {"kind": "blind"},
    "bsrgan": {"kind": "blind-bsrgan"},
    "attacked blind": {"kind": "adversarial-after", "first": {"kind": "blind"}, "loss": "l1"},
    "gaussian": {"kind": "gaussian", "sigmas": ["5", "20"], "samples": 3},
}
