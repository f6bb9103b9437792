"""Compute means and their uncertainty."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
ENDS = (2.5, 97.5)
"""These percentiles of the resampled means bound a 95 % interval."""
ROUNDING = 1e-12
"""Sums are rounded: means that differ by less than this share of them are equal."""
LEAST = 6
"""With fewer photographs nothing is certain: of five, all are on one side in one of 16 cases by chance."""
Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


class Draws(NamedTuple):
    """Hold how the images of one column are resampled.

    Attributes:
        counts: how often each image is in each resample, (10000, images).
        sources: a number for the photograph each image shows, (images,): equal numbers, one photograph.
    """

    counts: Array
    sources: Codes


@dataclass(frozen=True)
class Mean:
    """Hold a mean over images with its 95 % bootstrap interval.

    Attributes:
        low, high: NaN where a data set shows a single photograph, which says nothing of others, and where the
            mean is not over every image it should be.
        n: images on which the metric was measured and defined.
        of: images on which it should be: those the other rows' means are over.
    """

    value: float
    low: float
    high: float
    n: int
    of: int

    @property
    def whole(self) -> bool:
        """Return whether the mean is over every image, so that it may stand beside the others'."""
        return self.n >= self.of


def resample_counts(images: int, seed: str) -> Array:
    """Return how often each image is drawn in each of 10,000 resamples, shape (10000, images).

    The seed is a text, such as the hash of the data set: every model and metric on that set is resampled
    with the same draws, so that intervals are paired over images.
    """
    digest = hashlib.sha256(f"bootstrap {seed}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    drawn = generator.integers(0, images, size=(RESAMPLES, images))
    flat = drawn + np.arange(RESAMPLES)[:, None] * images
    counts = np.bincount(flat.ravel(), minlength=RESAMPLES * images)
    return counts.reshape(RESAMPLES, images).astype(np.float64)


def resampled_means(values: Array, draws: Draws) -> Array:
    """Return the mean of ``values`` in each resample, (10000,), or (10000, rows) of values (rows, images).

    NaN entries do not take part; a row whose defined images show a single photograph has no resamples, all
    NaN.
    """
    defined = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        sums = draws.counts @ np.where(defined, values, 0.0).T
        means = sums / (draws.counts @ defined.astype(np.float64).T)
    spread: Array = np.where(photographs(defined, draws.sources) > 1, means, np.nan)
    return spread


def photographs(defined: npt.NDArray[np.bool_], sources: Codes) -> Codes:
    """Return how many photographs the images of (images,) or of each row of (rows, images) show together."""
    codes, place = np.unique(sources, return_inverse=True)
    shows = np.zeros((len(sources), len(codes)), dtype=np.int64)
    shows[np.arange(len(sources)), place] = 1
    found: Codes = (defined.astype(np.int64) @ shows > 0).sum(axis=-1)
    return found


def apart(first: Array, second: Array) -> Array:
    """Return first minus second, broadcast; zero where they differ by rounding alone."""
    difference: Array = first - second
    return np.where(np.abs(difference) <= ROUNDING * np.abs(second), 0.0, difference)


def interval(resampled: Array) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of resampled means; NaN where there are none."""
    finite = resampled[np.isfinite(resampled)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.percentile(finite, ENDS)
    return float(low), float(high)


def summarise(value: float, resampled: Array, n: int, of: int) -> Mean:
    """Return the mean over ``n`` of ``of`` images, with the interval of its resampled means if over all."""
    low, high = interval(resampled) if n >= of else (float("nan"), float("nan"))
    return Mean(value, low, high, n, of)
