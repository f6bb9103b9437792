"""Compute LPIPS with the VGG backbone, by the lpips package: a second judge beside AlexNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, require
from srbench.metrics.lpips_net import BACKBONES, load_lpips

if TYPE_CHECKING:
    from torch import Tensor


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of LPIPS-VGG, as ``METRIC`` defines it."""
    require(params, "lpips-vgg", net=("vgg",), version=("0.1",))
    network = load_lpips("vgg", BACKBONES["vgg"].locate()).to(device)

    def score(sr: Tensor, hr: Tensor | None) -> float:
        return float(network(sr, hr, normalize=True))

    return score


METRIC = Metric(
    name="lpips-vgg",
    title="LPIPS-VGG",
    kind="FR",
    higher_is_better=False,
    decimals=4,
    order=3,
    make_scorer=make_scorer,
    definition="Learned perceptual distance, VGG16 backbone, v0.1 heads; 0 for equal images.",
    source="Zhang et al. 2018, https://github.com/richzhang/PerceptualSimilarity",
    weights=(BACKBONES["vgg"],),
    min_side=32,
    recommended=True,
)
