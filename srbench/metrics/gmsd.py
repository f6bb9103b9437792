"""GMSD, by pyiqa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, require

if TYPE_CHECKING:
    from torch import Tensor


def build(params: Mapping[str, str], device: str) -> Scorer:
    """Gradient magnitude similarity deviation of the gray images; 0 for equal images."""
    require(params, "gmsd")
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    from pyiqa.archs.gmsd_arch import GMSD

    network = GMSD(test_y_channel=True).to(device)

    def score(sr: Tensor, hr: Tensor | None) -> float:
        return float(network(sr, hr))

    return score


METRIC = Metric(
    name="gmsd",
    title="GMSD",
    kind="FR",
    higher_is_better=False,
    decimals=4,
    order=6,
    build=build,
    source="Xue et al. 2014",
    min_side=8,
)
