"""Compute LPIPS, by the lpips package."""

from __future__ import annotations

from srbench.metrics.base import Metric
from srbench.metrics.lpips_net import BACKBONES, lpips_scorer

METRIC = Metric(
    name="lpips",
    title="LPIPS",
    kind="FR",
    higher_is_better=False,
    decimals=4,
    order=3,
    make_scorer=lpips_scorer("lpips", "alex"),
    definition="Learned perceptual distance, AlexNet backbone, v0.1 heads; 0 for equal images.",
    source="Zhang et al. 2018, https://github.com/richzhang/PerceptualSimilarity",
    weights=(BACKBONES["alex"],),
    min_side=32,
    recommended=True,
    lowest=0.0,
)
