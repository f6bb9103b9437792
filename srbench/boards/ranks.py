"""Compute ranks that say no more than the images do: rows whose difference may be chance share one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from srbench.boards.stats import (
    ENDS,
    LEAST,
    RESAMPLES,
    ROUNDING,
    Array,
    Draws,
    apart,
    interval,
    resampled_means,
)

ColumnValues = Sequence[tuple[Array, Draws]]
"""A data set gives a metric of every row, shape (rows, images), and how the images are resampled."""


class Rank(NamedTuple):
    """Hold the rank of one of n rows.

    Attributes:
        place: 1 + how many rows are certainly better. Also the best rank that the uncertainty allows.
        last: n - how many rows are certainly worse: the worst rank that it allows.
    """

    place: int
    last: int


def ranks(view: ColumnValues, *, higher_is_better: bool) -> list[Rank]:
    """Rank every row by the mean over the data sets of its means over images.

    A row is certainly better than another where the 95 % bootstrap interval of their paired difference
    leaves out zero (:func:`certainly_below`). Rows that are not certainly apart usually share a place; they
    need not, since "not certainly apart" is not transitive.
    """
    below = certainly_below(view)
    better = below.T if higher_is_better else below
    n = len(better)
    return [Rank(1 + int(better[:, row].sum()), n - int(better[row].sum())) for row in range(n)]


def certainly_below(view: ColumnValues) -> npt.NDArray[np.bool_]:
    """Return whether row i's mean is certainly below row j's, shape (rows, rows).

    Each pair is compared on the images that both rows have, with the same resamples for both. Where the
    images they share show fewer than six photographs, or those of one data set a single one, nothing is
    certain.
    """
    defined = np.concatenate([np.isfinite(values) for values, _ in view], axis=1)
    below = np.zeros((len(defined), len(defined)), dtype=np.bool_)
    # Rows that miss the same images, as most rows miss none, have the same resamples and go together.
    patterns, pattern_of = np.unique(defined, axis=0, return_inverse=True)
    groups = [np.flatnonzero(pattern_of.ravel() == number) for number in range(len(patterns))]
    for p, q in combinations_with_replacement(range(len(patterns)), 2):
        shared = patterns[p] & patterns[q]
        if len(np.unique(np.concatenate([draws.sources for _, draws in view])[shared])) < LEAST:
            continue
        first = _average(view, shared, groups[p])
        second = first if p == q else _average(view, shared, groups[q])
        for row, means in zip(groups[p], first, strict=True):
            below[row, groups[q]] = _lower(means, second, 1.0)
            below[groups[q], row] = _lower(means, second, -1.0)
    return below


def _average(view: ColumnValues, shared: npt.NDArray[np.bool_], rows: npt.NDArray[np.intp]) -> Array:
    """Return means over the data sets in each resample, of the shared images alone: (rows, resamples).

    Resamples that hold none of them are left out.
    """
    total = np.zeros((RESAMPLES, len(rows)))
    start = 0
    for values, draws in view:
        used = shared[start : start + values.shape[1]]
        total += resampled_means(
            values[np.ix_(rows, used)], Draws(draws.counts[:, used], draws.sources[used])
        )
        start += values.shape[1]
    return np.ascontiguousarray(total[np.isfinite(total[:, 0])].T / len(view))


def _lower(means: Array, others: Array, sign: float) -> npt.NDArray[np.bool_]:
    """Return, for each of the others, whether the interval of ``sign * (other - mean)`` is above zero.

    The lower end lies between the draws at two neighbouring places in their order. So counting the draws
    above zero decides, unless zero lies between these two; a percentile of every pair would take far longer.
    """
    n = len(means)
    if not n:
        return np.zeros(len(others), dtype=np.bool_)
    margin = ROUNDING * np.abs(means)
    above = others > means + margin if sign > 0 else others < means - margin
    not_above = n - np.count_nonzero(above, axis=1)
    place = int(ENDS[0] / 100 * (n - 1))
    certain: npt.NDArray[np.bool_] = not_above <= place
    for close in np.flatnonzero(not_above == place + 1):
        certain[close] = interval(sign * apart(others[close], means))[0] > 0
    return certain
