"""Compute FSIM (chromatic), by pyiqa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, pyiqa_arch, require

if TYPE_CHECKING:
    from torch import Tensor


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of FSIM, as ``METRIC`` defines it."""
    require(params, "fsim")
    fsim = pyiqa_arch("fsim_arch").fsim

    def score(sr: Tensor, hr: Tensor | None) -> float:
        return float(fsim(sr, hr, chromatic=True))

    return score


METRIC = Metric(
    name="fsim",
    title="FSIM",
    kind="FR",
    higher_is_better=True,
    decimals=4,
    order=4,
    make_scorer=make_scorer,
    definition="Feature similarity with its chromatic part (FSIMc); 1 for equal images.",
    source="Zhang et al. 2011, FeatureSIM.m, FSIMc",
    min_side=16,
    lowest=0.0,
    highest=1.0,
)
