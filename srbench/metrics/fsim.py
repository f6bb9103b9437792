"""FSIM (chromatic), by pyiqa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, require

if TYPE_CHECKING:
    from torch import Tensor


def build(params: Mapping[str, str], device: str) -> Scorer:
    """Feature similarity with its chromatic part (FSIMc); 1 for equal images."""
    require(params, "fsim")
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    from pyiqa.archs.fsim_arch import fsim

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
    build=build,
    source="Zhang et al. 2011, FeatureSIM.m, FSIMc",
    min_side=16,
)
