"""PSNR, in dB, by pyiqa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, require

if TYPE_CHECKING:
    from torch import Tensor


def build(params: Mapping[str, str], device: str) -> Scorer:
    """Peak signal-to-noise ratio over all channels and pixels of the view; 80 dB for equal images."""
    require(params, "psnr")
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    from pyiqa.archs.psnr_arch import psnr

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
    build=build,
    source="10 log10(1 / MSE); pyiqa adds 1e-8 to the MSE",
)
