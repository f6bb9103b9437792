"""Means and their uncertainty."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """A mean over images with its 95 % bootstrap interval; ``n`` images were defined and measured."""

    value: float
    low: float
    high: float
    n: int


def resample_counts(images: int, seed: str) -> Array:
    """How often each image is drawn in each of 10,000 resamples, shape (10000, images).

    The seed is a text, usually the hash of the data set: every model and metric on that set is resampled
    with the same draws, so that intervals are paired over images.
    """
    digest = hashlib.sha256(f"bootstrap {seed}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    drawn = generator.integers(0, images, size=(RESAMPLES, images))
    flat = drawn + np.arange(RESAMPLES)[:, None] * images
    counts = np.bincount(flat.ravel(), minlength=RESAMPLES * images)
    return counts.reshape(RESAMPLES, images).astype(np.float64)


def resampled_means(values: Array, counts: Array) -> Array:
    """Mean of ``values`` (images,) in each resample; NaN entries do not take part. Shape (10000,)."""
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        means: Array = counts @ np.where(defined, values, 0.0) / (counts @ defined.astype(np.float64))
    return means


def summarise(value: float, resampled: Array, n: int) -> Mean:
    """The mean with the 2.5th and 97.5th percentile of its resampled means."""
    finite = resampled[np.isfinite(resampled)]
    if n == 0 or not finite.size:
        return Mean(float("nan"), float("nan"), float("nan"), n)
    low, high = np.percentile(finite, [2.5, 97.5])
    return Mean(value, float(low), float(high), n)
