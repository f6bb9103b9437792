"""Compute PIQE, by pyiqa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, pyiqa_arch, require

if TYPE_CHECKING:
    from torch import Tensor


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of PIQE, as ``METRIC`` defines it."""
    require(params, "piqe")
    piqe = pyiqa_arch("piqe_arch").piqe

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
    make_scorer=make_scorer,
    definition="Perception based image quality evaluator, 0 (best) to 100; MATLAB's piqe.",
    source="Venkatanath et al. 2015, MATLAB's piqe",
    min_side=16,
    lowest=0.0,
    highest=100.0,
)
