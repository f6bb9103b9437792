"""Compute lpips-lite, the distance that comes with srbench: see :mod:`srbench.metrics.lpips_lite_net`."""

from __future__ import annotations

from collections.abc import Mapping

from srbench.metrics.base import Metric, Scorer, require


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of LPIPS-lite, as ``METRIC`` defines it."""
    require(params, "lpips-lite", version=("1",))
    from srbench.metrics.lpips_lite_net import load, maps, total
    from srbench.metrics.remembered import remembering

    network = load().to(device)
    return remembering(network.features, lambda ours, theirs: total(maps(ours, theirs)))


METRIC = Metric(
    name="lpips-lite",
    title="LPIPS-lite",
    kind="FR",
    higher_is_better=False,
    decimals=4,
    order=3,
    make_scorer=make_scorer,
    definition="A small network's estimate of LPIPS (AlexNet, v0.1), needing no download; 0 for equal "
    "images.",
    source="distilled from LPIPS by srbench, leaderboards/lpips-lite.md",
    min_side=31,
    lowest=0.0,
)
