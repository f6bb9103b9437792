"""MS-SSIM, by pyiqa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, require

if TYPE_CHECKING:
    from torch import Tensor


def build(params: Mapping[str, str], device: str) -> Scorer:
    """Multi-scale structural similarity of the gray images, five scales; 1 for equal images."""
    require(params, "ms_ssim")
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    from pyiqa.archs.ssim_arch import MS_SSIM

    network = MS_SSIM().to(device)

    def score(sr: Tensor, hr: Tensor | None) -> float:
        return float(network(sr, hr))

    return score


METRIC = Metric(
    name="ms_ssim",
    title="MS-SSIM",
    kind="FR",
    higher_is_better=True,
    decimals=4,
    order=5,
    build=build,
    source="Wang, Simoncelli and Bovik 2003",
    # Four halvings must leave the 11 pixel window room.
    min_side=161,
)
