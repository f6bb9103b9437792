"""Compute the error of an SR image in what its LR image determines: the means of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, require

if TYPE_CHECKING:
    from torch import Tensor

SIDE = 4
"""Pixels of a block's side: those of one pixel of a ×4 LR image."""


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of block MSE, as ``METRIC`` defines it."""
    require(params, "block-mse")
    from torch.nn.functional import avg_pool2d

    def score(sr: Tensor, hr: Tensor | None) -> float:
        assert hr is not None
        error = avg_pool2d((sr.double() - hr.double()) * 255, SIDE)
        return float(error.square().mean())

    return score


METRIC = Metric(
    name="block-mse",
    title="Block MSE",
    kind="FR",
    higher_is_better=False,
    decimals=1,
    order=10,
    make_scorer=make_scorer,
    definition="Mean squared difference of the means of 4 x 4 pixels, in squared levels of 255; 0 for equal "
    "images. A clean x4 LR image determines these means: what is here is no detail that was guessed "
    "differently, but a tone or a pattern that was painted.",
    source="srbench; the MSE after average pooling",
    min_side=SIDE,
    lowest=0.0,
)
