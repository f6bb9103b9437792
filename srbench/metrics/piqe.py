"""PIQE, by pyiqa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, require

if TYPE_CHECKING:
    from torch import Tensor


def build(params: Mapping[str, str], device: str) -> Scorer:
    """Perception based image quality evaluator, 0 (best) to 100; MATLAB's piqe."""
    require(params, "piqe")
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    from pyiqa.archs.piqe_arch import piqe

    def score(sr: Tensor, hr: Tensor | None) -> float:
        return float(piqe(sr)[0])

    return score


METRIC = Metric(
    name="piqe",
    title="PIQE",
    kind="NR",
    higher_is_better=False,
    decimals=2,
    order=3,
    build=build,
    source="Venkatanath et al. 2015, MATLAB's piqe",
    min_side=16,
)
