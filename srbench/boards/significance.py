"""Test pairs: is it chance that one model is better on these images?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from srbench.boards.stats import Array

LEVEL = 0.05
"""A corrected p below this is called significant."""


class SignedRank(NamedTuple):
    """Hold a two-sided p, and why it is 1 or NaN where the images allow no test."""

    p: float
    reason: str = ""


def wilcoxon(apart: Array) -> SignedRank:
    """Compute Wilcoxon's signed-rank test of paired differences, shape (images,), by scipy.

    Images without a difference do not take part (Wilcoxon 1945). The distribution is exact for up to fifty
    images without ties; for others as scipy chooses.
    """
    from scipy import stats

    if not apart.size:
        return SignedRank(float("nan"), "no image in common")
    if not np.any(apart):
        return SignedRank(1.0, "no image differs")
    if apart.size == 1:
        return SignedRank(1.0, "a single image")
    return SignedRank(float(stats.wilcoxon(apart).pvalue))


def holm(values: Sequence[float]) -> list[float]:
    """Apply Holm's correction (1979) to the p of several tests, in order; NaN, which is no test, stays NaN.

    The kth smallest of m is multiplied by m - k + 1, and is no smaller than those before it.
    """
    p = np.asarray(values, dtype=np.float64)
    order = np.argsort(p)[: int(np.isfinite(p).sum())]
    factors = np.arange(len(order), 0, -1)
    corrected = np.full(len(p), np.nan)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return [float(value) for value in corrected]
