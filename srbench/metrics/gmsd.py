"""Compute GMSD, by pyiqa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, pyiqa_arch, require

if TYPE_CHECKING:
    from torch import Tensor


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of GMSD, as ``METRIC`` defines it."""
    require(params, "gmsd")
    network = pyiqa_arch("gmsd_arch").GMSD(test_y_channel=True).to(device)

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
    make_scorer=make_scorer,
    definition="Gradient magnitude similarity deviation of the gray images; 0 for equal images.",
    source="Xue et al. 2014",
    min_side=8,
    lowest=0.0,
    highest=1.0,
)
