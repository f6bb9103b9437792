"""Compute how far an SR image leaves the range of its HR image nearby: haloes and ringing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, require

if TYPE_CHECKING:
    from torch import Tensor

REACH = 3
"""Pixels in every direction within which the HR image must have a value at least as extreme."""


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of overshoot, as ``METRIC`` defines it."""
    require(params, "overshoot")
    from torch.nn.functional import max_pool2d

    side = 2 * REACH + 1

    def highest(image: Tensor) -> Tensor:
        # Rows, then columns, is the same and faster; what lies beyond the border is minus infinity.
        rows = max_pool2d(image, (side, 1), stride=1, padding=(REACH, 0))
        return max_pool2d(rows, (1, side), stride=1, padding=(0, REACH)).double()

    def score(sr: Tensor, hr: Tensor | None) -> float:
        assert hr is not None
        sr = sr.double()
        above, below = sr - highest(hr), -highest(-hr) - sr
        return 255 * float((above.clamp(min=0) + below.clamp(min=0)).mean())

    return score


METRIC = Metric(
    name="overshoot",
    title="Overshoot",
    kind="FR",
    higher_is_better=False,
    decimals=2,
    order=11,
    make_scorer=make_scorer,
    definition="Mean distance, in levels of 255, of SR values from the range that HR has in the same channel "
    "within 3 pixels; 0 for equal images. Haloes and ringing leave that range; sharp and displaced edges do "
    "not.",
    source="srbench; the range as in the bracket of a morphological erosion and dilation",
    min_side=2 * REACH + 1,
    lowest=0.0,
)
