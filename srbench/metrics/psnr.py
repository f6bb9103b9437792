"""Compute PSNR, in dB, by pyiqa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, pyiqa_arch, require

if TYPE_CHECKING:
    from torch import Tensor


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of PSNR, as ``METRIC`` defines it."""
    require(params, "psnr")
    psnr = pyiqa_arch("psnr_arch").psnr

    def score(sr: Tensor, hr: Tensor | None) -> float:
        return float(psnr(sr.double(), hr.double()))  # type: ignore[union-attr]

    return score


METRIC = Metric(
    name="psnr",
    title="PSNR",
    kind="FR",
    higher_is_better=True,
    decimals=2,
    order=1,
    make_scorer=make_scorer,
    definition="Peak signal-to-noise ratio over all channels and pixels of the view; 80 dB for equal images.",
    source="10 log10(1 / MSE); pyiqa adds 1e-8 to the MSE",
    lowest=0.0,
    highest=80.0,  # of equal images: pyiqa adds 1e-8 to the MSE
)
