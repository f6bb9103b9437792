"""Compute MS-SSIM, by pyiqa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, pyiqa_arch, require

if TYPE_CHECKING:
    from torch import Tensor


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of MS-SSIM, as ``METRIC`` defines it."""
    require(params, "ms_ssim")
    network = pyiqa_arch("ssim_arch").MS_SSIM().to(device)

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
    make_scorer=make_scorer,
    definition="Multi-scale structural similarity of the gray images, five scales; 1 for equal images.",
    source="Wang, Simoncelli and Bovik 2003",
    # Four halvings must leave the 11 pixel window room.
    min_side=161,
    lowest=0.0,
    highest=1.0,
)
