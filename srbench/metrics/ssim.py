"""Compute SSIM, by scikit-image.

pyiqa's SSIM is not used: it replaces negative structure terms by zero, which raises the score of noisy
images (0.180 instead of 0.167 on a BSD100 image with noise of standard deviation 30) away from the
definition that super-resolution papers print, and it is some forty times slower.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, require

if TYPE_CHECKING:
    from torch import Tensor


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of SSIM, as ``METRIC`` defines it."""
    require(params, "ssim")
    import numpy as np
    from skimage.metrics import structural_similarity

    def pixels(view: Tensor) -> np.ndarray:
        return view[0].double().cpu().numpy() * 255.0

    def score(sr: Tensor, hr: Tensor | None) -> float:
        assert hr is not None
        settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        value = structural_similarity(pixels(sr), pixels(hr), data_range=255.0, channel_axis=0, **settings)
        return float(value)

    return score


METRIC = Metric(
    name="ssim",
    title="SSIM",
    kind="FR",
    higher_is_better=True,
    decimals=4,
    order=2,
    make_scorer=make_scorer,
    definition="Structural similarity: 11 x 11 Gaussian window of sigma 1.5, valid positions only, mean of "
    "channels.",
    source="Wang et al. 2004, as computed by BasicSR's calculate_ssim",
    min_side=11,
    lowest=-1.0,
    highest=1.0,
)
